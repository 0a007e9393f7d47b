"""Judges a certificate as the bank's portal will, before somebody waits days for a denial."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from proxy.keys.admission import MIN_BITS
from proxy.keys.certificate import PSD2, QC_COMPLIANCE, ROLES, parse_certificate
from proxy.keys.chain import issuers_by_name, signed_by
from proxy.keys.details import RSASSA_PSS_NAME, CertificateDetails, read_details
from proxy.keys.findings import Finding
from proxy.keys.source import CertificateFacts

# ETSI TS 119 495 section 5.2.1: "PSD", country, hyphen, authority of 2 to 8 letters, hyphen, what the authority gave.
ORGANIZATION_IDENTIFIER = re.compile(r"PSD([A-Z]{2}-[A-Z]{2,8})-\S[ -~]{0,63}")
_SOON = (7, 14, 30)
_WEAK_HASHES = ("md5", "sha1")


def lint(certificate: bytes, chain: Sequence[bytes], key_spki: str | None, now: datetime) -> list[Finding]:
    """Every finding, in the order of the table.

    certificate: DER.  chain: DER of every other certificate at hand, in any order.  key_spki: hex SHA-256 over the
    SubjectPublicKeyInfo of the private key, None when there is none to compare.  now: aware.
    Raises KeyUnusable: certificate_format.
    """
    details = read_details(certificate)
    organization = [] if details.is_authority else _organization(details.facts)
    return [*_statements(details), *organization, *_key(details, key_spki), *_signature(details), *_usage(details),
            *_dates(details.facts, now), *_chain(details, chain, now)]


def _statements(details: CertificateDetails) -> list[Finding]:
    if details.is_authority:
        return []
    if details.statements is None:
        return [Finding("no_psd2_statement", "there are no qualified statements at all")]
    found = [Finding("no_psd2_statement")] if PSD2 not in details.statements else _roles(details.facts.roles)
    if details.facts.qc_type != "eseal":
        found.append(Finding(f"qc_type_{details.facts.qc_type or 'absent'}"))
    if QC_COMPLIANCE not in details.statements:
        found.append(Finding("qc_compliance_absent"))
    return found


def _roles(named: tuple[str, ...]) -> list[Finding]:
    roles = set(named)
    unknown = [Finding("role_unknown", role) for role in named if role not in ROLES.values()]
    if roles == {"PSP_IC"}:
        return [Finding("only_psp_ic")]
    found = [] if "PSP_PI" in roles else [Finding("missing_psp_pi")]
    found += [] if roles & {"PSP_AI", "PSP_AS"} else [Finding("missing_psp_ai")]
    return found + unknown


def _organization(facts: CertificateFacts) -> list[Finding]:
    identifier = facts.organization_identifier
    if not identifier:
        return [Finding("organization_identifier_missing")]
    form = ORGANIZATION_IDENTIFIER.fullmatch(identifier)
    if form is None:
        return [Finding("organization_identifier_malformed", f"it is '{identifier[:80]}'")]
    if facts.authority_id and form[1] != facts.authority_id:
        return [Finding("authority_differs", f"{form[1]} and {facts.authority_id[:80]}")]
    return []


def _key(details: CertificateDetails, key_spki: str | None) -> list[Finding]:
    found = []
    if details.key_type != "RSA":
        found.append(Finding("key_not_rsa", f"it is {details.key_type}"))
    elif details.pss_only:
        found.append(Finding("key_pss_only"))
    elif details.key_bits < MIN_BITS:
        found.append(Finding("key_too_small", f"it has {details.key_bits}"))
    if key_spki is not None and key_spki != details.spki_sha256:
        found.append(Finding("key_pair_mismatch", "their public keys differ"))
    return found


def _signature(details: CertificateDetails) -> list[Finding]:
    if details.signature_algorithm == RSASSA_PSS_NAME:
        return [Finding("pss_signature")]
    if details.signature_hash in _WEAK_HASHES:
        return [Finding("signature_hash_weak", f"it is {details.signature_algorithm}")]
    return []


def _usage(details: CertificateDetails) -> list[Finding]:
    if details.is_authority:
        return [Finding("authority_certificate")]
    if details.key_usage is None:
        return [Finding("key_usage_absent")]
    if not {"digitalSignature", "nonRepudiation"} & set(details.key_usage):
        return [Finding("key_usage_unfit", f"it is {', '.join(details.key_usage) or 'empty'}")]
    return []


def _dates(facts: CertificateFacts, now: datetime) -> list[Finding]:
    """Both ends belong to the period (RFC 5280 section 4.1.2.5)."""
    if now > facts.not_after:
        return [Finding("expired", f"it was valid until {facts.not_after:%Y-%m-%d %H:%M} UTC")]
    if now < facts.not_before:
        return [Finding("not_yet_valid", f"it is valid from {facts.not_before:%Y-%m-%d %H:%M} UTC")]
    for days in _SOON:
        if facts.not_after - now < timedelta(days=days):
            return [Finding(f"expires_within_{days}_days", f"it is valid until {facts.not_after:%Y-%m-%d %H:%M} UTC")]
    return []


def _chain(details: CertificateDetails, chain: Sequence[bytes], now: datetime) -> list[Finding]:
    """The issuer is enough: trusted lists name issuing authorities, not only roots (ETSI TS 119 612)."""
    if details.is_authority:
        return []
    leaf = parse_certificate(details.facts.der)
    if details.self_issued and signed_by(leaf, leaf):
        return [Finding("self_signed")]
    named = issuers_by_name(leaf, [parse_certificate(one) for one in chain])
    if not named:
        return [Finding("chain_incomplete", f"it is {details.facts.issuer}")]
    signers = [issuer for issuer in named if signed_by(leaf, issuer)]
    if not signers:
        return [Finding("chain_broken")]
    in_date = any(one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in signers)
    return [] if in_date else [Finding("issuer_expired")]
