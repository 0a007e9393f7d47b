"""Whatever stands at Vault's address, its answer is read within its bounds, or is Malformed or a broken connection;
and what is made of it is a value or KeyUnusable with a vault_ code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

from proxy.errors import PROBLEMS, KeyUnusable
from proxy.keys.credentials import header_value
from proxy.keys.vault import kv
from proxy.keys.vault.client import Budget, Vault
from proxy.keys.vault.exchange import Answer
from proxy.keys.vault.reading import LARGEST as LARGEST_BODY
from proxy.keys.vault.reading import Malformed, Reading
from proxy.keys.vault.settings import TransitKey, VaultField, VaultSettings
from proxy.keys.vault.transit import TransitSigner, TransitSource
from proxy.keys.vault.verdicts import document, judge, judge_health
from tests.wire.mutation import _LINES

TOKENS = (
    *_LINES,
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 403 Forbidden\r\n",
    b"HTTP/1.1 503 No\r\n",
    b"HTTP/1.1 307 No\r\n",
    b'{"data":{"data":{"a":"b"},"metadata":{}}}',
    b'{"data":{"keys":{"1":{"public_key":"-----BEGIN PUBLIC KEY-----"}},',
    b'"type":"rsa-2048"}}',
    b'{"errors":["Vault is sealed"]}',
    b'"signature":"vault:v1:',
    b"[" * 1200,
    b"\\ud800",
    b'"auth":{"client_token":"',
    b'"lease_duration":1e400',
    b"0\r\n\r\n",
    b"4\r\n",
    b"ffffffff\r\n",
    b"\r\n\r\n",
)
_PLACE = VaultField(path="a", field="a")
_CODES = {code for code in PROBLEMS if code.startswith("vault_")} | {"key_type", "secret_missing", "signing_failed"}


def check(data: bytes) -> None:
    whole = _read([data])
    assert _read([data[at : at + 1] for at in range(len(data))]) == whole, "segments do not matter"
    if whole is None:
        _answered(200, data)
        return
    status, body = whole
    assert 100 <= status <= 999
    assert len(body) <= LARGEST_BODY
    judge_health(status)
    _answered(status, body)


def _read(segments: list[bytes]) -> tuple[int, bytes] | None:
    """Status and body; None for what is none, or not a whole one."""
    reading = Reading()
    try:
        whole = any(reading.feed(segment) for segment in segments if segment) or reading.feed(b"")
    except (Malformed, ConnectionResetError):
        return None
    assert whole, "an end is an end"
    return reading.status, reading.body


def _answered(status: int, body: bytes) -> None:
    verdict = judge(Answer(status, body))
    assert not verdict.code or verdict.code in _CODES
    try:
        found = document(Answer(status, body))
    except (ValueError, RecursionError):  # as client.py takes both
        return
    _used(found)


def _used(found: Mapping[str, Any]) -> None:
    vault = Mock(spec=Vault)
    vault.ask.return_value = found
    vault.settings = VaultSettings()
    source, budget = TransitSource(vault, TransitKey(key="a")), Budget.of(1.0, 0)
    for use in (
        lambda: header_value(kv.read_value(vault, _PLACE, budget), "a"),
        lambda: source._versions(budget),
        lambda: kv.read_fields(vault, VaultField(path="a", field="a", kv=1), budget),
        lambda: kv.fingerprint_of(vault, _PLACE),
        source.fingerprint,
        lambda: TransitSigner._signature(Mock(_prefix="vault:v1:"), found.get("data")),
    ):
        try:
            use()
        except KeyUnusable as error:
            assert error.code in _CODES, error.code
