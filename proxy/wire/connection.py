"""One accepted connection: whole requests to the application, one at a time, and its answers back.

States:  READING a request -> BUSY with it -> READING …            the next request waits until the answer is out
         any -> LINGER after a refusal: the answer is out, the rest of what the caller sends is dropped
         any -> CLOSED

A caller that stops reading pauses the bank's connection (pause/resume); one that stops sending, or never reads, runs
into a deadline that Server enforces.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from proxy.core.message import CHUNKED, Request
from proxy.errors import Refused
from proxy.wire.application import Answer
from proxy.wire.flow import Tap, hand_over, has_ended
from proxy.wire.parting import Parting, State
from proxy.wire.reader import RequestReader, Step
from proxy.wire.reply import Reply

if TYPE_CHECKING:
    from proxy.wire.relay import Side
    from proxy.wire.server import Server

_NEVER = float("inf")


class Connection(Parting):
    """call: whatever the application keeps with a request in hand.  inside: what the application gave it when the
    connection lives inside another one, such as a tunnel, and is told of its end by over(); else None.  peer: the
    caller's address.  local: our own address and port on this connection.
    """

    __slots__ = ("_last", "_refusal", "_reply", "call", "inside", "listener", "local", "peer")

    def __init__(self, server: Server, listener: str, inside: Any = None, outer: Connection | None = None) -> None:
        """outer: the connection that this one lives in, so that its addresses need not be asked for again."""
        self.server = server
        self.listener = listener
        self.inside = inside
        self.call: Any = None
        self.state = State.READING
        self.deadline = _NEVER
        self.requests = 0
        self.peer: str = outer.peer if outer is not None else ""
        self.local: tuple[str, int] | None = outer.local if outer is not None else None
        self._reader = RequestReader(server.limits.head, server.limits.body)
        self._request: Request | None = None
        self._refusal: Refused | None = None
        self._reply = Reply()
        self._buffered = 0
        # The caller stopped reading from us; it has half-closed; _next() is scheduled; nothing more is read.
        self._full = self._eof = self._due = self._last = False

    # --- the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._tap = Tap(self.transport)
        if not self.peer:
            peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
            self.peer = str(peer[0]) if isinstance(peer, tuple) else "local"
            self.local = local[:2] if isinstance(local, tuple) else None
        self.deadline = self.server.now() + self.server.timeouts.read
        if not self.server.register(self, heir=self.inside is not None):
            self._refuse(Refused("overloaded", "too many connections"))

    def connection_lost(self, exc: Exception | None) -> None:
        busy, self.state = self.state is State.BUSY, State.CLOSED
        if self.inside is not None:
            self.inside.over(self.requests)
        self._reader.discard()
        self.server.unregister(self)
        if busy:
            self.server.application.gone(self)
        self._account(0)

    def eof_received(self) -> bool:
        """A half-close: what was sent to the bank before it is answered, then the connection ends."""
        self._eof = True
        if self.state is State.BUSY:
            self.server.application.half_closed(self)
        waiting = self.state is State.READING and self._reader.pending and (self._due or self._full)
        return waiting or self.state is State.BUSY

    def pause_writing(self) -> None:
        self._full = True
        self.deadline = self.server.now() + self.server.timeouts.client_write
        if self.state is State.BUSY:
            self.server.application.pause(self)

    def resume_writing(self) -> None:
        self._full = False
        if self.state is State.BUSY:
            self.deadline = _NEVER
            self.server.application.resume(self)
        elif self.state is State.READING:
            self._wait_for_next()

    def data_received(self, data: bytes) -> None:
        if self.state is State.READING and not self._full:
            if self.deadline == _NEVER or not self._reader.pending:
                self.deadline = self.server.now() + self.server.timeouts.read
            self._reader.feed(data)
            self._advance()
        elif self.state in (State.BUSY, State.READING):
            self._hold(data)

    def _hold(self, data: bytes) -> None:
        """Keeps this segment for after the answer in hand and takes no more.

        Past the budget the connection ends with that answer: what follows a hole must never be read as a request.
        """
        self._tap.pause()
        if self.server.buffered + len(data) <= self.server.limits.buffered:
            self._reader.feed(data)
            self._account(self._buffered + len(data))
        elif self.state is State.BUSY:
            self._last = True
            self._reader.discard()
        else:
            self._refuse(Refused("overloaded", "limits.buffered is reached"))

    # --- reading

    def _advance(self) -> None:
        try:
            while self.state is State.READING:
                step = self._reader.advance()
                if step is Step.MORE:
                    self._account(self._reader.held)
                    return
                if step is Step.HEAD:
                    self._head_complete()
                else:
                    self._request_complete()
                    return
        except Refused as error:
            self._refuse(error)
        except Exception as error:      # noqa: BLE001 - a fault of ours is answered like any other, without a traceback
            self._refuse(Refused("internal_error", type(error).__name__))

    def _head_complete(self) -> None:
        request = self._request = self._reader.request
        assert request is not None
        self._refusal = None
        try:
            self.server.application.admit(self, request)
        except Refused as error:
            if error.last or request.length == CHUNKED or (request.expect and request.length):
                raise           # its body is not worth decoding, or was not sent yet
            self._refusal = error
            return
        if request.expect and request.length and not self._reader.held:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _request_complete(self) -> None:
        request, refusal = self._request, self._refusal
        assert request is not None
        self._account(len(request.body) + self._reader.held)
        self.state = State.BUSY
        self.deadline = _NEVER
        self.requests += 1
        self._reply = Reply()
        if refusal is not None:
            self.answer(self.server.application.refuse(self, request, refusal))
            return
        self.server.application.handle(self, request)

    # --- answering

    def start(self, line: bytes, fields: bytes, *, unframed: bool) -> None:
        """One answer's head.  unframed: the length is not known, so it is chunked, or ends by close for HTTP/1.0."""
        request = self._request
        assert request is not None
        keep = not (request.close or self._last or self.server.draining or (unframed and request.minor == 0)
                    or (self._eof and not self._reader.pending))
        self._reply.head(line, fields, chunked=unframed and request.minor == 1, keep=keep)

    def body(self, data: bytes) -> None:
        self._reply.body(data)

    def flush(self) -> None:
        if self.state is State.BUSY:
            data = self._reply.take()
            if data:
                self.transport.write(data)

    def finish(self) -> None:
        """The answer is complete."""
        self._reply.end()
        self.flush()
        if self.state is not State.BUSY:
            return
        self.call = self._request = None
        self._account(self._reader.held)
        if not self._reply.keep or self._last or (self._eof and not self._reader.pending):
            self._linger()
            return
        self.state = State.READING
        self._wait_for_next()

    def answer(self, own: Answer) -> None:
        """Answers with a whole answer of the proxy's own, in place of what was not sent yet."""
        request = self._request
        if self.state is not State.BUSY or request is None:
            return
        self._reply.drop()
        if request.method == b"CONNECT" and (self._reader.pending or own.line[:3] != b"407"):
            self._last = True       # what follows was meant for a tunnel that is not there, and is no request
            self._reader.discard()
        self.start(own.line, own.fields, unframed=False)
        if own.body and request.method != b"HEAD":
            self._reply.body(own.body)
        self.finish()

    def become(self, protocol: asyncio.Protocol | Side) -> None:
        """Answers the CONNECT in hand with 200 and hands the byte stream over, what was read ahead included."""
        self._account(0)
        self.call = self._request = None
        self.state = State.CLOSED
        self.server.unregister(self)
        self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._tap.resume()              # before the others begin, who may have reason to pause
        hand_over(self.transport, protocol, early=self._reader.take(), full=self._full, ended=self._eof)

    @property
    def sent(self) -> bool:
        """Whether a byte of the answer in hand has been written."""
        return self._reply.sent

    @property
    def left(self) -> bool:
        """Whether the caller has ended its side; while its next request waits here, nobody reads that."""
        return self._eof or (self._tap.paused and has_ended(self.transport))

    # --- between two requests

    def _wait_for_next(self) -> None:
        timeouts = self.server.timeouts
        self.deadline = self.server.now() + (timeouts.client_write if self._full else timeouts.idle)
        if self._full:
            return
        if self._reader.pending:            # on a fresh stack: a burst of pipelined requests must not recurse
            self._due = True
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self._tap.resume()

    def _next(self) -> None:
        self._due = False
        if self.state is State.READING and not self._full:
            self.deadline = self.server.now() + self.server.timeouts.read
            self._advance()
            self._read_on()

    def _read_on(self) -> None:
        if self.state is not State.READING or self._full:
            return
        if self._eof and not self._due:     # the rest is no whole request, and never will be
            self.transport.close()
        else:
            self._tap.resume()
