"""One target under libFuzzer, which keeps what reaches new code: `python -m tests.fuzz.guided NAME FOLDER SECONDS`.

A process of its own, because the fuzzer ends it.  FOLDER holds what was found so far and gets what is found now; an
input that breaks the invariant is written there as crash-….
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris  # type: ignore[import-not-found]

from tests.fuzz.target import CORPUS, Target, load

_EXPLORED = ("proxy",)
"""Whose branches count; the second opinions and the standard library do not."""


def _dictionary(target: Target) -> str:
    return "".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in target.tokens if 0 < len(token) < 64
    )


def main(name: str, folder: Path, seconds: int) -> None:
    with atheris.instrument_imports(include=list(_EXPLORED), enable_loader_override=False):
        target = load(name)
    for number, data in enumerate(target.made()):
        (folder / f"made-{number}").write_bytes(data)
    words = folder.with_suffix(".words")
    words.write_text(_dictionary(target))
    warnings.simplefilter("ignore")  # as the program does from its start
    atheris.Setup(
        [
            sys.argv[0],
            str(folder),
            str(CORPUS / name),
            f"-max_total_time={seconds}",
            f"-dict={words}",
            f"-artifact_prefix={folder}/",
            f"-max_len={target.largest}",
            "-timeout=30",
            "-rss_limit_mb=2048",
            "-verbosity=0",
            "-print_final_stats=1",
        ],
        target.check,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
