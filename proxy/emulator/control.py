"""What the API's caller must not learn (why a seal did not fit, what was executed) is told on a port of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from proxy.emulator.faults import KINDS, Fault
from proxy.emulator.records import Execution, Received
from proxy.emulator.registration import STATES, RegistrationRefused, State

if TYPE_CHECKING:
    from proxy.emulator.server import Emulator

_SECRET = frozenset({"authorization", "x-ibm-client-secret", "cookie"})
_LAST = 50
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_HELP = """\
Control port of the bank emulator.  Loopback only; it tells what the bank would not.

GET    /executions    how many requests were acted on, and the last ones       ?method= ?path= ?last=
DELETE /executions    forget executions, received requests and payments
GET    /received      the last requests: verdict, explanation, the signing string derived from the bytes   ?last=
POST   /faults        misbehave: {"kind": "close_after", "method": "POST", "path": "/personal", "times": 1}
GET    /faults        the faults that are armed
DELETE /faults        disarm them
POST   /release       let stalled requests go on
POST   /certificate   the portal's upload: a PEM certificate or its base64 body   ?client_id= ?half=1 ?state=

States of a registration: "wrong_field", "armoured", "revoked", "unsubscribed" go wrong in the portal as people do it.

Faults ("after" is a number of bytes, "seconds" a time, "ending" close, abort or reset):
"""


class Control:
    """The control port's HTTP interface to one Emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, port: int) -> None:
        app = web.Application(middlewares=[_only_local], client_max_size=1024 * 1024)
        app.add_routes([
            web.get("/", self._help),
            web.get("/executions", self._executions),
            web.delete("/executions", self._forget),
            web.get("/received", self._received),
            web.get("/faults", self._armed),
            web.post("/faults", self._arm),
            web.delete("/faults", self._disarm),
            web.post("/release", self._release),
            web.post("/certificate", self._certificate),
        ])
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner, self.url = None, ""

    async def _help(self, _: web.Request) -> web.Response:
        kinds = "".join(f"  {kind:<23}{sentence}\n" for kind, sentence in KINDS.items())
        return web.Response(text=_HELP + kinds)

    async def _executions(self, request: web.Request) -> web.Response:
        journal = self._emulator.executions
        method, path = request.query.get("method", ""), request.query.get("path", "")
        kept = [one for one in journal if method in ("", one.method) and one.target.startswith(path)]
        shown = [_execution_json(one) for one in kept[-_last(request):]]
        return web.json_response({"count": journal.count(method, path), "total": journal.total, "executions": shown})

    async def _forget(self, _: web.Request) -> web.Response:
        self._emulator.executions.clear()
        self._emulator.received.clear()
        self._emulator.bank.payments.clear()
        return web.Response(status=204)

    async def _received(self, request: web.Request) -> web.Response:
        journal = self._emulator.received
        shown = [_received_json(one) for one in list(journal)[-_last(request):]]
        return web.json_response({"total": journal.total, "received": shown})

    async def _armed(self, _: web.Request) -> web.Response:
        return web.json_response({"faults": [_fault_json(fault) for fault in self._emulator.faults.pending()]})

    async def _arm(self, request: web.Request) -> web.Response:
        try:
            fault = Fault.from_json(json.loads(await request.read()))
        except (ValueError, UnicodeDecodeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self._emulator.faults.arm(fault)
        return web.json_response(_fault_json(fault), status=201)

    async def _disarm(self, _: web.Request) -> web.Response:
        self._emulator.faults.clear()
        return web.Response(status=204)

    async def _release(self, _: web.Request) -> web.Response:
        self._emulator.faults.release()
        return web.Response(status=204)

    async def _certificate(self, request: web.Request) -> web.Response:
        try:
            state = _state(request.query.get("state", "registered"))
            self._emulator.register(await request.read(), client_id=request.query.get("client_id"),
                                    half=request.query.get("half") == "1", state=state)
        except RegistrationRefused as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(status=204)


def _state(given: str) -> State:
    for state in STATES:
        if given == state:
            return state
    raise RegistrationRefused(f"state is one of {', '.join(STATES)}")


@web.middleware
async def _only_local(request: web.Request, handler: Any) -> web.StreamResponse:
    """A web page must not reach this port: not with an Origin, not by a name that resolves to loopback."""
    host = request.headers.get("Host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name not in _LOCAL or "Origin" in request.headers:
        return web.json_response({"error": "call this port by its loopback address, not from a web page"}, status=403)
    response: web.StreamResponse = await handler(request)
    return response


def _last(request: web.Request) -> int:
    wanted = request.query.get("last", "")
    return max(int(wanted), 1) if wanted.isdecimal() else _LAST


def _execution_json(one: Execution) -> dict[str, Any]:
    return {"number": one.number, "time": one.time, "method": one.method, "target": one.target,
            "body_sha256": one.body_sha256, "signature_checked": one.signature_checked}


def _received_json(one: Received) -> dict[str, Any]:
    """Credentials are left out: an explanation gets pasted into tickets."""
    headers = [(name, "…" if name.lower() in _SECRET else value) for name, value in one.fields]
    return {
        "number": one.number, "connection": one.connection, "time": one.time,
        "method": one.method, "target": one.target, "headers": headers, "body_length": len(one.body),
        "status": one.status, "executed": one.executed, "fault": one.fault, "accepted": one.verdict.accepted,
        "code": one.verdict.code, "explanation": one.verdict.explanation,
        "signing_string": one.verdict.signing_string.decode("latin-1"),
    }


def _fault_json(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in Fault.__dataclass_fields__}
