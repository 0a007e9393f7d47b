"""The configuration as a person would have written it, and the secrets beside it in files of their own."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import suppress
from pathlib import Path

import yaml

from proxy.cli.certificates import require_new, write_new
from proxy.cli.init_answers import Answers
from proxy.config.checks import check
from proxy.config.document import read_document
from proxy.config.model import Config
from proxy.config.problems import Enough, Problems
from proxy.config.reading import Reader
from proxy.core.profiles import PROFILES
from proxy.core.secret import Secret
from proxy.errors import ConfigInvalid, ProxyError

_PRIVATE, _PUBLIC = 0o600, 0o644

_TEXT = """\
# {title}.  Written by 'signing-proxy init'; every key is described in docs/configuration.md.
#   signing-proxy check --config-file {quoted} --connect
#   signing-proxy run --config-file {quoted}

address: 127.0.0.1                  # this machine only; anything else needs client_token_file
port: {port}                          # send unsigned requests to http://127.0.0.1:{port}
admin_port: 9090                    # health, metrics and status

applications:
  {application}:
    client_id: {client_id}
{secret}{key}
routes:
  - profile: {profile}
    application: {application}
{skip}    # Everything below the bank's root is signed.  Name what this application may do, and the rest is refused:
    # allow:
    #   - GET /personal/v5/accounts
    #   - GET /personal/v5/accounts/**
    #   - GET,POST /personal/v5/payments/**

# ca_directory: ca                  # also sign for programs that use HTTPS_PROXY and the bank's own URLs
# structured_logs: true             # log lines as JSON
"""


def write(answers: Answers, file: str, secrets_directory: str, *, force: bool) -> list[str]:
    """The files; secrets first, so that a configuration never names one that is not there.  Returns what to tell.

    Raises ProxyError: output_exists, output_unwritable, config_invalid.
    """
    path = Path(file)
    told = []
    places = _places(answers, path, secrets_directory)
    for place, _ in places.values():
        require_new(str(place), force=force)
    written = {name: str(place) for name, (place, _) in places.items()}
    text = _text(answers, path, written).encode()
    _require_valid(text, path)
    if places:
        _make_private_directory(path.parent / secrets_directory)
    for place, content in places.values():
        write_new(str(place), content, _PRIVATE, force=force)
        told.append(f"written: {place} (mode 0600)")
    write_new(file, text, _PUBLIC, force=force)
    quoted = shlex.quote(file)
    return [*told, f"written: {file}", *(f"warning: {warning}" for warning in answers.warnings),
            f"next: signing-proxy check --config-file {quoted} --connect",
            f"next: signing-proxy run --config-file {quoted}"]


def _places(answers: Answers, path: Path, secrets_directory: str) -> dict[str, tuple[Path, bytes]]:
    """What has to be written where: (file, content) by kind."""
    directory = path.parent / secrets_directory
    kept: list[tuple[str, str, Secret | None]] = [
        ("secret", "client-secret", answers.secret), ("key", "key.pem", answers.key if not answers.key_file else None)]
    return {kind: (directory / f"{answers.application}-{name}", secret.reveal().rstrip(b"\n") + b"\n")
            for kind, name, secret in kept if secret is not None}


def _require_valid(text: bytes, path: Path) -> None:
    """A name or number that no configuration takes is found before anything is written.  Raises ConfigInvalid."""
    problems = Problems()
    with suppress(Enough):
        values = Reader(problems, folder=os.path.abspath(path.parent)).fields(Config, read_document(text, problems))
        check(Config(**values), problems)
    if problems.found:
        raise ConfigInvalid(problems.found, str(path))


def _make_private_directory(directory: Path) -> None:
    """Only its owner may look into it, and no version control takes it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
    except OSError as error:
        raise ProxyError("output_unwritable", f"{directory}, {(error.strerror or 'unknown error').lower()}") from None


def _text(answers: Answers, path: Path, written: dict[str, str]) -> str:
    return _TEXT.format(
        title=PROFILES[answers.profile].title, quoted=shlex.quote(str(path)), port=answers.port,
        application=_name(answers.application), client_id=json.dumps(answers.client_id),
        secret=_secret_line(answers, path, written.get("secret") or answers.secret_file),
        key=_key_lines(answers, path, written.get("key") or answers.key_file), profile=answers.profile,
        skip="    signature: skip                 # what the sandbox takes without a key\n" if answers.skip else "")


def _secret_line(answers: Answers, path: Path, secret_file: str | None) -> str:
    if secret_file is None:
        return f"    client_secret_env: {json.dumps(answers.secret_env)}     # a variable of the proxy's environment\n"
    return f"    client_secret_file: {_from(path, secret_file)}     # mode 0600; relative to this file\n"


def _key_lines(answers: Answers, path: Path, key_file: str | None) -> str:
    if key_file is None or answers.skip:
        return ""
    rows = [("key_file", key_file), ("key_password_file", answers.key_password_file),
            ("certificate_file", answers.certificate_file)]
    return "".join(f"    {name}: {_from(path, value)}\n" for name, value in rows if value is not None)


def _from(path: Path, file: str) -> str:
    """As the configuration names it: relative to itself where the file lies below it."""
    directory, target = os.path.abspath(path.parent), os.path.abspath(file)
    inside = os.path.commonpath([directory, target]) == directory
    # A JSON string is a YAML string, whatever the file is called.
    return json.dumps(os.path.relpath(target, directory) if inside else target)


def _name(text: str) -> str:
    """In quotes where YAML would read something else, such as a number or yes."""
    return text if text.isalnum() and yaml.safe_load(text) == text else json.dumps(text)
