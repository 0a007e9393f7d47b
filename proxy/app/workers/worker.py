"""One worker: a proxy as it is alone, but for its orders, which come over the channel.

It has no admin port and inherits its listening sockets.  Signals leave it alone, as a terminal or a service manager
sends them to all processes, and the supervisor alone says what they mean.  When the supervisor has gone, it ends: new
callers are left to whoever listens next, and what is in hand is finished.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from proxy.app import compose, process
from proxy.app.announce import announce_warnings
from proxy.app.lifecycle import Running, loop_factory, serve
from proxy.app.systemd import PassedSockets
from proxy.app.workers import shared
from proxy.app.workers.channel import Channel, ChannelClosed, first_frame
from proxy.app.workers.sums import snapshot
from proxy.config.model import Config, Listener
from proxy.errors import ProxyError
from proxy.keys.slots import How
from proxy.serve.logline import LogLines, Messages
from proxy.wire.queue import Board

log = logging.getLogger("proxy")

_TELL_EVERY: Final = 1.0
_LAST_WORDS: Final = 1.0


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told first.  sockets: descriptors by listener.  own: further places that are this proxy's.

    shared: descriptor of what all of them write to.  level: of the log.  slots: which key signs, by application.
    secrets: variables that its environment lacks.
    """

    worker: int
    config: Config
    sockets: dict[str, int]
    own: list[tuple[str, int]]
    shared: int
    level: str
    slots: dict[str, tuple[str, str]]
    secrets: dict[str, str]

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, **self.secrets}


class Inherited(PassedSockets):
    """Those of the supervisor, which has compared them with the configuration."""

    def __init__(self, descriptors: Mapping[str, int], board: Board) -> None:
        self._by_name = {}
        self.board = board
        for name, descriptor in descriptors.items():
            sock = socket.socket(fileno=descriptor)
            sock.set_inheritable(False)
            sock.setblocking(False)
            self._by_name[name] = sock

    def take(self, name: str, listener: Listener) -> socket.socket | None:
        return self._by_name.pop(name, None)


def share(config: Config, worker: int) -> Config:
    """The configuration of one worker: what only one process can have is the supervisor's, numbered or divided."""
    shaping = config.shaping
    if shaping is not None:
        shaping = msgspec.structs.replace(shaping, share=shaping.share / config.workers)
    audit = config.audit
    if audit is not None:
        audit = msgspec.structs.replace(audit, file=numbered(audit.file, worker))
    return msgspec.structs.replace(config, workers=1, admin=False, quitquitquit=False, audit=audit,
                                   shaping=shaping)


def numbered(file: str, worker: int) -> str:
    """audit.jsonl -> audit-1.jsonl"""
    path = Path(file)
    return str(path.with_name(f"{path.stem}-{worker}{path.suffix}"))


class Worker(Running):
    """Made on the event loop."""

    def __init__(self, start: Start, channel: Channel, config: Config, rings: compose.Keyrings) -> None:
        self._start = start
        self._channel = channel
        super().__init__(config, rings, start.environ, compose.authority(config, start.environ),
                         Inherited(start.sockets, Board(shared.numbers(start.shared), start.worker - 1)))
        self.doors.bound += start.own
        if start.level != self.level.current:
            self.level.change(start.level)  # type: ignore[arg-type]
        self._telling: asyncio.TimerHandle | None = None

    def _log_lines(self) -> LogLines:
        return LogLines(shared.SharedLog(self._start.shared), form=self.config.log_lines)

    def _hear_signals(self) -> None:
        """They were given up before there was a loop."""

    def _announce(self) -> None:
        if self._start.worker == 1:
            announce_warnings(self.rings, self.authority)
        log.info("worker %d is ready", self._start.worker)

    async def start(self) -> bool:
        self._spawn(self._end_with_it())
        started = await super().start()
        if started:
            self._share_rotations()
            self._tell_numbers()
            self._channel.tell("ready")
        return started

    async def _end_with_it(self) -> None:
        await self._channel.closed()
        log.warning("worker %d: the supervisor has gone, so this worker ends too", self._start.worker)
        self.ending.on_signal(signal.SIGINT)

    # --- what the supervisor says

    def told(self, name: str, value: Any) -> None:
        if name == "end":
            self.ending.on_signal(signal.SIGINT if value == "SIGINT" else signal.SIGTERM)
        elif name == "level":
            self.level.change(value)

    async def asked(self, name: str, value: Any) -> object:
        """Raises ProxyError."""
        if name == "numbers":
            return snapshot(self.telemetry.registry)
        if name == "reasons":
            return self.health.reasons()
        if name == "report":
            return msgspec.to_builtins(self.report())
        if name == "reload":
            return (await self.reload()).document()
        if name == "rotate":
            return self.actions.rotate(value.get("application"), value.get("to"))
        if name == "follow":
            application, to, how = value
            return self.rings[application].follow(to, how, self.gateway.now())
        raise ProxyError("internal_error", f"a worker was asked for {name}")

    # --- what it tells by itself

    def _share_rotations(self) -> None:
        """What the start has brought, then each change as it comes."""
        for name, slots in self.rings.items():
            slot, how = self._start.slots.get(name, ("current", "command"))
            if slots.last_change is not None:
                self._tell_change(name, slots.last_change.how)
            elif slot != slots.slot(slots.signing):
                slots.follow(slot, how, self.gateway.now())  # type: ignore[arg-type]
            slots.on_change = self._teller(name)

    def _teller(self, name: str) -> Callable[[How], None]:
        return lambda how: self._tell_change(name, how)

    def _tell_change(self, name: str, how: How) -> None:
        slots = self.rings[name]
        self._channel.tell("changed", [name, slots.slot(slots.signing), how])

    def _tell_numbers(self) -> None:
        """Again and again, so that little is lost of what a worker has counted that is killed."""
        self._telling = asyncio.get_running_loop().call_later(_TELL_EVERY, self._tell_numbers)
        if not self._channel.busy:
            self._channel.tell("numbers", snapshot(self.telemetry.registry))

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        await super().close()
        self._channel.tell("numbers", snapshot(self.telemetry.registry))


async def _serve(start: Start, config: Config, sock: socket.socket, messages: Messages) -> int:
    """-> exit code.  Raises ProxyError, which the supervisor has been told."""
    made: list[Worker] = []

    def told(name: str, value: Any) -> None:
        for worker in made:
            worker.told(name, value)

    async def asked(name: str, value: Any) -> object:
        if not made:
            raise ProxyError("proxy_starting")
        return await made[0].asked(name, value)

    channel = await Channel.over(sock, told, asked)
    try:
        made.append(Worker(start, channel, config, compose.keyrings(config, start.environ)))
        return await serve(lambda: made[0], lambda running: None, messages)
    except ProxyError as error:
        channel.tell("failed", [error.code, error.detail])
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await channel.flushed()
        await channel.close()


def main(descriptor: int) -> int:
    """-> exit code, at which nobody looks: what went wrong is told over the channel."""
    for number in process.SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    try:
        _, value = first_frame(sock)
    except ChannelClosed:
        return 1
    start = msgspec.convert(value, Start)
    config = share(start.config, start.worker)
    process.harden()
    messages = process.configure_logging(form=config.log_lines, quiet=config.quiet, debug=config.debug_logs)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(start, config, sock, messages))
    except ProxyError:
        return 1


if __name__ == "__main__":
    if not sys.warnoptions:
        warnings.simplefilter("ignore")     # as proxy/cli does
    sys.exit(main(int(sys.argv[1])))
