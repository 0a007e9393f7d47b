"""A verifier proves something only if it shares no code with the signer, so this one starts from the raw bytes.

It knows the bank's rules from the bank's pages alone: which headers are covered and in which order, how the signing
string is built, what a digest and a date look like.  The caller of the API sees only the bank's terse code, as with
the real bank; the explanation and the derived signing string are for the control port.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from proxy.emulator import explain
from proxy.emulator.content import DIGEST, FormRule, accepted_digests
from proxy.emulator.registration import STATES, Application, Registered, State
from proxy.emulator.wire import Head

GATEWAY_CREDENTIALS = "gateway.credentials"
GATEWAY_SUBSCRIPTION = "gateway.subscription"
SIGNATURE_INVALID = "error.signature.invalid"
DIGEST_INVALID = "error.digest.invalid"
DATE_INVALID = "error.date.invalid"
CERTIFICATE_INVALID = "error.certificate.invalid"
SECURITY_INVALID = "error.security.invalid"

SKIP = "SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX"
WITHOUT_CONTENT = ("(request-target)", "x-nordea-originating-host", "x-nordea-originating-date")
WITH_CONTENT = (*WITHOUT_CONTENT, "content-type", "digest")
CONTENT_METHODS = ("POST", "PUT", "PATCH")
SINGLE = ("signature", "digest", "content-type", "x-nordea-originating-host", "x-nordea-originating-date",
          "x-ibm-client-id", "x-ibm-client-secret")

_SIGNATURE = re.compile(
    r'keyId="([^"\\]*)",algorithm="([^"\\]*)",headers="([^"\\]*)",signature="([A-Za-z0-9+/]+={0,2})"'
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"({'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`code` is empty when the request is accepted; `explanation` and `signing_string` never reach the API's caller."""

    code: str = ""
    explanation: str = ""
    signing_string: bytes = b""
    signature_checked: bool = False

    @property
    def accepted(self) -> bool:
        return not self.code


@dataclass(frozen=True, slots=True)
class Policy:
    """How strict: `date_window` in seconds (None: any date), `form` which digest of a form body is right."""

    hosts: frozenset[str] = frozenset({"open.nordea.com", "api.nordeaopenbanking.com", "localhost", "127.0.0.1"})
    date_window: float | None = 300
    form: FormRule = "either"
    empty_body_may_omit: bool = True
    sandbox: bool = False


class Signature(NamedTuple):
    """The four parameters of a Signature header."""

    key_id: str
    algorithm: str
    headers: str
    value: str


class _Rejected(Exception):
    def __init__(self, code: str, explanation: str) -> None:
        super().__init__(code)
        self.code, self.explanation = code, explanation


