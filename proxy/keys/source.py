"""What a place that keeps signing keys promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from proxy.errors import KeyUnusable


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a QSealC certificate says about itself; the sources are in proxy/keys/certificate.py.

    serial: lower-case hex.  not_before, not_after: aware, UTC.  roles: names such as "PSP_AI", in certificate order.
    qc_type: "eseal", "esign", "web" or "" when the statement is absent.  fingerprint_sha256: hex over the DER.
    """

    subject: str
    issuer: str
    serial: str
    organization_identifier: str
    not_before: datetime
    not_after: datetime
    roles: tuple[str, ...]
    authority_name: str
    authority_id: str
    qc_type: str
    fingerprint_sha256: str
    der: bytes


@dataclass(frozen=True, slots=True)
class Lanes:
    """How many signatures a slow place can make at a time: signers that give equal ones share the same threads.

    threads: signatures in hand.  waiting: how many more may stand in line before the next one is refused.
    patience: seconds in line after which a signature is not begun any more.
    """

    name: str
    threads: int
    waiting: int
    patience: float = inf


class Signer(Protocol):
    """One immutable signing key.  A rotation makes a new one.

    A signer that is not inline may have an attribute `lanes`; without one it shares two threads with the others.  One
    with lanes may also be one that `Begins`.
    """

    @property
    def bits(self) -> int:
        """RSA modulus length."""

    @property
    def spki_sha256(self) -> str:
        """Hex SHA-256 over the DER SubjectPublicKeyInfo: the name of this key in logs and /status."""

    @property
    def inline(self) -> bool:
        """True: sign() is short enough for the event loop (at most one RSA-2048).  False: call it in a thread."""

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 over message (never a digest).  Raises KeyUnusable."""


Begun = bytes | KeyUnusable | Callable[[], bytes]
"""A signature, why there is none, or what is left to do for it in a thread, which raises KeyUnusable."""


class Begins(Protocol):
    """A signer elsewhere that needs no thread while all is well."""

    @property
    def lanes(self) -> Lanes: ...

    def begin(self, message: bytes, told: Callable[[Begun], None]) -> None:
        """Called on the event loop, as sign() is in a thread.  told: on the loop, once, never before this returns."""


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A signer that has been checked: key and certificate are a pair, dates hold, a test signature verified."""

    signer: Signer
    certificate: CertificateFacts | None
    warnings: tuple[str, ...]
    public_key: RSAPublicKey | None = None


class KeySource(Protocol):
    """A place that keeps one key.  load() blocks: call it in a thread once the loop runs."""

    def describe(self) -> str:
        """Where the key is, without a secret: for log lines and /status."""

    def load(self, now: datetime) -> LoadedKey:
        """Raises KeyUnusable with the code that fits."""

    def watched(self) -> Sequence[str]:
        """Paths whose content decides whether a reload is worth a try; may be empty."""

    def fingerprint(self) -> bytes | None:
        """The same for what is in no file: bytes that change with it, or None when it cannot be told now.

        It blocks like load().  b"", which stays, for a place that keeps everything in files.
        """
        return b""
