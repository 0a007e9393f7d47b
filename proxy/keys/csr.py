"""Makes the certificate request (PKCS#10) that a trust service provider wants for a PSD2 e-seal.

Sources: PKCS#10 (RFC 2986); subject of a legal person (ETSI EN 319 412-3 section 4.2.1); key usage of seals
(ETSI EN 319 412-2 section 4.3.2); organizationIdentifier and roles (ETSI TS 119 495 sections 5.1 and 5.2.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from proxy.errors import ConfigInvalid, KeyUnusable
from proxy.keys.certificate import QC_STATEMENTS
from proxy.keys.linting import ORGANIZATION_IDENTIFIER
from proxy.keys.statements import ROLE_NUMBERS, qc_statements

_COUNTRY = re.compile("[A-Z]{2}")
_AUTHORITY_ID = re.compile("[A-Z]{2}-[A-Z]{2,8}")
_LONGEST = {"organization": 64, "common_name": 64, "authority_name": 256}  # RFC 5280 appendix A.1; TS 119 495 annex A
_LONGEST_PASSWORD = 1023  # OpenSSL's own limit
_TEXTS = ("country", "organization", "organization_identifier", "common_name", "authority_name", "authority_id")


@dataclass(frozen=True, slots=True)
class SealDetails:
    """What the seal shall say about its holder.

    country: two capitals.  organization: legal name.  organization_identifier: "PSD<CC>-<authority>-<number>".
    roles: such as "PSP_PI".  authority_name, authority_id: of the competent authority, such as "FI-FINFSA".
    """

    country: str
    organization: str
    organization_identifier: str
    common_name: str
    roles: tuple[str, ...]
    authority_name: str
    authority_id: str


def read_seal_details(given: Mapping[object, object]) -> SealDetails:
    """given: the fields of SealDetails by name.  Raises ConfigInvalid (csr_details_invalid) with every fault."""
    faults = [(str(name)[:80], "is no detail of a request: use " + ", ".join((*_TEXTS, "roles")))
              for name in given if name not in (*_TEXTS, "roles")]
    texts = {name: value for name in _TEXTS if isinstance(value := given.get(name), str) and value.strip()}
    faults += [(name, "is missing or not text") for name in _TEXTS if name not in texts]
    faults += _about_texts(texts)
    roles = given.get("roles")
    known = [role for role in roles if isinstance(role, str) and role in ROLE_NUMBERS] if isinstance(
        roles, list | tuple) else []
    if not known or known != list(dict.fromkeys(roles if isinstance(roles, list | tuple) else ())):
        faults.append(("roles", f"must be a list of {', '.join(ROLE_NUMBERS)}, each at most once"))
    if faults:
        raise ConfigInvalid(faults, code="csr_details_invalid")
    return SealDetails(roles=tuple(known), **texts)


def make_request(key: RSAPrivateKey, details: SealDetails) -> bytes:
    """PEM of the request, signed with SHA-256."""
    subject = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, details.country),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, details.organization),
        x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, details.organization_identifier),
        x509.NameAttribute(NameOID.COMMON_NAME, details.common_name),
    ])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False)
    statements = qc_statements(details.roles, details.authority_name, details.authority_id)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.UnrecognizedExtension(QC_STATEMENTS, statements), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _about_texts(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    faults = [(name, f"is longer than {most} characters") for name, most in _LONGEST.items()
              if len(texts.get(name, "")) > most]
    faults += [(name, "holds control characters") for name, value in texts.items() if not value.isprintable()]
    if "country" in texts and not _COUNTRY.fullmatch(texts["country"]):
        faults.append(("country", "must be two capital letters (ISO 3166-1), such as FI"))
    if "authority_id" in texts and not _AUTHORITY_ID.fullmatch(texts["authority_id"]):
        faults.append(("authority_id", "must be country and abbreviation in capitals, such as FI-FINFSA"))
    return faults + _about_identifier(texts)


def _about_identifier(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    if "organization_identifier" not in texts:
        return []
    form = ORGANIZATION_IDENTIFIER.fullmatch(texts["organization_identifier"])
    if form is None or len(texts["organization_identifier"]) > 64:
        return [("organization_identifier", "must be such as PSDFI-FINFSA-1234567-8 (ETSI TS 119 495)")]
    if texts.get("authority_id", form[1]) != form[1]:
        return [("organization_identifier", "names another authority than authority_id")]
    return []


def make_key(bits: int) -> RSAPrivateKey:
    """bits: 2048, 3072 or 4096."""
    return generate_private_key(public_exponent=65537, key_size=bits)


def private_pem(key: RSAPrivateKey, password: bytes | None) -> bytes:
    """PKCS#8, encrypted when there is a password.  Raises KeyUnusable: key_password (empty, or too long)."""
    if password is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if not 1 <= len(password) <= _LONGEST_PASSWORD:
        raise KeyUnusable("key_password", f"a new key's password has 1 to {_LONGEST_PASSWORD} bytes")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
