"""`python -m tests.torture [--part NAME …] [--size 1.0] [--document FILE]`: prints the table of figures.

FILE: its table is written anew, with the day, the machine and how long it took.  Exits with 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tests.torture.figures import Figure, table
from tests.torture.ground import ground
from tests.torture.parts import PARTS

_OPENING, _CLOSING = "<!-- figures -->", "<!-- end -->"


async def _run(names: list[str], size: float) -> list[Figure]:
    figures: list[Figure] = []
    async with ground() as place:
        for name in names:
            began = time.monotonic()
            try:
                found = await PARTS[name](place, size)
            except Exception as error:  # noqa: BLE001 - what the other parts measure is not lost with it
                traceback.print_exception(error)
                found = [Figure(name, "ran to its end", "no", "yes", met=False, note=f"{type(error).__name__}")]
            figures += found
            missed, skipped = (sum(one.met is met for one in found) for met in (False, None))
            print(f"{datetime.now(UTC):%H:%M:%S} {name}: {len(found)} figures, {missed} missed, {skipped} not tried, "
                  f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


def _run_of(size: float, seconds: float) -> str:
    cpu = next((line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    return (f"Measured on {datetime.now(UTC):%Y-%m-%d} at size {size:g} in {seconds / 60:.0f} minutes on "
            f"{os.cpu_count()} cores ({cpu}), Python {platform.python_version()}.")


def _write(document: Path, figures: str) -> None:
    before, opening, rest = document.read_text().partition(_OPENING)
    _, closing, after = rest.partition(_CLOSING)
    if not closing:
        raise SystemExit(f"{document} has no lines {_OPENING} and {_CLOSING} to write between: add them.")
    document.write_text(f"{before}{opening}\n{figures}{closing}{after}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--part", action="append", choices=sorted(PARTS), help="only this one; may be given again")
    parser.add_argument("--size", type=float, default=1.0, help="1.0 is what docs/reliability.md promises")
    parser.add_argument("--document", type=Path, metavar="FILE", help="also write the table into it")
    given = parser.parse_args()
    import uvloop

    began = time.monotonic()
    figures = uvloop.run(_run(given.part or list(PARTS), given.size))
    print(table(figures))
    if given.document is not None:
        _write(given.document, f"{_run_of(given.size, time.monotonic() - began)}\n\n{table(figures)}\n")
    return 1 if not figures or any(one.met is False for one in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
