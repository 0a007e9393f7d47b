"""The place of one worker: the process that sits there now, what it has told, and its next one."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import proxy
from proxy.app.workers.channel import Channel, ChannelClosed, pair
from proxy.config.environment import secret_variables
from proxy.errors import ProxyError

log = logging.getLogger("proxy")

State = Literal["starting", "ready", "ending", "ended"]
COMMAND: Final = (sys.executable, "-P", "-m", "proxy.app.workers.worker")
_ROOT: Final = str(Path(proxy.__file__).parent.parent)
_OURS: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Between the service manager and the supervisor."""
_GRACE: Final = 5.0
"""Seconds for a process whose channel has closed."""

Told = Callable[["Seat", str, Any], None]


class Seat:
    """number: from 1.  refused: why the last worker could not start, if it said so.  heard_at: loop time of its last
    word.  restarts: of this seat.  Made on the event loop."""

    def __init__(self, number: int, environ: Mapping[str, str], told: Told, command: Sequence[str] = COMMAND) -> None:
        """told: hears what the worker tells by itself.  command: what becomes the worker, given a descriptor."""
        self.number = number
        self.state: State = "ended"
        self.pid: int | None = None
        self.since = datetime.now(UTC)
        self.restarts = 0
        self.refused: ProxyError | None = None
        self.heard_at = 0.0
        self._environ = _environment(environ)
        self._told = told
        self._command = tuple(command)
        self._reason = ""
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def live(self, start: Mapping[str, Any], descriptors: Sequence[int]) -> float:
        """One worker from its start to its end, whatever that was.  start: its first frame.  -> seconds it lived.

        Secrets in variables go with that frame: /proc would show them to this user's processes until it is hardened.
        """
        self.state, self.refused, self.since = "starting", None, datetime.now(UTC)
        began = time.monotonic()
        secrets = {name: self._environ[name] for name in secret_variables(start.get("config"))
                   if name in self._environ}
        ours, theirs = pair()
        with theirs:
            try:
                self._process = await asyncio.to_thread(self._spawn, theirs.fileno(), descriptors, secrets)
            except OSError as error:
                ours.close()
                self.state, self.refused = "ended", ProxyError("internal_error", f"no process ({error.strerror})")
                return 0.0
        self.pid = self._process.pid
        channel = self._channel = await Channel.over(ours, self._hear, _asked)
        channel.tell("start", {**start, "secrets": secrets})
        if self._reason:
            channel.tell("end", self._reason)
        try:
            await channel.closed()
        finally:
            self._channel = None
            await channel.close()
        await asyncio.to_thread(_reap, self._process)
        self.state, self.pid = "ended", None
        return time.monotonic() - began

    def _spawn(self, channel: int, descriptors: Sequence[int], withheld: Collection[str]) -> subprocess.Popen[bytes]:
        """In a process group of its own, Ctrl-C reaches the supervisor alone."""
        environ = {name: value for name, value in self._environ.items() if name not in withheld}
        return subprocess.Popen([*self._command, str(channel)], stdin=subprocess.DEVNULL,  # noqa: S603
                                stdout=subprocess.DEVNULL,
                                pass_fds=(channel, *descriptors), env=environ, process_group=0)

    def _hear(self, name: str, value: Any) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if name == "ready" and self.state == "starting":
            self.state = "ready"
        elif name == "failed":
            self.refused = ProxyError(*value)
        self._told(self, name, value)

    # --- what is said to it

    def tell(self, name: str, value: object = None) -> None:
        if self._channel is not None:
            self._channel.tell(name, value)

    async def ask(self, name: str, value: object = None, *, seconds: float) -> Any:
        """Raises ProxyError as the worker did, ChannelClosed, TimeoutError."""
        if self._channel is None:
            raise ChannelClosed
        return await self._channel.ask(name, value, seconds=seconds)

    def end(self, reason: str) -> None:
        self._reason = reason
        if self.state != "ended":
            self.state = "ending"
        self.tell("end", reason)

    def kill(self) -> None:
        if self._process is not None and self.state != "ended":
            with suppress(OSError):
                self._process.kill()

    def how_it_ended(self) -> str:
        """A clause."""
        if self.refused is not None:
            return f"could not start ({self.refused.code}): {self.refused}"
        code = self._process.returncode if self._process is not None else None
        return f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


async def _asked(name: str, value: object) -> object:
    raise ProxyError("internal_error", f"the supervisor was asked for {name}")


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Blocks.  A process that has closed its channel is ending."""
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The supervisor's own, by which the same program is found."""
    kept = {name: value for name, value in environ.items() if name not in _OURS}
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (_ROOT, kept.get("PYTHONPATH"))))
    return kept
