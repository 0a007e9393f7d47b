"""A secret that does not show itself by accident."""

from __future__ import annotations

import hmac


class Secret:
    """Bytes whose repr, str and format are redacted; reveal() is the only way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    def matches(self, other: bytes) -> bool:
        """Constant-time comparison."""
        return hmac.compare_digest(self._value, other)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(redacted)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")
