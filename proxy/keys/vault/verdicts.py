"""What Vault's answer means: a label for the metric, a row of the error table, and whether to ask again.

Sources: Vault's API documentation, pages "HTTP API" (status codes) and "/sys/health".  Vault's own words are compared
with phrases known here and never repeated: a foreign text may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from proxy.keys.vault.exchange import Answer

TRANSIENT = frozenset(("vault_unavailable", "vault_sealed", "vault_standby"))
"""Codes that pass by themselves, so that waiting makes sense."""

# /sys/health answers with the state of the node as its status.
_HEALTH = {429: ("vault_standby", "the node is a standby"),
           472: ("vault_standby", "the node is a disaster recovery secondary"),
           473: ("vault_standby", "the node is a performance standby"),
           501: ("vault_sealed", "it is not initialized"), 503: ("vault_sealed", "")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """code: "" when all is well.  outcome: the metric's label.  again: whether another attempt may help."""

    code: str
    outcome: str
    clause: str = ""
    again: bool = False


OK = Verdict("", "ok")


def judge(answer: Answer) -> Verdict:
    status = answer.status
    if status in (200, 204):
        return OK
    words = _errors(answer.body)
    if status in (307, 308, 472, 473) or "active cluster node not found" in words or "active node" in words:
        return Verdict("vault_standby", "standby", "the node is a standby and does not serve requests")
    if status == 503 and "sealed" in words:
        return Verdict("vault_sealed", "sealed")
    if status == 501:
        return Verdict("vault_sealed", "sealed", "it is not initialized")
    if status == 403:
        return Verdict("vault_denied", "denied")
    if status in (404, 405) or "not found" in words or "no handler for route" in words:
        return Verdict("vault_missing", "missing", _missing(words, answer.body))
    if "requested version for signing" in words:        # OpenBao answers so with 500
        return Verdict("vault_missing", "missing", "the key's version that was asked for may not sign, or not any more")
    if status == 429:
        return Verdict("vault_unavailable", "limited", "it limits the rate of requests (429)", again=True)
    if status >= 500 or status == 412:
        return Verdict("vault_unavailable", "error", f"it answered with status {status}", again=True)
    return Verdict("vault_refused", "refused", f"it answered with status {status}")


def judge_health(status: int) -> Verdict | None:
    """The state of the node as /sys/health tells it; None when it is fit to serve, or says nothing of use."""
    found = _HEALTH.get(status)
    return Verdict(found[0], found[0].removeprefix("vault_"), found[1]) if found is not None else None


def document(answer: Answer) -> Mapping[str, Any]:
    """The JSON object of an answer; empty for none.  Raises ValueError."""
    if not answer.body.strip():
        return {}
    found = msgspec.json.decode(answer.body)
    if not isinstance(found, dict):
        raise ValueError("not an object")     # noqa: TRY004 - one kind of exception for one seam
    return found


def _missing(words: str, body: bytes) -> str:
    if b'"deletion_time"' in body:
        return "this version of it is deleted"
    if "no handler for route" in words:
        return "nothing is mounted there"
    if "versioned" in words:
        return "the engine is KV version 2, so write kv: 2"
    return ""


def _errors(body: bytes) -> str:
    """The errors and warnings of an answer in lower case, to be searched and never shown."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    lists = (found.get("errors"), found.get("warnings"))
    return " ".join(str(word) for words in lists if isinstance(words, list) for word in words).lower()
