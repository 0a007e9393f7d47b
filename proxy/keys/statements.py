"""Writes the QCStatements that a PSD2 e-seal carries, for certificate requests.

Sources: QCStatements (RFC 3739 section 3.2.6); QcType (ETSI EN 319 412-5 section 4.2.3); PSD2 statement (ETSI TS 119
495 section 5.1); encoding (X.690 section 10).  `proxy/keys/certificate.py` reads the same structures.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.keys import der
from proxy.keys.certificate import PSD2, QC_TYPE, QC_TYPES, ROLES

ROLE_NUMBERS = {name: number for number, name in ROLES.items()}
TYPE_NUMBERS = {name: number for number, name in QC_TYPES.items()}


def qc_statements(roles: Sequence[str], authority_name: str, authority_id: str, qc_type: str = "eseal") -> bytes:
    """DER of the extension's value: QcType, and the PSD2 statement.

    roles: such as "PSP_PI".  authority_id: country and abbreviation, such as "FI-FINFSA".
    """
    listed = [_sequence(_oid(ROLE_NUMBERS[role]), _utf8(role)) for role in roles]
    psd2 = _sequence(_sequence(*listed), _utf8(authority_name), _utf8(authority_id))
    kind = _sequence(_oid(TYPE_NUMBERS[qc_type]))
    return _sequence(_sequence(_oid(QC_TYPE), kind), _sequence(_oid(PSD2), psd2))


def _sequence(*parts: bytes) -> bytes:
    return der.written(der.SEQUENCE, *parts)


def _utf8(text: str) -> bytes:
    return der.written(der.UTF8_STRING, text.encode())


def _oid(dotted: str) -> bytes:
    """X.690 section 8.19: the first two arcs share a number, each number in base 128 with continuation bits."""
    first, second, *rest = map(int, dotted.split("."))
    return der.written(der.OBJECT_IDENTIFIER, b"".join(map(_arc, (40 * first + second, *rest))))


def _arc(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(0x80 | number & 0x7F)
    return bytes(reversed(octets))
