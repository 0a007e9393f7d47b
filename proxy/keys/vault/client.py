"""Asks Vault from any thread: with a token, again where that may help, and never longer than a budget allows.

What a request waits for has its first attempt on the event loop (first.py).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import SystemRandom
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

import msgspec

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.vault.exchange import Answer, Exchanges, Unreachable, target
from proxy.keys.vault.first import OPERATION, FirstAttempts, Tried, Use
from proxy.keys.vault.place import parse_address, tls_context, with_environment
from proxy.keys.vault.settings import VaultSettings
from proxy.keys.vault.tokens import Tokens
from proxy.keys.vault.verdicts import TRANSIENT, Verdict, document, judge, judge_health

log = logging.getLogger(__name__)

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 2.0
_WORDS = {OPERATION: "a Transit signature", "lookup": "the token's lookup", "renew": "the token's renewal"}
_NOTHING: Mapping[str, Any] = {}
_AGENT = "psd2-signing-proxy"
_chance = SystemRandom()


@dataclass(frozen=True, slots=True)
class Budget:
    """end: monotonic; nothing goes on after it.  attempt_s: what one attempt may take.  retries: further attempts."""

    end: float
    attempt_s: float
    retries: int

    @classmethod
    def of(cls, attempt_s: float, retries: int) -> Budget:
        return cls(monotonic() + (retries + 1) * (attempt_s + _LONGEST_WAIT_S), attempt_s, retries)

    def deadline(self) -> float:
        return min(self.end, monotonic() + self.attempt_s)


class Tally:
    """requests: by operation and outcome.  signing: Transit signatures in flight in threads.  Any thread may add."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, ...], float] = {}
        self._lock = Lock()
        self.signing = 0

    def add(self, operation: str, outcome: str) -> None:
        with self._lock:
            self._requests[operation, outcome] = self._requests.get((operation, outcome), 0) + 1

    def requests(self) -> dict[tuple[str, ...], float]:
        with self._lock:
            return dict(self._requests)

    def sign(self, more: int) -> None:
        """more: 1 when a signature is begun, -1 when it is over."""
        with self._lock:
            self.signing += more


