"""Causes of refused credentials, subscriptions and tokens, of limits, and of failures at the bank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.core.diagnosis.case import Case
from proxy.core.diagnosis.evidence import ODDITIES, Candidate, accepted_since, found
from proxy.core.diagnosis.sealing import only_psp_ic

_GATEWAY: Final = "The answer comes from the bank's gateway, before any signature is looked at."


def credentials(case: Case) -> Iterator[Candidate]:
    application, history = case.application, case.history
    changed = application.replaced is not None and not accepted_since(case, application.replaced)
    proven = history.accepted is not None and not changed
    if application.replaced is not None and changed:
        worked = f"Calls were accepted until {history.accepted.text}." if history.accepted is not None else ""
        yield found("client_credentials_changed", "certain" if worked else "likely",
                    f"They were replaced at {application.replaced.text}.", worked, _GATEWAY)
    suspicion = "possible" if proven else "likely"
    if application.trimmed:
        yield found("client_secret_whitespace", suspicion,  # type: ignore[arg-type]
                    f"There is white space around the {' and the '.join(application.trimmed)}, such as a trailing "
                    "space; it is not sent.", _GATEWAY)
    odd = [name for name in application.oddities if name != "id_hyphens"]
    if odd:
        yield found("client_credentials_shape", suspicion,  # type: ignore[arg-type]
                    *(ODDITIES[name] for name in odd if name in ODDITIES), _GATEWAY)
    if proven and history.accepted is not None:
        yield found("client_secret_reset", "likely",
                    f"The same credentials were accepted until {history.accepted.text}.", _GATEWAY)
        return
    yield found("client_credentials_wrong", "likely", _GATEWAY)
    if "id_hyphens" in application.oddities:
        yield found("client_id_hyphens", "likely", ODDITIES["id_hyphens"])


def subscription(case: Case) -> Iterator[Candidate]:
    yield from only_psp_ic(case, "certain")
    yield found("not_subscribed", "likely", _GATEWAY if case.answer.code.startswith("gateway.") else "")


def token(case: Case) -> Iterator[Candidate]:
    """The access token is the application's own; the signature was accepted."""
    code, sent = case.answer.code.lower(), case.message
    passes = "The proxy passes the token on as it is."
    if sent.authorization == "missing":
        yield found("token_missing", "certain", "The request has no Authorization header.")
    elif sent.authorization == "other":
        yield found("token_not_bearer", "certain", "The request's Authorization does not begin with 'Bearer '.")
    elif sent.expired is not None and sent.expired >= 0:
        yield found("token_expired", "certain", f"The token itself says that it ended {_ago(sent.expired)} ago.",
                    passes)
    elif code.endswith("expired"):
        yield found("token_expired", "certain", "The bank says so.", passes)
    elif code.endswith("missing"):
        yield found("token_missing", "certain", "The bank says so.")
    else:
        yield found("token_invalid", "likely", passes)
        yield found("token_expired", "possible")


def consent(case: Case) -> Iterator[Candidate]:
    yield found("consent_invalid", "likely", "The bank says so.")


def grant(case: Case) -> Iterator[Candidate]:
    yield found("grant_invalid", "likely", "The bank says so.")


def path(case: Case) -> Iterator[Candidate]:
    yield found("path_unknown", "certain", _GATEWAY)


def limit(case: Case) -> Iterator[Candidate]:
    """Which of the bank's two kinds of limits it was, as far as the answer tells."""
    used = [name for name, left in case.answer.left if left <= 0]
    wait = f"The bank says to wait: Retry-After is {case.answer.retry_after}." if case.answer.retry_after else ""
    bursts = [name for name in used if "burst" in name]
    rates = [name for name in used if "burst" not in name]
    if rates:
        yield found("rate_limit", "certain", f"Nothing is left of {', '.join(rates)}.", wait)
    if bursts:
        yield found("burst_limit", "certain", f"Nothing is left of {', '.join(bursts)}.", wait)
    if not used:
        yield found("burst_limit", "likely", wait)
        yield found("rate_limit", "possible", wait)


def failure(case: Case) -> Iterator[Candidate]:
    status = case.answer.status
    wait = f"Retry-After is {case.answer.retry_after}." if case.answer.retry_after else ""
    yield found("bank_unavailable" if status == 503 else "bank_failed", "certain", f"The bank answered {status}.", wait)


def _ago(seconds: float) -> str:
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
