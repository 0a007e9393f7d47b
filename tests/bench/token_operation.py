"""What a key on a PKCS#11 token costs beside the token's own time: `python -m tests.bench.token_operation`.

Medians in milliseconds on SoftHSM: C_Sign alone in the module's thread; sign() by a caller, through the queue and back;
and as the proxy calls it, from the event loop by way of a thread.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.errors import ProxyError
from proxy.keys.pkcs11 import Pkcs11Signer, objects
from proxy.keys.pkcs11.thread import close_all
from proxy.serve.sealing import Sealing
from tests.keys.hsm import Store, missing
from tests.keys.making import NOW

_MESSAGE = b"(request-target): get /personal/v5/accounts ...".ljust(240, b".")
_ROUNDS = 200
SIZES = (2048, 3072, 4096)


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians in milliseconds.  added: what the loop waits beyond the token.  added_cpu: what the process runs beyond
    it, of which a busy machine changes less."""

    alone: float
    called: float
    looped: float
    added_cpu: float

    @property
    def added(self) -> float:
        return self.looped - self.alone


def _alone(signer: Pkcs11Signer) -> tuple[float, float]:
    """Seconds of one signature in the module's thread: by the clock, and of its processor."""
    def inside(tokens: Any) -> tuple[float, float]:
        (login,) = {*tokens._logins.values()}
        key = login.keys[signer._key]
        began, ran = time.perf_counter(), time.thread_time()
        objects.sign(key, login.how, _MESSAGE, "")
        return time.perf_counter() - began, time.thread_time() - ran

    return signer._thread.run(inside, deadline=60, code="signing_failed")


def _called(signer: Pkcs11Signer) -> float:
    began = time.perf_counter()
    signer.sign(_MESSAGE)
    return time.perf_counter() - began


async def _from_the_loop(signer: Pkcs11Signer, sealing: Sealing) -> tuple[float, float]:
    outcome: asyncio.Future[bytes | ProxyError] = asyncio.get_running_loop().create_future()
    began, ran = time.perf_counter(), time.process_time()
    sealing.submit(signer, _MESSAGE, outcome.set_result)
    assert isinstance(await outcome, bytes)
    return time.perf_counter() - began, time.process_time() - ran


async def _measure(signer: Pkcs11Signer) -> Cost:
    """In turns, so that whatever else the machine does meets all three."""
    sealing = Sealing(64)
    try:
        samples = [(*_alone(signer), _called(signer), *await _from_the_loop(signer, sealing)) for _ in range(_ROUNDS)]
    finally:
        sealing.close()
    alone, cpu_alone, called, looped, cpu_looped = (
        statistics.median(column) * 1000 for column in zip(*samples, strict=True))
    return Cost(alone, called, looped, cpu_looped - cpu_alone)


class Token:
    """A SoftHSM token of this process with a key of each size."""

    def __init__(self, directory: Path) -> None:
        store = Store.make(directory)
        os.environ.update(store.environ)
        store.pin_file()
        store.token("seals")
        self._signers: dict[int, Pkcs11Signer] = {}
        for bits in SIZES:
            store.key("seals", rsa.generate_private_key(65537, bits), f"rsa{bits}", f"{bits // 1024:02x}")
        for bits in SIZES:
            signer = store.source(key_label=f"rsa{bits}").load(NOW).signer
            assert isinstance(signer, Pkcs11Signer)
            self._signers[bits] = signer

    @classmethod
    def ready(cls, stack: ExitStack) -> Token | str:
        """Or what is missing."""
        if reason := missing():
            return reason
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="signing-bench-hsm-"))
        stack.callback(close_all)
        return cls(Path(directory) / "hsm")

    def measured(self) -> dict[int, Cost]:
        """By size."""
        return {bits: uvloop.run(_measure(signer)) for bits, signer in self._signers.items()}


def main() -> None:
    with ExitStack() as stack:
        token = Token.ready(stack)
        if isinstance(token, str):
            print(token)
            return
        print("bits   token alone   sign()   from the loop   added   added CPU")
        for bits, cost in token.measured().items():
            print(f"{bits} {cost.alone:13.3f} {cost.called:8.3f} {cost.looped:15.3f} {cost.added:7.3f} "
                  f"{cost.added_cpu:11.3f}")


if __name__ == "__main__":
    main()
