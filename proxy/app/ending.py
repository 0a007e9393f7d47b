"""Why the process ends, how it lets go of what it has in hand, and what it says by its exit code.

SIGTERM        not ready at once; requests are accepted for min_sigterm_delay more seconds, each answer closes its
               connection; then no new connections, what is in hand is finished, at most until max_sigterm_delay
SIGINT         the same without the first wait
quitquitquit   the same as SIGTERM, asked for at the admin port: what its caller wanted, so the exit code is 0
A second SIGTERM or SIGINT stops at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Literal

from proxy.config.model import Config
from proxy.serve.gateway import Gateway
from proxy.serve.health import Health
from proxy.wire.server import Server

log = logging.getLogger("proxy")

Reason = Literal["SIGTERM", "SIGINT", "quitquitquit"]

_STEP = 0.02
_LAST_ACCEPT = 1.0
"""Seconds for those whom the kernel has taken in, and the loop has not yet."""


class Ending:
    """Made on the event loop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._reason: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()
        self._end = 0.0
        self._signalled = False

    # --- asking for it

    def on_signal(self, received: signal.Signals) -> None:
        """The first one after a quitquitquit hurries nobody: a kubelet sends it as soon as its hook has asked."""
        if self._signalled:
            self._hurry.set()
        self._signalled = True
        if not self._reason.done():
            self._reason.set_result("SIGINT" if received is signal.SIGINT else "SIGTERM")

    def on_request(self) -> None:
        """Once is enough: asking again hurries nobody."""
        if not self._reason.done():
            self._reason.set_result("quitquitquit")

    # --- ending

    @property
    def asked(self) -> bool:
        return self._reason.done()

    @property
    def left(self) -> float:
        """Seconds of the drain that were not needed; 0 for who is in a hurry."""
        return 0.0 if self._hurry.is_set() else max(0.0, self._end - asyncio.get_running_loop().time())

    async def wait(self) -> None:
        """Returns when somebody has asked; cancelling it changes nothing."""
        await asyncio.shield(self._reason)

    async def hurried(self) -> None:
        """Returns when somebody has asked twice."""
        await self._hurry.wait()

    @property
    def reason(self) -> Reason:
        return self._reason.result()

    def code(self) -> int:
        """The exit code of what was asked for."""
        reason = self._reason.result()
        if reason == "SIGINT":
            return 130
        return 0 if reason == "quitquitquit" or self._config.exit_zero_on_sigterm else 143

    async def drain(self, health: Health, server: Server, gateway: Gateway) -> None:
        """Lets what is in hand finish."""
        health.draining = server.draining = True
        log.info("draining: %d requests in hand, %d connections", gateway.in_flight, len(server.connections))
        loop = asyncio.get_running_loop()
        end = self._end = loop.time() + self._config.max_sigterm_delay
        accept_for = 0.0 if self._reason.result() == "SIGINT" else self._config.min_sigterm_delay
        await self._pause(min(accept_for, self._config.max_sigterm_delay))
        last = min(end, loop.time() + _LAST_ACCEPT)
        while server.callers_wait() and loop.time() < last:     # they came in time, and may have sent a request
            await self._pause(0.0)
        server.stop_accepting()
        while (gateway.in_flight or server.connections) and loop.time() < end and not self._hurry.is_set():
            server.close_idle()             # again and again: a tunnel may fall silent
            await self._pause(_STEP)
        if gateway.in_flight:
            log.warning("stopping with %d requests in hand; their callers are cut off", gateway.in_flight)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass
