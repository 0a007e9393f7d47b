"""The inspector's own steps, without proxy, sockets and load: `python -m tests.bench.inspector_steps`.

CPU time of this process alone in µs, the least and the median of many short runs, so that it says something on a busy
machine too.  Beside one RSA-2048 signature: keeping the answer's bytes, noting a call that is over, and what the thread
then makes of each call that is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import uvloop

from proxy.core.exchange import Exchange
from proxy.core.message import Request, Response
from proxy.core.profiles import NORDEA
from proxy.core.redaction import Known
from proxy.core.signing import SigningRules, prepare
from proxy.keys.slots import Slots
from proxy.serve.clock import Clock
from proxy.serve.inspection.developing import Developer, Raw
from proxy.serve.inspection.store import Store
from proxy.serve.inspection.tape import BUSY, UNWATCHED, Tape
from proxy.serve.recording import Recording

from .conversation import BODIES, CONTENT_TYPE
from .diagnosis import slots_in

_RUNS, _EACH = 30, 200
_KEPT = 200
_A_SECOND = (100, 500, 1500)
"""Calls, for what they cost together; the last is about what one core signs with RSA-2048."""
_LOOKS = (("nobody looks", UNWATCHED), ("a page is open", BUSY))
_ANSWER = json.dumps({"group_header": {"message_identification": "0" * 32, "http_code": 200}, "response": {"accounts": [
    {"_id": f"FI659385745029347{n}-EUR", "currency": "EUR", "status": "OPEN", "available_balance": "1234.56"}
    for n in range(9)]}}).encode()
_FIELDS = ((b"host", b"Host", b"127.0.0.1:8080"), (b"accept", b"Accept", b"*/*"),
           (b"authorization", b"Authorization", b"Bearer 0123456789abcdef"), (b"user-agent", b"User-Agent", b"bench"))
_ANSWERED = ((b"date", b"Date", b"Mon, 14 Aug 2023 06:25:45 GMT"), (b"server", b"Server", b"nginx"),
             (b"content-type", b"Content-Type", b"application/json"), (b"content-length", b"Content-Length", b"1029"),
             (b"x-ratelimit-remaining", b"X-RateLimit-Remaining", b"name=rate-limit-1,10999744;"))


def _spread(one: Callable[[], object], times: int = _EACH) -> tuple[float, float]:
    found = []
    for _ in range(_RUNS):
        began = time.process_time()
        for _ in range(times):
            one()
        found.append((time.process_time() - began) / times * 1e6)
    return min(found), statistics.median(found)


def _call(slots: Slots, method: str) -> tuple[Recording, Exchange]:
    """One that is over, as a proxy with an inspector leaves it."""
    body = BODIES[method]
    content = ((b"content-type", b"Content-Type", CONTENT_TYPE.encode()),) if body else ()
    request = Request(method.encode(), b"/personal/v5/accounts/1/transactions?n=1", [*_FIELDS, *content], body)
    rules = SigningRules(NORDEA)
    route = cast(Any, SimpleNamespace(name="nordea", application="shop", listener="main", rules=rules, slots=slots,
                                      strip=b""))
    recording = Recording(request, route, request_id="x", client="127.0.0.1", client_name="", form="")
    recording.begin(prepare(request, rules))
    identity = slots.current
    assert identity is not None
    assert identity.key is not None
    assert recording.draft is not None
    recording.identity = identity
    plan = recording.draft.plan(identity, Clock().date())
    recording.sealed(plan, identity.key.signer.sign(plan.signature_base), time.perf_counter())
    recording.attempts = 1
    recording.response = Response(200, b"200 OK", list(_ANSWERED), minor=1, length=len(_ANSWER), options=frozenset(),
                                  close=False)
    recording.keep(65536)
    recording.more(_ANSWER)
    return recording, recording.exchange(None, "answered", sent="yes", error=None, full_paths=False)


def _keeping(slots: Slots, method: str) -> tuple[float, float]:
    """The answer's beginning is held: what that adds to a call's own path."""
    recording, _ = _call(slots, method)

    def keep() -> None:
        recording.keep(65536)
        recording.more(_ANSWER)

    def pass_by() -> None:
        recording.more(_ANSWER)

    recording.answer = None
    with_none = _spread(pass_by)
    return cast(tuple[float, float], tuple(a - b for a, b in zip(_spread(keep), with_none, strict=True)))


async def _noting(slots: Slots, method: str) -> tuple[float, float]:
    recording, exchange = _call(slots, method)
    nobody = cast(Any, ())
    tape = Tape(Store(_KEPT, 16 << 20), nobody, tuple, body_bytes=65536)
    try:
        return _spread(lambda: tape.over(exchange, None, recording, None))
    finally:
        await tape.close()


def _developing(slots: Slots, method: str) -> tuple[float, float]:
    recording, exchange = _call(slots, method)
    developer = Developer(Known(b"k" * 16, [b"a secret of this application"]), frozenset(), 65536)
    size = recording.size
    raw = Raw(1, time.time(), exchange, recording, recording.request, size, size, 0)
    return _spread(lambda: developer.develop(raw))


async def main() -> None:
    with TemporaryDirectory() as name:
        slots = slots_in(Path(name))
    identity = slots.current
    assert identity is not None
    assert identity.key is not None
    signer = identity.key.signer
    rows = [("one RSA-2048 signature", *_spread(lambda: signer.sign(b"x" * 240), 50))]
    for method in ("GET", "POST"):
        keeping, noting = _keeping(slots, method), await _noting(slots, method)
        developing = _developing(slots, method)
        rows += [(f"{method}: its answer's bytes are held", *keeping),
                 (f"{method}: it is noted when it is over", *noting),
                 (f"{method}: the thread, for each that is kept", *developing)]
        for rate, (what, every) in itertools.product(_A_SECOND, _LOOKS):
            share = min(1.0, _KEPT / (rate * every))
            rows.append((f"{method}: together, {rate} a second, {what}", *(
                a + b + share * c for a, b, c in zip(keeping, noting, developing, strict=True))))
    for what, least, median in rows:
        print(f"{what:<52}{least:8.1f} {median:8.1f} µs")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
