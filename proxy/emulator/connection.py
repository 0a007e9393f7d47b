"""Between the bank's API and the socket stands one connection, which is where faults happen."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from proxy.emulator.answers import Answer, gateway, serialise
from proxy.emulator.bank import Bank
from proxy.emulator.faults import AFTER, BEFORE, ENDING, INSTEAD, Ending, Fault, Faults
from proxy.emulator.mangle import CLOSES, mangled, slices
from proxy.emulator.meddling import compressed, meddled
from proxy.emulator.records import Execution, Journal, Received, execution
from proxy.emulator.verify import Verdict, Verifier
from proxy.emulator.wire import Body, Head, Malformed, Truncated, parse_head, read_body, read_head

MALFORMED, TRUNCATED = "malformed", "truncated"
_MUCH = 16 * 1024
_REFUSALS = {
    "too_many": (429, "Assembly Rate Limit exceeded"),
    "unavailable": (503, "Service Unavailable"),
    "gateway_error": (500, "Internal Server Error"),
    "quota": (429, "Assembly Rate Limit exceeded"),
    "no_api": (404, "No resources match requested URI"),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What every connection works with."""

    verifier: Verifier
    bank: Bank
    faults: Faults
    received: Journal[Received]
    executions: Journal[Execution]
    clock: Callable[[], float]
    changed: Callable[[], None]
    max_body: int
    keep_alive: float | None = None


