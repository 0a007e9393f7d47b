"""The handshake takes bytes that were read ahead, says why it failed, and never hands over what it did not verify."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from proxy.wire.tls import Tls
from tests.wire.test_tls import End, listening


class Wire(asyncio.Transport):
    """Keeps what is written until it is carried over by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = bytearray(), False

    def write(self, data) -> None:
        self.written += data

    def take(self) -> bytes:
        data = bytes(self.written)
        self.written.clear()
        return data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.closed = True


async def test_data_in_the_segment_that_ends_the_handshake(server_context, client_context):
    bank, caller = End(first=b"hello from the bank"), End(first=b"hello from the caller")
    bank_tls, tls = Tls(server_context, bank), Tls(client_context, caller, server_hostname="bank.test")
    there, here = Wire(), Wire()
    bank_tls.connection_made(there)
    tls.connection_made(here)
    while not (bank.received and caller.received):
        bank_tls.data_received(here.take())     # the second time: Finished and data in one piece
        tls.data_received(there.take())
    assert (bytes(bank.received), bytes(caller.received)) == (b"hello from the caller", b"hello from the bank")
    assert tls.ready.done()
    assert bank_tls.ready.done()


async def test_a_handshake_byte_by_byte(server_context, client_context):
    bank, caller = End(), End(first=b"hello")
    bank_tls, tls = Tls(server_context, bank), Tls(client_context, caller, server_hostname="bank.test")
    there, here = Wire(), Wire()
    bank_tls.connection_made(there)
    tls.connection_made(here)
    while not bank.received:
        for piece in here.take():
            bank_tls.data_received(bytes((piece,)))
        for piece in there.take():
            tls.data_received(bytes((piece,)))
    assert bank.received == b"hello"


async def test_what_arrives_in_spite_of_a_pause_comes_after_it(server_context, client_context):
    bank, caller = End(), End(first=b"hello")
    bank_tls, tls = Tls(server_context, bank), Tls(client_context, caller, server_hostname="bank.test")
    there, here = Wire(), Wire()
    bank_tls.connection_made(there)
    tls.connection_made(here)
    while not bank.received:
        bank_tls.data_received(here.take())
        tls.data_received(there.take())
    bank_tls.pause_reading()
    tls.write(b" again")
    bank_tls.data_received(here.take())
    assert bank.received == b"hello"
    bank_tls.resume_reading()
    assert await bank.has(11) == b"hello again"


async def test_bytes_that_were_read_ahead(server_context, client_context):
    """As at a CONNECT: another protocol has the ClientHello already when TLS takes over the transport."""
    bank = End(first=b"answer")

    class Doorman(asyncio.Protocol):
        def connection_made(self, transport) -> None:
            self.transport = transport

        def data_received(self, data) -> None:
            tls = Tls(server_context, bank)
            self.transport.set_protocol(tls)
            tls.connection_made(self.transport)
            tls.data_received(data)

    async with listening(Doorman) as (address, port):
        caller = End(first=b"question")
        tls = Tls(client_context, caller, server_hostname="bank.test")
        await asyncio.get_running_loop().create_connection(lambda: tls, address, port)
        assert (await caller.has(6), await bank.has(8)) == (b"answer", b"question")
        tls.abort()
        await bank.lost


async def _fail(server_context, client_context, name: str):
    """-> what the client and the server are told."""
    accepted = asyncio.get_running_loop().create_future()

    def accept():
        accepted.set_result(Tls(server_context, bank))
        return accepted.result()

    bank, caller = End(), End()
    async with listening(accept) as (address, port):
        tls = Tls(client_context, caller, server_hostname=name)
        await asyncio.get_running_loop().create_connection(lambda: tls, address, port)
        with pytest.raises(ssl.SSLError) as ours:
            await tls.ready
        with pytest.raises(ssl.SSLError) as theirs:
            await (await accepted).ready
    assert (bank.events, caller.events) == ([], []), "nothing was handed over"
    return ours.value, theirs.value


async def test_a_certificate_for_another_name(server_context, client_context):
    ours, theirs = await _fail(server_context, client_context, "other.test")
    assert isinstance(ours, ssl.SSLCertVerificationError)
    assert "other.test" in ours.verify_message
    assert "ALERT" in theirs.reason


async def test_a_certificate_nobody_vouches_for(server_context):
    ours, theirs = await _fail(server_context, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "bank.test")
    assert isinstance(ours, ssl.SSLCertVerificationError)
    assert "ALERT_UNKNOWN_CA" in theirs.reason


async def test_no_protocol_version_in_common(server_context, authority):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(cadata=authority.pem.decode())
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    server_context = _only_1_3(server_context)
    ours, _ = await _fail(server_context, old, "bank.test")
    assert "PROTOCOL_VERSION" in ours.reason


def _only_1_3(like: ssl.SSLContext) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


async def test_a_peer_that_does_not_speak_tls_gets_an_alert(server_context):
    tls = asyncio.get_running_loop().create_future()

    def accept():
        tls.set_result(Tls(server_context, End()))
        return tls.result()

    async with listening(accept) as (address, port):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(b"\x16\x03\x01\x00\x05hello")
        try:
            assert (await reader.read())[:1] == b"\x15"
        finally:
            writer.close()
            await writer.wait_closed()
        with pytest.raises(ssl.SSLError):
            await tls.result().ready


async def test_a_peer_that_leaves_during_the_handshake(client_context):
    async with listening(Leaver) as (address, port):
        tls = Tls(client_context, End(), server_hostname="bank.test")
        await asyncio.get_running_loop().create_connection(lambda: tls, address, port)
        with pytest.raises(ConnectionError):
            await tls.ready


class Leaver(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data) -> None:
        self.transport.close()
