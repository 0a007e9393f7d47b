"""Start, signals and the running state of one proxy process; ending.py is how it ends.

start     the admin port, then the keys, then the listeners: probes are answered while Vault is awaited
SIGHUP    keys, credentials and tokens are read again
SIGUSR1   the log says more (debug), or as much as before
SIGTERM, SIGINT   the end
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from proxy.app import compose, process, status
from proxy.app.actions import Actions
from proxy.app.admin_port import AdminPort
from proxy.app.announce import announce
from proxy.app.audit_trail import AuditTrail
from proxy.app.ending import Ending
from proxy.app.expiry import Expiry
from proxy.app.inspecting import ADMIN, Inspector, inspector
from proxy.app.key_start import KeyStart
from proxy.app.listeners import Doors, gate
from proxy.app.log_level import LogLevel
from proxy.app.reloads import Reloaded, Reloads
from proxy.app.systemd import Notify, PassedSockets
from proxy.app.token_files import TokenFile
from proxy.app.tracing import Tracing
from proxy.config.address import where
from proxy.config.model import Config
from proxy.keys.authority import Authority
from proxy.serve.admin import Table
from proxy.serve.diagnosing import Diagnoses
from proxy.serve.gateway import Gateway
from proxy.serve.health import Health, pages
from proxy.serve.interception import Interception
from proxy.serve.logline import LogLines, Messages
from proxy.serve.telemetry import Telemetry
from proxy.wire.server import Server

log = logging.getLogger("proxy")

_TICK = 0.25
_FILES = 128
"""Open files besides the connections of the listeners and the pools."""


class Started(Protocol):
    """What serves: one process, or the one that looks after several."""

    config: Config
    inspector: Inspector | None

    @property
    def listeners(self) -> list[tuple[str, str, int]]: ...


def run(config: Config, *, environ: Mapping[str, str] = os.environ,
        ready: Callable[[Started], None] = lambda running: None) -> int:
    """Serves until a signal; -> exit code.  ready: called once every listener is open.

    Raises ProxyError when it cannot start.
    """
    process.harden()
    if config.workers > 1:
        from proxy.app.workers.supervisor import supervise

        return supervise(config, environ, ready)
    messages = process.configure_logging(form=config.log_lines, quiet=config.quiet, debug=config.debug_logs)
    rings = compose.keyrings(config, environ)
    authority = compose.authority(config, environ)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serve(lambda: Running(config, rings, environ, authority), ready, messages))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(make: Callable[[], Running], ready: Callable[[Running], None], messages: Messages) -> int:
    """-> exit code."""
    running = make()
    messages.lines = running.lines
    try:
        if await running.start():
            ready(running)
            await running.until_stopped()
        return running.ending.code()
    finally:
        await running.close()
        process.over(messages)


class Running:
    """A proxy in service.  Made on the event loop."""

    def __init__(self, config: Config, rings: compose.Keyrings, environ: Mapping[str, str],
                 authority: Authority | None = None, passed: PassedSockets | None = None) -> None:
        """authority: for tunnels to the banks; None leaves them shut.  passed: sockets; by default systemd's."""
        self.config, self.rings = config, rings
        self.telemetry = Telemetry()
        self.listeners: list[tuple[str, str, int]] = []
        self.since = datetime.now(UTC)
        self.lines = self._log_lines()
        self._notify = Notify(environ)
        self._passed = passed if passed is not None else PassedSockets(environ)
        self.doors = Doors(config, self.telemetry, self._passed)
        self.authority = authority
        self.vault = rings.vault
        self.ending = Ending(config)
        self._tasks: set[asyncio.Task[None]] = set()
        self.pools = compose.pools(config, compose.tls_context(config), compose.egress(config, environ),
                                   self.telemetry, self.doors.is_own_address)
        self.clocks = compose.clocks(config, self.telemetry)
        routes = compose.routes(config, rings, self.pools, self.clocks, self.telemetry)
        self._entrances = compose.entrances(config, routes, self.doors.is_own)
        self.passages = compose.passages(config, self.telemetry, self.doors.is_own_address)
        self.gateway = Gateway(
            self._entrances, Interception(authority.leaf_context if authority is not None else None, self.telemetry),
            self.passages, limits=config.limits, timeouts=config.timeouts, telemetry=self.telemetry,
            log=self.lines, full_paths=config.log_paths == "full")
        self.level = LogLevel(config, self.gateway.log_to, self.lines)
        self.audit = AuditTrail(config.audit, self.gateway, self.telemetry)
        self.traces = Tracing(config, self.gateway, self.telemetry)
        self.diagnoses = Diagnoses(self.telemetry.diagnoses, self.level.lines_for_warnings)
        self.gateway.watch(self.diagnoses)
        self.gateway.hint = self.diagnoses.hint if config.hint_header else None
        self.server = Server(self.gateway, config.limits, config.timeouts)
        self.health = Health({**status.key_checks(rings), **self.audit.checks()})
        self.inspector: Inspector | None = inspector(self) if config.inspect else None
        self.actions = Actions(rings=rings, health=self.health, reload=self.reload, level=self.level,
                               end=self.ending.on_request if config.quitquitquit else None, now=self.gateway.now)
        self._admin = AdminPort(config, environ, self._table(), self.inspector) if config.admin else None
        self._reloads = Reloads(rings, self.doors, self.telemetry, self._watch_died, self.token_files())
        self._ticking: asyncio.TimerHandle | None = None

    # --- start

    async def start(self) -> bool:
        """Opens every listener once there are keys; -> False: a signal came first.

        Raises StartFailed, SocketUnfit, KeyUnusable, ProxyError of the audit trail and of traces.
        """
        asyncio.get_running_loop().set_exception_handler(unforeseen)
        self._hear_signals()
        self._open_files()
        self._measure()
        await self.audit.open()
        await self.traces.open()
        if self._admin is not None:
            self.listeners += [(ADMIN, address, port) for address, port in await self._admin.open(self.doors)]
        if not await self._load_keys():
            return False
        for name, listener in self.config.all_listeners().items():
            for address, port in await self.doors.open(self.server, name, listener):
                self.listeners.append((name, address, port))
                self._entrances[name].gate = gate(self.config, listener, address, port, self.doors.tokens_of(listener))
        self._passed.require_none_left(name for name, _, _ in self.listeners)
        if self.vault is not None:
            self.vault.start()
        if self.config.timed_reload:
            self._reloads.begin(self.config.timed_reload, self._spawn)
        self._spawn(Expiry(self.rings, self.authority).watch())
        self._tick()
        process.settle()
        self.health.started = True
        self._announce()
        self._notify.ready(self._places())
        return True

    def _log_lines(self) -> LogLines:
        return LogLines(form=self.config.log_lines)

    def _hear_signals(self) -> None:
        process.hear(self._on_signal)

    def _announce(self) -> None:
        announce(self._places(), self.rings, self.authority)

    async def _load_keys(self) -> bool:
        """-> False: a signal came first, and the process ends without them."""
        wait_s = self.vault.settings.start_timeout if self.vault is not None else 0.0
        keys = KeyStart(self.rings, wait_s)
        self.health.waiting = lambda: keys.waiting
        if not await keys.load_unless(self.ending):
            return False
        compose.count_rotations(self.rings, self.telemetry)
        return True

    def _measure(self) -> None:
        """What is told about a proxy that has not started yet as well."""
        self.telemetry.read_at_scrape(status.readings(
            rings=self.rings, gateway=self.gateway, server=self.server, pools=self.pools, clocks=self.clocks,
            passages=self.passages, authority=self.authority, log_dropped=lambda: self.lines.dropped))
        self.telemetry.shed_tally = lambda: self.server.room.left
        if self.vault is not None:
            self.telemetry.vault_tally = self.vault.tally.requests
            self.telemetry.read_at_scrape(status.vault_readings(self.vault))

    def _table(self) -> Table:
        """Everything the admin port answers."""
        return {**pages(self.health, self.telemetry.registry, self.report), **self.actions.table(),
                **(self.inspector.table() if self.inspector is not None else {})}

    def token_files(self) -> list[TokenFile]:
        """Of the listeners and of the admin port."""
        own = self._admin.tokens.file if self._admin is not None else None
        return [*self.doors.tokens.values(), *([own] if own is not None else [])]

    def _open_files(self) -> None:
        limits = self.config.limits
        wanted = limits.connections + limits.upstream_connections * len(self.pools) + limits.tunnels + _FILES
        if (allowed := process.open_files(wanted)) < wanted:
            log.warning("only %d files may be open, but limits allow connections that need %d; raise the limit on open "
                        "files or lower limits.connections", allowed, wanted)

    def _places(self) -> str:
        return ", ".join(f"{name} {where(address, port)}" for name, address, port in self.listeners)

    # --- while it runs

    def report(self) -> Mapping[str, object]:
        return status.status_report(
            state=self.health.state, log_level=self.level.current, since=self.since, listeners=self.listeners,
            rings=self.rings, gateway=self.gateway, server=self.server, pools=self.pools, clocks=self.clocks,
            passages=self.passages, authority=self.authority, diagnoses=self.diagnoses.report(),
            audit=self.audit.report())

    def _tick(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(_TICK, self._tick)
        for pool in self.pools.values():
            pool.tick()
        self.clocks.look()
        self._notify.alive(asyncio.get_running_loop().time())
        self.passages.solos.tick()
        for slots in self.rings.values():
            slots.look(self.gateway.now())

    def _on_signal(self, received: signal.Signals) -> None:
        if received is signal.SIGUSR1:
            self.level.toggle()
        elif received is not signal.SIGHUP:
            self.ending.on_signal(received)
        elif self.health.started:
            self._spawn(self.reload())
        else:
            log.info("everything is being read anyway: the proxy is still starting")

    async def reload(self) -> Reloaded:
        """Reads again what may have changed, as on SIGHUP."""
        self._notify.reloading()
        self.audit.reopen()
        found = await self._reloads.everything()
        self._notify.ready(self._places())
        return found

    def _watch_died(self, error: BaseException) -> None:
        log.critical("the watch over key files died (%s); the proxy stops rather than miss a new key",
                     type(error).__name__)
        self.ending.on_signal(signal.SIGTERM)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a background task failed (%s)", type(task.exception()).__name__)

    # --- the end

    async def until_stopped(self) -> None:
        """Waits until somebody asks for the end, and drains."""
        await self.ending.wait()
        self._notify.stopping(self.gateway.in_flight)
        await self.ending.drain(self.health, self.server, self.gateway)

    async def close(self) -> None:
        """Lets go of everything, whatever has been reached."""
        if self.vault is not None:
            await self.vault.ended()        # first: threads that ask it end now, and hold up nothing
        await self._reloads.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.server.close()
        if self.inspector is not None:
            await self.inspector.close()
        if self._admin is not None:
            await self._admin.close()
        if self._ticking is not None:
            self._ticking.cancel()
        await self.passages.close()
        for pool in self.pools.values():
            await pool.close()
        self.gateway.close()
        await self.audit.close()
        await self.traces.close(self.ending.left)
        self.doors.close()
        self._notify.close()
        await self.lines.close()


def unforeseen(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio would print with a traceback; the text of a foreign exception may hold anything."""
    error = context.get("exception")
    log.error("internal error: %s", type(error).__name__ if error is not None else "the event loop complained")
