"""A certificate that the bank refuses costs days, so these commands look at it, order it and hand it over."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from proxy.cli.failures import FAILED, OK, warn
from proxy.cli.output import dim, printable, show, show_json, working

if TYPE_CHECKING:
    from proxy.keys.findings import Finding
    from proxy.keys.revocation import Status

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Examples:
  signing-proxy cert show qsealc.pem
  signing-proxy cert lint qsealc.pem --key qseal.key --chain issuer.pem --online
  signing-proxy cert upload-form qsealc.pem
  signing-proxy cert csr --request company.yaml --out-key qseal.key --out qseal.csr
  signing-proxy cert demo --directory demo
"""
DETAILS = ("country", "organization", "organization_identifier", "common_name", "authority_name", "authority_id")
_FORCE = click.option("--force", is_flag=True, help="Replace files that are there.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def password_options(command: F) -> F:
    """A password comes from a file or a variable, never from the command line."""
    by_file = click.option("--password-file", metavar="FILE", help="File with the password of PKCS#12 or key.")
    by_env = click.option("--password-env", metavar="NAME", help="Environment variable with that password.")
    return by_file(by_env(command))


@click.group(epilog=EPILOG)
def cert() -> None:
    """Show, judge, request and hand over QSealC certificates."""


@cert.command("show", short_help="Print what the certificates in a file say.",
              epilog="\b\nExample: signing-proxy cert show keystore.p12 --password-file password --json")
@click.argument("file")
@password_options
@_JSON
def show_(file: str, password_file: str | None, password_env: str | None, as_json: bool) -> None:
    """Print what each certificate in FILE says: PEM, DER, PKCS#12 or bare base64."""
    from proxy.cli.certificate_views import as_dict, show_details
    from proxy.cli.certificates import read_certificate_file
    from proxy.keys.details import read_details

    found = read_certificate_file(file, password_from(password_file, password_env)).certificates
    details = [read_details(encoded) for encoded in found]
    if as_json:
        show_json({"certificates": [as_dict(one) for one in details]})
        return
    for number, one in enumerate(details, 1):
        if number > 1:
            show()
        if len(details) > 1:
            show(dim(f"certificate {number} of {len(details)}"))
        show_details(one)


@cert.command(short_help="Tell all that the bank may refuse about a certificate.", epilog="""\b
Example: signing-proxy cert lint qsealc.pem --key qseal.key --chain issuer.pem
Exit codes: 0 no errors (there may be warnings), 1 errors, or a file cannot be used.
""")
@click.argument("file")
@click.option("--key", "key_file", metavar="FILE", help="Private key that must belong to the certificate.")
@click.option("--chain", multiple=True, metavar="FILE", help="Certificates of the issuers; may be repeated.")
@click.option("--online", is_flag=True, help="Also ask the issuer (OCSP, else CRL) whether it is revoked.")
@click.option("--timeout", type=click.FloatRange(min=0.1, max=300), default=10, show_default=True, metavar="SECONDS",
              help="Longest wait for each answer of --online.")
@password_options
@_JSON
def lint(file: str, key_file: str | None, chain: tuple[str, ...], online: bool, timeout: float,
         password_file: str | None, password_env: str | None, as_json: bool) -> int:
    """Tell everything about the certificate in FILE that the bank may refuse, why, and what to do."""
    from proxy.cli.certificate_views import status_finding
    from proxy.cli.certificates import read_certificate_file
    from proxy.keys.chain import choose_leaf
    from proxy.keys.linting import lint as findings_of

    secret, now = password_from(password_file, password_env), datetime.now(UTC)
    given = read_certificate_file(file, secret)
    others = tuple(one for path in chain for one in read_certificate_file(path, secret).certificates)
    spki = _spki(key_file, given.certificates, secret) if key_file is not None else None
    leaf = choose_leaf(given.certificates, spki)
    pool = tuple(one for one in (*given.certificates, *others) if one != leaf)
    findings = [*findings_of(leaf, pool, spki, now), *given.armour]
    status = None
    if online:
        with working("asking the issuer"):
            status = _status(leaf, pool, now, timeout)
        findings += status_finding(status)
    return _report(leaf, findings, status, as_json)


@cert.command("upload-form", short_help="Print the text for the field of the bank's portal.",
              epilog="Example: signing-proxy cert upload-form qsealc.pem")
@click.argument("file")
@password_options
def upload_form(file: str, password_file: str | None, password_env: str | None) -> None:
    """Print the text for the field of the bank's portal: base64 in one line, without BEGIN and END."""
    from proxy.cli.certificates import read_certificate_file
    from proxy.keys.certificate import armourless
    from proxy.keys.linting import lint as findings_of
    from proxy.keys.upload import require_uploadable

    given, now = read_certificate_file(file, password_from(password_file, password_env)), datetime.now(UTC)
    certificate = require_uploadable(given.certificates, given.armour, now)
    refused = [finding.id for finding in findings_of(certificate, (), None, now) if finding.severity == "error"]
    if refused:
        warn(f"The bank will refuse this certificate ({', '.join(refused)}). 'signing-proxy cert lint' tells why.")
    show(armourless(certificate))


@cert.command(short_help="Make a private key and the request for its certificate.", epilog="""\b
Example:
  signing-proxy cert csr --out-key qseal.key --out qseal.csr --country FI --organization 'Example Oy' \\
      --organization-identifier PSDFI-FINFSA-1234567-8 --common-name 'Example Oy' --role PSP_PI --role PSP_AI \\
      --authority-name Finanssivalvonta --authority-id FI-FINFSA
""")
@click.option("--out-key", required=True, metavar="FILE", help="Where the new private key goes, mode 0600.")
@click.option("--out", required=True, metavar="FILE", help="Where the request goes, PEM.")
@click.option("--request", metavar="FILE", help="YAML with the details below as keys, and a list of roles.")
@click.option("--country", metavar="CC", help="Two capital letters.")
@click.option("--organization", metavar="NAME", help="Legal name.")
@click.option("--organization-identifier", metavar="ID", help="Such as PSDFI-FINFSA-1234567-8.")
@click.option("--common-name", metavar="NAME", help="The bank shows it as the name of the application.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="PSP_AS, PSP_PI, PSP_AI or PSP_IC; repeatable.")
@click.option("--authority-name", metavar="NAME", help="The competent authority.")
@click.option("--authority-id", metavar="ID", help="Its identifier, such as FI-FINFSA.")
@click.option("--bits", type=click.Choice(["2048", "3072", "4096"]), default="3072", show_default=True,
              help="Length of the RSA key.")
@password_options
@_FORCE
def csr(out_key: str, out: str, request: str | None, roles: tuple[str, ...], bits: str, password_file: str | None,
        password_env: str | None, force: bool, **flags: str | None) -> None:
    """Make a private key and the certificate request for a PSD2 e-seal; a password encrypts the key."""
    from proxy.cli.certificates import PRIVATE_MODE, PUBLIC_MODE, read_mapping, require_new, write_new
    from proxy.keys.csr import make_key, make_request, private_pem, read_seal_details

    if os.path.realpath(out) == os.path.realpath(out_key):
        raise click.UsageError("Key and request cannot be one file. Name two with --out-key and --out.")
    given = read_mapping(request, "csr_details_invalid") if request is not None else {}
    given |= {name: value for name, value in flags.items() if value is not None}
    details = read_seal_details(given | {"roles": list(roles)} if roles else given)
    secret = password_from(password_file, password_env)
    for path in (out_key, out):
        require_new(path, force=force)
    key = make_key(int(bits))
    write_new(out_key, private_pem(key, secret), PRIVATE_MODE, force=force)
    write_new(out, make_request(key, details), PUBLIC_MODE, force=force)
    show(f"{dim('key     ')}{out_key}")
    show(f"{dim('request ')}{out}")
    show("Next: send the request, never the key, to the trust service provider, and judge what comes back with")
    show("'signing-proxy cert lint'.")


@cert.command(short_help="Make a throw-away CA and certificate, for tests.",
              epilog="\b\nExample: signing-proxy cert demo --directory demo --role PSP_PI --role PSP_AI --days 30")
@click.option("--directory", required=True, metavar="DIR", help="Where the files go; made when it is missing.")
@click.option("--role", "roles", multiple=True, type=click.Choice(["PSP_AS", "PSP_PI", "PSP_AI", "PSP_IC"]),
              help="Role of the holder; may be repeated.  [PSP_PI, PSP_AI]")
@click.option("--days", type=click.IntRange(-3650, 3650), default=90, show_default=True,
              help="How long it is valid; a negative number has expired.")
@click.option("--bits", type=click.Choice(["2048", "3072", "4096"]), default="2048", show_default=True,
              help="Length of the RSA key.")
@_FORCE
def demo(directory: str, roles: tuple[str, ...], days: int, bits: str, force: bool) -> None:
    """Make a throw-away CA and a certificate like a QSealC, for tests and the emulator."""
    from proxy.cli.certificates import PRIVATE_MODE, PUBLIC_MODE, make_directory, require_new, write_new
    from proxy.emulator.authority import Authority, Seal, Validity

    make_directory(directory)
    paths = [os.path.join(directory, name) for name in ("qseal.key", "qseal.pem", "ca.pem")]
    for path in paths:
        require_new(path, force=force)
    authority = Authority(Validity.days(max(days, 1)))
    seal = authority.seal(key_bits=int(bits), validity=Validity.days(days),
                          holder=Seal(roles=roles or ("PSP_PI", "PSP_AI")))
    contents = (seal.key_pem, seal.certificate_pem, authority.pem)
    for path, content, mode in zip(paths, contents, (PRIVATE_MODE, PUBLIC_MODE, PUBLIC_MODE), strict=True):
        write_new(path, content, mode, force=force)
        show(path)
    show("They are worth nothing: no bank trusts this CA, and its key is gone already.")


def password_from(file: str | None, env: str | None) -> bytes | None:
    from proxy.cli.material import password
    from proxy.errors import KeyUnusable
    from proxy.keys.guarded import shown_variable

    if file is not None and env is not None:
        raise click.UsageError("Give either --password-file or --password-env.")
    if env is not None and env not in os.environ:
        raise KeyUnusable("key_password", f"{shown_variable(env)} is not set")
    return password(file, env)


def _spki(key_file: str, certificates: tuple[bytes, ...], secret: bytes | None) -> str:
    """Of the file's keys the one that has a certificate here, else the first."""
    from proxy.cli.certificates import read_key_file
    from proxy.keys.details import read_details
    from proxy.keys.rsa_signer import spki_sha256

    names = [spki_sha256(key.public_key()) for key in read_key_file(key_file, secret).keys]
    certified = {read_details(encoded).spki_sha256 for encoded in certificates}
    return next((name for name in names if name in certified), names[0])


def _status(leaf: bytes, pool: tuple[bytes, ...], now: datetime, seconds: float) -> Status:
    from proxy.cli.revocation_status import status_of
    from proxy.keys.certificate import parse_certificate
    from proxy.keys.chain import issuers_by_name, signed_by

    certificate = parse_certificate(leaf)
    named = issuers_by_name(certificate, map(parse_certificate, pool))
    return status_of(certificate, next((one for one in named if signed_by(certificate, one)), None), now, seconds)


def _report(leaf: bytes, findings: list[Finding], status: Status | None, as_json: bool) -> int:
    from proxy.cli.certificate_views import finding_as_dict, show_findings
    from proxy.keys.certificate import read_facts

    facts = read_facts(leaf)
    ok = all(finding.severity != "error" for finding in findings)
    if as_json:
        show_json({"ok": ok, "subject": facts.subject, "serial": facts.serial,
                   "fingerprint_sha256": facts.fingerprint_sha256, "status": status.state if status else None,
                   "findings": [finding_as_dict(finding) for finding in findings]})
    else:
        show(dim(printable(f"{facts.subject}, serial {facts.serial}")))
        if status is not None and status.state == "good":
            show(f"status: good ({status.source})")
        show_findings(findings)
    return OK if ok else FAILED
