"""How much the log says, which can be changed while the proxy runs.

debug, info    everything; debug has more of the program's own messages
warning        warnings, and the lines of requests that went wrong
error          errors alone, and no request at all: what `quiet` is
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Literal, get_args

from proxy.config.model import Config
from proxy.serve.logline import LogLines, OnlyWarnings, RequestLog

log = logging.getLogger("proxy")

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)


class LogLevel:
    """current: what holds now.  The configuration's level is that of the start."""

    def __init__(self, config: Config, log_to: Callable[[RequestLog | None], None], lines: LogLines) -> None:
        """log_to: told where the lines of requests go from now on, None: nowhere."""
        self._configured: Level = "error" if config.quiet else "debug" if config.debug_logs else "info"
        self._log_to = log_to
        self._lines = lines
        self.current: Level = self._configured
        self._show()

    def change(self, level: Level) -> Level:
        """-> what it was."""
        before, self.current = self.current, level
        if level == before:
            return before
        quieter = _number(level) > _number(before)
        if quieter:
            self._say(before)               # while it can still be read
        logging.getLogger().setLevel(max(_number(level), logging.WARNING))
        log.setLevel(_number(level))
        if not quieter:
            self._say(before)
        self._show()
        return before

    def lines_for_warnings(self) -> LogLines | None:
        """None while only errors are said."""
        return None if self.current == "error" else self._lines

    def _say(self, before: Level) -> None:
        log.info("the log level is %s now, it was %s", self.current, before)

    def toggle(self) -> None:
        """Between debug and what is configured; info where that is debug."""
        if self.current != "debug":
            self.change("debug")
        else:
            self.change("info" if self._configured == "debug" else self._configured)

    def _show(self) -> None:
        lines = {"error": None, "warning": OnlyWarnings(self._lines)}.get(self.current, self._lines)
        self._log_to(lines)


def _number(level: Level) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
