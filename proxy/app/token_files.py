"""The tokens that callers of a listener or of the admin port must present, read again when keys are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from proxy.config.model import Config
from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.aside import Lane
from proxy.keys.credentials import read_secret
from proxy.keys.keyring import LONGEST_READ_S
from proxy.keys.tokens import read_tokens

log = logging.getLogger(__name__)

ADMIN_TOKEN: Final = "admin token"  # noqa: S105 - its name in sentences


class TokenFile:
    """One file: a token a line, so that callers can have their own and change them one by one.

    current: what counts now; a token that is no longer in the file is worth nothing after the next reload.
    """

    def __init__(self, file: str, what: str = "client token", *, allow_group_read: bool = False) -> None:
        """what: its name in sentences.  Raises KeyUnusable when the file cannot be read or holds no token."""
        self._file = file
        self._allow_group_read = allow_group_read
        self.what = what
        self._lane = Lane(f"read {what}", LONGEST_READ_S)
        self.current = self._read()

    def _read(self) -> tuple[Secret, ...]:
        return read_tokens(self._file, self.what, allow_group_read=self._allow_group_read)

    async def reload(self) -> KeyUnusable | None:
        """Keeps the old ones, and says so, when the file cannot be read; -> why it cannot."""
        error: KeyUnusable
        try:
            self.current = await self._lane.do(self._read)
        except KeyUnusable as unusable:
            error = unusable
        except TimeoutError:
            error = KeyUnusable("key_unreadable", f"reading did not end within {LONGEST_READ_S:g} seconds")
        else:
            return None
        log.warning("%s: reload failed, the old one stays (%s): %s", self.what, error.code, error)
        return error

    async def watch(self, interval: float) -> None:
        """Reads it every `interval` seconds, for ever."""
        while True:
            await asyncio.sleep(interval)
            await self.reload()


class AdminTokens:
    """Who may tell the admin port to do something.  file: None when the token comes from the environment, or nobody
    may."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        """Raises KeyUnusable when a token is configured and cannot be read."""
        self.file = None
        if config.admin_token_file is not None:
            self.file = TokenFile(config.admin_token_file, ADMIN_TOKEN, allow_group_read=config.token_allow_group_read)
        self._fixed: tuple[Secret, ...] = ()
        if config.admin_token_env is not None:
            self._fixed = (read_secret(file=None, env=config.admin_token_env, what=ADMIN_TOKEN, allow_group_read=False,
                                       environ=environ).secret,)

    def current(self) -> tuple[Secret, ...]:
        """Empty: none is configured."""
        return self.file.current if self.file is not None else self._fixed
