"""What a target is, and where its inputs come from."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import targets

CORPUS = Path(__file__).parent / "corpus"
NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(targets.__path__)))
_FULL, _LARGEST = 12_000, 4096


@dataclass(frozen=True)
class Target:
    """invariant: a sentence.  check: raises when it does not hold.  made: inputs that are not in the corpus.

    full: mutants at size 1.0.  largest: bytes of a mutant.
    """

    name: str
    invariant: str
    check: Callable[[bytes], None]
    tokens: tuple[bytes, ...]
    made: Callable[[], tuple[bytes, ...]]
    full: int
    largest: int

    def kept(self) -> dict[str, bytes]:
        """File name -> input."""
        return {path.name: path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())}

    def inputs(self) -> list[bytes]:
        """Everything that mutants are made of."""
        return [*self.kept().values(), *self.made()]


def load(name: str) -> Target:
    module = importlib.import_module(f"tests.fuzz.targets.{name}")
    sentence = " ".join((module.__doc__ or "").split("\n\n")[0].split())
    return Target(
        name,
        sentence,
        module.check,
        tuple(module.TOKENS),
        getattr(module, "seeds", tuple),
        getattr(module, "FULL", _FULL),
        getattr(module, "LARGEST", _LARGEST),
    )