class Vault:
    """One Vault, and who we are there."""

    def __init__(self, settings: VaultSettings, environ: Mapping[str, str], *,
                 now: Callable[[], float] = monotonic) -> None:
        """now: for the token's life, in seconds.  Raises ValueError for an address that load() would refuse."""
        self.settings = with_environment(settings, environ)
        self.address = parse_address(self.settings.address or "")
        self.tally = Tally()
        self.tokens = Tokens(self, self.settings, environ, now)
        self._exchanges = Exchanges(self.address, self._context)
        self.first = FirstAttempts(self, self._exchanges.context)
        self._stopped = Event()
        self._keeper: Thread | None = None
        self._told = ""

    def __repr__(self) -> str:
        return f"Vault({self.address})"

    def budget(self, *, retries: int | None = None) -> Budget:
        """For everything but what a request waits for."""
        return Budget.of(self.settings.timeout, self.settings.retries if retries is None else retries)

    def start(self) -> None:
        """Keeps the token alive from now on, in a thread of its own that close() ends."""
        self._keeper = Thread(target=self.tokens.keep, args=(self._stopped,), name="vault token", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Ends what is under way, so that no thread holds up the end of the process.  Called on the loop where one is.
        """
        self._stopped.set()
        self._exchanges.close()
        self.first.close()

    @property
    def signing(self) -> int:
        """Transit signatures in flight."""
        return self.tally.signing + self.first.signing

    def sign(self, path: str, body: Mapping[str, object], use: Use, tried: Tried | None = None) -> bytes:
        """One Transit signature.  use: looks at what was answered.  Raises KeyUnusable within transit_timeout."""
        settings = self.settings
        end = tried.end if tried is not None else monotonic() + settings.transit_timeout
        budget = Budget(end, settings.transit_timeout, settings.retries)
        self.tally.sign(1)
        try:
            return use(self.ask(OPERATION, path, body, budget=budget, tried=tried))
        finally:
            self.tally.sign(-1)

    async def ended(self) -> None:
        """close() on the event loop, until nothing is left there that it would have to run."""
        self.close()
        await self.first.closed()

    def ask(self, operation: str, path: str, body: Mapping[str, object] | None = None, *, budget: Budget,
            query: str = "", tried: Tried | None = None) -> Mapping[str, Any]:
        """The answer's JSON.  operation: the metric's label.  path: without /v1/.  body: POSTed; None means GET.
        tried: the first attempt, when it was made elsewhere.

        A token that has expired is replaced once.  Raises KeyUnusable: one of the vault_ codes, key_unreadable,
        secret_missing (a token or secret id that cannot be read).
        """
        token, verdict = (self.tokens.current(budget), None) if tried is None else (tried.token, tried.verdict)
        try:
            return self.ask_with(token, operation, path, body, budget=budget, query=query, tried=verdict)
        except KeyUnusable as error:
            if error.code != "vault_denied":
                raise
            if not self.tokens.replace(token, budget):
                raise self._explained(error, token, operation, budget) from None
        return self.ask_with(self.tokens.current(budget), operation, path, body, budget=budget, query=query)

    def _explained(self, error: KeyUnusable, token: Secret, operation: str, budget: Budget) -> KeyUnusable:
        """Vault gives one answer for an expired token and for a policy; a request that waits is told no more."""
        if operation == OPERATION:
            return error
        why = ("the token is good, and its policy does not allow this" if self.tokens.is_alive(token, budget) else
               "the token may not even look itself up, so it has probably expired")
        return KeyUnusable(error.code, f"{error.detail}, {why}")

    def ask_with(self, token: Secret | None, operation: str, path: str, body: Mapping[str, object] | None = None, *,
                 budget: Budget, query: str = "", tried: Verdict | None = None) -> Mapping[str, Any]:
        """The same with this token, or none, for logins."""
        method = "GET" if body is None else "POST"
        content = b"" if body is None else msgspec.json.encode(body)
        fields = self.fields(token)
        wait = _FIRST_WAIT_S
        for left in range(budget.retries, -1, -1):
            if tried is not None:
                verdict, found, tried = tried, _NOTHING, None
            else:
                verdict, found = self._attempt(operation, method, target(path) + query, fields, content, budget)
            if not verdict.code:
                return found
            pause = _chance.uniform(0, wait)        # full jitter: proxies that fail together come back apart
            if not left or not verdict.again or monotonic() + pause >= budget.end or self._stopped.wait(pause):
                break
            wait = min(2 * wait, _LONGEST_WAIT_S)
        if verdict.again:
            verdict = self._state(budget) or verdict
        raise self.failure(verdict, operation, path + query)

    def _attempt(self, operation: str, method: str, target: str, fields: Mapping[str, str], content: bytes,
                 budget: Budget) -> tuple[Verdict, Mapping[str, Any]]:
        answer: Answer | Unreachable
        try:
            answer = self._exchanges.ask(method, target, fields, content, budget.deadline())
        except Unreachable as error:
            answer = error
        except TimeoutError:
            answer = Unreachable("there was no time left", late=True)
        return self.judged(operation, answer)

    def judged(self, operation: str, answer: Answer | Unreachable) -> tuple[Verdict, Mapping[str, Any]]:
        """What an attempt has brought, counted."""
        verdict, found = self._judged(answer)
        self.tally.add(operation, verdict.outcome)
        if not verdict.code:
            self._tell("")
        return verdict, found

    @staticmethod
    def _judged(answer: Answer | Unreachable) -> tuple[Verdict, Mapping[str, Any]]:
        if isinstance(answer, Unreachable):
            return Verdict("vault_unavailable", "timeout" if answer.late else "unreachable", answer.clause,
                           again=True), {}
        verdict = judge(answer)
        if verdict.code:
            return verdict, {}
        try:
            return verdict, document(answer)
        except (ValueError, RecursionError):
            return Verdict("vault_refused", "malformed", "its answer is no JSON object"), {}

    def _state(self, budget: Budget) -> Verdict | None:
        """Why a node does not serve, from the one page that says so to everybody."""
        if monotonic() >= budget.end:
            return None
        try:
            answer = self._exchanges.ask("GET", "/v1/sys/health", self.fields(None, namespaced=False), b"",
                                         budget.deadline())
        except (Unreachable, TimeoutError):
            self.tally.add("health", "unreachable")
            return None
        self.tally.add("health", "ok")
        return judge_health(answer.status)

    def failure(self, verdict: Verdict, operation: str, path: str) -> KeyUnusable:
        # A caller may read about a signature, and need not learn where Vault is.
        clause = _WORDS.get(operation) or f"{path} at {self.address}"
        if verdict.code in TRANSIENT:
            self._tell(verdict.code)
        return KeyUnusable(verdict.code, f"{clause}, {verdict.clause}" if verdict.clause else clause)

    def _tell(self, code: str) -> None:
        """One log line for each new state, not for each request."""
        told, self._told = self._told, code
        if code and code != told:
            log.warning("vault at %s does not serve (%s); keys that are loaded go on", self.address, code)
        elif told and not code:
            log.info("vault at %s serves again", self.address)

    def fields(self, token: Secret | None, *, namespaced: bool = True) -> dict[str, str]:
        """Of a request's head."""
        fields = {"X-Vault-Request": "true", "User-Agent": _AGENT, "Content-Type": "application/json"}
        if namespaced and self.settings.namespace:
            fields["X-Vault-Namespace"] = self.settings.namespace.strip("/") + "/"
        if token is not None:
            fields["X-Vault-Token"] = token.reveal().decode("ascii")
        return fields

    def _context(self) -> ssl.SSLContext:
        return tls_context(self.settings.ca_file)
