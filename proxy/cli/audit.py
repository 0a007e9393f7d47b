"""A record proves something only if anybody can judge it, so these commands need nothing but its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.audit_views import as_row, describe, document
from proxy.cli.failures import FAILED, OK, REFUSED, report, warn
from proxy.cli.output import show, show_json
from proxy.cli.settings import config_file as config_file_option
from proxy.cli.settings import load_config
from proxy.errors import ProxyError

if TYPE_CHECKING:
    from proxy.audit.chain import Head, Link

EPILOG = """\b
Examples:
  signing-proxy audit verify /var/lib/signing-proxy/audit/audit.jsonl
  signing-proxy audit verify --config-file config/production.yaml --anchor 4711:9f86d08…
  signing-proxy audit show --config-file config/production.yaml --unfinished
"""
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T(\d\d(:\d\d(:\d\d(\.\d{1,3})?)?)?)?Z?)?)?)?\Z")
_FILES = click.argument("files", nargs=-1, metavar="[FILE]…", type=click.Path(path_type=Path))


def _moment(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """The beginning of a time as the trail writes it."""
    if text is not None and _TIME.match(text) is None:
        raise click.BadParameter("This is no time. Write the beginning of one in UTC, such as 2026-11-21 or "
                                 "2026-11-21T10:00.", ctx, param)
    return text.removesuffix("Z") if text is not None else None


@click.group(epilog=EPILOG)
def audit() -> None:
    """Judge and read the audit trail."""


@audit.command(epilog="""\b
Example: signing-proxy audit verify audit.jsonl --anchor 4711:9f86d08…
The rotated files beside a FILE are read too, in the order of the chain. An anchor is a head as the proxy's log, /status
and this command tell it, kept where the trail's owner cannot change it.
Exit codes: 0 the chain holds, 1 it is broken, 2 a file cannot be read.
""")
@_FILES
@config_file_option
@click.option("--anchor", "anchors", multiple=True, metavar="SEQ:HASH", help="A head that must be met; repeatable.")
@click.option("--partial", is_flag=True, help="The files before these are elsewhere; judge these alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify(files: tuple[Path, ...], config_file: str | None, anchors: tuple[str, ...], partial: bool,
           as_json: bool) -> int:
    """Say whether every line is there as it was written, and where not."""
    from proxy.audit.reading import find
    from proxy.audit.verification import verify as judge

    heads = [_head(anchor) for anchor in anchors]
    try:
        named = _named(files, config_file)
        read = find(named) or named
        found = judge(read, heads, partial=partial)
    except ProxyError as error:
        if error.code != "audit_unreadable":
            raise
        report(error)
        return REFUSED
    if as_json:
        show_json(document(found, read))
    else:
        for line in describe(found, read):
            show(line)
    return OK if found.broken is None else FAILED


@audit.command("show", short_help="Print what was signed and how it ended.", epilog="""\b
Example: signing-proxy audit show audit.jsonl --since 2026-11-20 --sent maybe
Lines are shown as they stand; 'audit verify' judges them.
""")
@_FILES
@config_file_option
@click.option("--since", metavar="TIME", callback=_moment,
              help="From this moment on: 2026-11-21, or 2026-11-21T10:00 (UTC).")
@click.option("--until", metavar="TIME", callback=_moment, help="Before this moment.")
@click.option("--application", help="Of this application.")
@click.option("--route", help="Of this route.")
@click.option("--method", help="With this method.")
@click.option("--request-id", help="With this request id.")
@click.option("--sent", type=click.Choice(("no", "maybe", "yes")), help="By what is known of the bank's side.")
@click.option("--unfinished", is_flag=True, help="Only signatures without an outcome: ask the bank about these.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines themselves.")
def show_(files: tuple[Path, ...], config_file: str | None, since: str | None, until: str | None, unfinished: bool,
          as_json: bool, **wanted: str | None) -> None:
    """Print what was signed and how it ended, oldest first; calls without an outcome last."""
    for link in _calls(_named(files, config_file), unfinished=unfinished):
        fields = link.fields
        moment = str(fields.get("time", ""))
        if (since is not None and moment < since) or (until is not None and moment >= until):
            continue
        if any(value is not None and fields.get(name) != value for name, value in wanted.items()):
            continue
        show(as_row(link, as_json=as_json))


def _calls(files: list[Path], *, unfinished: bool) -> Iterator[Link]:
    """The outcomes, then the intents that have none."""
    from proxy.audit import chain
    from proxy.audit.reading import find, lines

    known = False
    without: dict[object, Link] = {}
    for file in find(files):
        for line in lines(file):
            link = chain.read(line.text)
            if link is None:
                continue
            known = True
            if link.fields.get("event") == "intent":
                without[link.fields.get("call")] = link
            elif link.fields.get("event") == "outcome":
                without.pop(link.fields.get("call"), None)
                if not unfinished:
                    yield link
    yield from without.values()
    if not known:
        warn(f"There is no line of an audit trail in {', '.join(map(str, files))}. Check which file audit names.")


def _named(files: tuple[Path, ...], config_file: str | None) -> list[Path]:
    if files:
        return list(files)
    config = load_config(config_file) if config_file is not None else None
    if config is None or config.audit is None:
        raise click.UsageError("No audit trail is named. Give its FILE, or a --config-file with audit in it.")
    if config.workers > 1:
        from proxy.app.workers.worker import numbered

        each = ", ".join(numbered(config.audit.file, worker) for worker in range(1, config.workers + 1))
        raise click.UsageError(f"Each of the {config.workers} workers writes a trail of its own. Give one as FILE: "
                               f"{each}.")
    return [Path(config.audit.file)]


def _head(text: str) -> Head:
    from proxy.audit.chain import read_head

    head = read_head(text)
    if head is None:
        raise click.UsageError("An anchor is a line's number, a colon and its 64 hexadecimal digits.")
    return head
