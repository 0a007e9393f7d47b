"""When the seal is right, or nobody can say what was signed, there are few places left to look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from proxy.cli.verification import Captured, Verdict
from proxy.cli.verification.rules import DATE, seconds
from proxy.cli.verify_keys import ShownKeys
from proxy.keys.source import CertificateFacts

_OLD = 300
"""Seconds after which a captured date is worth a word."""


def next_steps(message: Captured, verdict: Verdict, keys: ShownKeys, now: datetime) -> list[str]:
    """One sentence each; none when the findings say it all.  now: aware."""
    if verdict.valid:
        return list(_after_a_right_one(message, verdict, keys, now)) if verdict.key else []
    causes = {finding.cause for finding in verdict.findings}
    return list(_after_a_wrong_one(causes, verdict, keys))


def _after_a_right_one(message: Captured, verdict: Verdict, keys: ShownKeys, now: datetime) -> Iterator[str]:
    yield from _registered(verdict, keys.certificate)
    if keys.certificate is not None:
        yield from _of_certificate(keys.certificate, now)
    yield ("'Invalid client id or secret.' is the gateway's answer and has nothing to do with the signature: copy both "
           "from the portal again, hyphens included, without white space.")
    if not any(message.all("authorization")):
        yield "There is no Authorization header: all calls but those for a token need 'Bearer' and a valid token."
    if message.target.partition("?")[0].rstrip("/").endswith("/authorize"):
        yield ("On /authorize the bank answers error.signature.invalid also when the body lacks required parameters: "
               "compare it with the API's reference.")
    yield from _age(message, now)


def _registered(verdict: Verdict, certificate: CertificateFacts | None) -> Iterator[str]:
    if certificate is not None:
        yield (f"Compare the certificate in the bank's portal with this one, serial {certificate.serial}: after an "
               "upload it takes up to five minutes until the bank verifies with it.")
    else:
        yield (f"Check that the bank's portal holds the certificate of this very key (SHA-256 of its public key: "
               f"{verdict.key}).")


def _of_certificate(certificate: CertificateFacts, now: datetime) -> Iterator[str]:
    if not certificate.not_before <= now < certificate.not_after:
        yield f"The certificate ends {certificate.not_after:%Y-%m-%d}: renew it in time, and upload the new one."
    if "PSP_PI" not in certificate.roles or not {"PSP_AI", "PSP_AS"} & set(certificate.roles):
        yield (f"The certificate's roles are {', '.join(certificate.roles) or 'none'}: the portal wants PSP_PI and "
               "PSP_AI; 'signing-proxy cert lint' tells more.")


def _age(message: Captured, now: datetime) -> Iterator[str]:
    moment = seconds(message.one(DATE) or "")
    if moment is None:
        return
    ahead = (moment - now).total_seconds()
    if ahead > _OLD:
        yield "The request's date is in the future: set this machine's clock, or the bank answers error.date.invalid."
    elif ahead < -_OLD:
        yield ("The request's date is from the past, so sending this very request again would be refused: sign each "
               "request at the moment it is sent.")


def _after_a_wrong_one(causes: set[str], verdict: Verdict, keys: ShownKeys) -> Iterator[str]:
    if "other_string" in causes:
        if verdict.hash:
            yield f"The SHA-256 of what was signed is {verdict.hash}: compare it with that of the string you look at."
        yield "Print the string that your program signs, right where it is handed to the signing function."
        yield "If it is this request's string, a proxy or library changed the request after it was signed."
    if "another_key" in causes:
        yield ("The likely reasons: the certificate was renewed and the program still signs with the old key, or it "
               "loads the key of another environment.")
        if len(keys.known) < 2:
            yield "Give the program's own key too, with --key, to see whether key and certificate are a pair."
    if causes & {"nothing_signed", "signature_missing", "signature_skipped"}:
        yield "'signing-proxy sign' shows how the proxy would sign this request, header by header."
