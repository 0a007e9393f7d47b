"""What the wire expects of whoever answers its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from proxy.core.message import Request
from proxy.errors import Refused

if TYPE_CHECKING:
    from proxy.wire.connection import Connection


class Answer(NamedTuple):
    """A whole answer of the proxy's own.  line: status code and reason.  fields: serialised, without Connection."""

    line: bytes
    fields: bytes
    body: bytes


class Caller(Protocol):
    """Whoever a call is answered to: a Connection, as far as a call knows it."""

    listener: str
    peer: str
    inside: Any
    call: Any

    @property
    def sent(self) -> bool:
        """Whether a byte of the answer in hand has been written."""

    @property
    def left(self) -> bool:
        """Whether it sends no more, and has perhaps given up."""

    def start(self, line: bytes, fields: bytes, *, unframed: bool) -> None: ...
    def body(self, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def finish(self) -> None: ...
    def answer(self, own: Answer) -> None: ...
    def abort(self) -> None: ...


class Application(Protocol):
    """What answers requests.  Every method is called on the event loop and returns at once."""

    def admit(self, connection: Connection, request: Request) -> None:
        """The head is here, the body is not.  Raises Refused; the body is then read, dropped and answered."""

    def handle(self, connection: Connection, request: Request) -> None:
        """A whole request that was admitted."""

    def refuse(self, connection: Connection, request: Request | None, error: Refused) -> Answer:
        """The answer to what will not be handled; request is None when the bytes are none."""

    def gone(self, connection: Connection) -> None:
        """The caller went away while BUSY."""

    def half_closed(self, connection: Connection) -> None:
        """The caller will send no more while BUSY; it may still read, or it may have given up."""

    def pause(self, connection: Connection) -> None:
        """The caller takes no more bytes for now."""

    def resume(self, connection: Connection) -> None: ...
