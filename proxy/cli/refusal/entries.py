"""The refused call of an HTTP archive (HAR 1.2): a request and the answer beside it."""

from __future__ import annotations

from typing import Any

import click

from proxy.cli.pasted.har import read_request
from proxy.cli.refusal.answers import Answered, from_entry
from proxy.cli.verification import Captured, Unreadable
from proxy.errors import Refused


def refused_entry(document: object, number: int | None) -> tuple[Captured, Answered] | None:
    """The entry with that number, counted from 1, else the first that was refused; None for what is no archive."""
    entries = _entries(document)
    if not entries:
        return None
    if number is not None and number > len(entries):
        raise click.UsageError(f"There is no such entry; there are {len(entries)}.")
    for entry in [entries[number - 1]] if number is not None else entries:
        answer = from_entry(entry.get("response"))
        if answer is not None and (number is not None or answer.response.status >= 400):
            return _request(entry), answer
    raise Refused("message_unreadable", "no entry of the archive has an answer that refuses it")


def _request(entry: dict[str, Any]) -> Captured:
    try:
        return read_request(entry.get("request"))
    except Unreadable as error:
        raise Refused("message_unreadable", str(error)) from None


def _entries(document: object) -> list[dict[str, Any]]:
    match document:
        case {"log": {"entries": list(entries)}} | {"entries": list(entries)} | list(entries):
            return [entry for entry in entries if isinstance(entry, dict) and "request" in entry]
        case {"request": dict(), "response": dict()}:
            assert isinstance(document, dict)
            return [document]
    return []
