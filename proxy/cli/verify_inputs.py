"""The request to verify: pasted, in a file, or in parts on the command line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from proxy.cli.output import read_input
from proxy.cli.pasted import Pasted, read
from proxy.cli.verification import Captured, Unreadable, assemble, parse
from proxy.errors import Refused

_PARTS = ("method", "target", "headers")


def requests(given: Mapping[str, Any]) -> list[Pasted]:
    """given: the options of `verify`.  At least one request.  Raises Refused("message_unreadable")."""
    file = given["file"] if given["file"] is not None else given["message_file"]
    if given["file"] is not None and given["message_file"] is not None:
        raise click.UsageError("Name the message's file once.")
    in_parts = any(given[name] for name in _PARTS)
    if in_parts and (file is not None or given["method"] is None or given["target"] is None):
        raise click.UsageError("Give either a file, or --method and --target with --header and --body-file.")
    try:
        if in_parts:
            return [Pasted(_assembled(given), "http")]
        return _with_body(read(_pasted(file, given["body_file"]), given["kind"]), given["body_file"])
    except Unreadable as error:
        raise Refused("message_unreadable", str(error)) from None


def chosen(found: list[Pasted], entry: int | None) -> list[Pasted]:
    """All, or the one with that number."""
    if entry is None:
        return found
    picked = [one for one in found if one.number == entry]
    if not picked:
        numbers = ", ".join(str(one.number) for one in found[:20])
        raise click.UsageError(f"There is no such entry that is signed. Give one of {numbers}.")
    return picked


def _pasted(file: str | None, body_file: str | None) -> bytes:
    if file in (None, "-"):
        if body_file == "-":
            raise click.UsageError("Standard input cannot be both the message and its body. Name a file.")
        if sys.stdin.isatty():
            click.echo("Paste the request, then press Enter and Ctrl-D.", err=True)
    return read_input(file or "-", "message")


def _with_body(found: list[Pasted], body_file: str | None) -> list[Pasted]:
    if body_file is None:
        return found
    body = read_input(body_file, "body")
    return [replace(one, message=replace(one.message, body=body, whole=True)) for one in found]


def _assembled(given: Mapping[str, Any]) -> Captured:
    body = read_input(given["body_file"], "body") if given["body_file"] is not None else b""
    head = "".join(f"{line}\r\n" for line in (f"{given['method']} {given['target']} HTTP/1.1", *given["headers"]))
    parts = parse(head.encode("utf-8", "surrogateescape") + b"\r\n")
    whole = assemble(parts.method, parts.target, parts.fields, body, parts.notes)
    return replace(whole, scheme=parts.scheme)
