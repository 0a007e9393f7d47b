"""TLS over a byte transport that is already connected, losing no byte in either direction.

Not loop.start_tls() or create_connection(ssl=...): uvloop's SSL protocol throws away received data when the peer
closes while reading is paused, asyncio's reports a cut as an orderly end, so that a cut answer looks complete, and
neither takes bytes that were read ahead.  Here a cut and a close_notify arrive as different events:
eof_received() is called for close_notify only.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

_READ = 65536
_PART = 65536
"""Bytes of a bank's that are passed on at a time: whoever pauses then gets no more than so many beyond."""
_NOBODY = asyncio.Protocol()


class Tls(asyncio.Protocol, asyncio.Transport):
    """A protocol towards the byte transport below, a transport towards `protocol` above.

    ready: done when the handshake is, with ssl.SSLError or OSError when it fails.
    """

    def __init__(self, context: ssl.SSLContext, protocol: asyncio.Protocol, *,
                 server_hostname: str | None = None, failed: Callable[[Exception], None] | None = None) -> None:
        """server_hostname: the name to verify on the client side; None on the server side.  failed: told why the
        handshake failed, for whom a future and its turn of the loop are too much."""
        super().__init__()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname is None, server_hostname)
        self._protocol = protocol
        self._up = self._paused = self._eof = False
        self._goodbye = self._ended = self._half = False
        self._kept: list[bytes] = []
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failed = failed
        self._speaks_first = server_hostname is not None
        self._part = _PART if self._speaks_first else None
        self._more = False          # received, decrypted by nobody yet

    # --- the protocol of the byte transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = cast(asyncio.Transport, transport)
        if self._speaks_first:
            self._handshake()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._up or self._handshake():
            self._read()

    def eof_received(self) -> bool:
        self._eof = True
        self._read()
        # What is still to be decrypted comes first; after close_notify, what is still to be said.
        return (self._paused or self._half) and not self._below.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._more:              # the bank's last words came before its end
            self._last_words()
        self._goodbye = True
        # A protocol knows its transport: without this the pair, and its SSL object of 40 KB, waits for the collector.
        protocol, self._protocol = self._protocol, _NOBODY
        if self._up:
            protocol.connection_lost(exc)
        else:
            self._fail(exc or ConnectionResetError("closed during the TLS handshake"))

    def pause_writing(self) -> None:
        if self._up:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._up:
            self._protocol.resume_writing()

    # --- inside

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._below.write(self._outgoing.read())

    def _handshake(self) -> bool:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._flush()       # the alert tells the peer why
            self._fail(error)
            self._below.close()
            return False
        self._flush()
        if self.ready.cancelled():      # whoever waited for it has gone
            self._below.abort()
            return False
        self._up, self._failed = True, None     # who asked knows us: no cycle is left for the collector
        if not self.ready.done():
            self.ready.set_result(None)
        self._protocol.connection_made(self)
        return True

    def _fail(self, error: Exception) -> None:
        if self.ready.done():
            return
        # Without its traceback, whose frames would keep this object alive until the collector comes.
        self.ready.set_exception(error.with_traceback(None))
        self.ready.exception()          # whether anybody looks at it is no concern of the loop's
        failed, self._failed = self._failed, None
        if failed is not None:
            failed(error)

    def _read(self) -> None:
        while self._up and not self._paused and not self._below.is_closing():
            parts, ended, broken = self._decrypt(self._part)
            self._flush()           # a key update or an alert of ours
            if parts:
                self._protocol.data_received(parts[0] if len(parts) == 1 else b"".join(parts))
            if broken:
                self.abort()
            elif ended and not self._ended:
                self._ended = True
                self._half = bool(self._protocol.eof_received())
                if not self._half:
                    self.close()
            elif self._eof and not self._paused and not self._half and not self._more:
                self._below.close()
            if not self._more:
                return

    def _decrypt(self, most: int | None) -> tuple[list[bytes], bool, bool]:
        """most: bytes after which the rest waits, which self._more then says.

        -> parts, whether close_notify came, whether the record layer is broken.
        """
        parts, self._kept = self._kept, []
        self._more = False
        tls, incoming, size = self._ssl, self._incoming, 0
        try:
            while True:
                part = tls.read(_READ)
                if not part:
                    return parts, True, False
                parts.append(part)
                if not incoming.pending and not tls.pending():
                    return parts, False, False
                size += len(part)
                if most is not None and size >= most:
                    self._more = True
                    return parts, False, False
        except ssl.SSLWantReadError:
            return parts, False, False
        except ssl.SSLZeroReturnError:      # instead of b"" where our close_notify was first
            return parts, True, False
        except ssl.SSLError:
            return parts, False, True

    def _last_words(self) -> None:
        parts, ended, _ = self._decrypt(None)
        if parts:
            self._protocol.data_received(b"".join(parts))
        if ended:
            self._protocol.eof_received()

    # --- the transport of the protocol above

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def write(self, data: Any) -> None:
        if self._goodbye or self._below.is_closing():
            return
        try:
            sent = self._ssl.write(data)
            while sent < len(data):
                sent += self._ssl.write(memoryview(data)[sent:])
        except ssl.SSLError:
            self.abort()
            return
        self._below.write(self._outgoing.read())

    def pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            self._below.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self._below.resume_reading()
            asyncio.get_running_loop().call_soon(self._read)

    def write_eof(self) -> None:
        """close_notify and FIN; reading goes on."""
        if not self._goodbye:
            self._say_goodbye()
            self._below.write_eof()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if not self._below.is_closing():
            if self._up and not self._goodbye:
                self._say_goodbye()
            self._below.close()

    def _say_goodbye(self) -> None:
        self._goodbye = True
        if self._incoming.pending or self._ssl.pending():       # unwrap() would throw it away
            self._kept = self._decrypt(None)[0]
        try:
            self._ssl.unwrap()
        except (ssl.SSLError, OSError):
            pass                # it asks for the peer's close_notify, which nobody waits for
        self._flush()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "ssl_object":
            return self._ssl
        return self._below.get_extra_info(name, default)
