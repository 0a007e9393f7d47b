"""What a diagnosis costs: `python -m tests.bench.diagnosis`.

Microseconds of CPU beside one RSA-2048 signature: what is noted of an accepted call, and the diagnosis of a refused
one, by the answer's code.  Best of several rounds, in this process, without a socket.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

from proxy.core.message import Request, Response
from proxy.core.profiles import NORDEA
from proxy.core.signing import SigningRules, prepare
from proxy.emulator.authority import Authority
from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.keyring import Keyring
from proxy.keys.slots import Slots
from proxy.serve.clock import Clock
from proxy.serve.counts import Counts
from proxy.serve.diagnosing import Diagnoses
from proxy.serve.recording import Recording

_ROUNDS, _EACH = 7, 1000
CODES = ("error.signature.invalid", "error.token.expired", "")
"""Refused for its seal, so that it is verified again; for the application's token; and a 503."""


def slots_in(directory: Path) -> Slots:
    key, certificate = Authority().seal().write(directory, "key", "crt")
    (directory / "secret").touch(mode=0o600)
    (directory / "secret").write_text("a secret")
    credentials = CredentialSettings(client_id="abc", client_secret_file=str(directory / "secret"))
    ring = Keyring("shop", CredentialSource(credentials),
                   FileSource(FileSettings(key_file=str(key), certificate_file=str(certificate)), {}))
    ring.load(datetime.now(UTC))
    return Slots("shop", ring)


def _recording(slots: Slots, rules: SigningRules, code: str | None) -> Recording:
    """A call that is over.  code: of its refusal; None: it was accepted."""
    fields = [(b"authorization", b"Authorization", b"Bearer token"),
              (b"content-type", b"Content-Type", b"application/json")]
    request = Request(b"POST", b"/personal/v4/payments/domestic", fields, b'{"amount":"2.00"}' * 20)
    route = cast(Any, SimpleNamespace(name="nordea", application="shop", listener="main", rules=rules, slots=slots))
    recording = Recording(request, route, request_id="x", client="127.0.0.1", client_name="", form="")
    recording.begin(prepare(request, rules))
    identity = slots.current
    assert identity is not None
    assert identity.key is not None
    assert recording.draft is not None
    recording.identity = identity
    plan = recording.draft.plan(identity, Clock().date())
    recording.sealed(plan, identity.key.signer.sign(plan.signature_base), time.perf_counter())
    recording.key, recording.attempts = identity.key.signer.spki_sha256, 1
    status = 200 if code is None else 401 if code else 503
    body = json.dumps({"group_header": {"message_identification": "0" * 32, "http_code": status},
                       "error": {"failures": [{"code": code, "description": "Refused."}]}}).encode()
    recording.response = Response(status, b"%d -" % status, [(b"date", b"Date", Clock().date())], minor=1,
                                  length=len(body), options=frozenset(), close=False)
    recording.keep(16384)
    recording.more(body)
    return recording


def _microseconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_EACH):
            work()
        best = min(best, (time.process_time() - began) / _EACH)
    return best * 1e6


def main() -> None:
    with TemporaryDirectory() as name:
        slots = slots_in(Path(name))
    identity = slots.current
    assert identity is not None
    assert identity.key is not None
    signer, rules = identity.key.signer, SigningRules(NORDEA)
    print(f"one RSA-{signer.bits} signature  {_microseconds(lambda: signer.sign(b'x' * 240)):8.1f} µs")
    for code in (None, *CODES):
        diagnoses = Diagnoses(Counts("diagnoses", "", ("route", "cause")), lambda: None)
        recording = _recording(slots, rules, code)
        ruling = recording.ruling()
        exchange = recording.exchange(ruling, "answered", sent="yes", error=None, full_paths=False)

        def over(recording: Recording = recording, exchange: Any = exchange, ruling: Any = ruling,
                 diagnoses: Diagnoses = diagnoses) -> None:
            recording.diagnosis = None
            diagnoses.over(exchange, ruling, recording, None)

        what = "an accepted call" if code is None else f"refused: {code or exchange.status}"
        print(f"{what:<34}{_microseconds(over):8.1f} µs")


if __name__ == "__main__":
    main()
