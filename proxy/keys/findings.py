"""What a bank may refuse about a certificate, in one table, so that every reason has one name and one advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
_RENEW = "Order a new certificate from the trust service provider."
_RENEW_SOON = "Order the new certificate, and plan five minutes for the upload."

FINDINGS: dict[str, tuple[Severity, str, str]] = {
    # --- roles and statements
    "no_psd2_statement": ("error", "The certificate has no PSD2 statement.",
                          "Order a PSD2 QSealC (ETSI TS 119 495); one without it serves Premium APIs only."),
    "only_psp_ic": ("error", "The certificate's only role is PSP_IC, which the bank's portal denies.",
                    "Have the roles PSP_PI and PSP_AI put into a new certificate."),
    "missing_psp_pi": ("error", "The certificate lacks the role PSP_PI.",
                       "Have the role put into a new certificate, if your licence has it."),
    "missing_psp_ai": ("error", "The certificate has neither the role PSP_AI nor PSP_AS.",
                       "Have the role put into a new certificate, if your licence has it."),
    "role_unknown": ("warning", "The certificate names a role that ETSI TS 119 495 does not know.",
                     "Ask the trust service provider what it is."),
    "qc_type_esign": ("error", "The certificate is for a person's signatures (QcType esign), not a seal.",
                      "Order a QSealC, whose QcType is eseal."),
    "qc_type_web": ("error", "The certificate is for web sites (QcType web, a QWAC), not a seal.",
                    "Give the QSealC; providers often deliver both."),
    "qc_type_absent": ("error", "The certificate does not say that it is an e-seal: it has no QcType.",
                       "Order a QSealC, whose QcType is eseal."),
    "qc_compliance_absent": ("error", "The certificate does not say that it is qualified (QcCompliance).",
                             "Order a qualified seal; an advanced one (AdESeal) is not accepted."),
    "organization_identifier_missing": ("error", "The subject has no organizationIdentifier.",
                                        "Have one such as PSDFI-FINFSA-1234567-8 put into a new certificate."),
    "organization_identifier_malformed": (
        "error", "The organizationIdentifier is not PSD, country, authority and number.",
        "Have it corrected, such as PSDFI-FINFSA-1234567-8 (ETSI TS 119 495 section 5.2.1)."),
    "authority_differs": ("warning", "The organizationIdentifier and the PSD2 statement name different authorities.",
                          "Ask the trust service provider which one is right."),
    # --- key and signature
    "key_not_rsa": ("error", "The certificate's key is not RSA.", "Order one for an RSA key of 3072 bits."),
    "key_pss_only": ("error", "The certificate's key is bound to PSS, and the bank verifies PKCS#1 v1.5.",
                     "Order one for a plain RSA key (rsaEncryption)."),
    "key_too_small": ("error", "The certificate's RSA key is shorter than 2048 bits.",
                      "Order one for a key of 3072 bits."),
    "key_pair_mismatch": ("error", "The key and the certificate are not a pair.",
                          "Use the private key that this certificate was issued for."),
    "pss_signature": ("error", "The certificate is signed with RSASSA-PSS, which the bank does not read.",
                      "Have it issued anew with sha256WithRSAEncryption."),
    "signature_hash_weak": ("error", "The certificate is signed with MD5 or SHA-1.", _RENEW),
    "key_usage_absent": ("warning", "The certificate has no key usage, which ETSI EN 319 412-2 section 4.3.2 asks for.",
                         "Mention it to the trust service provider."),
    "key_usage_unfit": ("warning", "The key usage allows neither digitalSignature nor nonRepudiation.",
                        "Check that this is the seal; have it issued anew if it is."),
    "authority_certificate": ("error", "This is the certificate of an authority, not of a payment service.",
                              "Give your own certificate; files often hold the chain too."),
    # --- dates
    "expired": ("error", "The certificate has expired.", _RENEW),
    "not_yet_valid": ("error", "The certificate is not valid yet.", "Wait, or check this machine's clock."),
    "expires_within_7_days": ("warning", "The certificate expires within 7 days.", _RENEW_SOON),
    "expires_within_14_days": ("warning", "The certificate expires within 14 days.", _RENEW_SOON),
    "expires_within_30_days": ("warning", "The certificate expires within 30 days.", _RENEW_SOON),
    # --- chain
    "self_signed": ("error", "The certificate is signed by itself, so no trust service provider stands for it.",
                    "Order a QSealC; a self-signed one serves Premium APIs only."),
    "chain_incomplete": ("warning", "The issuer's certificate is neither in the file nor in the chain.",
                         "Give it with --chain; the provider's site has it."),
    "chain_broken": ("error", "The certificate with the issuer's name did not sign this one.",
                     "Give the chain that the provider delivered with this certificate."),
    "issuer_expired": ("warning", "The issuer's certificate is not in date.", "Look for a newer one at the provider."),
    # --- the file
    "armour_damaged": ("error", "The BEGIN and END lines of the file are damaged.",
                       "Save it anew; 'signing-proxy cert upload-form' prints what the portal takes."),
    "armour_escaped": ("error", "The file holds the two characters \\n instead of line breaks.",
                       "Save it with real line breaks; it comes from a JSON or environment value."),
    "armour_label": ("warning", "The BEGIN line is not that of RFC 7468, 'BEGIN CERTIFICATE'.",
                     "Write the certificate anew: openssl x509 -in FILE -out NEW."),
    "armour_surroundings": ("warning", "The file holds text or a byte order mark around the certificate.",
                            "Remove it before you hand the file to anybody; the portal takes none."),
    "private_key_in_file": ("warning", "The file holds a private key beside the certificate.",
                            "Never upload or send this file; keep the key in one of its own, mode 0600."),
    # --- online
    "revoked": ("error", "The issuer has revoked the certificate.", _RENEW),
    "status_unknown": ("warning", "The issuer's responder does not know the certificate.",
                       "Check that --chain has the right issuer; a new certificate may take hours."),
    "status_unreachable": ("warning", "The issuer's status service gave no usable answer.",
                           "Try again, or check the network and the firewall."),
    "status_unpublished": ("warning", "The certificate names no address where its status could be asked for.",
                           "Ask the trust service provider, or look into its revocation list."),
    "status_unchecked": ("warning", "The certificate's status cannot be asked for without its issuer's certificate.",
                         "Give it with --chain."),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason.  id: a key of FINDINGS, stable.  detail: a clause for this occasion, foreign text included."""

    id: str
    detail: str = ""

    @property
    def severity(self) -> Severity:
        return FINDINGS[self.id][0]

    @property
    def reason(self) -> str:
        title = FINDINGS[self.id][1]
        return f"{title[:-1]}: {self.detail}." if self.detail else title

    @property
    def advice(self) -> str:
        return FINDINGS[self.id][2]
