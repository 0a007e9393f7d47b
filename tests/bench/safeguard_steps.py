"""The safeguards' own steps, without proxy, sockets and load: `python -m tests.bench.safeguard_steps`.

CPU time of this process alone in µs, the least and the median of many short runs, so that it says something on a busy
machine too: judging one finished request, and the two lines of one call in the audit trail, both threads together.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.audit.settings import AuditSettings
from proxy.audit.trail import Trail
from proxy.core.profiles import NORDEA
from proxy.core.signing import SigningRules
from proxy.selfcheck import find_fault
from proxy.serve.selfverify import demands_of
from tests.audit.trails import intent, outcome
from tests.core.sealing import plan, request, sign

from .conversation import BODIES, CONTENT_TYPE

_RUNS = 40
_FIELDS = ((b"Accept", b"*/*"), (b"Authorization", b"Bearer 0123456789abcdef"), (b"User-Agent", b"bench/1.0"))


def _spread(one: Callable[[], object], times: int) -> tuple[float, float]:
    found = []
    for _ in range(_RUNS):
        began = time.process_time()
        for _ in range(times):
            one()
        found.append((time.process_time() - began) / times * 1e6)
    return min(found), statistics.median(found)


def _judging(key: rsa.RSAPrivateKey, method: str) -> Callable[[], object]:
    body = BODIES[method]
    content = ((b"Content-Type", CONTENT_TYPE.encode()),) if body else ()
    made = plan(request(method.encode(), b"/personal/v5/accounts/1/transactions?n=1", *_FIELDS, *content, body=body))
    data = made.complete(sign(key, made.signature_base))
    demands, public = demands_of(SigningRules(NORDEA)), key.public_key()

    def judge() -> None:
        end = data.find(b"\r\n\r\n") + 4
        assert find_fault(data[:end], memoryview(data)[end:], public, demands) is None

    return judge


async def _recording(directory: Path, at_once: int, **settings: object) -> tuple[float, float]:
    """Per call: an intent that is waited for, and an outcome that is not."""
    trail = Trail(AuditSettings(file=str(directory / f"audit-{at_once}.jsonl"), **settings), "bench")
    await asyncio.to_thread(trail.open)
    trail.start()
    loop, found, calls = asyncio.get_running_loop(), [], 400

    async def caller(count: int) -> None:
        for call in range(count):
            written = loop.create_future()
            trail.put(intent(call), lambda failure, on_record, written=written: written.set_result(failure))
            assert not await written
            trail.put(outcome(call))

    for _ in range(_RUNS):
        began = time.process_time()
        await asyncio.gather(*[caller(calls // at_once) for _ in range(at_once)])
        found.append((time.process_time() - began) / calls * 1e6)
    await trail.close()
    return min(found), statistics.median(found)


def main() -> None:
    print("                                             least  median")
    for bits in (2048, 3072):
        key = rsa.generate_private_key(65537, bits)
        print(f"RSA-{bits}: the signature itself          {_row(_spread(lambda key=key: sign(key, b'x' * 240), 20))}")
        for method in ("GET", "POST"):
            print(f"RSA-{bits}: self_verify of a {method:<4}           {_row(_spread(_judging(key, method), 100))}")
    with tempfile.TemporaryDirectory() as directory:
        for at_once in (1, 16):
            for fsync in ("never", "always"):
                found = uvloop.run(_recording(Path(directory) / fsync, at_once, fsync=fsync))
                print(f"audit, {at_once:>2} calls at once, fsync {fsync:<6}      {_row(found)}")


def _row(found: tuple[float, float]) -> str:
    return "".join(f"{value:8.1f}" for value in found)


if __name__ == "__main__":
    main()
