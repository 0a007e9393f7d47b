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
_ROUNDS = 500


def _alone(signer: Pkcs11Signer) -> float:
    """Seconds of one signature in the module's thread."""
    def inside(tokens: Any) -> float:
        (login,) = {*tokens._logins.values()}
        key = login.keys[signer._key]
        began = time.perf_counter()
        objects.sign(key, login.how, _MESSAGE, "")
        return time.perf_counter() - began

    return signer._thread.run(inside, deadline=60, code="signing_failed")


def _called(signer: Pkcs11Signer) -> float:
    began = time.perf_counter()
    signer.sign(_MESSAGE)
    return time.perf_counter() - began


async def _from_the_loop(signer: Pkcs11Signer, sealing: Sealing) -> float:
    outcome: asyncio.Future[bytes | ProxyError] = asyncio.get_running_loop().create_future()
    began = time.perf_counter()
    sealing.submit(signer, _MESSAGE, outcome.set_result)
    assert isinstance(await outcome, bytes)
    return time.perf_counter() - began


async def _measure(signer: Pkcs11Signer) -> tuple[float, float, float]:
    """In turns, so that whatever else the machine does meets all three."""
    sealing = Sealing()
    try:
        samples = [(_alone(signer), _called(signer), await _from_the_loop(signer, sealing)) for _ in range(_ROUNDS)]
    finally:
        sealing.close()
    alone, called, looped = (statistics.median(column) * 1000 for column in zip(*samples, strict=True))
    return alone, called, looped


def measure(bits: int, store: Store) -> tuple[float, float, float]:
    store.key("seals", rsa.generate_private_key(65537, bits), f"rsa{bits}", f"{bits // 1024:02x}")
    signer = store.source(key_label=f"rsa{bits}").load(NOW).signer
    assert isinstance(signer, Pkcs11Signer)
    return uvloop.run(_measure(signer))


def main() -> None:
    if reason := missing():
        print(reason)
        return
    with tempfile.TemporaryDirectory() as directory:
        store = Store.make(Path(directory) / "hsm")
        os.environ.update(store.environ)
        store.pin_file()
        store.token("seals")
        print("bits   token alone   sign()   from the loop   added")
        for bits in (2048, 3072, 4096):
            alone, called, looped = measure(bits, store)
            print(f"{bits} {alone:13.3f} {called:8.3f} {looped:15.3f} {looped - alone:7.3f}")
        close_all()


if __name__ == "__main__":
    main()
