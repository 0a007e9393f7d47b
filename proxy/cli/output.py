"""Results go to standard output, for people with colour on a terminal and for programs as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

MAX_INPUT = 64 << 20
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def show(text: str = "") -> None:
    """One line of a result; click drops the colour when this is no terminal."""
    click.echo(text)


def printable(text: str) -> str:
    """Foreign text for a terminal: control characters, which could drive it, become escapes."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def show_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def good(text: str) -> str:
    return _styled(text, fg="green")


def bad(text: str) -> str:
    return _styled(text, fg="red", bold=True)


def dim(text: str) -> str:
    return _styled(text, dim=True)


def _styled(text: str, **style: Any) -> str:
    """https://no-color.org: a variable by which people say that they want none, on any terminal."""
    return text if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else click.style(text, **style)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Says on a terminal what takes its time, and wipes it out when it is done; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield
        return
    click.echo(f"{printable(text)} …", err=True, nl=False)
    try:
        yield
    finally:
        click.echo("\r\x1b[K" if os.environ.get("TERM") != "dumb" else "", err=True,
                   nl=os.environ.get("TERM") == "dumb", color=True)


def read_input(path: str, what: str) -> bytes:
    """A file's bytes, "-" being standard input.  what: such as "body", for the sentence when it cannot be read."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_INPUT + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MAX_INPUT + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror or "unknown error").lower() if isinstance(error, OSError) else "impossible path"
        raise click.UsageError(f"The {what} file cannot be read: {path}, {reason}. Check the path and its "
                               "permissions.") from None
    if len(data) > MAX_INPUT:
        raise click.UsageError(f"The {what} is larger than {MAX_INPUT >> 20} MiB.")
    return data
