"""Results go to standard output, for people with colour on a terminal and for programs as JSON."""

from __future__ import annotations

import json
import re
import sys

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
    return click.style(text, fg="green")


def bad(text: str) -> str:
    return click.style(text, fg="red", bold=True)


def dim(text: str) -> str:
    return click.style(text, dim=True)


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
        raise click.UsageError(f"The {what} file cannot be read ({reason}).") from None
    if len(data) > MAX_INPUT:
        raise click.UsageError(f"The {what} is larger than {MAX_INPUT >> 20} MiB.")
    return data