class Connection:
    """One accepted connection: request, verdict, act, answer, until somebody closes."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, desk: Desk) -> None:
        self.number = number
        self.idle = self._served = False
        self._reader, self._writer, self._desk = reader, writer, desk

    async def run(self) -> None:
        try:
            self._end(await self._converse())
            await self._closed()
        except BaseException:
            self._end("abort")
            await self._closed()
            raise

    async def _converse(self) -> Ending:
        ending: Ending | None = None
        try:
            while ending is None:
                ending = await self._exchange()
        except OSError:
            return "abort"
        finally:
            self.idle = False
        return ending

    async def _closed(self) -> None:
        with suppress(OSError):
            await self._writer.wait_closed()

    def close(self) -> None:
        """Ends the connection from outside, as a bank does with an idle one."""
        self._writer.close()

    async def _exchange(self) -> Ending | None:
        """One request; None when another may follow on this connection."""
        self.idle = True
        self._desk.changed()
        head: Head | None = None
        raw: bytes | None = b""
        try:
            raw = await self._next_head()
            if raw is None:
                return "close"
            self.idle = False
            head = parse_head(raw)
            fault = self._desk.faults.take(head.method, head.path)
            if fault and fault.kind == "deaf":
                await self._desk.faults.stall()
                return fault.ending
            body = await self._body(head)
        except Malformed as error:
            return await self._malformed(raw or b"", head, error)
        self._served = True
        return await self._serve(self._record(head, body, fault), head, fault)

    async def _next_head(self) -> bytes | None:
        """None: the caller has ended the connection, or has been silent for too long since its last request; one that
        is just coming in is then lost, as at a bank."""
        patience = self._desk.keep_alive if self._served else None
        try:
            async with asyncio.timeout(patience):
                return await read_head(self._reader)
        except TimeoutError:
            return None

    async def _body(self, head: Head) -> Body:
        if head.one("expect").lower() == "100-continue":
            await self._send((b"HTTP/1.1 100 Continue\r\n\r\n",))
        return await read_body(self._reader, head, self._desk.max_body)

    async def _malformed(self, raw: bytes, head: Head | None, error: Malformed) -> Ending:
        received = self._received(raw, head)
        truncated = isinstance(error, Truncated)
        received.verdict = Verdict(TRUNCATED if truncated else MALFORMED, str(error))
        self._desk.received.add(received)
        if not truncated:
            received.status = 400
            await self._send(serialise(gateway(400, "Bad Request").plus((b"Connection", b"close"))))
        return "close"

    def _received(self, raw: bytes, head: Head | None) -> Received:
        received = Received(self._desk.received.total, self.number, self._desk.clock(), raw)
        if head is not None:
            received.method, received.target, received.fields = head.method, head.target, head.fields
        return received

    def _record(self, head: Head, body: Body, fault: Fault | None) -> Received:
        """Judges the request; a bad access token counts like a bad signature."""
        received = self._received(head.raw, head)
        received.body, received.framed = body.content, body.framed
        received.fault = fault.kind if fault else ""
        judged, seen = meddled(received.fault, head, body)
        verdict = self._desk.verifier.judge(judged, seen.content, self.number)
        token = self._desk.bank.token_problem(head) if verdict.accepted else ""
        if token:
            verdict = Verdict(token, "this is the application's token", verdict.signing_string, signature_checked=True)
        received.verdict = verdict
        self._desk.received.add(received)
        return received

    async def _serve(self, received: Received, head: Head, fault: Fault | None) -> Ending | None:
        if fault and fault.kind in BEFORE:
            return await self._without_answer(fault)
        answer = self._refusal(fault, head) or self._answer(received, head)
        if fault and fault.kind in AFTER and (ending := await self._after(fault)):
            return ending
        received.status = answer.status
        answer = compressed(received.fault, answer)
        return await self._respond(answer.plus(*self._desk.bank.standing_fields(received.fault)), head, fault)

    async def _without_answer(self, fault: Fault) -> Ending:
        if fault.kind == "stall_before":
            await self._desk.faults.stall()
            return fault.ending
        return "reset" if fault.kind == "reset_before" else "close"

    def _refusal(self, fault: Fault | None, head: Head) -> Answer | None:
        if fault is None or fault.kind not in INSTEAD:
            return None
        if fault.kind == "answer":
            return Answer.of(fault.body.encode(), fault.status, acted=False)
        answer = gateway(*_REFUSALS[fault.kind], head.one("accept"))
        return answer.plus((b"Retry-After", b"%d" % max(fault.seconds, 1)))

    def _answer(self, received: Received, head: Head) -> Answer:
        """Acts when the verdict is good; acting is what gets recorded as an execution."""
        desk = self._desk
        if not received.verdict.accepted:
            return desk.bank.refuse(head, received.verdict)
        answer = desk.bank.act(head, received.body)
        if answer.acted:
            received.executed = True
            number = desk.executions.total
            desk.executions.add(execution(number, desk.clock(), head, received.body, received.verdict))
        return answer

    async def _after(self, fault: Fault) -> Ending | None:
        """None when the answer is to be sent after all."""
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            return None
        if fault.kind == "stall":
            await self._desk.faults.stall()
            return None
        return "reset" if fault.kind == "reset_after" else "close"

    async def _respond(self, answer: Answer, head: Head, fault: Fault | None) -> Ending | None:
        closing = "close" in head.one("connection").lower()
        kind = fault.kind if fault else ""
        if (closing or kind == "close_announced") and answer.framing != "close":
            answer = answer.plus((b"Connection", b"close"))
        head_only = head.method == "HEAD"
        pieces = mangled(answer, fault, head_only=head_only) if fault else serialise(answer, head_only=head_only)
        if fault and kind == "drip":
            await self._drip(slices(pieces, max(fault.after, 1)), fault.seconds)
        else:
            await self._send(pieces)
        if fault and (kind in CLOSES or kind in ENDING):
            return fault.ending
        return "close" if closing or answer.framing == "close" else None

    async def _send(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            if len(piece) >= _MUCH:     # TLS that has ended takes and drops it all; only another turn tells of the end
                await asyncio.sleep(0)

    async def _drip(self, pieces: Iterable[bytes], seconds: float) -> None:
        for piece in pieces:
            await self._send((piece,))
            await asyncio.sleep(seconds)

    def _end(self, ending: Ending) -> None:
        """close: in order, with TLS's close_notify.  abort: without it.  reset: RST, so unread data is lost too."""
        if ending == "close":
            self._writer.close()
            return
        sock = self._writer.get_extra_info("socket")
        if ending == "reset" and sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
