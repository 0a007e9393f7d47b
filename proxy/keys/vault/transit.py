"""Signs with an RSA key that never leaves Vault's Transit engine."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.errors import KeyUnusable
from proxy.keys.admission import admit
from proxy.keys.certificate import parse_certificate
from proxy.keys.guarded import read_public_file, shown
from proxy.keys.material import read_certificates
from proxy.keys.pairing import certified_key
from proxy.keys.rsa_signer import spki_sha256
from proxy.keys.source import Begun, KeySource, Lanes, LoadedKey
from proxy.keys.unlock import Lock
from proxy.keys.vault import kv
from proxy.keys.vault.client import Budget, Vault
from proxy.keys.vault.settings import TransitKey

_PADDING = PKCS1v15()
_HASH = SHA256()
_WAITING = 4


class TransitSigner:
    """A `Signer` (proxy/keys/source.py): one version of one Transit key; immutable, safe in any thread."""

    inline = False

    def __init__(self, vault: Vault, settings: TransitKey, version: int, public_key: RSAPublicKey) -> None:
        self._vault = vault
        self._path = f"{settings.mount}/sign/{settings.key}/sha2-256"
        self._version = version
        self._prefix = f"vault:v{version}:"
        self._prehashed = settings.prehashed
        self._public_key = public_key
        self.bits = public_key.key_size
        self.spki_sha256 = spki_sha256(public_key)
        lanes = vault.settings.transit_lanes
        self.lanes = Lanes("vault-transit", lanes, lanes * _WAITING, vault.settings.transit_timeout)

    def sign(self, message: bytes) -> bytes:
        """Raises KeyUnusable within transit_timeout.  What comes back is verified: a bank must not see a bad one."""
        return self._vault.sign(self._path, self._body(message), partial(self._checked, message))

    def begin(self, message: bytes, told: Callable[[Begun], None]) -> None:
        """The same on the event loop (`Begins`, proxy/keys/source.py)."""
        self._vault.first.begin(self._path, self._body(message), partial(self._checked, message), told)

    def _body(self, message: bytes) -> dict[str, object]:
        given = hashlib.sha256(message).digest() if self._prehashed else message
        return {"input": binascii.b2a_base64(given, newline=False).decode(), "signature_algorithm": "pkcs1v15",
                "prehashed": self._prehashed, "key_version": self._version}

    def _checked(self, message: bytes, answer: Mapping[str, Any]) -> bytes:
        signature = self._signature(answer.get("data"))
        try:
            self._public_key.verify(signature, message, _PADDING, _HASH)
        except InvalidSignature:
            raise KeyUnusable("signing_failed", "Vault's signature does not verify") from None
        return signature

    def _signature(self, data: object) -> bytes:
        text = data.get("signature") if isinstance(data, dict) else None
        if not isinstance(text, str) or not text.startswith(self._prefix):
            raise KeyUnusable("vault_refused", "the answer holds no signature by the version that was asked for")
        try:
            return binascii.a2b_base64(text.removeprefix(self._prefix), strict_mode=True)
        except (binascii.Error, ValueError):
            raise KeyUnusable("vault_refused", "the answer's signature is no base64") from None

    def __repr__(self) -> str:
        return f"TransitSigner(bits={self.bits}, spki_sha256={self.spki_sha256})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled")


class TransitSource(KeySource):
    """One Transit key with its certificate."""

    def __init__(self, vault: Vault, settings: TransitKey, *, early: bool = False) -> None:
        """early: its certificate need not be valid yet."""
        self._vault = vault
        self._settings = settings
        self._early = early
        self._name = f"{settings.mount}/{settings.key}"

    def describe(self) -> str:
        version = f" version {self._settings.version}" if self._settings.version is not None else ""
        return f"vault transit {self._name}{version}"

    def watched(self) -> tuple[str, ...]:
        path = self._settings.certificate_file
        return (path,) if path is not None else ()

    def fingerprint(self) -> bytes | None:
        """Over the public keys, and the certificate where it is in Vault; None when Vault cannot tell now."""
        place = self._settings.certificate_vault
        beside = kv.fingerprint_of(self._vault, place) if place is not None else b""
        if beside is None:
            return None
        try:
            versions = self._versions(self._vault.budget(retries=0))
        except KeyUnusable:
            return None
        known = "".join(f"{number}:{spki_sha256(key)};" for number, key in sorted(versions.items()))
        return hashlib.sha256(known.encode() + beside).digest()

    def load(self, now: datetime) -> LoadedKey:
        """Asks for the public keys, pairs and checks, and has one test signature made.  Raises KeyUnusable."""
        certificate = self._certificate()
        versions = self._versions(self._vault.budget())
        version, warning = self._choose(versions, certificate)
        signer = TransitSigner(self._vault, self._settings, version, versions[version])
        loaded = admit(signer, versions[version], certificate, now, early=self._early)
        warnings = (*loaded.warnings, *warning)
        return LoadedKey(signer, loaded.certificate, warnings, loaded.public_key)

    def _choose(self, versions: Mapping[int, RSAPublicKey], certificate: bytes | None) -> tuple[int, tuple[str, ...]]:
        """The version and what to say about it.

        Without a configured version the certificate decides: between a rotation in Vault and the certificate for the
        new version, the old one signs.
        """
        pinned, latest = self._settings.version, max(versions)
        if pinned is not None:
            if pinned not in versions:
                raise KeyUnusable("vault_missing", f"{self._name} has no version {pinned}")
            return pinned, ()
        certified = certified_key(parse_certificate(certificate)) if certificate is not None else None
        if certified is None:
            return latest, ()       # admit() tells what is wrong with a certificate that is not RSA
        wanted = spki_sha256(certified)
        fitting = [number for number, key in versions.items() if spki_sha256(key) == wanted]
        if not fitting:
            raise KeyUnusable("key_pair_mismatch", f"the certificate was issued for none of the versions of "
                                                   f"{self._name}")
        chosen = max(fitting)
        late = f"The certificate is for version {chosen} of {self._name}, and version {latest} is the latest."
        return chosen, () if chosen == latest else (late,)

    def _certificate(self) -> bytes | None:
        settings = self._settings
        if settings.certificate_file is not None:
            lock = Lock(shown(settings.certificate_file), None)
            return read_certificates(read_public_file(settings.certificate_file), lock)[0]
        place = settings.certificate_vault
        if place is None:
            return None
        data = kv.unarmoured(kv.read_value(self._vault, place, self._vault.budget()))
        return read_certificates(data, Lock(f"field {place.field} of {kv.shown(place)}", None))[0]

    def _versions(self, budget: Budget) -> dict[int, RSAPublicKey]:
        """Public keys by version.  Raises KeyUnusable: a vault_ code, key_type."""
        path = f"{self._settings.mount}/keys/{self._settings.key}"
        data = self._vault.ask("transit_read", path, budget=budget).get("data")
        found = data.get("keys") if isinstance(data, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(found, Mapping) or not found:
            raise KeyUnusable("vault_refused", f"{path} was answered without keys")
        if not str(data.get("type", "")).startswith("rsa-"):
            raise KeyUnusable("key_type", f"{self._name} in Vault is of another type")
        return dict(map(_public_key, found.items()))


def _public_key(entry: tuple[Any, Any]) -> tuple[int, RSAPublicKey]:
    name, version = entry
    try:
        key = load_pem_public_key(str(version["public_key"]).encode())
        number = int(name)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise KeyUnusable("vault_refused", "a version of the key has no public key that can be read") from None
    if not isinstance(key, RSAPublicKey):
        raise KeyUnusable("key_type", "a version of the key in Vault is not RSA")
    return number, key
