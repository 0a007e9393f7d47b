"""The application of the admin port: one table of what it answers, and who may ask for what.

Served by the same strict wire as the proxy itself: one door, one gate, and 12 MiB and 140 ms less than a web framework
for a handful of paths (docs/architecture.md has the figures).  Nothing here can sign or send anything, but for
the inspector, which sends a call again for who has its token, and is off unless asked for.

    open     probes and metrics: everybody whom the gate lets in
    local    callers on this machine, where the port is open to others
    token    whoever presents the admin token; nobody while none is configured
    page     callers on this machine, among them a page that came from this port
    private  the same, with the token of the inspector
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from proxy.core.message import Request
from proxy.core.secret import Secret
from proxy.core.target import path_of
from proxy.errors import ProxyError, Refused
from proxy.serve.gate import Gate
from proxy.serve.problems import line, problem
from proxy.wire.application import Answer
from proxy.wire.connection import Connection

log = logging.getLogger(__name__)

Access = Literal["open", "local", "token", "page", "private"]


class Stream(Protocol):
    """An answer that goes on, and writes to the connection itself until it calls finish() or is gone()."""

    def begin(self, connection: Connection) -> None: ...
    def gone(self) -> None: ...
    def half_closed(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


Handler = Callable[[Request], Answer | Stream | Coroutine[Any, Any, Answer]]
"""Gives the answer at once, or a coroutine that does; may raise ProxyError, which becomes the answer."""

_BEARER = b"bearer"
_OF_PAGES = ("page", "private")


@dataclass(frozen=True, slots=True)
class Page:
    """One row of the table."""

    handler: Handler
    access: Access = "open"


Table: TypeAlias = Mapping[tuple[bytes, bytes], Page]
"""(method, path) -> page.  GET answers HEAD too.  A path that ends with '/' stands for everything below it."""


class Admin:
    """Implements wire.application.Application for the pages of its table and the index of their paths."""

    def __init__(self, gates: Mapping[str, Gate], table: Table, *, local: Callable[[str], bool],
                 tokens: Callable[[], Sequence[Secret]] = tuple,
                 private_tokens: Callable[[], Sequence[Secret]] = tuple) -> None:
        """gates: by listener name.  local: whether a caller's address is this machine.  tokens: those that count now;
        empty: none is configured.  private_tokens: those of the inspector."""
        self._gates = gates
        self._local = local
        self._tokens = tokens
        self._private_tokens = private_tokens
        self._pages = {(b"GET", b"/"): Page(self._index), **table}
        self._methods: dict[bytes, list[bytes]] = {}
        for method, path in self._pages:
            self._methods.setdefault(path, []).append(method)
        self._below = sorted((path for path in self._methods if path.endswith(b"/") and path != b"/"), key=len,
                             reverse=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    # --- wire.application.Application

    def admit(self, connection: Connection, request: Request) -> None:
        own_page = self._of_a_page(request)
        self._gates[connection.listener].check(request, connection.local, own_page=own_page)
        page = self._page(request)
        if page.access in ("local", *_OF_PAGES) and not self._local(connection.peer):
            raise Refused("route_denied", f"{_text(path_of(request.target))} answers this machine only")
        if page.access == "token":
            self._require_token(request)
        elif page.access == "private" and not _presents(request, self._private_tokens()):
            raise Refused("inspector_unauthenticated")

    def handle(self, connection: Connection, request: Request) -> None:
        try:
            given = self._page(request).handler(request)
        except ProxyError as error:
            connection.answer(problem(error, "admin", "no"))
            return
        if isinstance(given, Answer):
            connection.answer(given)
        elif isinstance(given, Coroutine):
            self._begin(connection, given)
        elif request.method == b"HEAD":     # which has no body, and whoever reads on would take one for an answer
            connection.answer(answer(200, b"text/event-stream", b""))
        else:
            connection.call = given
            given.begin(connection)

    def _begin(self, connection: Connection, given: Coroutine[Any, Any, Answer]) -> None:
        if self._over:
            given.close()
            connection.answer(problem(ProxyError("proxy_ending"), "admin", "no"))
            return
        task = asyncio.get_running_loop().create_task(self._answer_later(connection, given))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, connection: Connection, work: Coroutine[Any, Any, Answer]) -> None:
        """An action goes on when its caller has left: it was asked for."""
        try:
            found = await work
        except ProxyError as error:
            found = problem(error, "admin", "no")
        except asyncio.CancelledError:
            connection.answer(problem(ProxyError("proxy_ending"), "admin", "no"))
            raise
        except Exception as error:      # noqa: BLE001 - no caller is left without an answer, and none sees a traceback
            log.error("the admin port failed (%s)", type(error).__name__)  # noqa: TRY400
            found = problem(ProxyError("internal_error", type(error).__name__), "admin", "no")
        connection.answer(found)

    def refuse(self, connection: Connection, request: Request | None, error: Refused) -> Answer:
        made = problem(error, "admin", "no")
        if error.code != "admin_method" or request is None:
            return made
        allowed = b", ".join(sorted(self._allowed(path_of(request.target))))
        return made._replace(fields=made.fields + b"Allow: %b\r\n" % allowed)

    def gone(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.gone()

    def half_closed(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.half_closed()

    def pause(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.pause()

    def resume(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.resume()

    async def close(self) -> None:
        """Ends what is still under way, begins nothing any more, and tells who asked for it."""
        self._over = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- the table

    def _of_a_page(self, request: Request) -> bool:
        """Whether it is for something that a page of this port may ask for."""
        row = self._row(path_of(request.target))
        return any(page.access in _OF_PAGES for (_, path), page in self._pages.items() if path == row)

    def _page(self, request: Request) -> Page:
        """Raises Refused: route_unknown, admin_method."""
        path = self._row(path_of(request.target))
        method = b"GET" if request.method == b"HEAD" else request.method
        page = self._pages.get((method, path))
        if page is None and path in self._methods:
            raise Refused("admin_method", f"{_text(path)} takes "
                                          f"{_text(b', '.join(sorted(self._allowed(path))))}")
        if page is None:
            raise Refused("route_unknown", "the admin port has " + ", ".join(self._listed()))
        return page

    def _row(self, path: bytes) -> bytes:
        if path in self._methods:
            return path
        return next((above for above in self._below if path.startswith(above)), path)

    def _allowed(self, path: bytes) -> list[bytes]:
        methods = self._methods.get(self._row(path), [])
        return [*methods, b"HEAD"] if b"GET" in methods else methods

    def _listed(self) -> list[str]:
        return [_text(path if method == b"GET" else method + b" " + path) for method, path in self._pages
                if path != b"/"]

    def _index(self, _: Request) -> Answer:
        return answer(200, b"text/plain; charset=utf-8", "\n".join(self._listed()).encode() + b"\n")

    def _require_token(self, request: Request) -> None:
        """Raises Refused: admin_token_unset, admin_unauthenticated."""
        tokens = self._tokens()
        if not tokens:
            raise Refused("admin_token_unset")
        if not _presents(request, tokens):
            raise Refused("admin_unauthenticated")


def _presents(request: Request, tokens: Sequence[Secret]) -> bool:
    given = [value for name, _, value in request.fields if name == b"authorization"]
    scheme, _, presented = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    presented = presented.strip(b" ") if scheme.lower() == _BEARER else b""
    return bool(sum(token.matches(presented) for token in tokens))      # each is compared, whichever fits


def json_answer(status: int, value: object) -> Answer:
    return answer(status, b"application/json", msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def answer(status: int, content_type: bytes, body: bytes, more: bytes = b"") -> Answer:
    """more: further serialised fields."""
    fields = (b"Content-Type: %b\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"
              b"X-Content-Type-Options: nosniff\r\n%b" % (content_type, len(body), more))
    return Answer(line(status), fields, body)


def _text(value: bytes) -> str:
    return value.decode("ascii", "backslashreplace")
