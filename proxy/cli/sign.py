"""Shows what the proxy would send, which answers most questions about signatures without a call to the bank."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from proxy.cli.output import dim, printable, read_input, show, show_json
from proxy.cli.settings import config_file as config_file_option

if TYPE_CHECKING:
    from proxy.cli.sealing import Sealed

EPILOG = """\b
Examples:
  signing-proxy sign --config-file proxy.yaml '/personal/v5/accounts?page=2'
  signing-proxy sign --config-file proxy.yaml --route payments --body-file payment.json --curl /personal/v4/payments
  signing-proxy sign --profile nordea-sandbox --key-file sandbox.key --client-id 4a2b… --json \\
      https://api.nordeaopenbanking.com/personal/v5/accounts

\b
The path and query are signed byte for byte as they are written.  Secrets are shown as ***; there is deliberately no
option that takes one.  In JSON, text is Latin-1: one character per byte.
Exit codes: 0 signed, 1 the configuration or key cannot be used, 2 the request would be refused.
"""
NOTES = {
    "content_type_added": "the request had no Content-Type, so the default one was added and signed",
    "form_sorted": "the form's fields were sorted by name, as the bank's digest rule asks; send this body",
    "form_digest_over_decoded": "the digest is over the sorted, decoded form fields, as the bank's rule asks; the body "
                                "stays as it is",
    "form_not_canonical": "the body is not a well-formed form, so its digest is over the bytes as they are",
}
PROFILE_ONLY = ("key_file", "key_password_file", "certificate_file", "allow_group_read", "client_id",
                "client_secret_file", "client_secret_env", "key_id", "empty_body", "form", "default_content_type")
_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3]\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
                   r"\d{4} [0-2]\d:[0-5]\d:[0-6]\d GMT", re.ASCII)


@click.command(epilog=EPILOG)
@config_file_option
@click.option("--route", metavar="NAME", help="Route of the configuration; by default the one the path takes.")
@click.option("--profile", metavar="NAME", help="Bank and environment, instead of a configuration.")
@click.option("--key-file", metavar="FILE", help="Private key: PEM, DER, PKCS#12 or bare base64.")
@click.option("--key-password-file", metavar="FILE", help="File with the key's password.")
@click.option("--certificate-file", metavar="FILE", help="The key's certificate, to check the pair.")
@click.option("--allow-group-read", is_flag=True, default=None, help="Accept a key file that its group may read.")
@click.option("--client-id", metavar="ID", help="Client id of the application.")
@click.option("--client-secret-file", metavar="FILE", help="File with the client secret, for --show-secret.")
@click.option("--client-secret-env", metavar="NAME", help="Environment variable that holds it, for --show-secret.")
@click.option("--key-id", metavar="TEMPLATE", help="keyId of the signature; {client_id} stands for the client id.")
@click.option("--empty-body", type=click.Choice(["digest", "omit"]), help="POST, PUT, PATCH without a body.")
@click.option("--form", type=click.Choice(["canonical", "raw"]), help="How form bodies are hashed.")
@click.option("--default-content-type", metavar="TYPE", help="Added to content without one.")
@click.option("--method", help="By default GET, or POST with a body.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="One of its headers; repeatable.")
@click.option("--body-file", metavar="FILE", help="The request's body ('-': standard input).")
@click.option("--date", help="X-Nordea-Originating-Date; by default now.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--curl", "as_curl", is_flag=True, help="Print a curl command.")
@click.option("--show-secret", is_flag=True, help="Print secrets instead of ***.")
@click.argument("url")
def sign(config_file: str | None, route: str | None, profile: str | None, method: str | None, headers: tuple[str, ...],
         body_file: str | None, date: str | None, as_json: bool, as_curl: bool, show_secret: bool, url: str,
         **own: Any) -> None:
    """Sign one request to URL (or a bare path) and show signing string, digest, signature and headers."""
    from proxy.cli.sealing import parse_address, seal

    _check_usage(profile, route, config_file, as_json and as_curl, own)
    if date is not None and _DATE.fullmatch(date) is None:
        raise click.UsageError("The date is not written like 'Mon, 14 Aug 2023 06:25:45 GMT'.")
    address = parse_address(url)
    body = read_input(body_file, "body") if body_file is not None else b""
    now = datetime.now(UTC)
    if profile is not None:
        from proxy.cli.sealers import from_profile
        sealer = from_profile(profile, address, own, now, show_secret=show_secret)
    else:
        from proxy.cli.sealers import from_config
        sealer = from_config(config_file, route, address, now, show_secret=show_secret)
    sealed = seal(sealer, method or ("GET" if body_file is None else "POST"), address.target, headers, body,
                  date or formatdate(now.timestamp(), usegmt=True))
    if as_curl:
        from proxy.cli.curl import curl_command
        show(curl_command(sealed, body_file, body, show_secrets=show_secret))
    elif as_json:
        show_json(_facts(sealed, show_secret))
    else:
        _as_text(_facts(sealed, show_secret))


def _check_usage(profile: str | None, route: str | None, config_file: str | None, both: bool,
                 own: dict[str, Any]) -> None:
    if both:
        raise click.UsageError("Give either --json or --curl.")
    if profile is None:
        if config_file is None:
            raise click.UsageError("Give --config-file, or --profile with --key-file and --client-id.")
        given = [name for name in PROFILE_ONLY if own[name] is not None]
        if given:
            raise click.UsageError(f"--{given[0].replace('_', '-')} goes with --profile; a route has its own settings.")
        return
    source = click.get_current_context().get_parameter_source("config_file")
    if route is not None or source is ParameterSource.COMMANDLINE:
        raise click.UsageError("Give either --profile, or --config-file with --route.")
    for name in ("key_file", "client_id"):
        if own[name] is None:
            raise click.UsageError(f"--profile needs --{name.replace('_', '-')}.")


def _facts(sealed: Sealed, show_secret: bool) -> dict[str, Any]:
    from base64 import b64encode

    from proxy.core.headers import redacted

    plan, signer = sealed.plan, sealed.sealer.signer
    signed = sealed.signature is not None
    return {
        "method": plan.draft.method.decode("latin-1"),
        "url": sealed.url,
        "signing_string": plan.signature_base.decode("latin-1") if signed else None,
        "digest": plan.draft.digest.decode("latin-1") if plan.draft.digest is not None else None,
        "signature": b64encode(sealed.signature).decode() if sealed.signature is not None else None,
        "headers": [[name.decode("latin-1"), value.decode("latin-1") if show_secret else redacted(name, value)]
                    for name, value in sealed.headers],
        "key_spki_sha256": signer.spki_sha256 if signer is not None else None,
        "notes": [NOTES.get(note, note) for note in plan.draft.notes],
    }


def _as_text(facts: dict[str, Any]) -> None:
    show(f"{facts['method']} {facts['url']}")
    for title, value in (("signing string", facts["signing_string"] or "none: the route skips signing"),
                         ("digest", facts["digest"] or "none: content is not covered"),
                         ("signature", facts["signature"] or "none: the route skips signing"),
                         ("headers", "\n".join(f"{name}: {value}" for name, value in facts["headers"]))):
        show(dim(title))
        for line in value.split("\n"):
            show(f"  {printable(line)}")
    for note in facts["notes"]:
        show(f"note: {note}")
