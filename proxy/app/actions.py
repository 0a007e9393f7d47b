"""What can be asked of a running proxy at its admin port: reload, rotate, change the log level, end.

Every action is a POST.  What it needs stands in the query or in a JSON object; the answer is JSON, or an error with a
code of proxy/errors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl

import msgspec

from proxy.app.log_level import LEVELS, LogLevel
from proxy.config.problems import choices, shown
from proxy.core.message import Request
from proxy.errors import ProxyError, Refused
from proxy.keys.slots import Slot, Slots
from proxy.serve.admin import Page, Table, json_answer
from proxy.serve.health import Health
from proxy.serve.problems import problem
from proxy.wire.application import Answer

_SLOTS = ("current", "next")


class Outcome(Protocol):
    """What a reload has brought.  failed: places."""

    @property
    def failed(self) -> list[str]: ...
    def document(self) -> dict[str, object]: ...


class Actions:
    """reload: reads everything again.  end: asks for the orderly end; None where that is switched off.  now: seconds of
    a clock that only goes forward."""

    def __init__(self, *, rings: Mapping[str, Slots], health: Health, reload: Callable[[], Awaitable[Outcome]],
                 level: LogLevel, end: Callable[[], None] | None, now: Callable[[], float]) -> None:
        self._rings = rings
        self._health = health
        self._reload = reload
        self._level = level
        self._end = end
        self._now = now

    def table(self) -> Table:
        """/quitquitquit is for other containers of a pod, which have no token but share the machine's loopback."""
        return {(b"POST", b"/reload"): Page(self._reloaded, "token"),
                (b"POST", b"/rotate"): Page(self._rotated, "token"),
                (b"POST", b"/log-level"): Page(self._levelled, "token"),
                (b"POST", b"/quitquitquit"): Page(self._quit, "local")}

    async def _reloaded(self, request: Request) -> Answer:
        requested(request, ())
        self._require_started()
        found = await self._reload()
        if found.failed:
            return problem(ProxyError("reload_failed", "; ".join(found.failed)), "admin", "no", **found.document())
        return json_answer(200, found.document())

    def _rotated(self, request: Request) -> Answer:
        wanted = requested(request, ("application", "to"))
        return json_answer(200, self.rotate(wanted.get("application"), wanted.get("to")))

    def rotate(self, application: str | None, to: str | None) -> dict[str, object]:
        """The document of /rotate.  Raises ProxyError."""
        self._require_started()
        name, slots = self._application(application)
        if to is not None and to not in _SLOTS:
            raise Refused("admin_request_invalid", "'to' is current or next")
        changed = slots.rotate(cast(Slot | None, to), self._now())
        identity = slots.current
        key = identity.key.signer.spki_sha256 if identity is not None and identity.key is not None else ""
        return {"application": name, "outcome": "rotated" if changed else "unchanged",
                "slot": slots.slot(slots.signing), "spki_sha256": key}

    def _levelled(self, request: Request) -> Answer:
        level = requested(request, ("level",)).get("level")
        if level not in LEVELS:
            raise Refused("admin_request_invalid", f"'level' is {choices(LEVELS)}")
        before = self._level.change(level)
        return json_answer(200, {"level": level, "before": before})

    def _quit(self, request: Request) -> Answer:
        requested(request, ())
        if self._end is None:
            raise Refused("quit_off")
        self._end()
        return json_answer(200, {"outcome": "ending"})

    def _application(self, name: str | None) -> tuple[str, Slots]:
        """By its name, or the only one."""
        if name is None:
            if len(self._rings) != 1:
                raise Refused("admin_request_invalid", "there are several applications: name one with 'application'")
            name = next(iter(self._rings))
        if name not in self._rings:
            raise Refused("application_unknown", shown(name))
        return name, self._rings[name]

    def _require_started(self) -> None:
        if not self._health.started:
            raise Refused("proxy_starting")


def requested(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    """What the query and the body say, together.  Raises Refused("admin_request_invalid")."""
    given = [*_from_query(request.target.partition(b"?")[2]), *_from_body(request.body)]
    for name, value in given:
        if name not in names:
            raise Refused("admin_request_invalid", f"{shown(name)} is not known here"
                                                   + (f"; {choices(names)} is" if names else ""))
        if not isinstance(value, str):
            raise Refused("admin_request_invalid", f"'{name}' is not text")
    wanted = dict(given)
    if len(wanted) < len(given):
        raise Refused("admin_request_invalid", "something is given twice")
    return cast(dict[str, str], wanted)


def _from_query(query: bytes) -> list[tuple[str, object]]:
    try:
        return list(parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict",
                              max_num_fields=8)) if query else []
    except ValueError:
        raise Refused("admin_request_invalid", "the query is not name=value&name=value") from None


def _from_body(body: bytes) -> list[tuple[str, object]]:
    if not body.strip():
        return []
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refused("admin_request_invalid", "the body is not a JSON object") from None
    return list(found.items())
