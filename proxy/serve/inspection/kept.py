"""What is remembered of a call: bytes without secrets, and nothing formatted before somebody looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from proxy.core.exchange import Exchange
from proxy.core.message import Field
from proxy.core.signing import SigningRules
from proxy.keys.source import CertificateFacts


class Body(Struct, frozen=True):
    """data: the beginning of it, redacted.  size: how many bytes there were.  kept: how many of them data stands for.

    decoded_from: the content coding that was taken off.  cut, masked: why data is not the whole truth.  unreadable:
    one clause why there is no data.
    """

    data: bytes = b""
    size: int = 0
    kept: int = 0
    decoded_from: str = ""
    cut: bool = False
    masked: bool = False
    unreadable: str = ""

    @property
    def whole(self) -> bool:
        """Whether data is what there was, byte for byte."""
        return not (self.cut or self.masked or self.unreadable or self.decoded_from)


NO_BODY = Body()


class Asked(Struct, frozen=True):
    """The caller's request.  url: as it came; target: as a caller of the reverse proxy would have written it.

    passed: those of the fields that went on to the bank, the very same objects; None when nothing was signed.
    """

    method: bytes
    url: bytes
    target: bytes
    fields: Sequence[Field]
    body: Body
    passed: Sequence[Field] | None = None


class Sent(Struct, frozen=True):
    """What was sealed for the bank, as far as it is not the caller's: what the views make the message of.

    string: that was signed; masked: a secret in the URL is masked in it.  secret: what is shown of the client secret.
    digest_input: what was hashed, where it is not the body.  spki_sha256: "" when the signature was skipped.
    """

    rules: SigningRules
    target: bytes
    body: Body
    framed: bool
    added: tuple[bytes, bytes] | None
    content_type: bytes | None
    covered: tuple[bytes, ...]
    digest: bytes | None
    digest_input: bytes | None
    string: bytes
    masked: bool
    date: bytes
    signature: bytes
    client_id: bytes
    secret: bytes
    spki_sha256: str
    bits: int
    certificate: CertificateFacts | None


class Answered(Struct, frozen=True):
    """The bank's answer, as far as it came.  line: status code and reason phrase."""

    line: bytes
    fields: Sequence[Field]
    body: Body


class Kept(Struct, eq=False):
    """One call.  id: its number in this process.  at: when it was over, seconds since the epoch.

    diagnosis: its document.  dialled: seconds.  replay_of: the id of the call it repeats, 0 for none.  found: where
    something was masked.
    """

    id: int
    at: float
    exchange: Exchange
    asked: Asked | None = None
    sent: Sent | None = None
    answered: Answered | None = None
    diagnosis: Mapping[str, Any] | None = None
    dialled: float = 0.0
    replay_of: int = 0
    found: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes it takes up in memory, about."""
        size = _OBJECTS
        for part in (self.asked, self.answered):
            if part is not None:
                size += len(part.body.data) + _FIELD * len(part.fields)
        if self.sent is not None:
            size += len(self.sent.string) + len(self.sent.digest_input or b"")
            if self.asked is None or self.sent.body is not self.asked.body:
                size += len(self.sent.body.data)
        return size


_OBJECTS = 4096
_FIELD = 300
