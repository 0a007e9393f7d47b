"""Certificates and findings, the same for people and programs."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.cli.output import bad, dim, good, printable, show
from proxy.keys.details import CertificateDetails
from proxy.keys.findings import Finding
from proxy.keys.revocation import Status


def as_dict(details: CertificateDetails) -> dict[str, object]:
    """Hex in lower case, dates in ISO 8601; null where the certificate says nothing."""
    facts = details.facts
    return {
        "subject": facts.subject, "issuer": facts.issuer,
        "organization_identifier": facts.organization_identifier or None, "serial": facts.serial,
        "not_before": facts.not_before.isoformat(), "not_after": facts.not_after.isoformat(),
        "key_type": details.key_type, "key_bits": details.key_bits or None,
        "signature_algorithm": details.signature_algorithm,
        "key_usage": None if details.key_usage is None else list(details.key_usage),
        "is_authority": details.is_authority, "qc_type": facts.qc_type or None, "roles": list(facts.roles),
        "authority_name": facts.authority_name or None, "authority_id": facts.authority_id or None,
        "fingerprint_sha256": facts.fingerprint_sha256, "fingerprint_sha1": details.fingerprint_sha1,
        "spki_sha256": details.spki_sha256 or None,
    }


def show_details(details: CertificateDetails) -> None:
    facts = details.facts
    authority = f"{facts.authority_name} ({facts.authority_id})" if facts.authority_id else ""
    bits = f" {details.key_bits}" if details.key_bits else ""
    rows = {
        "subject": facts.subject, "issuer": facts.issuer, "organizationIdentifier": facts.organization_identifier,
        "serial": facts.serial,
        "valid": f"{facts.not_before:%Y-%m-%d %H:%M} to {facts.not_after:%Y-%m-%d %H:%M} UTC",
        "key": details.key_type + bits + (" (PSS only)" if details.pss_only else ""),
        "signed with": details.signature_algorithm,
        "key usage": ", ".join(details.key_usage or ()), "QcType": facts.qc_type,
        "PSD2 roles": ", ".join(facts.roles), "PSD2 authority": authority,
        "SHA-256": _colons(facts.fingerprint_sha256), "SHA-1": _colons(details.fingerprint_sha1),
        "SPKI SHA-256": details.spki_sha256,
    }
    for name, value in rows.items():
        show(f"{dim(f'{name:<24}')}{printable(value) if value else dim('none')}")


def finding_as_dict(finding: Finding) -> dict[str, str]:
    return {"id": finding.id, "severity": finding.severity, "reason": finding.reason, "advice": finding.advice}


def show_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        mark = bad(finding.severity) if finding.severity == "error" else finding.severity
        show(f"{mark} {finding.id}: {printable(finding.reason)} {finding.advice}")
    if not findings:
        show(good("nothing to object to"))


def status_finding(status: Status) -> list[Finding]:
    """Nothing for a good certificate."""
    ids = {"revoked": "revoked", "unknown": "status_unknown", "unreachable": "status_unreachable",
           "unpublished": "status_unpublished", "unchecked": "status_unchecked"}
    detail = f"{status.source}: {status.detail}" if status.source and status.detail else status.detail
    return [] if status.state == "good" else [Finding(ids[status.state], detail)]


def _colons(fingerprint: str) -> str:
    text = fingerprint.upper()
    return ":".join(text[i:i + 2] for i in range(0, len(text), 2))
