"""Holds back what the bank's portal would refuse with a sentence that helps nobody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from proxy.errors import KeyUnusable
from proxy.keys.certificate import read_facts
from proxy.keys.findings import Finding
from proxy.keys.source import CertificateFacts


def require_uploadable(certificates: Sequence[bytes], armour: Sequence[Finding], now: datetime) -> bytes:
    """The one certificate (DER) of a file.  armour: findings about the file's form.  now: aware.

    Raises KeyUnusable: upload_refused, certificate_format.
    """
    if any(finding.id == "private_key_in_file" for finding in armour):
        raise KeyUnusable("upload_refused", "it holds a private key, which must never leave this machine")
    distinct = list(dict.fromkeys(certificates))
    if len(distinct) != 1:
        raise KeyUnusable("upload_refused", f"it holds {len(distinct)} certificates, and the portal takes one")
    reason = _out_of_date(read_facts(distinct[0]), now)
    if reason:
        raise KeyUnusable("upload_refused", reason)
    return distinct[0]


def _out_of_date(facts: CertificateFacts, now: datetime) -> str:
    if now > facts.not_after:
        return f"the certificate has expired on {facts.not_after:%Y-%m-%d}"
    return f"the certificate is not valid before {facts.not_before:%Y-%m-%d}" if now < facts.not_before else ""
