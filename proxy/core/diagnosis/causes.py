"""Every cause there is, in the order in which they are looked for.

This is the one table: the text of log lines, /status and `explain`, the label of the metric, and the page
docs/troubleshooting.md come from it.  Ids are an interface, like error codes.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Side = Literal["application", "configuration", "portal", "bank"]

SIDES: Final[dict[Side, str]] = {
    "application": "the application that calls",
    "configuration": "our configuration, this machine or its network",
    "portal": "the bank's developer portal",
    "bank": "the bank",
}

_SIGNATURE: Final = ("error.signature.invalid",)
_SEALS: Final = ("error.signature.invalid", "error.security.invalid")
_KEYS: Final = ("error.signature.invalid", "error.security.invalid", "error.certificate.invalid")
_CERTIFICATE: Final = ("error.certificate.invalid",)
_GATEWAY: Final = ("Invalid client id or secret.",)
_TOKEN: Final = ("error.token.*",)


class Cause(Struct, frozen=True):
    """answers: what the bank says then.  title: one sentence, what is wrong.  advice: what to do.

    tells: how it is known, for the documentation.
    """

    id: str
    side: Side
    answers: tuple[str, ...]
    title: str
    advice: str
    tells: str


def _table(*rows: Cause) -> dict[str, Cause]:
    table = {row.id: row for row in rows}
    assert len(table) == len(rows), "two causes share an id"
    return table


CAUSES: Final[dict[str, Cause]] = _table(
    # --- the message itself
    Cause("signature_missing", "application", _SIGNATURE,
          "The request carries no signature, or the sandbox's literal in its place.",
          "Send it through the proxy, on a route that signs; only the sandbox takes the literal.",
          "the message that was sent"),
    Cause("signature_header_malformed", "application", _SIGNATURE,
          "The Signature header is not written as the bank reads it: backslashes, extra quotes, spaces, line breaks or "
          "a prefix.",
          "Send the request unsigned through the proxy, which writes the header; or remove what the evidence names.",
          "the message that was sent"),
    Cause("coverage_wrong", "application", _SIGNATURE,
          "The signature covers the wrong headers: content-type and digest belong to requests with content alone, and "
          "the order is fixed.",
          "Send the request unsigned through the proxy, which covers what the method demands.",
          "the message that was sent"),
    Cause("signing_string_wrong", "application", _SIGNATURE,
          "Another string was signed than the one this request gives: upper-case method, a line break at the end, a "
          "missing space or slash, `//`.",
          "Send the request unsigned through the proxy; or sign the string that 'signing-proxy verify' shows.",
          "the string is recovered from the signature"),
    Cause("wrong_algorithm", "application", _SEALS,
          "The signature was not made with RSA, PKCS#1 v1.5 and SHA-256.",
          "Sign with rsa-sha256; the bank takes nothing else.",
          "the message that was sent, and the hash recovered from the signature"),
    Cause("digest_wrong", "application", ("error.signature.invalid", "error.digest.invalid"),
          "The Digest is hexadecimal, fixed in a script, or that of other bytes than the body that was sent.",
          "Send the request unsigned through the proxy, which hashes the bytes it sends.",
          "the digest is computed anew"),
    Cause("date_malformed", "application", ("error.signature.invalid", "error.date.invalid"),
          "The date is not one that HTTP writes, or another one was signed than sent.",
          "Send the request unsigned through the proxy; or write it such as 'Mon, 14 Aug 2023 06:25:45 GMT'.",
          "the message that was sent"),
    Cause("another_key_signed", "application", _SEALS,
          "The request was not signed with the key of this certificate.",
          "Sign with the private key of the certificate that the bank holds.",
          "the certificate does not verify the signature"),
    Cause("outgoing_message_wrong", "configuration", _KEYS,
          "The message that this proxy sent does not pass its own check: a fault of the proxy or of the route's "
          "settings.",
          "Report it with this exchange; meanwhile look at the route's key_id, form and empty_body.",
          "our own verification of the bytes that were sent"),
    Cause("not_the_demo_key", "configuration", _SEALS,
          "The sandbox was called with a key that is not the bank's published demo key.",
          "Use the demo key of the bank's developer documentation, or set signature: skip on the sandbox's route.",
          "the key's fingerprint"),
    Cause("wrong_host", "configuration", _SIGNATURE,
          "The host that was signed is not that of the environment the request went to.",
          "Let the route's profile, upstream and host name the same environment: open.nordea.com, or "
          "api.nordeaopenbanking.com for the sandbox.",
          "the signed host beside the profile's"),
    Cause("key_id_differs", "configuration", _SIGNATURE,
          "The signature's keyId is not the client id.",
          "Remove key_id from the route, unless the bank has asked for another one.",
          "the route's key_id"),
    # --- key and certificate
    Cause("key_not_replaced_here", "configuration", _KEYS,
          "The certificate was replaced, but not the key that signs: the new files do not load, so the former key goes "
          "on signing.",
          "Put the key and the certificate that belong together into place, then send SIGHUP; 'signing-proxy check' "
          "judges them.",
          "the failed reload"),
    Cause("bank_settling", "portal", _KEYS,
          "The bank is replacing the certificate: some of its machines know the new one already, some the former one.",
          "Wait up to five minutes. With both keys configured (`next`), the proxy signs a refused GET again by itself.",
          "accepted and refused calls with the same key, minutes after a change"),
    Cause("key_replaced_here", "portal", _KEYS,
          "The key that signs was replaced here, and the bank still holds the former certificate.",
          "Upload the new certificate in the portal (Edit App), which takes up to five minutes; or sign with the "
          "former key until then, and configure the new one as `next`.",
          "the change of the key, and every call refused since"),
    Cause("bank_certificate_replaced", "portal", _KEYS,
          "The certificate at the bank was replaced or removed, and the proxy still signs with the former one's key.",
          "Configure the key of the certificate that the portal shows, or upload this key's certificate again "
          "('signing-proxy cert upload-form').",
          "the same key was accepted before, and every call is refused since"),
    Cause("bank_holds_another_certificate", "portal", _KEYS,
          "The signature is right, so the bank holds another certificate than that of the key that signs.",
          "Compare the certificate in the portal with 'signing-proxy cert show', and upload the right one.",
          "our own verification of the bytes that were sent passes, and none was ever accepted"),
    Cause("certificate_wrong_field", "portal", _SIGNATURE,
          "The certificate may have been pasted into the wrong field of the portal.",
          "Paste the output of 'signing-proxy cert upload-form' into the field 'eIDAS Certificate given to PSD2 "
          "license holders'.",
          "as above: the bank's answer is the same"),
    Cause("certificate_armoured", "portal", ("error.signature.invalid", "error.certificate.invalid"),
          "The certificate may have been uploaded with its BEGIN and END lines.",
          "Upload the output of 'signing-proxy cert upload-form', which has none.",
          "our certificate is in date, and the bank refuses the one it holds"),
    Cause("certificate_expired", "configuration", _CERTIFICATE,
          "The certificate of the key that signs has expired.",
          "Order a new one, upload it in the portal, and configure its key.",
          "the certificate's dates"),
    Cause("certificate_not_yet_valid", "configuration", _CERTIFICATE,
          "The certificate of the key that signs is not valid yet.",
          "Sign with the former key until it is, or check this machine's clock.",
          "the certificate's dates"),
    Cause("certificate_revoked", "bank", _CERTIFICATE,
          "The certificate may have been revoked.",
          "Ask its issuer: 'signing-proxy cert lint --online' does.",
          "our certificate is in date and was accepted before"),
    Cause("only_psp_ic", "portal", ("error.certificate.invalid", "403: not subscribed"),
          "The certificate's only role is PSP_IC, for which the bank grants no subscription.",
          "Have PSP_AI (or PSP_AS) and PSP_PI put into a new certificate.",
          "the certificate's roles"),
    # --- content and the way to the bank
    Cause("authorize_parameters", "application", _SIGNATURE,
          "The body of /authorize lacks parameters that the bank requires, which it calls a bad signature.",
          "Send redirect_uri, scope and state, as the bank's API reference has them.",
          "the body that was sent"),
    Cause("content_type_changed", "configuration", _SIGNATURE,
          "The Content-Type was changed on the way, or another one was signed than was sent.",
          "Look for a proxy or gateway between here and the bank that rewrites it; else send the plain media type, "
          "without parameters, and only once.",
          "requests without content are accepted with the same key, and those with content are refused"),
    Cause("changed_on_the_way", "configuration", _SIGNATURE,
          "The request was changed between this proxy and the bank.",
          "Look for a proxy or gateway between here and the bank (egress_proxy) that decodes or sorts what passes.",
          "our own verification passes, and other calls with the same key are accepted"),
    Cause("body_changed_on_the_way", "configuration", ("error.digest.invalid",),
          "The body was changed between this proxy and the bank: the digest is that of the bytes that were sent.",
          "Look for a proxy or gateway between here and the bank (egress_proxy) that rewrites bodies.",
          "our own verification of the bytes that were sent passes"),
    Cause("form_not_normalised", "application", ("error.digest.invalid",),
          "The bank hashes forms in a way of its own, by sorted and decoded fields, and this one could not be brought "
          "into that form.",
          "Send the fields sorted by name, without empty ones and with whole escapes, and let the route's form be "
          "canonical.",
          "the route's form rule and the note in the log line"),
    Cause("clock_ahead", "configuration", ("error.date.invalid",),
          "This machine's clock is ahead of the bank's.",
          "Let the clock be set by NTP (chrony, systemd-timesyncd) and look at it again.",
          "the answer's Date beside our clock"),
    Cause("clock_behind", "configuration", ("error.date.invalid",),
          "This machine's clock is behind the bank's.",
          "Let the clock be set by NTP (chrony, systemd-timesyncd) and look at it again.",
          "the answer's Date beside our clock"),
    Cause("date_refused", "bank", ("error.date.invalid",),
          "The bank refuses the date, though our clock agrees with its own.",
          "Try again; if it stays, hand the exchange to the bank's support.",
          "the answer's Date beside our clock"),
    # --- credentials, subscription, token
    Cause("client_secret_whitespace", "configuration", _GATEWAY,
          "The client secret or id has white space around it where it is kept, so it may have been copied badly.",
          "Copy it again from the portal, whole and without anything around it.",
          "what was read"),
    Cause("client_credentials_shape", "configuration", _GATEWAY,
          "The client id or secret looks like no value of the portal: quotes, an inner space, an escape.",
          "Store exactly what the portal shows.",
          "what was read"),
    Cause("client_id_hyphens", "configuration", _GATEWAY,
          "The client id may lack its hyphens, or have some too many.",
          "Compare it with the portal, character by character; id and secret count with their hyphens.",
          "what was read"),
    Cause("client_credentials_changed", "configuration", _GATEWAY,
          "The client id or secret was changed here, and the gateway has refused every call since.",
          "Compare both with the portal, or put the former ones back.",
          "the change, and every call refused since"),
    Cause("client_secret_reset", "portal", _GATEWAY,
          "The client secret was reset in the portal, or the application removed: the same one was accepted before.",
          "Copy the new secret from the portal, and send SIGHUP.",
          "the same credentials were accepted before"),
    Cause("client_credentials_wrong", "configuration", _GATEWAY,
          "The gateway does not know this pair of client id and client secret; the signature was not looked at.",
          "Compare both with the portal, hyphens included, and check that they belong to this environment.",
          "the gateway's sentence"),
    Cause("not_subscribed", "portal", ("403: not subscribed",),
          "The application has no subscription to this API, or is suspended.",
          "Subscribe to the API for this application in the portal, and wait for the approval.",
          "the gateway's sentence"),
    Cause("token_missing", "application", _TOKEN,
          "The request carries no access token.",
          "Send 'Authorization: Bearer' with the customer's access token; the proxy passes it on.",
          "the request's Authorization header"),
    Cause("token_not_bearer", "application", _TOKEN,
          "The Authorization header is not 'Bearer' and a token.",
          "Send 'Authorization: Bearer' with the customer's access token.",
          "the request's Authorization header"),
    Cause("token_expired", "application", _TOKEN,
          "The access token has expired.",
          "Get a new one with the refresh token, or let the customer consent again. It is no matter of the signature.",
          "the bank's code, or the token's own end"),
    Cause("token_invalid", "application", _TOKEN,
          "The bank does not know this access token.",
          "Use a token that was issued to this application in this environment, or let the customer consent again.",
          "the bank's code"),
    Cause("consent_invalid", "application", ("403: consent",),
          "The customer's consent does not cover this call, or has ended.",
          "Let the customer consent again, with the scopes that this call needs.",
          "the bank's code"),
    Cause("grant_invalid", "application", ("invalid_grant",),
          "The authorization code or refresh token was used already, has expired, or belongs to another redirect_uri.",
          "Exchange each code once and at once; else let the customer authorize again.",
          "the bank's code"),
    # --- limits and failures
    Cause("burst_limit", "application", ("429: Assembly Rate Limit exceeded",),
          "Too many calls came at once.",
          "Spread the calls, and wait as long as Retry-After says before the next one.",
          "the status and the bank's remaining limits"),
    Cause("rate_limit", "application", ("429: Assembly Rate Limit exceeded",),
          "The application's calls for this period are used up.",
          "Wait until the period is over, call less often, or ask the bank for a higher limit.",
          "the status and the bank's remaining limits"),
    Cause("path_unknown", "application", ("404: gateway",),
          "The bank's gateway has no API at this path.",
          "Compare path and version with the bank's API reference; a route's strip_prefix and base path count too.",
          "the gateway's sentence"),
    Cause("bank_unavailable", "bank", ("503",),
          "The bank's API is not available.",
          "Wait, and look at the bank's status page. A payment's status must be asked for before it is sent again.",
          "the status"),
    Cause("bank_failed", "bank", ("500, 502, 504",),
          "The bank failed while it handled the request.",
          "Ask for the status before anything but a GET is sent again; if it stays, give the bank's support the ids.",
          "the status"),
    Cause("unrecognised", "bank", ("any other 401 or 403",),
          "The bank refused the request without a reason that this proxy knows.",
          "Read the answer's body; if it does not help, hand the exchange to the bank's support.",
          "the status"),
)
