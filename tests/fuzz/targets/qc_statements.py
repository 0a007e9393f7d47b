"""Whatever bytes stand in a certificate's QCStatements, its facts are read or it is refused with
certificate_format; and statements that are written here read as they were meant.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from proxy.emulator import der as other
from proxy.errors import KeyUnusable
from proxy.keys.admission import warnings_about
from proxy.keys.certificate import PSD2, ROLES, read_facts
from proxy.keys.details import read_details
from proxy.keys.findings import FINDINGS
from proxy.keys.linting import lint
from proxy.keys.statements import qc_statements
from tests.keys.making import certificate

TOKENS = (
    b"\x06\x07\x04\x00\x81\x98\x27\x02",
    b"\x06\x06\x04\x00\x8e\x46\x01\x06",
    b"\x06\x06\x04\x00\x8e\x46\x01\x01",
    b"\x06\x07\x04\x00\x8e\x46\x01\x06\x02",
    b"\x06\x08\x04\x00\x81\x98\x27\x01\x01",
    b"PSP_PI",
    b"\x0c\x02FI",
    b"\x30\x00",
    b"\x30\x80",
    b"\x30\x84\x7f\xff\xff\xff",
    b"\x0c\x03\xff\xfe\xfd",
    b"\x13\x02FI",
    b"\x02\x01\x14",
)
FULL = 8_000
LARGEST = 2048
_NOW = datetime(2026, 11, 21, tzinfo=UTC)


@cache
def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=1024)


def seeds() -> tuple[bytes, ...]:
    return (
        qc_statements(list(ROLES.values()), "Finanssivalvonta", "FI-FINFSA"),
        qc_statements(["PSP_AI"], "a", "SE-FI", "web"),
    )


def check(data: bytes) -> None:
    encoded = certificate(_key(), statements=data or b"\x05\x00")
    try:
        facts, details = read_facts(encoded), read_details(encoded)
    except KeyUnusable as error:
        assert error.code == "certificate_format"
        return
    assert details.facts == facts
    for finding in lint(encoded, (), None, _NOW):
        assert finding.id in FINDINGS
    assert all(sentence.endswith(".") for sentence in warnings_about(facts, _NOW))
    known = [role for role in dict.fromkeys(facts.roles) if role in ROLES.values()]
    if known and list(facts.roles) == known and facts.qc_type and PSD2 in (details.statements or ()):
        again = read_facts(certificate(_key(), statements=_written(known, facts.authority_name, facts.authority_id)))
        assert (again.roles, again.authority_name, again.authority_id) == (
            facts.roles,
            facts.authority_name,
            facts.authority_id,
        )


def _written(roles: list[str], name: str, identity: str) -> bytes:
    """By another writer than the proxy's."""
    numbers = {role: number for number, role in ROLES.items()}
    listed = [other.sequence(other.oid(numbers[role]), other.utf8(role)) for role in roles]
    return other.sequence(
        other.sequence(
            other.oid(PSD2), other.sequence(other.sequence(*listed), other.utf8(name), other.utf8(identity))
        )
    )
