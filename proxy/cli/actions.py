"""Commands that ask a running proxy to do something: reload, rotate, wait, shutdown."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import click

from proxy.cli.admin_client import AdminClient, action_options, place_options, refusal, timeout_option
from proxy.cli.failures import OK, CommandFailed
from proxy.cli.output import printable, show, show_json

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)")
_LOOK_AGAIN_S = 0.2
_ONE_LOOK_S = 3.0

RELOAD = """\b
Examples:
  signing-proxy reload --config-file config/production.yaml
  signing-proxy reload --admin-port 9091 --admin-token-file secrets/admin-token

\b
Exit codes: 0 everything was read again; 1 something could not be and keeps what it had, or nobody answers.
"""
ROTATE = """\b
Examples:
  signing-proxy rotate --config-file config/production.yaml
  signing-proxy rotate --application payments --to next

\b
Exit codes: 0 that key signs now, or did so already; 1 it cannot, or nobody answers.
"""
WAIT = """\b
Examples:
  signing-proxy wait
  signing-proxy wait --max 2m --admin-port 9091

\b
Kubernetes, before an application starts in the same pod: command: ["signing-proxy", "wait", "--max", "60s"]
Exit codes: 0 ready; 1 not within that time.
"""
SHUTDOWN = """\b
Examples:
  signing-proxy shutdown

\b
The proxy has to allow it: quitquitquit: true. It finishes what is in hand and ends with 0.
Exit codes: 0 it will end; 1 it will not, or nobody answers.
"""


@click.command(epilog=RELOAD)
@action_options
@click.option("--json", "as_json", is_flag=True, help="Print the proxy's answer.")
def reload(config_file: str | None, timeout: float, as_json: bool, **flags: Any) -> int:
    """Let a running proxy read keys, credentials, tokens and certificates again."""
    client = AdminClient(config_file, flags)
    reply = client.post("/reload", timeout)
    if reply.status == 200 or reply.document.get("code") == "reload_failed":
        if as_json:
            show_json(reply.document)
        else:
            for line in _lines(reply.document):
                show(line)
    if reply.status != 200:
        raise refusal(reply)
    return OK


@click.command(epilog=ROTATE)
@action_options
@click.option("--application", metavar="NAME", help="Whose keys; not needed when there is one application.")
@click.option("--to", type=click.Choice(("next", "current")), help="The configuration's slot that is to sign; by "
                                                                   "default the one that does not.")
@click.option("--json", "as_json", is_flag=True, help="Print the proxy's answer.")
def rotate(config_file: str | None, timeout: float, application: str | None, to: str | None, as_json: bool,
           **flags: Any) -> int:
    """Let a running proxy sign with an application's other key."""
    wanted = {name: value for name, value in (("application", application), ("to", to)) if value is not None}
    reply = AdminClient(config_file, flags).post("/rotate" + (f"?{urlencode(wanted)}" if wanted else ""), timeout)
    if reply.status != 200:
        raise refusal(reply)
    found = reply.document
    if as_json:
        show_json(found)
    else:
        how = "signs from now on" if found.get("outcome") == "rotated" else "signs already"
        show(printable(f"{found.get('application')}: '{found.get('slot')}' {how}, key "
                       f"{str(found.get('spki_sha256'))[:16]}…"))
    return OK


def _seconds(ctx: click.Context, param: click.Parameter, text: str) -> float:
    """30s, 2m, 1m30s, 500ms, or a plain number of seconds."""
    written = text + "s" if text.isdecimal() else text
    parts = _DURATION.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        raise click.BadParameter("This is no duration. Write one such as 30s, 2m or 1m30s.", ctx, param)
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


@click.command(epilog=WAIT)
@place_options
@click.option("--max", "longest", default="30s", show_default=True, callback=_seconds, metavar="DURATION",
              help="How long to wait, such as 30s or 2m.")
def wait(config_file: str | None, longest: float, **flags: Any) -> int:
    """Wait until a running or starting proxy is ready."""
    client = AdminClient(config_file, flags)
    end = time.monotonic() + longest
    while True:
        left = end - time.monotonic()
        reason = _why_not_ready(client, min(max(left, 0.1), _ONE_LOOK_S))
        if not reason:
            return OK
        left = end - time.monotonic()
        if left <= 0:
            raise CommandFailed("not_ready", f"The proxy is not ready after {longest:g} seconds: {reason}. Look at its "
                                             "log, or wait longer with --max.")
        time.sleep(min(_LOOK_AGAIN_S, left))


def _why_not_ready(client: AdminClient, timeout: float) -> str:
    """A clause, or ""."""
    try:
        reply = client.ask("GET", "/readyz", timeout)
    except CommandFailed as failed:
        return failed.sentence.partition(". ")[0][:1].lower() + failed.sentence.partition(". ")[0][1:]
    if reply.status == 200:
        return ""
    if reply.status == 503:
        return "; ".join(reply.body.decode("utf-8", "replace").split("\n")).rstrip("; ")
    return f"the admin port answers {reply.status} to /readyz"


@click.command(epilog=SHUTDOWN)
@place_options
@timeout_option
def shutdown(config_file: str | None, timeout: float, **flags: Any) -> int:
    """Let a running proxy finish what is in hand and end with 0."""
    reply = AdminClient(config_file, flags).ask("POST", "/quitquitquit", timeout)
    if reply.status != 200:
        raise refusal(reply)
    return OK


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """One for each row of a reload's answer."""
    for name, slots in document.get("applications", {}).items():
        for slot, row in slots.items():
            yield _line(f"application {name}, {slot}", row)
    for row in document.get("tokens", []):
        yield _line(str(row.get("name")), row)
    yield _line("listeners", document.get("listeners", {}))


def _line(what: str, row: dict[str, Any]) -> str:
    why = f" ({row['code']}): {row['sentence']}" if "code" in row else ""
    return printable(f"{what}: {row.get('outcome')}{why}")
