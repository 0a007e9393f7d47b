"""What is strange about credentials that the bank's gateway refuses, said without saying anything of their value."""

from __future__ import annotations

import re

from proxy.core.secret import Secret

_ESCAPED = re.compile(rb"\\[nrt]|%[0-9A-Fa-f]{2}|&(?:quot|amp|#\d+);")
_BARE_UUID = re.compile(rb"[0-9a-fA-F]{32}")
_QUOTES = (b'"', b"'", b"`")


def oddities(client_id: bytes, secret: Secret) -> tuple[str, ...]:
    """Keys of core.diagnosis.evidence.ODDITIES."""
    odd = [f"id_{name}" for name in _of(client_id)] + [f"secret_{name}" for name in _of(secret.reveal())]
    if _BARE_UUID.fullmatch(client_id):
        odd.append("id_hyphens")
    if secret.matches(client_id):
        odd.append("same")
    return tuple(odd)


def _of(value: bytes) -> list[str]:
    found = []
    if value.startswith(_QUOTES) or value.endswith(_QUOTES):
        found.append("quotes")
    if b" " in value:
        found.append("space")
    if _ESCAPED.search(value):
        found.append("escape")
    return found
