"""Starts the workers, starts them again when they crash, and ends when they have ended.

The supervisor has no key and serves no caller: it owns the listening sockets, the admin port and what signals mean.
Callers are refused until the first worker has its keys and listens; then all accept from the same queues.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from proxy import __version__
from proxy.app import compose, process
from proxy.app.admin_port import AdminPort
from proxy.app.announce import announce_ready
from proxy.app.ending import Ending
from proxy.app.inspecting import Inspector
from proxy.app.lifecycle import Started, loop_factory, unforeseen
from proxy.app.log_level import LogLevel
from proxy.app.systemd import Notify, PassedSockets
from proxy.app.workers import shared, together
from proxy.app.workers.channel import ChannelClosed
from proxy.app.workers.desk import Desk
from proxy.app.workers.parting import part
from proxy.app.workers.patience import Patience, Tries
from proxy.app.workers.places import Places
from proxy.app.workers.rotations import Rotations
from proxy.app.workers.seat import COMMAND, Seat
from proxy.app.workers.sums import Sums
from proxy.config.model import Config
from proxy.errors import ProxyError
from proxy.serve.health import Health
from proxy.serve.logline import LogLines, Messages
from proxy.wire.queue import NOBODY

log = logging.getLogger("proxy")

_TICK: Final = 0.25
_SILENT: Final = 10.0
"""Seconds after which a worker that tells its numbers every second is not taken for alive: the watchdog hears it."""


def supervise(config: Config, environ: Mapping[str, str], ready: Callable[[Started], None]) -> int:
    """-> exit code.  ready: called once every worker serves.  Raises ProxyError: it could not start, or gave up."""
    messages = process.configure_logging(form=config.log_lines, quiet=config.quiet, debug=config.debug_logs)
    compose.authority(config, environ)      # made once, not by several workers at the same time
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_supervise(config, environ, ready, messages))


async def _supervise(config: Config, environ: Mapping[str, str], ready: Callable[[Started], None],
                     messages: Messages) -> int:
    supervisor = Supervisor(config, environ)
    messages.lines = supervisor.lines
    try:
        if await supervisor.start():
            ready(supervisor)
            await supervisor.until_asked()
        await supervisor.end()
        return supervisor.ending.code()
    finally:
        await supervisor.close()
        process.over(messages)


class Supervisor:
    """Made on the event loop.  listeners: as they are bound."""

    inspector: Inspector | None = None

    def __init__(self, config: Config, environ: Mapping[str, str], *, command: Sequence[str] = COMMAND,
                 patience: Patience | None = None) -> None:
        self.config = config
        self.ending = Ending(config)
        self.health = Health({})
        self.since = datetime.now(UTC)
        self._shared = shared.made()
        self._board = shared.numbers(self._shared)
        self.lines = LogLines(shared.SharedLog(self._shared), form=config.log_lines)
        self.level = LogLevel(config, self._level_changed, self.lines)
        self.seats = [Seat(number, environ, self._told, command) for number in range(1, config.workers + 1)]
        self.rotations = Rotations(config.applications, self._rotated)
        self._sums = Sums(self._own_families)
        self.registry = CollectorRegistry()
        self.registry.register(self._sums)
        self._patience = patience or Patience()
        self._notify = Notify(environ)
        self._places = Places(config, PassedSockets(environ))
        now = asyncio.get_running_loop().time
        desk = Desk(self, self.health, self.level, self.ending.on_request if config.quitquitquit else None, now)
        self._admin = AdminPort(config, environ, desk.table()) if config.admin else None
        self._all_ready = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeping: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def listeners(self) -> list[tuple[str, str, int]]:
        return self._places.listeners

    # --- start

    async def start(self) -> bool:
        """-> False: a signal came before all workers served, or one cannot.  Raises StartFailed, SocketUnfit."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(unforeseen)
        process.hear(self._on_signal)
        if self._admin is not None:
            self._places.admin(await self._admin.open(self._places.doors))
            if self._admin.tokens.file is not None and self.config.timed_reload:
                self._spawn(self._admin.tokens.file.watch(self.config.timed_reload))
        self._places.bind()
        self._keeping = [loop.create_task(self._keep(seat)) for seat in self.seats]
        for task in self._keeping:
            task.add_done_callback(self._reap)
        await self._until(self._all_ready.wait(), self.ending.wait())
        if self._over():
            return False
        self._tick()
        process.settle()
        self.health.started = True
        log.info("%d workers serve", len(self.seats))
        announce_ready(self._places.text())
        self._notify.ready(self._places.text())
        return True

    async def _until(self, *events: Coroutine[Any, Any, object]) -> None:
        """One of them, or until there is no point in going on."""
        tasks: set[asyncio.Future[Any]] = {asyncio.get_running_loop().create_task(event) for event in events}
        try:
            await asyncio.wait({*tasks, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _keep(self, seat: Seat) -> None:
        """Somebody sits there until the end."""
        tries = Tries(self._patience)
        while True:
            lived = await seat.live(self._first_words(seat), self._places.descriptors(self._shared))
            self._sums.ended(seat.number)
            self._board[seat.number - 1] = NOBODY
            if self._over():
                return
            pause = tries.ended(lived)
            log.error("worker %d %s; it is started again in %.1f s", seat.number, seat.how_it_ended(), pause)
            if seat.refused is not None and not self.health.started:
                self._fail(seat.refused)
            elif tries.hopeless and (seat.refused is None or not self._somebody_serves()):
                self._fail(ProxyError("workers_crash", f"worker {seat.number} {seat.how_it_ended()}"))
            else:
                seat.restarts += 1
                await self._until(asyncio.sleep(pause), self.ending.wait())
            if self._over():
                return

    def _over(self) -> bool:
        return self.ending.asked or self._failed.done()

    def _somebody_serves(self) -> bool:
        return any(seat.state == "ready" for seat in self.seats)

    def _fail(self, error: ProxyError) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _first_words(self, seat: Seat) -> dict[str, Any]:
        return {"worker": seat.number, "config": self.config, "sockets": self._places.numbers(),
                "own": self._places.own, "shared": self._shared, "level": self.level.current,
                "slots": self.rotations.now}

    # --- what the workers tell, and what the desk asks

    def _told(self, seat: Seat, name: str, value: Any) -> None:
        if name == "numbers":
            self._sums.keep(seat.number, value)
        elif name == "changed":
            self.rotations.told(*value)
        elif name == "ready":
            self._spawn(self._catch_up(seat))
            if all(other.state == "ready" for other in self.seats):
                self._all_ready.set()

    async def _catch_up(self, seat: Seat) -> None:
        """What has been changed since its first words."""
        seat.tell("level", self.level.current)
        for application, (slot, how) in self.rotations.now.items():
            await together.follow([seat], application, slot, how)

    def _rotated(self, application: str, slot: str, how: str) -> None:
        self._spawn(self._follow(application, slot, how))

    async def _follow(self, application: str, slot: str, how: str) -> None:
        await together.follow(self.seats, application, slot, how)

    async def count(self) -> None:
        """Each is kept as it comes: a worker may end while the others are awaited."""
        await asyncio.gather(*(self._count(seat) for seat in self.seats))

    async def _count(self, seat: Seat) -> None:
        with suppress(ChannelClosed, TimeoutError, ProxyError):     # then its last numbers hold
            self._sums.keep(seat.number, await seat.ask("numbers", seconds=together.QUICKLY))

    def _own_families(self) -> Iterator[Metric]:
        yield self.rotations.family()
        yield GaugeMetricFamily("signing_proxy_workers_ready", "Workers that serve.",
                                value=sum(seat.state == "ready" for seat in self.seats))
        yield CounterMetricFamily("signing_proxy_worker_restarts", "Workers that were started again.",
                                  value=sum(seat.restarts for seat in self.seats))

    async def reasons(self) -> list[str]:
        return await together.reasons(self.seats)

    async def report(self) -> Mapping[str, Any]:
        return await together.report(self.seats, {
            "version": __version__, "state": self.health.state, "log_level": self.level.current,
            "started_at": self.since.isoformat(timespec="seconds"), "listeners": self._places.report()})

    async def reload(self) -> together.ReloadedByAll:
        self._notify.reloading()
        own = self._admin.tokens.file if self._admin is not None else None
        tokens = asyncio.gather(*([own.reload()] if own is not None else []))
        found = await together.reload(self.seats)
        await tokens
        self._notify.ready(self._places.text())
        return found

    async def rotate(self, wanted: Mapping[str, str | None]) -> Mapping[str, Any]:
        """Raises ProxyError."""
        document = await together.rotate(self.seats, wanted)
        application, slot = str(document["application"]), str(document["slot"])
        left = await together.follow(self.seats, application, slot, "command")
        if left:
            raise ProxyError("rotation_unusable", f"worker {', '.join(map(str, left))} goes on with the other key")
        return document

    # --- signals

    def _on_signal(self, received: signal.Signals) -> None:
        if received is signal.SIGUSR1:
            self.level.toggle()
        elif received is not signal.SIGHUP:
            self.ending.on_signal(received)
        elif self.health.started:
            self._spawn(self._reload_aloud())
        else:
            log.info("everything is being read anyway: the proxy is still starting")

    async def _reload_aloud(self) -> None:
        found = await self.reload()
        if found.failed:
            log.error("reload failed: %s", "; ".join(found.failed))

    def _level_changed(self, _: object) -> None:
        for seat in getattr(self, "seats", ()):
            seat.tell("level", self.level.current)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(_TICK, self._tick)
        now = loop.time()
        if all(seat.state != "ready" or now - seat.heard_at < _SILENT for seat in self.seats):
            self._notify.alive(now)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed (%s)", type(error).__name__)
            self._fail(ProxyError("internal_error", type(error).__name__))

    # --- the end

    async def until_asked(self) -> None:
        await self._until(self.ending.wait())

    async def end(self) -> None:
        """Drains all workers.  Raises ProxyError when that is not what somebody has asked for."""
        self.health.draining = True
        self._notify.stopping()
        self._places.let_go()
        reason = self.ending.reason if self.ending.asked else "SIGTERM"
        await part(self.seats, self._keeping, self.ending, reason, self.config.max_sigterm_delay)
        if not self.ending.asked:
            self._failed.result()

    async def close(self) -> None:
        """Lets go of everything, whatever has been reached."""
        for seat in self.seats:
            seat.kill()
        for task in (*self._tasks, *self._keeping):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._keeping, return_exceptions=True)
        if self._failed.done():
            self._failed.exception()        # has been told, or somebody has asked for the end before
        if self._ticking is not None:
            self._ticking.cancel()
        if self._admin is not None:
            await self._admin.close()
        self._places.close()
        self._notify.close()
        await self.lines.close()
        self._board.release()
        os.close(self._shared)
