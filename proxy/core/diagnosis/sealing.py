"""Causes of a refused signature, certificate, digest or date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.core.diagnosis.case import Case
from proxy.core.diagnosis.evidence import (
    SETTLING,
    Candidate,
    accepted_since,
    accepted_with_this_key,
    found,
    goes_on_elsewhere,
    own_check,
    short,
)

_HOSTS: Final = frozenset(("open.nordea.com", "api.nordeaopenbanking.com"))
_AGREES: Final = 2.0
"""Seconds by which two clocks may differ and agree: a Date has whole ones, and answers take time."""
_BODIES_MISSED: Final = 600.0
"""Seconds without an accepted body, while calls without one are accepted."""
_FORMS: Final = {
    "raw": "The route says form: raw, and the body is a form.",
    "not_normalised": "The form has an empty field, a bad escape or is very long, so it was hashed as it came.",
    "decoded": "The form's values need escapes, so the digest is over the decoded fields and not over what was sent.",
}


def signature(case: Case) -> Iterator[Candidate]:
    yield from message(case)
    yield from _settings(case)
    yield from _content(case)
    yield from keys(case)
    yield from _on_the_way(case)


def security(case: Case) -> Iterator[Candidate]:
    """"Unspecified error with OBI authentication.": the algorithm, or the key."""
    yield from message(case)
    yield from _demo_key(case)
    yield from keys(case)


def message(case: Case) -> Iterator[Candidate]:
    """What the bytes that were sent prove by themselves."""
    sent = case.message
    for cause, sentence in sent.blamed:
        yield found(cause, "certain", sentence)
    if sent.skipped:
        yield found("signature_missing", "certain", "The route has signature: skip, and this is no sandbox.")
    if sent.wrong:
        yield found("outgoing_message_wrong", "certain", f"Our own verification fails: {sent.wrong}")


def _settings(case: Case) -> Iterator[Candidate]:
    sent = case.message
    yield from _demo_key(case)
    if sent.host and sent.bank_host and sent.host != sent.bank_host:
        yield found("wrong_host", "certain" if sent.host in _HOSTS else "likely",
                    f"{sent.host} was signed, and the route's profile is for {sent.bank_host}.")
    if sent.key_id_differs:
        yield found("key_id_differs", "likely", "The route sets key_id.")


def _demo_key(case: Case) -> Iterator[Candidate]:
    key = case.key
    if key.expected and key.fingerprint and key.fingerprint != key.expected:
        yield found("not_the_demo_key", "certain",
                    f"Key {short(key.fingerprint)} signed; the sandbox knows {short(key.expected)} alone.")


# --- which key the bank knows

def keys(case: Case) -> Iterator[Candidate]:
    """Key here, certificate there."""
    key = case.key
    if key.load_error:
        when = f" since {key.load_failed.text}" if key.load_failed is not None else ""
        yield found("key_not_replaced_here", "certain" if key.load_error == "key_pair_mismatch" else "likely",
                    f"New key files cannot be loaded{when} ({key.load_error}); key {short(key.fingerprint)} of before "
                    "signs.", own_check(case))
    if accepted_with_this_key(case):
        yield from _known_before(case)
    elif key.replaced is not None:
        yield _replaced_here(case)
    else:
        yield from _never_known(case)


def _known_before(case: Case) -> Iterator[Candidate]:
    """The bank has accepted this very key."""
    history, key = case.history, case.key
    assert history.accepted is not None
    changed = key.replaced or key.certificate_replaced
    if changed is not None and history.now - changed.seconds < SETTLING and accepted_since(case, changed):
        yield found("bank_settling", "likely",
                    f"Key or certificate was replaced here at {changed.text}, and calls with key "
                    f"{short(key.fingerprint)} were accepted after that, the last at {history.accepted.text}.",
                    own_check(case))
    elif not goes_on_elsewhere(case):
        other = f"The application's other key, {short(key.other)}, is refused too." if key.other_refused else ""
        yield found("bank_certificate_replaced", "likely" if history.refusals > 1 else "possible",
                    f"Key {short(key.fingerprint)} was accepted until {history.accepted.text} and has not changed here "
                    "since.", own_check(case), other)


def _replaced_here(case: Case) -> Candidate:
    history, key = case.history, case.key
    assert key.replaced is not None
    before = history.accepted is not None and history.accepted.seconds <= key.replaced.seconds
    worked = f"The bank accepted calls with the former key until {history.accepted.text}." if (
        before and history.accepted is not None) else ""
    return found("key_replaced_here", "certain" if before else "likely",
                 f"The key that signs was replaced at {key.replaced.text}: {short(key.fingerprint)} instead of "
                 f"{short(key.former)}; none of its calls has been accepted.", worked, own_check(case))


def _never_known(case: Case) -> Iterator[Candidate]:
    key = case.key
    certificate = key.certificate_replaced
    replaced = f"Its certificate was replaced here at {certificate.text}." if certificate is not None else ""
    never = f"No call with key {short(key.fingerprint)} has been accepted." if case.history.known else ""
    sure = case.message.checked and not case.message.faulty
    yield found("bank_holds_another_certificate", "likely" if sure else "possible", own_check(case), never, replaced)
    yield found("certificate_wrong_field", "possible", never)
    yield found("certificate_armoured", "possible", never)


# --- content, and what lies between here and the bank

def _content(case: Case) -> Iterator[Candidate]:
    sent, history = case.message, case.history
    if sent.missing:
        names = ", ".join(sent.missing)
        works = f"Other calls are accepted with the same key, the last at {history.accepted.text}." if (
            accepted_with_this_key(case) and history.accepted is not None) else ""
        yield found("authorize_parameters", "certain" if works else "likely", f"The body lacks {names}.", works)
    if "content-type" in sent.echoed:
        yield found("content_type_changed", "certain",
                    f"{sent.content_type} was signed, and the bank's answer tells another Content-Type.")
    if sent.covers_content and accepted_with_this_key(case) and _bodies_alone_fail(case):
        assert history.accepted is not None
        yield found("content_type_changed", "likely",
                    f"Calls without a body are accepted with the same key, the last at {history.accepted.text}; this "
                    f"one covers a body and Content-Type {sent.content_type}.", own_check(case))


def _bodies_alone_fail(case: Case) -> bool:
    history = case.history
    if history.accepted is None or history.bodiless:
        return False
    content = history.accepted_content
    return content is None or history.accepted.seconds - content.seconds > _BODIES_MISSED


def _on_the_way(case: Case) -> Iterator[Candidate]:
    sent, history = case.message, case.history
    if sent.faulty or not accepted_with_this_key(case):
        return
    assert history.accepted is not None
    escapes = "Its path or query holds escapes, which some gateways rewrite." if sent.encoded else ""
    told = f"The bank's answer quotes another {sent.echoed[0]} than was signed." if sent.echoed else ""
    odd = history.calls < 2 and (sent.encoded or sent.echoed)
    yield found("changed_on_the_way", "likely" if odd else "possible", own_check(case), told,
                f"Other calls with the same key were accepted, the last at {history.accepted.text}.", escapes)


# --- certificate, digest, date

def certificate(case: Case) -> Iterator[Candidate]:
    key, code = case.key, case.answer.code
    yield from message(case)
    if key.expired or key.early:
        state = f"It ended on {key.ends}." if key.expired else "Its first day is still to come."
        yield found("certificate_expired" if key.expired else "certificate_not_yet_valid", "certain", state)
    yield from only_psp_ic(case, "likely")
    changed = [one for one in keys(case) if one.cause in ("key_not_replaced_here", "key_replaced_here")]
    yield from changed
    if key.expired or key.early:
        return
    before, dated = accepted_with_this_key(case), f"Ours is valid until {key.ends}." if key.ends else ""
    worked = "It was accepted before." if before else ""
    revoked = code in ("CERTIFICATE_REVOKED", "CERTIFICATE_BLOCKED")
    yield found("certificate_revoked", "certain" if revoked else "likely" if before else "possible", dated, worked)
    if not revoked:
        yield found("certificate_armoured", "possible" if before or changed else "likely", dated)
        yield found("bank_holds_another_certificate", "possible", own_check(case))


def only_psp_ic(case: Case, certainty: str) -> Iterator[Candidate]:
    roles = case.key.roles
    if roles and set(roles) == {"PSP_IC"}:
        yield found("only_psp_ic", "certain" if certainty == "certain" else "likely",
                    "The certificate has the role PSP_IC and no other.")


def digest(case: Case) -> Iterator[Candidate]:
    yield from message(case)
    reason = _FORMS.get(case.message.form)
    if reason:
        yield found("form_not_normalised", "likely", reason)
    if not case.message.faulty:
        yield found("body_changed_on_the_way", "possible" if reason else "likely", own_check(case))


def date(case: Case) -> Iterator[Candidate]:
    yield from message(case)
    ahead = case.answer.ahead
    if ahead is not None and abs(ahead) >= _AGREES:
        cause, word = ("clock_ahead", "ahead of") if ahead > 0 else ("clock_behind", "behind")
        yield found(cause, "certain", f"Our clock is {abs(ahead):.0f} s {word} the answer's Date.")
    else:
        agrees = "Our clock agrees with the answer's Date." if ahead is not None else "The answer carries no Date."
        yield found("date_refused", "possible", agrees, own_check(case))
