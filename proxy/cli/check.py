"""Most calls that fail in production could have failed at the desk, so this tries everything short of a call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from proxy.cli.failures import FAILED, OK
from proxy.cli.output import bad, dim, good, show, show_json, working
from proxy.cli.settings import config_file as config_file_option
from proxy.cli.settings import load_config
from proxy.errors import ConfigInvalid, ProxyError

if TYPE_CHECKING:
    from proxy.cli.rows import Row

EPILOG = """\b
Examples:
  signing-proxy check --config-file config/production.yaml
  signing-proxy check --config-file config/production.yaml --connect
  signing-proxy check --config-file config/production.yaml --json

\b
Exit codes: 0 everything is in order (there may be warnings), 1 something is not.
"""


@click.command(epilog=EPILOG)
@config_file_option
@click.option("--connect", is_flag=True, help="Also make a TLS handshake with each bank host; nothing is sent.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def check(config_file: str | None, connect: bool, as_json: bool) -> int:
    """Check configuration, keys, certificates and routes, and make test signatures."""
    from proxy.cli.checking import check_everything

    try:
        config = load_config(config_file)
    except ProxyError as error:
        if not as_json:
            raise
        show_json(_refusal(error))
        return FAILED
    rows = check_everything(config, datetime.now(UTC))
    if connect:
        from proxy.cli.handshake import check_connections
        with working("making TLS handshakes with the banks"):
            rows += check_connections(config)
    ok = all(row.ok is not False for row in rows)
    if as_json:
        show_json({"ok": ok, "problems": [], "checks": [row.as_dict() for row in rows]})
    else:
        for row in rows:
            _show(row)
    return OK if ok else FAILED


def _refusal(error: ProxyError) -> dict[str, object]:
    problems = error.problems if isinstance(error, ConfigInvalid) else [("", str(error))]
    return {"ok": False, "code": error.code, "checks": [],
            "problems": [{"path": place, "problem": sentence} for place, sentence in problems]}


def _show(row: Row) -> None:
    state = {True: good("ok"), False: bad(row.code or "problem"), None: dim("not checked")}[row.ok]
    show(f"{row.kind} {row.name}: {state}" + (f": {row.text}" if row.text else ""))
    for warning in row.warnings:
        show(f"  warning: {warning}")
