"""What is remembered of a call: redacted bytes, and nothing formatted before somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.core.exchange import Exchange
from proxy.core.message import Field
from proxy.keys.source import CertificateFacts


@dataclass(frozen=True, slots=True)
class Body:
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


@dataclass(frozen=True, slots=True)
class Asked:
    """The caller's request.  url: as it came; target: as a caller of the reverse proxy would have written it.

    passed: one mark a field, whether it went on to the bank.
    """

    method: str
    url: str
    target: str
    fields: tuple[Field, ...]
    body: Body
    passed: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sealed for the bank.  added: so many of the fields at the front are the proxy's own."""

    host: str
    target: str
    fields: tuple[Field, ...]
    added: int
    body: Body
    scheme: str = "https"


@dataclass(frozen=True, slots=True)
class Seal:
    """How it was signed.  masked: the string is not byte for byte what was signed, as a secret stood in the URL."""

    string: str
    masked: bool
    covered: tuple[str, ...]
    algorithm: str
    key_id: str
    digest: str = ""
    digest_over: str = ""
    digest_input: str = ""
    spki_sha256: str = ""
    bits: int = 0
    certificate: CertificateFacts | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The bank's answer, as far as it came."""

    reason: str
    fields: tuple[Field, ...]
    body: Body


@dataclass(slots=True, eq=False)
class Kept:
    """One call.  id: its number in this process.  at: when it was over, seconds since the epoch.

    diagnosis: its document, without values that are secret.  replay_of: the id of the call it repeats, 0 for none.
    found: where something was masked.
    """

    id: int
    at: float
    exchange: Exchange
    asked: Asked | None
    sent: Sent | None = None
    seal: Seal | None = None
    answered: Answered | None = None
    diagnosis: Mapping[str, Any] | None = None
    dialled: float = 0.0
    replay_of: int = 0
    found: tuple[str, ...] = ()
    size: int = field(default=0)
    """Bytes it takes up in memory, about."""

    def weigh(self) -> None:
        self.size = _OBJECTS
        for part in (self.asked, self.sent, self.answered):
            if part is not None:
                self.size += len(part.body.data)
                self.size += sum(len(name) + len(value) + _FIELD for name, _, value in part.fields)
        if self.asked is not None:
            self.size += 2 * len(self.asked.target)
        if self.seal is not None:
            self.size += 2 * len(self.seal.string) + len(self.seal.digest_input)


_OBJECTS = 4096
_FIELD = 160
