"""Says whether tunnels are intercepted, for which hosts, and with which authority."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.config.model import Config
from proxy.config.problems import Problems
from proxy.config.routes import resolve
from proxy.core.destinations import canonical_host
from proxy.keys.authority import AuthoritySettings


def intercepted_hosts(config: Config) -> tuple[str, ...]:
    """The bank hosts of the routes: names in lower case and addresses, sorted, each once."""
    return tuple(sorted({canonical_host(route.upstream.name) for route in resolve(config)}))


def authority_settings(config: Config, environ: Mapping[str, str]) -> AuthoritySettings | None:
    """None: nothing is intercepted.  environ: where SSL_CERT_FILE may name the system's certificate authorities."""
    if config.ca_directory is None and config.ca_certificate_file is None:
        return None
    return AuthoritySettings(
        directory=config.ca_directory, certificate_file=config.ca_certificate_file, key_file=config.ca_key_file,
        allow_group_read=config.ca_allow_group_read, roots_file=environ.get("SSL_CERT_FILE") or None)


def check_interception(config: Config, problems: Problems) -> None:
    """A directory, or both files, or nothing."""
    if config.ca_directory is not None:
        for key in ("ca_certificate_file", "ca_key_file"):
            if getattr(config, key) is not None:
                problems.add(key, f"Both ca_directory and {key} are given. Keep the directory, or both files.")
        return
    pair = {"ca_certificate_file": config.ca_certificate_file, "ca_key_file": config.ca_key_file}
    for key, other in (("ca_certificate_file", "ca_key_file"), ("ca_key_file", "ca_certificate_file")):
        if pair[key] is None and pair[other] is not None:
            problems.add(key, f"{other} is given without {key}. Give both, or ca_directory instead.", other)