class Verifier:
    """Judges requests by the registered applications; they may change between two requests."""

    def __init__(self, policy: Policy, applications: Mapping[str, Application], clock: Callable[[], float]) -> None:
        self.policy = policy
        self._applications = applications
        self._clock = clock

    def judge(self, head: Head, body: bytes, node: int = 0) -> Verdict:
        """node: which of the bank's machines looks; they differ while a certificate is being replaced."""
        derived = b""
        try:
            application = self._application(head)
            _check_spelling(head)
            if self.policy.sandbox and head.all("signature") == [SKIP]:
                self._check_message(head, body)
                return Verdict(explanation="the sandbox was told to skip the signature")
            signature = self._signature(head, body, application)
            derived = signing_string(head, signature.headers.split(" "))
            _check_digest_form(head)
            _check_state(application.state)
            self._check_seal(head, signature, derived, application.known_to(node))
            self._check_message(head, body)
        except _Rejected as rejected:
            return Verdict(rejected.code, rejected.explanation, derived)
        return Verdict(signing_string=derived, signature_checked=True)

    def _application(self, head: Head) -> Application:
        identity, secret = head.all("x-ibm-client-id"), head.all("x-ibm-client-secret")
        if len(identity) != 1 or len(secret) != 1:
            raise _Rejected(GATEWAY_CREDENTIALS, "X-IBM-Client-Id and X-IBM-Client-Secret must be sent once each")
        application = self._applications.get(identity[0])
        if application is None:
            raise _Rejected(GATEWAY_CREDENTIALS, "no application has this client id")
        if secret[0] != application.client_secret:
            raise _Rejected(GATEWAY_CREDENTIALS, "the client secret is not this application's")
        if not application.subscribed:
            raise _Rejected(GATEWAY_SUBSCRIPTION, "the application has no subscription")
        return application

    def _signature(self, head: Head, body: bytes, application: Application) -> Signature:
        signature = parse_signature(head.one("signature"))
        if signature.algorithm != "rsa-sha256":
            raise _Rejected(SECURITY_INVALID, f"algorithm is {signature.algorithm!r}, not rsa-sha256")
        names = {application.client_id} | ({"clientId"} if self.policy.sandbox else set())
        if signature.key_id not in names:
            raise _Rejected(SIGNATURE_INVALID, "keyId is not the client id")
        if signature.headers not in self._coverages(head.method, body):
            wanted = " or ".join(repr(list_) for list_ in self._coverages(head.method, body))
            raise _Rejected(SIGNATURE_INVALID, f"headers is {signature.headers!r}, expected {wanted}")
        if "//" in head.path:
            raise _Rejected(SIGNATURE_INVALID, "the request target holds //")
        return signature

    def _coverages(self, method: str, body: bytes) -> list[str]:
        """POST, PUT, PATCH cover content always; DELETE and OPTIONS with a body; the others have none to cover."""
        full, bare = " ".join(WITH_CONTENT), " ".join(WITHOUT_CONTENT)
        if method in CONTENT_METHODS:
            return [full, bare] if not body and self.policy.empty_body_may_omit else [full]
        return [full] if method in ("DELETE", "OPTIONS") and body else [bare]

    def _check_seal(self, head: Head, sent: Signature, derived: bytes, registered: Registered | None) -> None:
        if registered is None:
            raise _Rejected(CERTIFICATE_INVALID, "no certificate is registered for this application")
        if not registered.in_date(datetime.fromtimestamp(self._clock(), UTC)):
            raise _Rejected(CERTIFICATE_INVALID, "the registered certificate has expired or is not valid yet")
        seal = _seal_bytes(sent.value)
        if not registered.verifies(seal, derived):
            reason = explain.why_not(head, derived, lambda message: registered.verifies(seal, message))
            raise _Rejected(SIGNATURE_INVALID, f"{reason} (registered key {registered.fingerprint[:16]}…)")

    def _check_message(self, head: Head, body: bytes) -> None:
        """What holds apart from the seal: host, date, and that the digest is this body's."""
        if head.one("x-nordea-originating-host") not in self.policy.hosts:
            raise _Rejected(SIGNATURE_INVALID, "X-Nordea-Originating-Host is not this bank's host")
        if head.method in ("GET", "HEAD") and body:
            raise _Rejected(SIGNATURE_INVALID, "a GET or HEAD has a body, which no signature covers")
        self._check_date(head.one("x-nordea-originating-date"))
        if head.all("digest"):
            self._check_digest(head, body)

    def _check_date(self, text: str) -> None:
        seconds = parse_date(text)
        if seconds is None:
            raise _Rejected(DATE_INVALID, "X-Nordea-Originating-Date is not an IMF-fixdate in GMT")
        ahead, window = seconds - self._clock(), self.policy.date_window
        if window is not None and abs(ahead) > window:
            direction = "ahead of" if ahead > 0 else "behind"
            raise _Rejected(DATE_INVALID, f"X-Nordea-Originating-Date is {abs(ahead):.0f} s {direction} the bank")

    def _check_digest(self, head: Head, body: bytes) -> None:
        sent = DIGEST.fullmatch(head.one("digest"))
        accepted = accepted_digests(head.one("content-type"), body, self.policy.form)
        if sent is None or sent[1] not in accepted:
            wanted = ", ".join(f"SHA-256={digest} for {what}" for digest, what in accepted.items())
            raise _Rejected(DIGEST_INVALID, f"Digest does not belong to the body; expected {wanted}")


def _check_state(state: State) -> None:
    if state == "wrong_field":      # where a certificate should be there is none, and the bank says only this
        raise _Rejected(SIGNATURE_INVALID, STATES[state])
    if state in ("armoured", "revoked"):
        raise _Rejected(CERTIFICATE_INVALID, STATES[state])


def parse_signature(value: str) -> Signature:
    parts = _SIGNATURE.fullmatch(value)
    if parts is None:
        raise _Rejected(SIGNATURE_INVALID, explain.bad_header(value))
    return Signature(*parts.groups())


def _seal_bytes(value: str) -> bytes:
    """Two base64 texts can mean the same bytes; only the canonical one is taken."""
    try:
        seal = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise _Rejected(SIGNATURE_INVALID, "signature is not padded base64") from error
    if base64.b64encode(seal).decode() != value:
        raise _Rejected(SIGNATURE_INVALID, "signature is not canonical base64")
    return seal


def signing_string(head: Head, names: list[str]) -> bytes:
    """One `name: value` line per covered header, joined by LF, none at the end."""
    lines = []
    for name in names:
        if name == "(request-target)":
            lines.append(f"{name}: {head.method.lower()} {head.target}")
            continue
        if not head.all(name):
            raise _Rejected(SIGNATURE_INVALID, f"{name} is covered but was not sent")
        lines.append(f"{name}: {head.one(name)}")
    return "\n".join(lines).encode("latin-1")


def parse_date(text: str) -> float | None:
    """IMF-fixdate (RFC 9110 5.6.7) to seconds, or None; the day name must be the right one."""
    parts = _DATE.fullmatch(text)
    if parts is None:
        return None
    day_name, day, month, year, hour, minute, second = parts.groups()
    try:
        date = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return date.timestamp() if _DAYS[date.weekday()] == day_name else None


def _check_spelling(head: Head) -> None:
    """A gateway that maps names to variables takes `_` and `.` for `-`: then the last one wins, sealed or not."""
    for field, _ in head.fields:
        name = field.lower()
        plain = name.replace("_", "-").replace(".", "-")
        if name != plain and plain in SINGLE:
            raise _Rejected(SIGNATURE_INVALID, f"{field} is another spelling of {plain}")
    for name in SINGLE:
        if len(head.all(name)) > 1:
            raise _Rejected(SIGNATURE_INVALID, f"{name} was sent more than once")


def _check_digest_form(head: Head) -> None:
    if head.all("digest") and not DIGEST.fullmatch(head.one("digest")):
        raise _Rejected(SIGNATURE_INVALID, "Digest is not SHA-256= and the padded base64 of 32 bytes")
