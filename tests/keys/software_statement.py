"""The claims of a company that does not exist, without iat and jti."""

from __future__ import annotations

CLAIMS = {
    "iss": "Throw-Away Payments Oy",
    "software_client_name": "Throw-Away",
    "software_redirect_uris": ["https://app.example.com/callback?x=1", "https://[2001:db8::1]:8443/"],
    "software_roles": ["PSP_PI", "AISP"],
    "organisation_competent_authority_claims": {"authority_id": "FI-FINFSA", "registration_id": "112233"},
    "org_name": "Throw-Away Payments Oy",
    "org_contacts": [{"name": "Äiti", "email": "psd2@example.com", "phone": "+358 9 1234567"}],
}
