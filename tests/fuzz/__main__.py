"""Fuzzes every target, guided by coverage: `python -m tests.fuzz [--target NAME …] [--seconds 60]`; `make fuzz`.

What reaches new code is kept in .run/fuzz/<target> for the next time.  An input that breaks an invariant is put into
tests/fuzz/corpus/<target>, where it fails `make test` until it is mended.  Exits with 1 when there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.target import CORPUS, NAMES

WORK = Path(__file__).parents[2] / ".run/fuzz"
_BREAKERS = ("crash-*", "timeout-*", "oom-*")


def _fuzzed(name: str, seconds: int) -> tuple[int, list[Path]]:
    """How many inputs were tried, and the files that the ones which broke something were put into."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", name, str(folder), str(seconds)],
        capture_output=True,
        text=True,
        check=False,
    )
    count = re.search(r"stat::number_of_executed_units:\s+(\d+)", done.stderr)
    kept = []
    for found in [path for pattern in _BREAKERS for path in folder.glob(pattern)]:
        data = found.read_bytes()
        kept.append(CORPUS / name / f"broke-{hashlib.sha256(data).hexdigest()[:12]}")
        kept[-1].write_bytes(data)
        found.unlink()
    if done.returncode != 0 and not kept:
        raise SystemExit(f"{name} could not be fuzzed: {done.stderr[-2000:]}")
    if kept:
        print(done.stdout[-3000:], file=sys.stderr)
    return int(count[1]) if count else 0, kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", action="append", choices=NAMES, help="only this one; may be given again")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(
            "atheris is not installed: run 'make fuzz', which installs it, or 'make torture', which does without.",
            file=sys.stderr,
        )
        return 2
    broken: list[Path] = []
    for name in given.target or NAMES:
        count, kept = _fuzzed(name, given.seconds)
        broken += kept
        print(f"{name}: {count:,} inputs, {len(kept)} broke the invariant", flush=True)
    for path in broken:
        print(f"kept as {path}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
