"""What `check` found about one thing, the same for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proxy.errors import ProxyError

Kind = Literal["application", "route", "file", "listener", "ca", "connection"]


@dataclass(frozen=True, slots=True)
class Row:
    """ok: None when it was not checked.  code: of the problem.  facts: for programs; no secrets."""

    kind: Kind
    name: str
    ok: bool | None
    text: str
    code: str = ""
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return {"kind": self.kind, "name": self.name, "ok": self.ok, "code": self.code or None, "text": self.text,
                "warnings": list(self.warnings), **self.facts}

    @classmethod
    def problem(cls, kind: Kind, name: str,
                error: ProxyError) -> Row:
        return cls(kind, name, False, str(error), error.code)
