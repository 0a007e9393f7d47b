"""The bank wants a signed software statement at onboarding and offers no tool to make one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from proxy.cli.cert import password_from, password_options
from proxy.cli.failures import warn
from proxy.cli.output import good, printable, show, show_json

if TYPE_CHECKING:
    from proxy.keys.source import CertificateFacts, Signer

EPILOG = """\b
Examples:
  signing-proxy ssa create --claims claims.yaml --key qseal.key --certificate qsealc.pem > statement.jwt
  signing-proxy ssa verify statement.jwt --certificate qsealc.pem
"""


@click.group(epilog=EPILOG)
def ssa() -> None:
    """Make and judge the Software Statement Assertion of the onboarding."""


@ssa.command(epilog="""\b
Example: signing-proxy ssa create --claims claims.yaml --key qseal.key --certificate qsealc.pem
""")
@click.option("--claims", required=True, metavar="FILE", help="YAML with the claims; iat and jti are generated.")
@click.option("--key", "key_file", required=True, metavar="FILE", help="The QSealC's private key.")
@click.option("--certificate", required=True, metavar="FILE", help="The QSealC, to check key, dates and roles.")
@click.option("--kid", metavar="TEXT", help="Key id of the header.  [the key's RFC 7638 thumbprint]")
@click.option("--x5c", is_flag=True, help="Put the certificate into the header.")
@password_options
def create(claims: str, key_file: str, certificate: str, kid: str | None, x5c: bool, password_file: str | None,
           password_env: str | None) -> None:
    """Print a software statement as a JWT, signed with RS256."""
    from proxy.cli.certificates import read_mapping
    from proxy.keys.assertion import doubts_about, make_assertion

    now = datetime.now(UTC)
    given = read_mapping(claims, "claims_invalid")
    signer, facts, own_kid = _signer(key_file, certificate, password_from(password_file, password_env), now)
    named = {str(name): value for name, value in given.items()}
    text = make_assertion(named, signer, kid=kid or own_kid, x5c=facts.der if x5c else None,
                          issued_at=int(now.timestamp()), identifier=str(uuid4()))
    for doubt in doubts_about(named, facts):
        warn(doubt)
    show(text)


@ssa.command(epilog="\b\nExample: signing-proxy ssa verify statement.jwt --certificate qsealc.pem")
@click.argument("file")
@click.option("--certificate", required=True, metavar="FILE", help="The QSealC whose key must have signed it.")
@click.option("--json", "as_json", is_flag=True, help="Print header and claims as JSON.")
def verify(file: str, certificate: str, as_json: bool) -> None:
    """Judge the software statement in FILE, and explain the first fault."""
    from proxy.cli.certificates import read_certificate_file
    from proxy.cli.material import from_certificate
    from proxy.keys.assertion import doubts_about, judge_assertion
    from proxy.keys.certificate import read_facts
    from proxy.keys.chain import choose_leaf

    now = datetime.now(UTC)
    encoded = choose_leaf(read_certificate_file(certificate, None).certificates, None)
    facts = read_facts(encoded)
    compact = judge_assertion(_text_of(file), from_certificate(encoded), encoded, int(now.timestamp()))
    if not facts.not_before <= now <= facts.not_after:
        warn(f"The certificate is valid from {facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d} only. Sign "
             "with a current one.")
    for doubt in doubts_about(compact.claims, facts):
        warn(doubt)
    if as_json:
        show_json({"valid": True, "header": compact.header, "claims": compact.claims})
        return
    show(good("valid"))
    for name, value in compact.claims.items():
        show(printable(f"  {name}: {json.dumps(value, ensure_ascii=False)}"))


def _signer(
    key_file: str, certificate: str, secret: bytes | None, now: datetime
) -> tuple[Signer, CertificateFacts, str]:
    """The checked signer, its certificate's facts and its thumbprint."""
    from proxy.cli.certificates import read_certificate_file, read_key_file
    from proxy.keys.admission import admit
    from proxy.keys.certificate import read_facts
    from proxy.keys.jws import thumbprint
    from proxy.keys.pairing import choose_pair
    from proxy.keys.rsa_signer import RsaSigner

    material = read_key_file(key_file, secret)
    chosen, encoded = choose_pair(material.keys, read_certificate_file(certificate, secret).certificates, now)
    loaded = admit(RsaSigner(chosen), chosen.public_key(), encoded, now)
    facts = loaded.certificate or read_facts(encoded or b"")
    return loaded.signer, facts, thumbprint(chosen.public_key())


def _text_of(file: str) -> str:
    from proxy.cli.output import read_input
    from proxy.errors import KeyUnusable, ProxyError
    from proxy.keys.guarded import read_public_file

    try:
        data = read_input("-", "statement") if file == "-" else read_public_file(file)
    except KeyUnusable as error:
        raise ProxyError("input_unreadable", error.detail) from None
    # Latin-1 takes every byte: what is no base64url is then told as such.
    return data.decode("latin-1").strip()
