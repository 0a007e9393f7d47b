"""The bank knows an application only by what was registered in its portal, and that may differ from what is sent."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from proxy.emulator import der
from proxy.emulator.authority import QC_STATEMENTS, ROLE_OIDS

SMALLEST_KEY = 2048

State = Literal["registered", "wrong_field", "armoured", "revoked", "unsubscribed"]
STATES: dict[State, str] = {
    "registered": "as it should be",
    "wrong_field": "the certificate was pasted into another field of the portal's form",
    "armoured": "the certificate was uploaded with its BEGIN and END lines",
    "revoked": "its issuer has revoked the certificate",
    "unsubscribed": "the application has no subscription to the API",
}

SANDBOX_PUBLIC_KEY = b"""\
-----BEGIN PUBLIC KEY-----
MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAyQYYtwon+ZOF9hRyWPFJ
ZbKu9C4AbX46TSmsUcLon7x7pMx9H3jk8mwIcQNFszx4Mx8m3iw83zpM4DmQpvpr
dP8+Le0sSB8d6k8X1gF4KTv1G9SNb7+Qf33jOToMUDy0t3LkypkoMupMmBStkVnV
6mGDj6S+cIozLlBsSoKzXtnJhvANLi+zAMWMr1OkOw5PUhwPu9HyhN8YnuPvWBvX
Ehb08tMoYpvRCgP62IIA7qjpc8XfNIDHJC2wjLIyhgjzEl4tAOEEOSz712cKCsnx
OnICioRK0ceN9SS40bWqxbWXvMGjrG08Ep35q2E0zVZ4S0yar0THhS/cY+RZnrEm
oG3trp3g6g7lyRf3BqN4t0QiY+fssyi0h+eBkZQl4Hx8QZev5AsRX/A73Px9R88k
VVHNxs/FQI9kWP08/+7PGxBkOfM+VxxAt4wiWTP/ZngPYRlWlAV3yIhxVtIh36Ng
m2Vb1QLcDKYeuqTZasBsed5OIJA+RcjpR54VS8Uk76HFAgMBAAE=
-----END PUBLIC KEY-----
"""


class RegistrationRefused(ValueError):
    """The portal does not take this certificate; the argument says why."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A public key, and the dates and PSD2 roles of its certificate when it came in one that has them."""

    public_key: rsa.RSAPublicKey
    not_before: datetime | None = None
    not_after: datetime | None = None
    roles: frozenset[str] | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the SubjectPublicKeyInfo, hexadecimal."""
        info = self.public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(info).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """RSASSA-PKCS1-v1_5 with SHA-256."""
        try:
            self.public_key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def in_date(self, now: datetime) -> bool:
        if self.not_before is None or self.not_after is None:
            return True
        return self.not_before <= now <= self.not_after


@dataclass(frozen=True, slots=True)
class Application:
    """One row of the portal's "My apps" page.

    former: what the bank's machines with odd numbers still know, while an upload has reached the others alone.
    state: what somebody did in the portal.
    """

    client_id: str
    client_secret: str = field(repr=False)
    registered: Registered | None = None
    former: Registered | None = None
    state: State = "registered"

    @property
    def subscribed(self) -> bool:
        """The bank grants nothing to a certificate whose only role is PSP_IC."""
        roles = self.registered.roles if self.registered is not None else None
        return self.state != "unsubscribed" and (roles is None or not roles <= {"PSP_IC"})

    def known_to(self, node: int) -> Registered | None:
        """node: number of the machine that serves the connection."""
        return self.former if self.former is not None and node % 2 else self.registered


def read_registered(data: bytes | str, *, check_roles: bool = True) -> Registered:
    """A certificate or public key as PEM, or the bare base64 certificate that the bank's portal asks for.

    check_roles: refuse one whose roles earn no subscription, as the onboarding does.
    """
    raw = (data.encode() if isinstance(data, str) else data).strip()
    if b"PRIVATE KEY" in raw:
        raise RegistrationRefused("this is a private key; never give it to anybody")
    if b"BEGIN PUBLIC KEY" in raw:
        return Registered(_strong_rsa(_public_key(raw)))
    certificate = _certificate(raw)
    roles = _roles(certificate)
    if check_roles and roles is not None and roles <= {"PSP_IC"}:
        raise RegistrationRefused("the certificate lacks the roles PSP_AI (or PSP_AS) and PSP_PI")
    key = _strong_rsa(certificate.public_key())
    return Registered(key, certificate.not_valid_before_utc, certificate.not_valid_after_utc, roles)


def _public_key(raw: bytes) -> object:
    try:
        return serialization.load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RegistrationRefused("the public key is not PEM") from error


def _certificate(raw: bytes) -> x509.Certificate:
    try:
        if b"BEGIN CERTIFICATE" in raw:
            return x509.load_pem_x509_certificate(raw)
        return x509.load_der_x509_certificate(base64.b64decode(b"".join(raw.split()), validate=True))
    except (ValueError, binascii.Error) as error:
        raise RegistrationRefused("the certificate is neither PEM nor its base64 body") from error


def _strong_rsa(key: object) -> rsa.RSAPublicKey:
    if not isinstance(key, rsa.RSAPublicKey):
        raise RegistrationRefused("the key is not RSA")
    if key.key_size < SMALLEST_KEY:
        raise RegistrationRefused(f"the RSA key is shorter than {SMALLEST_KEY} bits")
    return key


def _roles(certificate: x509.Certificate) -> frozenset[str] | None:
    """None without QCStatements: Premium APIs take such certificates."""
    try:
        extension = certificate.extensions.get_extension_for_oid(QC_STATEMENTS).value
    except x509.ExtensionNotFound:
        return None
    encoded = extension.public_bytes()
    return frozenset(role for role, dotted in ROLE_OIDS.items() if der.oid(dotted) in encoded)
