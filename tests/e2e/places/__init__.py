"""Every place that keeps a key; test_every_source.py asks the same of all, test_bad_input.py what can be wrong in each.

All that is done to a place blocks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.places.base import Place
from tests.e2e.places.files import PemFiles, Pkcs12File
from tests.e2e.places.token import Token
from tests.e2e.places.vault import InVault, Kv1, Kv2, Transit

__all__ = ["NAMES", "Place", "Token", "make"]

_FILES: dict[str, type[PemFiles]] = {"files, PEM": PemFiles, "files, PKCS#12": Pkcs12File}
_VAULT: dict[str, type[InVault]] = {"Vault KV 1": Kv1, "Vault KV 2": Kv2, "Vault Transit": Transit}


def make(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Place:
    """name: of NAMES.  The module of the test has the fixtures server (Vault's stand-in) and store (Token.make)."""
    if name in _FILES:
        return _FILES[name](folder, monkeypatch)
    if name in _VAULT:
        return _VAULT[name](folder, monkeypatch, request.getfixturevalue("server"))
    return Token(folder, monkeypatch, request.getfixturevalue("store"))


NAMES = (*_FILES, *_VAULT, "PKCS#11")
