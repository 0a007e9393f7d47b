"""Small truths about byte transports that more than one connection needs: pausing once, and ending with a reset."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.wire.relay import Side

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time at all: close() sends RST."""
_ENDS = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Tap:
    """A transport's reading side; pausing twice or resuming a closed one is no error."""

    __slots__ = ("_transport", "paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.paused = False

    def pause(self) -> None:
        if not self.paused:
            self.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()


def hand_over(transport: asyncio.Transport, protocol: asyncio.Protocol | Side, *, early: bytes, full: bool,
              ended: bool) -> None:
    """The stream goes on as something else, which is told what has happened already.

    early: bytes that were read ahead.  full: writing is paused.  ended: the peer has half-closed.
    """
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if full:
        protocol.pause_writing()
    if early:
        protocol.data_received(early)
    if ended and not protocol.eof_received():
        transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Cuts the connection so that its peer cannot take what it has for all there was.

    With RST: where the end of the connection is the end of the message, an orderly end would say that it is whole.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def has_arrived(transport: asyncio.Transport) -> bool:
    """Whether the kernel holds something of the peer that the loop has not read yet: bytes, or its end."""
    return _shows(transport, select.POLLIN)


def has_ended(transport: asyncio.Transport) -> bool:
    """Whether the peer sends no more, as far as the kernel knows: for a transport that does not read, which is told of
    no end."""
    return _shows(transport, _ENDS)


def _shows(transport: asyncio.Transport, events: int) -> bool:
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    looking = select.poll()
    looking.register(sock.fileno(), events)
    return bool(looking.poll(0))
