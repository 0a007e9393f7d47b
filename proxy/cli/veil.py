"""Whoever pastes a request pastes its secrets too; they are used for nothing and printed nowhere."""

from __future__ import annotations

import re
from typing import Any

from proxy.cli.verification import Captured

HIDDEN = "***"
_NAMES = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie", "x-ibm-client-secret"))
_SECRET = r"(?:access_token|refresh_token|id_token|client_secret|client_assertion|password|code)"  # noqa: S105
_PARAMETER = re.compile(rf"(?i)((?:^|[?&;\s])(?:{_SECRET})=)[^&\s]+")
_SHORTEST = 6


class Veil:
    """Hides the values of a message's secret headers and parameters wherever they turn up."""

    def __init__(self, message: Captured) -> None:
        values = {value for name, value in message.fields if name.lower() in _NAMES}
        values |= {value.partition(" ")[2].strip() for value in values}
        if not message.all("signature"):
            # A signature in Authorization is no secret, and the reader wants to see it.
            values = {value for value in values if not value.lower().startswith(("signature ", "keyid="))}
        long = sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, long))) if long else None

    def over_text(self, text: str) -> str:
        text = _PARAMETER.sub(lambda match: match[1] + HIDDEN, text)
        text = re.sub(rf"(?im)^((?:{'|'.join(sorted(_NAMES))})\s*[:=]\s*)[^\n]+", rf"\1{HIDDEN}", text)
        return self._values.sub(HIDDEN, text) if self._values is not None else text

    def over(self, value: Any) -> Any:
        """The same in everything that JSON can hold."""
        if isinstance(value, str):
            return self.over_text(value)
        if isinstance(value, dict):
            return {name: self.over(inner) for name, inner in value.items()}
        return [self.over(inner) for inner in value] if isinstance(value, list | tuple) else value
