"""Settings of the audit trail, beside what they configure."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

_Whole = Annotated[int, Meta(ge=0)]
_Seconds = Annotated[float, Meta(ge=0)]
_Pause = Annotated[float, Meta(gt=0)]


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The audit trail: one line before each signature and one when the call is over."""

    shorthand: ClassVar[str] = "file"

    file: Annotated[str, Meta(description=(
        "File that lines are appended to; its directory is made, for its owner only, when it is missing."))]
    on_failure: Annotated[Literal["refuse", "continue"], Meta(description=(
        "When a line cannot be written: `refuse` signs nothing (503 `audit_unavailable`), `continue` signs on, with a "
        "log line and metrics."))] = "refuse"
    fsync: Annotated[Literal["never", "interval", "always"], Meta(description=(
        "When lines are forced onto the disk: `never` leaves it to the system, `interval` every `fsync_interval`, "
        "`always` before anything is sent. The end of the process alone loses no written line with any of them."))] = (
        "interval")
    fsync_interval: Annotated[_Pause, Meta(description="Seconds between two of them with `interval`.")] = 1.0
    timeout: Annotated[_Pause, Meta(description=(
        "Seconds that a request waits for its line before that counts as a failure."))] = 5.0
    rotate_bytes: Annotated[_Whole, Meta(description="Size at which a new file is begun; 0: never.")] = 104857600
    rotate_seconds: Annotated[_Seconds, Meta(description="Age at which a new file is begun; 0: never.")] = 0.0
    keep: Annotated[_Whole, Meta(description=(
        "Rotated files that are kept; older ones are removed, which the trail records. 0: all."))] = 0

    @property
    def waits(self) -> bool:
        """Whether nothing is sent before its line is on record."""
        return self.on_failure == "refuse" or self.fsync == "always"
