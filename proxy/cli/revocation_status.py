"""Asks the issuer whether a certificate is still good, within a deadline.

The URLs stand in the certificate, and the person at the desk has asked for the call with --online.  HTTP_PROXY and
NO_PROXY of the environment hold, as they are often the only way out.
"""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from proxy.keys.revocation import Status, ocsp_request, read_crl, read_ocsp, services_of

MAX_ANSWER = 32 << 20
_OCSP_TYPE = "application/ocsp-request"


def status_of(certificate: x509.Certificate, issuer: x509.Certificate | None, now: datetime, seconds: float) -> Status:
    """The first answer that can be used: OCSP before CRL, in the certificate's order.  seconds: for each question."""
    services = services_of(certificate)
    if not services.ocsp and not services.crl:
        return Status("unpublished")
    if issuer is None:
        return Status("unchecked")
    known = issuer

    def by_ocsp(url: str) -> Status:
        question = urllib.request.Request(url, ocsp_request(certificate, known),  # noqa: S310 - http and https only
                                          {"Content-Type": _OCSP_TYPE, "Accept": "application/ocsp-response"})
        return _asked("OCSP", question, seconds, lambda answer: read_ocsp(answer, certificate, known, now))

    def by_crl(url: str) -> Status:
        question = urllib.request.Request(url)  # noqa: S310 - http and https only
        return _asked("CRL", question, seconds, lambda answer: read_crl(answer, certificate, known, now))

    return _first([(by_ocsp, url) for url in services.ocsp] + [(by_crl, url) for url in services.crl])


def _first(questions: Sequence[tuple[Callable[[str], Status], str]]) -> Status:
    """An unknown is an answer, yet a list may know more; of those that failed, the first one's reason is told."""
    answers: list[Status] = []
    for ask, url in questions:
        answer = ask(url)
        if answer.state in ("good", "revoked"):
            return answer
        answers.append(answer)
    return next((answer for answer in answers if answer.state == "unknown"), answers[0])


def _asked(source: str, question: urllib.request.Request, seconds: float, read: Callable[[bytes], Status]) -> Status:
    """In a thread of its own, because a socket's timeout starts anew with each byte that drips in."""
    outcome: list[bytes | str] = []
    worker = threading.Thread(target=lambda: outcome.append(_fetch(question, seconds)), daemon=True)
    worker.start()
    worker.join(seconds)
    result = outcome[0] if outcome else f"there is no answer within {seconds:g} seconds"
    return Status("unreachable", result, source) if isinstance(result, str) else read(result)


def _fetch(question: urllib.request.Request, seconds: float) -> bytes | str:
    """The body, or a clause why there is none."""
    try:
        with _opener().open(question, timeout=seconds) as answer:
            body: bytes = answer.read(MAX_ANSWER + 1)
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answers with HTTP status {error.code}"
    except (OSError, http.client.HTTPException, ValueError):
        return "it cannot be reached"
    return body if len(body) <= MAX_ANSWER else "its answer is too large"


def _opener() -> urllib.request.OpenerDirector:
    """Without the handlers for file:, ftp: and data:, to which a redirect could lead."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
                    urllib.request.HTTPRedirectHandler, urllib.request.HTTPErrorProcessor,
                    urllib.request.HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    return opener
