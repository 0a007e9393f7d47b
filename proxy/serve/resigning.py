"""Whether a refused request is signed again with the application's other key, and which answer its caller gets then.

A 401 with one of REFUSALS says that the bank did not authenticate the request, so it has not acted on it.  Such an
answer is held back until its code has been read; both keys refused means that the caller gets the first refusal.

Where the bank's machines differ from one request to the next, either key may meet the wrong one, so both are tried in
turns of two: first, other, other, first, first, other, …  Two in a row with the same key meet both machines of a bank
that alternates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from proxy.core.message import Response
from proxy.keys.keyring import Keyring
from proxy.keys.slots import Slots
from proxy.serve.rulings import LIMIT, ruling_of

REFUSALS: Final = frozenset(("error.signature.invalid", "error.certificate.invalid", "error.security.invalid"))
NOTE: Final = "resigned_with_next"
_SAFE = (b"GET", b"HEAD")


@dataclass(slots=True)
class Held:
    """An answer nobody has seen yet."""

    response: Response
    body: bytearray = field(default_factory=bytearray)

    @property
    def refuses(self) -> bool:
        return ruling_of(self.response, bytes(self.body)).code in REFUSALS


class Resigning:
    """One call's part in it.  held: the answer that is being read.  first: the refusal that led to a second signature.

    key: spki_sha256 of the key that signed last, "" when the call is not signed.
    """

    __slots__ = ("_other", "_refusals", "_ring", "_safe", "_slots", "_turn", "first", "held", "key")

    def __init__(self, slots: Slots, method: bytes) -> None:
        self._slots = slots
        self._safe = method in _SAFE
        self._ring = slots.signing
        self._other: Keyring | None = None
        self._turn: Keyring | None = None
        self._refusals = 0
        self.first: Held | None = None
        self.held: Held | None = None
        self.key = ""

    def ring(self) -> Keyring:
        """Whose key signs this attempt."""
        self._ring = self._turn or self._slots.signing
        return self._ring

    def hold(self, response: Response, now: float) -> bool:
        """Whether this answer is to be read before the caller gets it.  What it says without that is remembered."""
        if not self.key:
            return False
        if response.status == 401 and response.length <= LIMIT and (
                self.first is not None or self._alternative(now) is not None):
            self.held = Held(response)
            return True
        if response.status < 400:       # an error may come from a gateway that never looked at the signature
            self._accepted(now)
        return False

    def _accepted(self, now: float) -> None:
        if self.first is None:
            self._slots.accepted(self._ring, self.key)
        else:
            self._slots.helped(self._ring, self.key, now)

    def _alternative(self, now: float) -> Keyring | None:
        return self._slots.alternative(self._ring, self.key, safe=self._safe, now=now)

    def keep(self, data: bytes) -> Held | None:
        """More of the held answer's body; -> it, when it is too long to be a refusal and is passed on after all."""
        held = self.held
        assert held is not None
        held.body += data
        if len(held.body) <= LIMIT:
            return None
        self.held = None
        return held

    def whole(self, now: float) -> Held | None:
        """The held answer is complete; -> what the caller gets, or None: the request is signed again."""
        held, self.held = self.held, None
        assert held is not None
        if not held.refuses:
            return held
        self._refusals += 1
        if self.first is None:
            self._begin(held, now)
            return held if self.first is None else None
        if self._refusals >= self._slots.attempts(now):
            self._slots.useless(now)
            return self.first
        if self._refusals % 2:              # after the third, the fifth, …: the same key again, then the other one
            self._turn, self._other = self._other, self._turn
        return None

    def _begin(self, held: Held, now: float) -> None:
        """Another call's attempt may have been useless since this answer began."""
        other = self._alternative(now)
        if other is not None:
            self.first, self._turn, self._other = held, other, self._ring
