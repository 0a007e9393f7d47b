"""The tokens that callers of a listener must present, read again when keys are."""

from __future__ import annotations

import asyncio
import logging

from proxy.errors import KeyUnusable
from proxy.keys.tokens import read_tokens

log = logging.getLogger(__name__)


class ClientTokens:
    """One file: a token a line, so that callers can have their own and change them one by one.

    current: what counts now; a token that is no longer in the file is worth nothing after the next reload.
    """

    def __init__(self, file: str) -> None:
        """Raises KeyUnusable when the file cannot be read or holds no token."""
        self._file = file
        self.current = read_tokens(file)

    async def reload(self) -> None:
        """Keeps the old ones, and says so, when the file cannot be read."""
        try:
            self.current = await asyncio.to_thread(read_tokens, self._file)
        except KeyUnusable as error:
            log.warning("client token: reload failed, the old one stays (%s): %s", error.code, error)

    async def watch(self, interval: float) -> None:
        """Reads it every `interval` seconds, for ever."""
        while True:
            await asyncio.sleep(interval)
            await self.reload()
