"""The first attempt at a Transit signature, on the event loop, with the token at hand.

Whatever is more than that is left to a thread: a login, another token, a pause and a further attempt, why a node does
not serve.  So the loop knows nothing of them, and a signature costs no thread while all is well.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.source import Begun
from proxy.keys.vault.exchange import head, target, whole
from proxy.keys.vault.links import Links, Outcome

if TYPE_CHECKING:
    from proxy.keys.vault.client import Vault
    from proxy.keys.vault.verdicts import Verdict

OPERATION: Final = "transit_sign"
Use = Callable[[Mapping[str, Any]], bytes]
"""Makes of Vault's answer what is wanted of it.  Raises KeyUnusable."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt with this token that came to nothing.  end: when the signature's time is over, monotonic."""

    token: Secret
    verdict: Verdict
    end: float


_WORTH_S: Final = 0.01
"""With less time than this left there is no further attempt; a timer of the loop may also be a little early."""


class FirstAttempts:
    """One Vault's, from one event loop."""

    def __init__(self, vault: Vault, context: Callable[[], ssl.SSLContext]) -> None:
        """context: reads files, and is called in a thread."""
        self._vault = vault
        self._context = context
        self._links: Links | None = None
        self._heads: dict[str, tuple[Secret, bytes]] = {}       # one for each key
        self._closed = False

    @property
    def signing(self) -> int:
        """Signatures in flight."""
        return len(self._links.asked) if self._links is not None else 0

    def begin(self, path: str, body: Mapping[str, object], use: Use, told: Callable[[Begun], None]) -> None:
        """On the event loop: Vault.sign() as far as it goes there.  told: later, once."""
        vault = self._vault
        token = vault.tokens.at_hand()
        if token is None:
            asyncio.get_running_loop().call_soon(told, partial(vault.sign, path, body, use))
            return
        end = monotonic() + vault.settings.transit_timeout

        def answered(outcome: Outcome) -> None:
            told(self._begun(outcome, path, body, use, token, end))

        if self._links is None:
            self._links = Links(vault.address, self._context, vault.settings.transit_lanes)
        self._links.ask(whole(self._head(path, token), msgspec.json.encode(body)), end, answered)

    def _begun(self, outcome: Outcome, path: str, body: Mapping[str, object], use: Use, token: Secret,
               end: float) -> Begun:
        if isinstance(outcome, KeyUnusable):
            return outcome
        try:
            verdict, found = self._vault.judged(OPERATION, outcome)
            if not verdict.code:
                return use(found)
        except KeyUnusable as error:
            return error
        except Exception as error:      # noqa: BLE001 - a fault of ours: whoever waits is told
            return KeyUnusable("signing_failed", type(error).__name__)
        if self._is_final(verdict, end):
            return self._vault.failure(verdict, OPERATION, path)
        return partial(self._vault.sign, path, body, use, Tried(token, verdict, end))

    def _is_final(self, verdict: Verdict, end: float) -> bool:
        useful = verdict.again or verdict.code == "vault_denied"
        return self._closed or not useful or monotonic() + _WORTH_S > end

    def _head(self, path: str, token: Secret) -> bytes:
        known, made = self._heads.get(path, (None, b""))
        if known is not token:
            made = head(self._vault.address.authority, "POST", target(path), self._vault.fields(token))
            self._heads[path] = token, made
        return made

    def close(self) -> None:
        """Ends what is under way: who waits is told at once."""
        self._closed = True
        if self._links is not None:
            self._links.close()

    async def closed(self) -> None:
        """After close(): nothing is left that the loop would have to run."""
        if self._links is not None:
            await self._links.closed()
