"""Judges a certificate authority before anybody relies on it: a client that trusts it says only 'unknown CA'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from proxy.errors import KeyUnusable
from proxy.keys.constraints import constraints_of, permits, superfluous
from proxy.keys.issuing import CaKey

EXPIRES_SOON = timedelta(days=30)
_MIN_RSA_BITS = 2048
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension,
               x509.UnsupportedGeneralNameType)


@dataclass(frozen=True, slots=True)
class Chain:
    """certificates: the issuer first, what clients trust last; at least one.  key: the issuer's."""

    certificates: tuple[x509.Certificate, ...]
    key: CaKey

    @property
    def issuer(self) -> x509.Certificate:
        return self.certificates[0]

    @property
    def anchor(self) -> x509.Certificate:
        return self.certificates[-1]

    @property
    def not_after(self) -> datetime:
        return min(certificate.not_valid_after_utc for certificate in self.certificates)

    @property
    def sent(self) -> bytes:
        """PEM of what a client does not have: everything but a self-signed anchor."""
        own = [c for c in self.certificates if c is not self.anchor or c.issuer != c.subject]
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in own)


def read_chain(certificates: bytes, key: bytes, where: str) -> Chain:
    """certificates, key: PEM.  where: the certificate's path, for sentences.

    Raises KeyUnusable: ca_unusable, key_pair_mismatch.
    """
    try:
        parsed = tuple(x509.load_pem_x509_certificates(certificates))
    except _UNREADABLE:
        raise KeyUnusable("ca_unusable", f"{where} holds no X.509 certificate in PEM") from None
    chain = Chain(parsed, _read_key(key))
    try:
        _check_chain(chain, where)
    except _UNREADABLE:
        raise KeyUnusable("ca_unusable", f"a part of {where} is not well-formed") from None
    return chain


def check_dates(chain: Chain, now: datetime) -> None:
    """now: aware.  Raises KeyUnusable: ca_unusable (expired), certificate_not_yet_valid."""
    if now >= chain.not_after:
        raise KeyUnusable("ca_unusable", f"it expired on {chain.not_after:%Y-%m-%d}")
    begin = max(certificate.not_valid_before_utc for certificate in chain.certificates)
    if now < begin:
        raise KeyUnusable("certificate_not_yet_valid", f"the CA is valid from {begin:%Y-%m-%d %H:%M} UTC")


def check_hosts(chain: Chain, hosts: Sequence[str]) -> None:
    """Raises KeyUnusable: ca_not_for_host, with the first such host."""
    for certificate in chain.certificates:
        constraints = constraints_of(certificate)
        refused = [host for host in hosts if constraints is not None and not permits(constraints, host)]
        if refused:
            raise KeyUnusable("ca_not_for_host", f"its name constraints do not permit {refused[0]}")


def warnings_about(chain: Chain, hosts: Sequence[str], now: datetime) -> tuple[str, ...]:
    """Sentences about what works today and may not tomorrow, or for more than it should."""
    found = []
    if chain.not_after - now < EXPIRES_SOON:
        found.append(f"The CA expires on {chain.not_after:%Y-%m-%d}. Make a new one with 'signing-proxy ca init "
                     "--force' and hand it to the clients.")
    if chain.anchor.issuer != chain.anchor.subject:
        found.append("The last certificate of the CA is not self-signed, and most clients trust no other. Add its "
                     "issuers to ca_certificate_file, up to the root.")
    constraints = [limit for limit in map(constraints_of, chain.certificates) if limit is not None]
    more = superfluous(constraints[0], hosts) if constraints else ()
    if more:
        found.append(f"The CA may also speak for {', '.join(more)}, which no route uses. Make a new one when you can.")
    if not constraints:
        found.append("The CA has no name constraints, so whoever has its key can pose as any host. Give one that is "
                     "limited to the bank hosts.")
    return tuple(found)


def _read_key(data: bytes) -> CaKey:
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise KeyUnusable("ca_unusable", "its key is encrypted, and there is no place for a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusable("ca_unusable", "its key file holds no private key in PEM") from None
    if isinstance(key, RSAPrivateKey) and key.key_size < _MIN_RSA_BITS:
        raise KeyUnusable("ca_unusable", f"its RSA key is shorter than {_MIN_RSA_BITS} bits")
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise KeyUnusable("ca_unusable", "its key is neither ECDSA nor RSA")
    return key


def _check_chain(chain: Chain, where: str) -> None:
    for depth, certificate in enumerate(chain.certificates):
        _check_authority(certificate, depth, where)
    if _spki(chain.issuer.public_key()) != _spki(chain.key.public_key()):
        raise KeyUnusable("key_pair_mismatch", f"{where} begins with the certificate of another key")
    for lower, upper in zip(chain.certificates, chain.certificates[1:], strict=False):
        try:
            lower.verify_directly_issued_by(upper)
        except (InvalidSignature, *_UNREADABLE):
            raise KeyUnusable("ca_unusable", f"{where} is no chain, each certificate signed by the next") from None


def _check_authority(certificate: x509.Certificate, depth: int, where: str) -> None:
    """depth: how many authorities stand below."""
    extensions = certificate.extensions
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        basic = x509.BasicConstraints(ca=False, path_length=None)
    if not basic.ca:
        raise KeyUnusable("ca_unusable", f"{where} holds a certificate that is not a CA's")
    if basic.path_length is not None and basic.path_length < depth:
        raise KeyUnusable("ca_unusable", f"the path length in {where} does not allow this chain")
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise KeyUnusable("ca_unusable", f"a key usage in {where} does not allow to sign certificates")


def _spki(key: object) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded
