"""From what verification finds in a message to the causes of core.diagnosis: many findings, few causes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from proxy.cli.verification import Finding

_BLAMED: Final[dict[str, str]] = {
    **dict.fromkeys(("nothing_signed", "signature_missing", "signature_skipped"), "signature_missing"),
    **dict.fromkeys(("signature_twice", "in_authorization", "line_break", "scheme_prefix", "html_escapes",
                     "backslashes", "extra_quotes", "header_spaces", "parameters", "signature_hex", "signature_base64"),
                    "signature_header_malformed"),
    **dict.fromkeys(("algorithm", "hashed_twice", "other_hash", "pss_padding", "not_rsa"), "wrong_algorithm"),
    **dict.fromkeys(("names_case", "content_without_body", "content_not_covered", "covered_missing", "covered_extra",
                     "covered_order", "covered_not_sent", "body_not_allowed", "header_missing"), "coverage_wrong"),
    **dict.fromkeys(("host_form", "host_differs", "other_host", "signed_host_port", "signed_host_case",
                     "signed_host_scheme", "plain_http"), "wrong_host"),
    **dict.fromkeys(("date_form", "other_date", "signed_date_zone", "signed_date_format"), "date_malformed"),
    **dict.fromkeys(("header_twice", "other_content_type"), "content_type_changed"),
    **dict.fromkeys(("key_not_pair", "another_key", "demo_key"), "another_key_signed"),
    "key_id": "key_id_differs",
    "not_the_demo_key": "not_the_demo_key",
    "signed_digest": "digest_wrong",
}
_DIGEST: Final = "digest_"


def blamed(finding: Finding) -> str:
    """A key of core.diagnosis.CAUSES: whatever else is wrong with what was signed is the signing string."""
    if finding.cause.startswith(_DIGEST):
        return "digest_wrong"
    return _BLAMED.get(finding.cause, "signing_string_wrong")


def blame(findings: Iterable[Finding]) -> tuple[tuple[str, str], ...]:
    """(cause, sentence), each cause once."""
    kept: dict[str, str] = {}
    for finding in findings:
        kept.setdefault(blamed(finding), finding.sentence)
    return tuple(kept.items())
