"""The tokens that callers of a listener must present, read again when keys are."""

from __future__ import annotations

import asyncio
import logging

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.credentials import header_value
from proxy.keys.guarded import read_secret_file, shown

log = logging.getLogger(__name__)


class ClientTokens:
    """One file: a token a line, so that callers can have their own and change them one by one.

    current: what counts now; a token that is no longer in the file is worth nothing after the next reload.
    """

    def __init__(self, file: str) -> None:
        """Raises KeyUnusable when the file cannot be read or holds no token."""
        self._file = file
        self.current = self._read()

    def _read(self) -> tuple[Secret, ...]:
        what = f"client token in {shown(self._file)}"
        lines = [line for line in read_secret_file(self._file, allow_group_read=False).splitlines() if line.strip()]
        if not lines:
            raise KeyUnusable("secret_missing", f"the {what} is empty")
        return tuple(header_value(line, what).secret for line in lines)

    async def reload(self) -> None:
        """Keeps the old ones, and says so, when the file cannot be read."""
        try:
            self.current = await asyncio.to_thread(self._read)
        except KeyUnusable as error:
            log.warning("client token: reload failed, the old one stays (%s): %s", error.code, error)

    async def watch(self, interval: float) -> None:
        """Reads it every `interval` seconds, for ever."""
        while True:
            await asyncio.sleep(interval)
            await self.reload()
