"""The inspector's paths on the admin port: the page for this machine, its data for this machine with the token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from proxy.core.message import Request
from proxy.core.target import path_of
from proxy.errors import Refused
from proxy.serve.admin import Handler, Page, Stream, Table, answer, json_answer
from proxy.serve.inspection import bundle, curl, har, replays
from proxy.serve.inspection.curl import Place
from proxy.serve.inspection.kept import Kept
from proxy.serve.inspection.messages import outgoing
from proxy.serve.inspection.store import Store
from proxy.serve.inspection.tape import Tape
from proxy.serve.inspection.viewers import Viewers
from proxy.serve.inspection.views import document, summary
from proxy.wire.application import Answer

PAGE: Final = b"/inspector"
API: Final = b"/inspector/api/"
_TYPES: Final = {"html": b"text/html; charset=utf-8", "js": b"text/javascript; charset=utf-8",
                 "css": b"text/css; charset=utf-8", "svg": b"image/svg+xml"}
_GUARD: Final = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'\r\n"
    b"Referrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\nX-Frame-Options: DENY\r\n")
_LISTED: Final = 1000
_TEXT: Final = b"text/plain; charset=utf-8"


class Desk:
    """What the paths do."""

    def __init__(self, tape: Tape, store: Store, viewers: Viewers, gateway: replays.Gateway, *,
                 health: Callable[[], Mapping[str, Any]], place: Callable[[str], Place]) -> None:
        """health: the page's header.  place: where the listener of this name is."""
        self._tape = tape
        self._store = store
        self._viewers = viewers
        self._gateway = gateway
        self._health = health
        self._place = place
        self._files = _read_files()

    def table(self) -> Table:
        api: dict[tuple[bytes, bytes], Handler] = {
            (b"GET", b"exchanges"): self._list, (b"GET", b"exchange"): self._one, (b"GET", b"curl"): self._curl,
            (b"GET", b"har"): self._har, (b"GET", b"bundle"): self._bundle, (b"GET", b"events"): self._events,
            (b"GET", b"health"): self._state, (b"POST", b"replay"): self._replay, (b"POST", b"clear"): self._clear}
        return {(b"GET", PAGE): Page(self._page, "page"),
                (b"GET", PAGE + b"/"): Page(self._asset, "page"),
                **{(method, API + name): Page(handler, "private") for (method, name), handler in api.items()}}

    # --- GET

    async def _list(self, request: Request) -> Answer:
        """The newest first, and no more than anybody reads."""
        await self._tape.settle()
        calls = [summary(call) for call in list(self._store)[-_LISTED:]]
        return _guarded(json_answer(200, {"exchanges": calls[::-1], "most": min(self._store.most, _LISTED),
                                          "body_bytes": self._tape.keep}))

    async def _one(self, request: Request) -> Answer:
        call = await self._call(request)
        return _guarded(_download(json_answer(200, document(call)), request, f"exchange-{call.id}.json"))

    async def _curl(self, request: Request) -> Answer:
        """?id=…, and &signed=1 for the request to the bank."""
        call = await self._call(request)
        if call.asked is None:
            raise Refused("exchange_unknown", "a tunnel is no request")
        if _parameters(request).get("signed") != "1":
            place = self._place(call.exchange.listener)
            return _text(curl.unsigned(call.asked, place))
        sent = outgoing(call)
        if sent is None:
            raise Refused("exchange_unknown", "it was not signed")
        return _text(curl.signed(call.asked.method, sent))

    async def _har(self, request: Request) -> Answer:
        """All of them, or the one with ?id=…"""
        calls: Sequence[Kept]
        if "id" in _parameters(request):
            calls = [await self._call(request)]
        else:
            await self._tape.settle()
            calls = list(self._store)
        made = await asyncio.to_thread(lambda: json_answer(200, har.archive(calls)))       # it may be megabytes
        return _guarded(_download(made, request, "signing-proxy.har"))

    async def _bundle(self, request: Request) -> Answer:
        return _text(bundle.bundle(await self._call(request)))

    async def _state(self, request: Request) -> Answer:
        return _guarded(json_answer(200, self._health()))

    def _events(self, request: Request) -> Answer | Stream:
        if request.method == b"HEAD":
            return _guarded(answer(200, b"text/event-stream", b""))
        return self._viewers.viewer()

    # --- POST

    async def _replay(self, request: Request) -> Answer:
        try:
            order = msgspec.json.decode(request.body, type=replays.Order)
        except (msgspec.MsgspecError, ValueError):
            raise Refused("malformed_request", "the body is not a replay order, docs/inspector.md shows one") from None
        await self._tape.settle()
        call = self._store.get(order.id)
        if call is None:
            raise Refused("exchange_unknown")
        replays.replay(call, order, self._gateway, "inspector")
        return _guarded(json_answer(202, {"replay_of": call.id}))

    async def _clear(self, request: Request) -> Answer:
        await self._tape.settle()
        self._store.clear()
        self._viewers.cleared()
        return _guarded(json_answer(200, {}))

    def _page(self, request: Request) -> Answer:
        return self._files["index.html"]

    def _asset(self, request: Request) -> Answer:
        found = self._files.get(path_of(request.target).removeprefix(PAGE + b"/").decode("latin-1"))
        if found is None:
            raise Refused("route_unknown", "the inspector has no such file")
        return found

    async def _call(self, request: Request) -> Kept:
        """Raises Refused("exchange_unknown")."""
        given = _parameters(request).get("id", "")
        await self._tape.settle()
        call = self._store.get(int(given)) if given.isascii() and given.isdigit() and len(given) < 16 else None
        if call is None:
            raise Refused("exchange_unknown")
        return call


def _parameters(request: Request) -> dict[str, str]:
    query = request.target.partition(b"?")[2].decode("latin-1")
    return {name: values[0] for name, values in parse_qs(query).items()}


def _read_files() -> dict[str, Answer]:
    """The page's files as answers, read once: nothing may block the loop later."""
    found = {}
    for entry in (files(__package__) / "page").iterdir():
        content_type = _TYPES.get(entry.name.rpartition(".")[2])
        if content_type is not None:
            found[entry.name] = _guarded(answer(200, content_type, entry.read_bytes()))
    return found


def _guarded(made: Answer) -> Answer:
    return made._replace(fields=made.fields + _GUARD)


def _text(text: str) -> Answer:
    return _guarded(answer(200, _TEXT, text.encode("utf-8", "replace")))


def _download(made: Answer, request: Request, name: str) -> Answer:
    if _parameters(request).get("save") != "1":
        return made
    return made._replace(fields=made.fields + b'Content-Disposition: attachment; filename="%b"\r\n' % name.encode())
