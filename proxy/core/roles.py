"""Which PSD2 role a call needs (ETSI TS 119 495 section 5.1): a certificate without it would be refused at the bank."""

from __future__ import annotations

from collections.abc import Collection

from proxy.core.target import other_reading
from proxy.errors import Refused

PAYMENT_INITIATION = "PSP_PI"


def require_role(path: bytes, payments: Collection[bytes], roles: Collection[str]) -> None:
    """path: without query.  payments: segments that only paths of payments have.  roles: the certificate's.

    Raises Refused("role_missing").
    """
    if PAYMENT_INITIATION in roles:
        return
    segments = other_reading(path).split(b"/") if b"%" in path or b";" in path else path.split(b"/")
    if any(segment.lower() in payments for segment in segments):
        raise Refused("role_missing", f"payments need {PAYMENT_INITIATION}")
