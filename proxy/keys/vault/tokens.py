"""Keeps one valid token: logs in, renews before it expires, replaces it when Vault no longer knows it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from threading import Event, Lock
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.credentials import read_secret
from proxy.keys.vault.logins import Login, login_of
from proxy.keys.vault.settings import VaultSettings
from proxy.keys.vault.verdicts import TRANSIENT

if TYPE_CHECKING:
    from proxy.keys.vault.client import Budget, Vault

log = logging.getLogger(__name__)

_FILE_EVERY_S = 5.0
_AGAIN_S = 5.0
_LONGEST_S = 3600.0
_RENEW_AT = 2 / 3


@dataclass(frozen=True, slots=True)
class Held:
    """A token.  renew_at, expires_at: of the clock given to Tokens; inf for never.  expiry: seconds since 1970."""

    token: Secret
    renew_at: float
    expires_at: float
    renewable: bool
    expiry: float | None


class Tokens:
    """`at_hand`, `current` and `replace` may be called in any thread; `keep` is the body of a thread of its own."""

    def __init__(self, vault: Vault, settings: VaultSettings, environ: Mapping[str, str],
                 now: Callable[[], float]) -> None:
        self._vault = vault
        self._settings = settings
        self._environ = environ
        self._now = now
        self._login: Login | None = login_of(settings, environ)
        self._held: Held | None = None
        self._lock = Lock()
        self._told = ""

    @property
    def expiry(self) -> float | None:
        """When the token expires, in seconds since 1970; None while there is none, or it does not expire."""
        held = self._held
        return held.expiry if held is not None else None

    def at_hand(self) -> Secret | None:
        """The token, if there is one that can be used without asking Vault or a file first."""
        held = self._held
        return held.token if held is not None and self._now() < held.expires_at else None

    def current(self, budget: Budget) -> Secret:
        """Raises KeyUnusable: vault_login_failed, vault_unavailable, secret_missing, key_unreadable, …"""
        if (token := self.at_hand()) is not None:
            return token
        with self._exclusive(budget):
            held = self._held
            if held is None or self._now() >= held.expires_at:
                held = self._held = self._obtain(budget)
            return held.token

    def replace(self, refused: Secret, budget: Budget) -> bool:
        """Whether there is another token now than the one that Vault has refused with 403."""
        with self._exclusive(budget):
            held = self._held
            if held is None or held.token is not refused:
                return True
            if self._login is not None and self.is_alive(refused, budget):
                return False                    # the token is good: it is the policy that denies
            if self._login is None and self._settings.token_file is None:
                return False                    # the environment of a process does not change
            self._held = self._obtain(budget)
            return not self._held.token.matches(refused.reveal())

    def is_alive(self, token: Secret, budget: Budget) -> bool:
        """False only where Vault says so."""
        try:
            self._vault.ask_with(token, "lookup", "auth/token/lookup-self", budget=budget)
        except KeyUnusable as error:
            return error.code != "vault_denied"
        return True

    def keep(self, stopped: Event) -> None:
        while not stopped.wait(self.pause()):
            self.tend()

    def pause(self) -> float:
        """Seconds until tend() has something to do."""
        held = self._held
        due = held.renew_at - self._now() if held is not None else _AGAIN_S
        return min(max(due, 1.0), _LONGEST_S)

    def tend(self) -> None:
        """Renews what is due; never raises.  What fails is tried again every few seconds while the token lives."""
        held = self._held
        if held is None or self._now() < held.renew_at:
            return
        try:
            budget = self._vault.budget(retries=0)
            with self._exclusive(budget):
                if self._held is held:
                    self._held = self._renewed(held, budget)
            self._tell("")
        except KeyUnusable as error:
            self._tell(str(error))
            later = self._now() + _AGAIN_S
            if self._held is held:
                self._held = Held(held.token, later, held.expires_at, held.renewable, held.expiry)

    # --- within the lock

    def _obtain(self, budget: Budget) -> Held:
        if self._login is not None:
            return self._from_auth(self._login.answer(self._vault, budget))
        settings = self._settings
        token = read_secret(file=settings.token_file, env=settings.token_env, what="Vault token",
                            allow_group_read=settings.allow_group_read, environ=self._environ).secret
        if settings.token_file is not None:
            return Held(token, self._now() + _FILE_EVERY_S, inf, False, None)
        return self._looked_up(token, budget)

    def _renewed(self, held: Held, budget: Budget) -> Held:
        if held.renewable:
            try:
                answer = self._vault.ask_with(held.token, "renew", "auth/token/renew-self", {}, budget=budget)
                renewed = self._from_auth(answer)
                # Near its longest life a token is renewed by less and less; then a login gives a whole one.
                if self._login is None or renewed.expires_at > held.expires_at + 1:
                    return renewed
            except KeyUnusable as error:
                if self._login is None or error.code not in ("vault_denied", "vault_refused"):
                    raise
        return self._obtain(budget)

    def _looked_up(self, token: Secret, budget: Budget) -> Held:
        """A token from outside, with what Vault says about its life; it serves also where it may not ask."""
        try:
            data = self._vault.ask_with(token, "lookup", "auth/token/lookup-self", budget=budget).get("data")
        except KeyUnusable as error:
            if error.code in TRANSIENT:
                raise
            return Held(token, inf, inf, False, None)
        found = data if isinstance(data, Mapping) else {}
        # It is never taken for expired here: nobody can give us another, and Vault's own word counts.
        held = self._lasting(token, found.get("ttl"), renewable=found.get("renewable") is True)
        return Held(token, held.renew_at if held.renewable else inf, inf, held.renewable, held.expiry)

    def _from_auth(self, answer: Mapping[str, Any]) -> Held:
        auth = answer.get("auth")
        token = auth.get("client_token") if isinstance(auth, Mapping) else None
        if not isinstance(auth, Mapping) or not isinstance(token, str) or not _is_plain(token):
            raise KeyUnusable("vault_refused", "a login or renewal was answered without a token")
        renewable = auth.get("renewable") is True
        held = self._lasting(Secret(token.encode()), auth.get("lease_duration"), renewable=renewable)
        if self._login is None:
            return Held(held.token, held.renew_at, inf, held.renewable, held.expiry)
        return held

    def _lasting(self, token: Secret, ttl: object, *, renewable: bool) -> Held:
        """ttl: seconds; 0 is for ever (a root token)."""
        if not isinstance(ttl, int) or ttl <= 0:
            return Held(token, inf, inf, False, None)
        now = self._now()
        return Held(token, now + ttl * _RENEW_AT, now + ttl, renewable, time() + ttl)

    def _exclusive(self, budget: Budget) -> _Turn:
        return _Turn(self._lock, budget)

    def _tell(self, sentence: str) -> None:
        told, self._told = self._told, sentence
        if sentence and sentence != told:
            log.warning("vault token: %s", sentence)


class _Turn:
    """The lock, waited for no longer than the budget allows."""

    def __init__(self, lock: Lock, budget: Budget) -> None:
        self._lock = lock
        self._budget = budget

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=max(0.0, self._budget.end - monotonic())):
            raise KeyUnusable("vault_unavailable", "another login to it takes too long")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _is_plain(token: str) -> bool:
    return bool(token) and token.isascii() and all("!" <= letter <= "~" for letter in token)
