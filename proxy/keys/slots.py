"""Holds the key that signs and the one that is ready to, and decides when they change places.

The bank knows one certificate at a time and takes minutes to learn another, so nobody can say beforehand which key it
will accept.  Its answers can: a key that was accepted and now is refused, while the other one is accepted, is replaced.

    a refusal           the request may be signed once more with the other key        (alternative)
    that was accepted   the other key signs from now on                               (helped)
    that was refused    no such attempt for a while, longer each time                 (useless)
Soon after a change the bank answers from both sides.  Then requests are signed again one by one, and the keys change
places only after many such answers in a row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args

from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.keyring import Identity, Keyring
from proxy.keys.rotation import Rotation
from proxy.keys.source import CertificateFacts

log = logging.getLogger(__name__)

How = Literal["evidence", "date", "expiry", "command"]
WAYS: Final[tuple[How, ...]] = get_args(How)
Slot = Literal["current", "next"]

SETTLING: Final = 300.0
"""Seconds after a change in which the bank may answer from both sides."""
STREAK: Final = 20
"""Answers in a row that must speak for the other key within that time."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds without a second signature after one that did not help."""
MENDS: Final = 5.0
"""Seconds after another signature that helped in which one that did not is bad luck: the bank's machines differ."""
UNSURE: Final = 4
"""Signatures of one request while nothing says that another one helps."""
FORGOTTEN: Final = 600.0
"""Seconds after a pause in which the next one is longer."""

_WHY: Final[dict[How, str]] = {
    "evidence": "the bank refuses the key in service and accepts the other one",
    "date": "the moment of rotation.at has come",
    "expiry": "the certificate in service has expired",
    "command": "somebody has asked for it",
}


@dataclass(frozen=True, slots=True)
class Change:
    """at: aware.  slot: "current" or "next" of the configuration, which signs since then."""

    at: datetime
    how: How
    slot: str


