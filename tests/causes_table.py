"""The tables of docs/troubleshooting.md, from the code: `make docs` writes them, tests/test_docs_errors.py compares."""

from __future__ import annotations

from pathlib import Path

from proxy.core.diagnosis import CAUSES
from proxy.core.diagnosis.causes import SIDES
from tests.errors_table import replaced

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"


def rows() -> list[str]:
    """In the order of CAUSES."""
    head = ["| cause | the bank says | what the proxy prints | where to mend it | how it is known |",
            "| --- | --- | --- | --- | --- |"]
    return head + [f"| `{cause.id}` | {', '.join(cause.answers)} | {cause.title} {cause.advice} | {cause.side} "
                   f"| {cause.tells} |" for cause in CAUSES.values()]


def sides() -> list[str]:
    return [f"- `{side}`: {text}" for side, text in SIDES.items()]


def written(page: str) -> str:
    """The page with its table and list made anew, between their markers."""
    for name, lines in (("causes", rows()), ("sides", sides())):
        page = replaced(page, f"<!-- {name} -->", f"<!-- end {name} -->", lines)
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
