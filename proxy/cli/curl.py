"""The shortest way to show somebody a signed request is a command they can paste."""

from __future__ import annotations

import re
import shlex

import click

from proxy.cli.sealing import Sealed
from proxy.core.headers import canonical, redacted

_VARIABLES = {b"x-ibm-client-secret": "CLIENT_SECRET"}


def curl_command(sealed: Sealed, body_file: str | None, original: bytes, *, show_secrets: bool) -> str:
    """body_file: where the body came from, "-" for standard input.  Secrets are shell variables unless shown."""
    draft = sealed.plan.draft
    words = ["--head"] if draft.method == b"HEAD" else ["--request " + draft.method.decode()]
    words += ["--globoff --path-as-is"]
    words += ["--header " + _header(name, value, show_secrets) for name, value in sealed.headers]
    if draft.framed:
        words.append(_body(draft.body, body_file if draft.body == original else None))
    return " \\\n  ".join(["curl", *words, shlex.quote(sealed.url)])


def _header(name: bytes, value: bytes, show_secrets: bool) -> str:
    text = name.decode("latin-1")
    if not show_secrets and redacted(name, value) == "***":
        variable = _VARIABLES.get(canonical(name)) or re.sub(r"[^A-Z0-9]", "_", text.upper())
        return f'"{text}: ${variable}"'
    # curl leaves a header with an empty value out unless it ends with a semicolon.
    return shlex.quote(f"{text}: {value.decode('latin-1')}" if value else f"{text};")


def _body(body: bytes, file: str | None) -> str:
    if not body:
        return "--data-raw ''"
    if file is not None and file != "-":
        return "--data-binary " + shlex.quote("@" + file)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise click.UsageError("A binary body cannot stand on a command line. Give it with --body-file.")
    return "--data-raw " + shlex.quote(text)
