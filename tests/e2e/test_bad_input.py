"""What an operator can get wrong about a key: one sentence says what is wrong and one what to do, a start ends with 1,
and a reload keeps the old key.

docs/keys.md has the table of these sentences; `pytest -s` prints it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.app import key_start, lifecycle
from proxy.cli.program import program
from proxy.serve.logline import Messages
from tests.e2e import places
from tests.e2e.line import get
from tests.e2e.places import Place
from tests.e2e.standing import configuration
from tests.keys import hsm
from tests.keys.making import certificate, pem, pkcs8, write
from tests.vault.servers import Server, running

DOCUMENT = Path(__file__).parents[2] / "docs" / "keys.md"
ROOTS = hasattr(os, "geteuid") and os.geteuid() == 0
NOBODY = 65534


@dataclass(frozen=True)
class Case:
    """place: of places.NAMES.  spoil: what is wrong, done to the place.  signs: whether the old key still does."""

    what: str
    place: str
    code: str
    spoil: Callable[[Any], None]
    signs: bool = True


def curve() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def small(place: Place) -> None:
    key = rsa.generate_private_key(65537, 1024)
    write(place.key, pkcs8(key))
    write(place.folder / "seal.crt", pem(certificate(key)))


def directory(place: Place) -> None:
    place.key.unlink()
    place.key.mkdir()


CASES = (
    Case("wrong password", "files, PKCS#12", "key_password",
         lambda place: write(place.folder / "password", b"CANARY-another")),
    Case("wrong PIN", "PKCS#11", "pkcs11_pin", lambda place: write(place.pin, b"CANARY-another")),
    Case("missing field", "Vault KV 2", "vault_missing", lambda place: place._put(certificate="CANARY")),
    Case("wrong mount", "Vault KV 1", "vault_missing", lambda place: place.unmount()),
    Case("wrong mount of Transit", "Vault Transit", "vault_missing", lambda place: place.unmount(), signs=False),
    Case("permission denied", "Vault KV 2", "vault_denied",
         lambda place: place.standin.access.policies.update(proxy=[])),
    Case("sealed Vault", "Vault KV 2", "vault_sealed", lambda place: setattr(place.standin, "sealed", True)),
    Case("expired token", "Vault KV 2", "vault_denied", lambda place: place.standin.access.expire()),
    Case("key too small", "files, PEM", "key_too_small", small),
    Case("EC key", "files, PEM", "key_type", lambda place: write(place.key, curve())),
    Case("certificate without key", "files, PEM", "key_format",
         lambda place: write(place.key, (place.folder / "seal.crt").read_bytes())),
    Case("certificate of another key", "files, PEM", "key_pair_mismatch",
         lambda place: write(place.key, pkcs8(rsa.generate_private_key(65537, 2048)))),
    Case("garbage bytes", "files, PEM", "key_format", lambda place: write(place.key, b"CANARY\0\xff" * 99)),
    Case("10 MB file", "files, PEM", "key_unreadable", lambda place: write(place.key, b"CANARY----" * 1_000_000)),
    Case("a directory", "files, PEM", "key_unreadable", directory),
    Case("no file", "files, PEM", "key_unreadable", lambda place: place.take_away()),
    Case("no permission", "files, PEM", "key_unreadable", lambda place: place.key.chmod(0)),
    Case("permission for others", "files, PEM", "key_permissions", lambda place: place.key.chmod(0o644)),
    Case("empty client secret", "files, PEM", "secret_missing", lambda place: write(place.secret, b"\n")),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("standin") as server:
        yield server


@pytest.fixture(scope="module")
def store(files, tmp_path_factory) -> hsm.Store:
    return places.Token.make(tmp_path_factory.mktemp("hsm"), files.shop.pair)


@pytest.fixture(params=CASES, ids=lambda case: case.what)
def case(request) -> Case:
    return request.param


@pytest.fixture
def place(case, request, files, tmp_path, monkeypatch) -> Iterator[Place]:
    made = places.make(case.place, tmp_path, monkeypatch, request)
    write(made.secret, files.shop.secret.encode())
    made.put(files.shop.pair)
    yield made
    made.close()


@pytest.fixture
def settings(place, files) -> dict[str, Any]:
    """Of the Config."""
    given = {"client_secret_file": str(place.secret), **place.settings()}
    return {"applications": {"shop": files.shop.application(**given)}, **place.more()}


@contextmanager
def unprivileged() -> Iterator[None]:
    """root reads every file."""
    if not ROOTS:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def reader(case: Case):
    return unprivileged() if case.what == "no permission" else nullcontext()


def two_sentences(said: str) -> bool:
    return len(re.findall(r"[.!?](?=\s|$)", said)) == 2 and "CANARY" not in said


async def test_a_reload_says_it_and_keeps_the_old_key(case, place, settings, start_proxy, bank, caplog):
    proxy = await start_proxy(bank, **settings)
    before = (await proxy.admin("/status")).json["applications"]["shop"]
    await asyncio.to_thread(case.spoil, place)
    with reader(case):
        assert (await proxy.running.reload()).failed == ["application shop, current"]
    after = (await proxy.admin("/status")).json["applications"]["shop"]
    error = after.pop("last_error")
    assert (error["code"], after["revision"], after["key"]) == (case.code, 1, before["key"])
    assert two_sentences(error["sentence"]), error["sentence"]
    assert "CANARY" not in caplog.text
    if case.signs:
        assert (await proxy.ask(get("/echo"))).status == 200
        assert bank.received[-1].verdict.signature_checked
    row = f"| {case.what} | {case.place} | `{case.code}` | {place.plain(error['sentence'])} |"
    print(f"\n{row}")
    assert row in DOCUMENT.read_text(encoding="utf-8"), row


def test_a_start_says_it_and_ends_with_1(case, place, settings, files, tmp_path, monkeypatch):
    path = tmp_path / "proxy.yaml"
    config = configuration("https://127.0.0.1:9", files, **settings)
    path.write_text(yaml.safe_dump(without_none(msgspec.to_builtins(config))))
    monkeypatch.setattr(lifecycle.process, "harden", lambda: None)      # of this process, which is the tests'
    monkeypatch.setattr(lifecycle.process, "configure_logging", lambda **_: Messages())
    loading = key_start.load_keys

    def load_keys(*arguments, **options):
        with reader(case):
            return loading(*arguments, **options)

    monkeypatch.setattr(key_start, "load_keys", load_keys)
    case.spoil(place)
    result = CliRunner().invoke(program, ["run", "--config-file", str(path)])
    assert result.exit_code == 1, result.output
    (said,) = result.stderr.splitlines()
    name, code, sentences = said.split(": ", 2)
    assert (name, code) == ("signing-proxy", case.code)
    assert two_sentences(sentences), said
    assert "application shop: " in said


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_none(one) for key, one in value.items() if one is not None}
    return [without_none(one) for one in value] if isinstance(value, (list, tuple)) else value


def test_the_document_has_no_other_rows():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `\w+` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(case.what, case.place) for case in CASES]
