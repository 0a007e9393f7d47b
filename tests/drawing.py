"""Hypothesis strategies that several folders share."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def bytes_of(letters: bytes, **size: Any) -> st.SearchStrategy[bytes]:
    """Drawn as one text, as a list of letters takes several times as long."""
    return st.text(letters.decode("latin-1"), **size).map(lambda text: text.encode("latin-1"))
