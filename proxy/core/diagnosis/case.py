"""The facts of one refused call.  None of them is a secret, so a case may be logged, shown and saved."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Authorization = Literal["", "missing", "other", "bearer"]


class Moment(Struct, frozen=True):
    """seconds: since the epoch.  text: how a person reads it, such as "10:14 UTC"."""

    seconds: float
    text: str


class Answer(Struct, frozen=True, kw_only=True):
    """What the bank said.

    code: its own, or ours for its gateway (kinds.KIND_OF).  text: its sentence, when it is short and plain.
    left: (name, remaining) of the limits it told.  ahead: seconds our clock was ahead of its Date; None: not known.
    unread: why the body could not be read, "" when it could.
    """

    status: int
    code: str = ""
    text: str = ""
    left: tuple[tuple[str, int], ...] = ()
    retry_after: str = ""
    ahead: float | None = None
    unread: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """What was sent, as far as causes hang on it.

    checked: an independent verification found nothing wrong with it; wrong: what it found.  blamed: (cause, sentence)
    of what is wrong with a message that somebody's own program has signed.  host: as signed.  bank_host: of the route's
    profile.  content_type: as signed, "" when content is not covered.  missing: parameters that the bank wants in the
    body and that are not there.
    form: the digest of a form is not the usual one: "raw", "not_normalised", "decoded".
    expired: seconds since the end of the access token, when it says so itself.
    echoed: parts of the signing string that the answer quotes and that differ from what was signed.
    """

    method: str = ""
    authorizes: bool = False
    encoded: bool = False
    checked: bool = False
    wrong: str = ""
    blamed: tuple[tuple[str, str], ...] = ()
    host: str = ""
    bank_host: str = ""
    key_id_differs: bool = False
    content_type: str = ""
    covers_content: bool = False
    skipped: bool = False
    missing: tuple[str, ...] = ()
    form: Literal["", "raw", "not_normalised", "decoded"] = ""
    authorization: Authorization = ""
    expired: float | None = None
    echoed: tuple[str, ...] = ()

    @property
    def faulty(self) -> bool:
        """Whether something is wrong with the message itself."""
        return bool(self.wrong or self.blamed)


class Key(Struct, frozen=True, kw_only=True):
    """The key that signed, and what has become of it here.  Fingerprints are hex SHA-256 of the public key.

    expected: the only one the bank knows, or "".  roles: None without a certificate.  expired, early: by the
    certificate's dates; ends: its last moment.  replaced: when this key took the place of `former`.
    certificate_replaced: when the certificate changed and the key stayed.  load_error: code of a reload that failed at
    load_failed.  other: fingerprint of the application's second key; other_refused: the bank refused it as well.
    """

    fingerprint: str = ""
    expected: str = ""
    roles: tuple[str, ...] | None = None
    expired: bool = False
    early: bool = False
    ends: str = ""
    former: str = ""
    replaced: Moment | None = None
    certificate_replaced: Moment | None = None
    load_error: str = ""
    load_failed: Moment | None = None
    other: str = ""
    other_refused: bool = False


class Application(Struct, frozen=True, kw_only=True):
    """trimmed: which credentials had white space around them.  oddities: keys of evidence.ODDITIES."""

    name: str = ""
    trimmed: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    replaced: Moment | None = None


class History(Struct, frozen=True, kw_only=True):
    """What came before on the same route.

    refusals: in a row with this code, this one included, since `since`.  calls: how many different ones among them.
    bodiless: how many of them had no body to cover.
    accepted: the last call the bank accepted, signed with accepted_key.  accepted_content: the last one of them whose
    signature covered a body.  elsewhere: the last accepted call on another route of the same application.
    known: False when nothing is known of what came before.
    """

    known: bool = False
    now: float = 0.0
    since: Moment | None = None
    refusals: int = 1
    calls: int = 1
    bodiless: int = 0
    accepted: Moment | None = None
    accepted_key: str = ""
    accepted_content: Moment | None = None
    elsewhere: Moment | None = None


class Case(Struct, frozen=True, kw_only=True):
    """One refused call with all that is known."""

    answer: Answer
    message: Message = Message()
    key: Key = Key()
    application: Application = Application()
    history: History = History()
