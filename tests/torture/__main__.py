"""`python -m tests.torture [--part NAME …] [--size 1.0]`: prints the table; exits with 1 when a limit is missed."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

from tests.torture.figures import Figure, table
from tests.torture.ground import ground
from tests.torture.parts import PARTS


async def _run(names: list[str], size: float) -> list[Figure]:
    figures: list[Figure] = []
    async with ground() as place:
        for name in names:
            began = time.monotonic()
            found = await PARTS[name](place, size)
            figures += found
            missed = sum(not one.met for one in found)
            print(f"{datetime.now(UTC):%H:%M:%S} {name}: {len(found)} figures, {missed} missed, "
                  f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--part", action="append", choices=sorted(PARTS), help="only this one; may be given again")
    parser.add_argument("--size", type=float, default=1.0, help="1.0 is what docs/reliability.md promises")
    given = parser.parse_args()
    import uvloop

    figures = uvloop.run(_run(given.part or list(PARTS), given.size))
    print(table(figures))
    return 0 if figures and all(one.met for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
