"""A configuration file is a configuration that can be run, or ConfigInvalid with printable sentences, each of them
with a place; never another exception, never an object of YAML's own making, and never more sentences than a person
reads.
"""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

from proxy.config.admin_place import admin_place
from proxy.config.load import load
from proxy.config.routes import resolve
from proxy.errors import ConfigInvalid
from proxy.keys.vault.place import with_environment
from proxy.keys.vault.settings import VaultSettings

TOKENS = (
    b"!!python/object:os.system",
    b"&a [*a,*a]",
    b"*a",
    b"<<: *a",
    b"port: 0x" + b"f" * 5000,
    b"1:1:1:1.5",
    b".nan",
    b".inf",
    b"-.inf",
    b"2026-11-21",
    b"2026-11-21T00:00:00Z",
    b"? [a, b]\n: c",
    b"port: " + b"9" * 5000,
    b"\n---\n",
    b"\n...\n",
    b"%YAML 1.1\n---\n",
    b"[" * 400,
    b"{" * 400,
    b"- " * 400,
    b"\n  port: 1\n  port: 2\n",
    b"port: 1" + b":59" * 200 + b".5",
    b"port: 190:20:30",
    b"|\n  a",
    b"!!binary aGk=",
    b"~",
    b"yes",
    b"0o17",
    b"0b11",
    b"\nroutes: nordea\n",
    b"\napplications:\n  a:\n    client_id: b\n",
    b'"\\ud800"',
    b'"\\x00"',
    b"\xe2\x80\xa8",
    b"SIGNING_PROXY_PORT=1\n",
    b"timeouts: {read: 1e400}",
    b"listeners: {b: {port: 1}}",
    b"limits: {body: 0}",
    b"vault: {address: https://a}",
    b'allow: ["GET /**"]',
    b"upstream: https://[::1]:1/a",
    b"workers: 3",
)
FULL = 8_000
_MOST = 200


@cache
def _place() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "proxy.yaml"


def check(data: bytes) -> None:
    _place().write_bytes(data)
    try:
        config = load(_place(), {}, {})
    except ConfigInvalid as error:
        _sentences(error)
    else:
        assert resolve(config)
        with_environment(config.vault or VaultSettings(), {})
    try:
        admin_place(str(_place()), {}, {})
    except ConfigInvalid as error:
        _sentences(error)


def _sentences(error: ConfigInvalid) -> None:
    assert 0 < len(error.problems) <= _MOST
    for place, sentence in error.problems:
        assert place.isprintable() and sentence.isprintable() and sentence.endswith((".", "?"))
        assert len(place) < 2000 and len(sentence) < 2000
