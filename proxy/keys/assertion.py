"""Makes and judges a Software Statement Assertion, which a bank wants at onboarding and offers no tool for.

Sources: RFC 7591 section 2.3, RFC 7519, RFC 7515 sections 4.1.4 (kid) and 4.1.6 (x5c).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from proxy.errors import ConfigInvalid, KeyUnusable
from proxy.keys.certificate import parse_certificate
from proxy.keys.claims import GENERATED, faults_of, faults_of_generated
from proxy.keys.jws import Compact, read_compact, sign_compact, verifies
from proxy.keys.source import CertificateFacts, Signer

_SAME_ROLE = {"ASPSP": "PSP_AS", "PISP": "PSP_PI", "AISP": "PSP_AI", "CBPII": "PSP_IC", "PIISP": "PSP_IC"}


def make_assertion(
    claims: Mapping[str, object], signer: Signer, *, kid: str, x5c: bytes | None, issued_at: int, identifier: str
) -> str:
    """The compact JWT.

    claims: without iat and jti; unknown ones pass.  x5c: DER of the certificate, to go into the header, or None.
    issued_at: Unix seconds.  identifier: a UUID.
    Raises ConfigInvalid (claims_invalid) with every fault, KeyUnusable (signing_failed).
    """
    faults = [(name, "is generated; leave it out") for name in GENERATED if name in claims]
    faults += faults_of(claims)
    if faults:
        raise ConfigInvalid(faults, code="claims_invalid")
    header: dict[str, object] = {"typ": "JWT", "alg": "RS256", "kid": kid}
    if x5c is not None:
        header["x5c"] = [base64.b64encode(x5c).decode("ascii")]
    rest = {name: value for name, value in claims.items() if name != "iss"}
    return sign_compact(header, {"iss": claims["iss"], "iat": issued_at, "jti": identifier, **rest}, signer)


def judge_assertion(text: str, key: RSAPublicKey, certificate: bytes, now: int) -> Compact:
    """The parts of a valid assertion.  certificate: DER, what x5c must hold if it is there.  now: Unix seconds.

    Raises KeyUnusable (assertion_invalid) with the first fault: form, header, signature, claims.
    """
    try:
        compact = read_compact(text)
    except ValueError as error:
        raise KeyUnusable("assertion_invalid", str(error)) from None
    fault = _about_header(compact.header, certificate)
    if not fault and not verifies(compact, key):
        fault = "the signature was not made over these bytes by the certificate's key"
    if not fault:
        faults = [*faults_of(compact.claims), *faults_of_generated(compact.claims, now)]
        fault = f"the claim {faults[0][0]} {faults[0][1]}" if faults else ""
    if fault:
        raise KeyUnusable("assertion_invalid", fault)
    return compact


def doubts_about(claims: Mapping[str, object], facts: CertificateFacts) -> list[str]:
    """One sentence for each claim that says something else than the certificate; claims: free of faults."""
    doubts = []
    names = parse_certificate(facts.der).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if claims["org_name"] not in [name.value for name in names]:
        doubts.append("The claim org_name is not the organization (O) of the certificate's subject.")
    roles = claims["software_roles"]
    wanted = {_SAME_ROLE.get(str(role), str(role)) for role in roles} if isinstance(roles, list) else set()
    if facts.roles and not wanted <= set(facts.roles):
        doubts.append(f"The certificate does not have the role {' and '.join(sorted(wanted - set(facts.roles)))}, "
                      "which software_roles claims.")
    return doubts


def _about_header(header: Mapping[str, object], certificate: bytes) -> str:
    if header.get("alg") != "RS256":
        return "the header's alg is not RS256"
    if str(header.get("typ", "")).upper() != "JWT":
        return "the header's typ is not JWT"
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        return "the header has no kid"
    if "crit" in header:
        return "the header's crit asks for extensions that nobody has agreed on"
    return _about_x5c(header["x5c"], certificate) if "x5c" in header else ""


def _about_x5c(x5c: object, certificate: bytes) -> str:
    if not isinstance(x5c, list) or not x5c or not isinstance(x5c[0], str):
        return "the header's x5c is not a list of certificates"
    try:
        first = base64.b64decode(x5c[0].encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return "the header's x5c is not standard base64 (the one header that is not base64url)"
    return "" if first == certificate else "the header's x5c holds another certificate"
