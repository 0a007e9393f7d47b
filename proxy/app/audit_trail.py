"""The audit trail of one process: opened before anything can be signed, ended after everything has its outcome."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from proxy import __version__
from proxy.audit.chain import START
from proxy.audit.settings import AuditSettings
from proxy.audit.trail import Trail
from proxy.serve.auditing import Auditing
from proxy.serve.gateway import Gateway
from proxy.serve.telemetry import Telemetry

log = logging.getLogger(__name__)

HEAD_EVERY_S: Final = 3600.0
"""Between two log lines that tell the head: the log goes elsewhere, so the trail cannot be written anew unseen."""
_TURNS: Final = 100
_TURN_S: Final = 0.005


class AuditTrail:
    """Does nothing where none is configured.  Made on the event loop."""

    def __init__(self, settings: AuditSettings | None, gateway: Gateway, telemetry: Telemetry) -> None:
        self._gateway = gateway
        self._telemetry = telemetry
        self._trail = Trail(settings, secrets.token_hex(4)) if settings is not None else None
        self._timer: asyncio.TimerHandle | None = None
        self._said = START

    async def open(self) -> None:
        """Raises ProxyError: audit_unusable, audit_locked."""
        trail = self._trail
        if trail is None:
            return
        await asyncio.to_thread(lambda: trail.open(version=__version__))
        trail.start()
        self._said = trail.head
        audit = self._gateway.audit = Auditing(trail)
        self._gateway.watch(audit)
        telemetry = self._telemetry
        telemetry.audit_lines.values, telemetry.audit_failures.values = trail.lines, trail.failures
        telemetry.read_at_scrape((
            ("audit_lines_waiting", "Lines of the audit trail that are not in its file yet.", (),
             lambda: [((), trail.waiting)]),
            ("audit_failing", "Whether the audit trail cannot be written.", (),
             lambda: [((), float(bool(trail.failure)))]),
            ("audit_last_line", "Number of the last line in the audit trail.", (), lambda: [((), trail.head.seq)]),
        ))
        self._timer = asyncio.get_running_loop().call_later(HEAD_EVERY_S, self._say_head, trail)

    def _say_head(self, trail: Trail) -> None:
        self._timer = asyncio.get_running_loop().call_later(HEAD_EVERY_S, self._say_head, trail)
        if trail.head != self._said:
            self._said = trail.head
            log.info("audit trail: head %s", trail.head)

    def checks(self) -> dict[str, Callable[[], str]]:
        """For the probes: a proxy that signs nothing without a record is not ready without one."""
        trail = self._trail
        if trail is None or trail.settings.on_failure != "refuse":
            return {}
        return {"audit trail": lambda: f"it cannot be written ({trail.failure})" if trail.failure else ""}

    def report(self) -> Mapping[str, object] | None:
        """For /status; None: nothing is recorded."""
        trail = self._trail
        if trail is None:
            return None
        return {"file": trail.settings.file, "head": str(trail.head), "waiting": trail.waiting, "lost": trail.lost,
                "failure": trail.failure, "on_failure": trail.settings.on_failure}

    def reopen(self) -> None:
        """As on SIGHUP, which logrotate sends when it has moved the file."""
        if self._trail is not None:
            self._trail.reopen()

    async def close(self) -> None:
        """After the connections have gone: the outcomes of what was cut off are on their way."""
        if self._trail is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        for _ in range(_TURNS):
            if not self._gateway.in_flight:
                break
            await asyncio.sleep(_TURN_S)
        await self._trail.close()
