"""The tables of docs/errors.md, made from the code: `make docs` writes them, tests/test_docs_errors.py compares."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from proxy.errors import PROBLEMS, Problem

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"


def sent(problem: Problem) -> str:
    """Which values Signing-Proxy-Upstream-Sent can have beside this code."""
    return "no, maybe" if problem.code == "internal_error" or problem.uncertain else "no"


def by_http() -> list[str]:
    head = ["| status | code | what is wrong | what to do | sent | Proxy-Status error |", "|---|---|---|---|---|---|"]
    return head + [f"| {row.status} | `{row.code}` | {row.title} | {row.hint} | {sent(row)} | `{row.proxy_status}` |"
                   for row in sorted(PROBLEMS.values(), key=lambda row: row.status) if row.status]


def by_command() -> list[str]:
    head = ["| code | what is wrong | what to do |", "|---|---|---|"]
    return head + [f"| `{row.code}` | {row.title} | {row.hint} |" for row in PROBLEMS.values() if not row.status]


def written(page: str) -> str:
    """The page with both tables made anew, between their markers."""
    for name, rows in (("http", by_http()), ("command", by_command())):
        page = replaced(page, f"<!-- {name} -->", f"<!-- end {name} -->", rows)
    return page


def replaced(page: str, begin: str, end: str, rows: Iterable[str]) -> str:
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return "\n".join([before + begin, *(row.replace("<", "&lt;") for row in rows), end + after])


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
