"""Decides which key and certificate belong together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from proxy.errors import KeyUnusable
from proxy.keys.certificate import parse_certificate
from proxy.keys.rsa_signer import spki_sha256


def certified_key(certificate: x509.Certificate) -> RSAPublicKey | None:
    """The certificate's public key, or None when it is not RSA."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def choose_pair(
    keys: Sequence[RSAPrivateKey], certificates: Sequence[bytes], now: datetime
) -> tuple[RSAPrivateKey, bytes | None]:
    """The key that has a certificate, with the certificate (DER) that is in date and lasts longest.

    Duplicates and chain certificates are passed over.  Without certificates the one key stands alone.
    Raises KeyUnusable: key_pair_mismatch, key_ambiguous (a choice that only the operator can make).
    """
    distinct = {spki_sha256(key.public_key()): key for key in keys}
    if certificates:
        owned = _by_key(certificates, now)
        paired = [name for name in distinct if name in owned]
        if not paired:
            raise KeyUnusable("key_pair_mismatch", _unmatched(certificates))
    else:
        owned, paired = {}, list(distinct)
    if len(paired) > 1:
        raise KeyUnusable("key_ambiguous", f"{len(paired)} of its keys would do")
    return distinct[paired[0]], owned.get(paired[0])


def _by_key(certificates: Sequence[bytes], now: datetime) -> dict[str, bytes]:
    """For every certified RSA key its best certificate."""
    best: dict[str, tuple[bool, datetime, bytes]] = {}
    for encoded in certificates:
        certificate = parse_certificate(encoded)
        key = certified_key(certificate)
        if key is None:
            continue
        in_date = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        rank = (in_date, certificate.not_valid_after_utc, encoded)
        name = spki_sha256(key)
        best[name] = max(best.get(name, rank), rank)
    return {name: encoded for name, (_, _, encoded) in best.items()}


def _unmatched(certificates: Sequence[bytes]) -> str:
    serial = f"{parse_certificate(certificates[0]).serial_number:x}"
    return f"the certificate with serial {serial} was issued for another key"
