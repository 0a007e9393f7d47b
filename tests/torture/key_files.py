"""Key files: every mode, straight and through a link, strictly and with the group's right; what opens, and what not."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from proxy.errors import KeyUnusable
from proxy.keys.credentials import read_secret
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.guarded import doubts
from tests.torture.figures import Figure, none_of, scaled
from tests.torture.ground import Ground

PROMISE = "secrets"
MODES, SEED = 512, 20261121
_STRICT, _GENEROUS = 0o066, 0o026
"""Bits of which none may be there: for group and others to read or write; for the group to write, others anything."""


def matrix(ground: Ground, size: float) -> list[Figure]:
    """Blocks."""
    directory = ground.directory / "modes"
    (directory / "..2026").mkdir(parents=True)
    (directory / "..data").symlink_to("..2026")
    path, link = directory / "..2026" / "key", directory / "key"
    link.symlink_to("..data/key")
    modes = [0o400, 0o600, 0o440, 0o640, 0o644, 0o660, 0o604, 0o000, 0o777]
    modes += Random(SEED).sample(range(512), scaled(MODES, size))
    wrong, tried = [], 0
    for what, content, opens in (("key", ground.files.shop.key.read_bytes(), _opens_key),
                                 ("client secret", b"a-secret", _opens_secret)):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        for mode in modes:
            path.chmod(mode)
            for generous in (False, True):
                allowed = not mode & (_GENEROUS if generous else _STRICT) and (mode & 0o400 or os.geteuid() == 0)
                for place in (path, link):
                    tried += 1
                    if opens(str(place), generous) != bool(allowed):
                        wrong.append(f"{what} {mode:04o} {'generous ' * generous}{place.name}")
    path.chmod(0o600)
    return [none_of(PROMISE, "files opened that others can read or write, or refused that nobody else can", len(wrong),
                    tried, "; ".join(wrong[:5])), *_strangers(directory, path)]


def _strangers(directory: Path, path: Path) -> list[Figure]:
    """Directories in which everybody may replace the file, and a file of somebody else's."""
    wrong = [f"directory {mode:04o}" for mode in range(0o1000)
             if _told(directory / "..2026", mode | 0o700, path) != bool(mode & 0o002)]
    wrong += [f"directory {mode:04o}" for mode in (0o1777, 0o1703) if _told(directory / "..2026", mode, path)]
    owners = 0
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        owners, told = 1, doubts(str(path))
        wrong += [] if len(told) == 1 else ["a file of another user"]
        os.chown(path, 0, 0)
    return [none_of(PROMISE, "places where others could put another key, and nothing is said", len(wrong),
                    0o1000 + 2 + owners, "; ".join(wrong[:5]))]


def _told(place: Path, mode: int, path: Path) -> bool:
    place.chmod(mode)
    said = bool(doubts(str(path)))
    place.chmod(0o700)
    return said


def _opens(open_it: Callable[[], object]) -> bool:
    try:
        open_it()
    except KeyUnusable as error:
        return error.code not in ("key_permissions", "key_unreadable")      # opened, and not liked
    return True


def _opens_key(path: str, generous: bool) -> bool:
    source = FileSource(FileSettings(key_file=path, allow_group_read=generous))
    return _opens(lambda: source.load(datetime.now(UTC)))


def _opens_secret(path: str, generous: bool) -> bool:
    return _opens(lambda: read_secret(file=path, env=None, what="client secret", allow_group_read=generous, environ={}))
