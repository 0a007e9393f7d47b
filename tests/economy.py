"""What a process with thousands of proxies does once, that each proxy alone does at its start.

The same bytes are the same key, what was there before a test is no garbage, and that banks are trusted by the system's
authorities is proven in tests/app/test_trusted_banks.py.  Processes that tests start do it all.
"""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization


def remembering(load: Callable[..., Any]) -> Callable[..., Any]:
    """OpenSSL proves the primes of an RSA key at each load: 60 ms for 2048 bits, 370 for 4096."""
    known: dict[tuple[bytes, bytes | None], Any] = {}

    @wraps(load)
    def loaded(data: bytes, password: bytes | None, *more: Any, **how: Any) -> Any:
        if more or how:
            return load(data, password, *more, **how)
        if (data, password) not in known:
            known[data, password] = load(data, password)
        return known[data, password]

    return loaded


# Here, because nothing else may have taken the functions by name before.
for _name in ("load_pem_private_key", "load_der_private_key"):
    setattr(serialization, _name, remembering(getattr(serialization, _name)))


def leave_to_the_collector_what_comes() -> None:
    """The collector skips what is there already: pytest's items and all modules, 50 ms each time that it looks."""
    gc.collect()
    gc.freeze()


@contextmanager
def cheap_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For proxies in this process.  No bank here has a certificate from one of the system's authorities, so those are
    not read, which takes 50 ms; and a proxy sets the collector for what it takes for its own process."""
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda context, purpose=None: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