class Slots:
    """One application's keys.  signing: the keyring in service.  spare: the other one, if there is another.

    on_change: called after each change, for metrics.  Which of the two configured keys signs is remembered by the
    process alone: a start begins with `current`.
    Times called `now` are seconds of a clock that only goes forward.
    """

    def __init__(self, name: str, signing: Keyring, spare: Keyring | None = None, settings: Rotation | None = None, *,
                 clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """clock: aware."""
        self.name = name
        self.signing = signing
        self.spare = spare
        self.settings = settings or Rotation()
        self.changes: dict[How, int] = dict.fromkeys(WAYS, 0)
        self.last_change: Change | None = None
        self.on_change: Callable[[How], None] = lambda how: None
        self._at = self.settings.moment()
        self._clock = clock
        self._first = signing
        self._settled_at = float("-inf")
        self._streak = 0
        self._pause = 0.0
        self._paused_until = float("-inf")
        self._helped_at = float("-inf")

    @property
    def current(self) -> Identity | None:
        return self.signing.current

    def slot(self, ring: Keyring) -> Slot:
        """The configuration's name of its place."""
        return "current" if ring is self._first else "next"

    def rings(self) -> tuple[Keyring, ...]:
        """current, then next, wherever they serve."""
        if self.spare is None:
            return (self.signing,)
        return (self._first, self.spare if self.signing is self._first else self.signing)

    def load(self, now: datetime) -> None:
        """Both, at start.  now: aware.  Raises KeyUnusable: no key can sign; a next key alone that fails is a warning.

        A `current` that has expired is no reason not to start when `next` can sign.
        """
        expired: KeyUnusable | None = None
        try:
            self.signing.load(now)
        except KeyUnusable as error:
            if error.code != "certificate_expired":
                raise
            expired = error
        if self.spare is not None:
            self._load_spare(self.spare, now)
        if expired is not None:
            if not self.spare_usable():
                raise expired
            self._change("expiry", float("-inf"))

    def _load_spare(self, spare: Keyring, now: datetime) -> None:
        try:
            spare.load(now)
        except KeyUnusable as error:
            log.warning("application %s: the next key cannot be used, and is tried again at the next reload (%s): %s",
                        self.name, error.code, error)

    # --- evidence

    def accepted(self, ring: Keyring, key: str) -> None:
        """The bank has acted on a request that this key signed at first.  key: its spki_sha256."""
        if ring.proven != key:
            ring.proven = key
        if self._streak and ring is self.signing:
            self._streak = 0

    def alternative(self, ring: Keyring, key: str, *, safe: bool, now: float) -> Keyring | None:
        """Who signs a request again that was refused with this key of this ring; None: nobody.

        safe: the request's method is GET or HEAD.
        """
        other = self.spare if ring is self.signing else self.signing
        retry = self.settings.retry
        if other is None or retry == "off" or (retry == "safe" and not safe):
            return None
        if now < self._paused_until or not self._worked(ring, key, other):
            return None
        return other if self._usable(other) and _key(other) != key else None

    @staticmethod
    def _worked(ring: Keyring, key: str, other: Keyring) -> bool:
        """Whether calls were fine until now: with this key, or before a date or command with the other one."""
        return ring.proven == key or (other.proven != "" and other.proven == _key(other))

    def helped(self, ring: Keyring, key: str, now: float) -> None:
        """The bank has acted on a request that was signed again, with this key of this ring."""
        self._pause = 0.0
        self._paused_until = float("-inf")
        self._helped_at = now
        ring.proven = key
        if ring is self.signing:
            self._streak = 0    # another call has changed them meanwhile, or it was this one's turn again
            return
        self._streak += 1
        if now >= self._settled_at or self._streak >= STREAK:
            self._change("evidence", now)

    def attempts(self, now: float) -> int:
        """How often a request may be signed in all."""
        return self.settings.attempts if self._mends(now) else min(self.settings.attempts, UNSURE)

    def _mends(self, now: float) -> bool:
        return now < self._helped_at + MENDS

    def useless(self, now: float) -> None:
        """Both keys were refused: it is the request, or something that no key mends."""
        if now < self._paused_until or self._mends(now):
            return              # one of several that were under way, or bad luck
        if now > self._paused_until + FORGOTTEN:
            self._pause = 0.0
        self._pause = min(self._pause * 2, LONGEST_PAUSE) or FIRST_PAUSE
        self._paused_until = now + self._pause

    # --- command

    def rotate(self, to: Slot | None, now: float) -> bool:
        """Lets this slot sign, None: the one that does not; -> False: it signs already.

        Raises ProxyError: rotation_no_next, rotation_unusable.
        """
        spare = self.spare
        if spare is None:
            raise ProxyError("rotation_no_next")
        if to == self.slot(self.signing):
            return False
        if reason := self._why_unusable(spare):
            raise ProxyError("rotation_unusable", f"'{self.slot(spare)}': {reason}")
        self._pause = 0.0
        self._paused_until = float("-inf")
        self._change("command", now)
        return True

    def follow(self, to: Slot, how: How, now: float) -> bool:
        """Another process of this proxy has changed; on_change is not called.  -> whether this slot signs now."""
        spare = self.spare
        if to == self.slot(self.signing):
            return True
        if spare is None:
            return False
        if reason := self._why_unusable(spare):
            log.warning("application %s: another worker signs with '%s' now, this one cannot: %s", self.name, to,
                        reason)
            return False
        self._swap(spare, now)
        self.changes[how] += 1
        self.last_change = Change(self._clock(), how, self.slot(spare))
        return True

    # --- dates

    def look(self, now: float) -> None:
        """Whether a date has come; called a few times a second."""
        if self.spare is None:
            return
        at = self._clock()
        facts = _facts(self.signing)
        if self._at is not None and at >= self._at:
            self._at_its_date(self._at, now)
        elif facts is not None and at > facts.not_after and self.spare_usable():
            self._change("expiry", now)

    def _at_its_date(self, moment: datetime, now: float) -> None:
        spare = self.spare
        if self.signing is not self._first:
            self._at = None     # evidence was faster
            return
        facts = _facts(spare) if spare is not None else None
        if facts is not None and facts.not_before > moment:
            self._at = None
            log.warning("application %s: rotation.at is before the next certificate's first day, so it was meant for "
                        "an earlier one and is ignored; remove or correct it", self.name)
        elif self.spare_usable():
            self._at = None
            self._change("date", now)

    def spare_usable(self) -> bool:
        return self.spare is not None and self._usable(self.spare)

    def _usable(self, ring: Keyring) -> bool:
        return not self._why_unusable(ring)

    def _why_unusable(self, ring: Keyring) -> str:
        """A clause, or ""."""
        identity = ring.current
        if identity is None or identity.key is None:
            return f"it could not be loaded ({ring.last_error.code})" if ring.last_error else "it is not loaded"
        facts, now = identity.key.certificate, self._clock()
        if facts is not None and now < facts.not_before:
            return f"its certificate is valid from {facts.not_before.isoformat(timespec='minutes')} on"
        if facts is not None and now > facts.not_after:
            return f"its certificate has expired on {facts.not_after.date()}"
        return ""

    def _change(self, how: How, now: float) -> None:
        """For everybody, at once.  The key that served is kept as the spare one."""
        new = self.spare
        assert new is not None
        old = self._swap(new, now)
        self.changes[how] += 1
        self.on_change(how)
        self.last_change = Change(self._clock(), how, self.slot(new))
        log.warning("application %s: %s: '%s' (key %s…) signs from now on, instead of '%s' (key %s…); %s", self.name,
                    _WHY[how], self.slot(new), _key(new)[:16], self.slot(old), _key(old)[:16] or "none",
                    self._advice(new, how))

    def _swap(self, new: Keyring, now: float) -> Keyring:
        """-> the one that signed."""
        old, self.signing, self.spare = self.signing, new, self.signing
        self._settled_at = now + SETTLING
        self._streak = 0
        return old

    def _advice(self, new: Keyring, how: How) -> str:
        if new is self._first and how == "evidence":
            return "the bank holds the old certificate again: look at its portal, and keep both keys"
        if new is self._first:
            return "keep both keys until the bank's portal shows the certificate of this one (docs/keys.md)"
        return ("keep the old key until the bank has refused it everywhere for a day, but configure this one as "
                "'current' before the next start, then destroy the old one (docs/keys.md)")


def _facts(ring: Keyring) -> CertificateFacts | None:
    identity = ring.current
    return identity.key.certificate if identity is not None and identity.key is not None else None


def _key(ring: Keyring) -> str:
    identity = ring.current
    return identity.key.signer.spki_sha256 if identity is not None and identity.key is not None else ""
