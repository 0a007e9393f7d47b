"""Every bound and deadline of the wire, with the values that hold when nobody sets them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Bytes = Annotated[int, Meta(ge=1024)]
Seconds = Annotated[float, Meta(gt=0)]

_COPIES = 3
"""Of a body: as it came, as it is signed, and encrypted for a bank that takes it slowly."""
_HEADS = 4
"""Of a head: as it came, as fields, as it is signed, and encrypted."""
_CALLER = 192 << 10
"""A caller's connection and its TLS, and an answer that it does not take: what a transport holds before it asks for a
pause (64 KiB), and one part more (64 KiB)."""
_BANK = 512 << 10
"""One read of a bank's bytes (256 KB), encrypted and as one part decrypted, and its TLS."""
_TUNNEL = 192 << 10
"""A buffer of 64 KiB for each direction, and both ends."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds in bytes or counts."""

    head: Annotated[Bytes, Meta(description="Largest request or answer head, in bytes.")] = 32768
    body: Annotated[Bytes, Meta(description="Largest request body, in bytes; it is held in memory.")] = 1048576
    buffered: Annotated[Bytes, Meta(description="Request bodies held in memory together, in bytes.")] = 67108864
    connections: Annotated[Count, Meta(description="Accepted connections at a time.")] = 1024
    in_flight: Annotated[Count, Meta(description="Requests in hand at a time.")] = 512
    upstream_connections: Annotated[Count, Meta(description="Connections to one bank host at a time.")] = 64
    tunnels: Annotated[Count, Meta(description="Open tunnels and unsigned forwards at a time.")] = 512


def most_memory(limits: Limits, hosts: int) -> int:
    """Bytes that callers, all together and whatever they do, can make the process hold beyond those it has when idle.

    hosts: banks' hosts that routes lead to.  The table in docs/operations.md says it in words.
    """
    return (_COPIES * limits.buffered + limits.in_flight * _HEADS * limits.head + limits.connections * _CALLER
            + hosts * limits.upstream_connections * _BANK + limits.tunnels * _TUNNEL)


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deadlines in seconds."""

    read: Annotated[Seconds, Meta(description="From a request's first byte to its last.")] = 15.0
    idle: Annotated[Seconds, Meta(description="A caller's connection between two requests.")] = 75.0
    handshake: Annotated[Seconds, Meta(description="A caller's TLS handshake.")] = 10.0
    client_write: Annotated[Seconds, Meta(description="A caller that takes no bytes of its answer.")] = 60.0
    queue: Annotated[Seconds, Meta(description="Waiting for a free connection to the bank.")] = 10.0
    connect: Annotated[Seconds, Meta(description="Resolving, connecting and the TLS handshake.")] = 5.0
    write: Annotated[Seconds, Meta(description="The bank taking the request.")] = 15.0
    first_byte: Annotated[Seconds, Meta(description="From the request's last byte to the answer's head.")] = 60.0
    between_bytes: Annotated[Seconds, Meta(description="Between two reads of an answer's body.")] = 30.0
    deadline: Annotated[Seconds, Meta(description="The whole call, from the complete request.")] = 300.0
    upstream_idle: Annotated[Seconds, Meta(description="How long an idle connection to the bank is kept.")] = 4.0
    upstream_age: Annotated[Seconds, Meta(description="Age at which a connection to the bank is retired.")] = 300.0
    resolve: Annotated[Seconds, Meta(description="How long a resolved address is trusted.")] = 30.0
    tunnel_idle: Annotated[Seconds, Meta(description="A tunnel without a byte in either direction.")] = 300.0
