"""Of the short torture; `make torture` starts its proxies as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import economy


@pytest.fixture(autouse=True)
def cheap_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with economy.cheap_starts(monkeypatch):
        yield
