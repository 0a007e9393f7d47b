"""What can be wrong with a sealed request, in one table, so that every cause has one name and one piece of advice."""

from __future__ import annotations

from dataclasses import dataclass

CAUSES: dict[str, tuple[str, str]] = {
    # --- form of the Signature header
    "signature_missing": ("The request carries no Signature header.", "Send exactly one."),
    "signature_twice": ("The request carries more than one Signature header.", "Send exactly one."),
    "signature_skipped": ("The Signature header is the sandbox's literal, so nothing is signed.",
                          "Only the sandbox takes it; sign the request for production."),
    "line_break": ("The Signature header's value holds a line break.",
                   "Write it as one line; use a base64 encoder that does not wrap."),
    "scheme_prefix": ("The Signature header's value begins with 'Signature '.",
                      "Start the value with keyId=; 'Signature ' belongs into an Authorization header."),
    "backslashes": ("The Signature header's value holds backslashes.",
                    'Send plain quotes (keyId="…"); escaped ones leaked out of a string literal.'),
    "extra_quotes": ("The Signature header's value holds too many quotation marks.",
                     "Put quotes around each parameter's value only."),
    "header_spaces": ("The Signature header's value holds spaces outside the quotes.",
                      "Write no space after the commas or around '='."),
    "parameters": ("The Signature header is not keyId, algorithm, headers and signature, in this order.",
                   "Send exactly these four parameters, each in quotes, separated by commas."),
    "signature_hex": ("The signature is hexadecimal, not base64.", "Encode the signature's bytes as padded base64."),
    "signature_base64": ("The signature is not standard padded base64.",
                         "Use the alphabet with '+' and '/', and keep the '=' at the end."),
    "algorithm": ("The algorithm is not rsa-sha256.", 'Send algorithm="rsa-sha256"; the bank takes no other.'),
    "key_id": ("The keyId differs from X-IBM-Client-Id.", "Send the application's client id in both."),
    # --- coverage
    "names_case": ("The headers parameter holds capital letters.", "List the header names in lower case."),
    "content_without_body": ("The names content-type and digest are listed on a request without content.",
                             "On GET, HEAD, OPTIONS and DELETE list the first three names only."),
    "content_not_covered": ("The names content-type and digest are not listed on a request that has content.",
                            "List (request-target) x-nordea-originating-host x-nordea-originating-date content-type "
                            "digest."),
    "covered_missing": ("The headers parameter lacks a name that must be covered.", "Add it, in the bank's order."),
    "covered_extra": ("The headers parameter lists a name the bank does not expect.", "Remove it."),
    "covered_order": ("The headers parameter lists the right names in another order.",
                      "Keep the order: (request-target), host, date, content-type, digest."),
    "covered_not_sent": ("A covered header was not sent.", "Send every header that the signature lists, once."),
    "header_twice": ("A sealed header was sent more than once.", "Send it once."),
    "body_not_allowed": ("A GET or HEAD request has a body, which no signature covers.",
                         "Send it without a body, or with POST."),
    "double_slash": ("The request target's path holds '//'.", "Join base path and path with a single slash."),
    "host_form": ("X-Nordea-Originating-Host is not a lower-case host name without port.",
                  "Send the bank's host name only, such as open.nordea.com."),
    "host_differs": ("The host that was signed is not the host the request went to.",
                     "Feed the Host header, X-Nordea-Originating-Host and the signing string from one setting."),
    "date_form": ("X-Nordea-Originating-Date is not a date such as 'Mon, 14 Aug 2023 06:25:45 GMT'.",
                  "Format it in UTC, with English names whatever the locale, and GMT at the end."),
    # --- digest
    "digest_hex": ("The Digest is hexadecimal, not base64.", "Encode the 32 bytes of SHA-256 as padded base64."),
    "digest_form": ("The Digest header is not 'SHA-256=' with the padded base64 of 32 bytes.",
                    "Write the prefix SHA-256= and standard base64 of the raw hash."),
    "digest_other_bytes": ("The Digest is not that of the body.",
                           "Hash the very bytes that are sent, after the last change to the body."),
    # --- the signing string
    "upper_case_method": ("The method was signed in upper case.", "Lower-case it: '(request-target): post /…'."),
    "trailing_newline": ("The signing string ended with a line break.", "Join the lines; add nothing after the last."),
    "no_colon": ("The colon after (request-target) was missing in the signing string.",
                 "Write '(request-target): post /…'."),
    "no_space": ("The space after the colons was missing in the signing string.", "Write 'name: value'."),
    "crlf": ("The signing string's lines ended with CR LF.", "Join the lines with LF alone."),
    "literal_backslash_n": (r"The signing string held the two characters '\n' instead of line breaks.",
                            "Join the lines with the LF character."),
    "signed_names_case": ("The header names were signed with capital letters.", "Sign them in lower case."),
    "no_query": ("The query was left out of the signing string.", "Sign the path with '?' and the query."),
    "no_leading_slash": ("The path was signed without its leading '/'.", "Sign the path as it is sent."),
    "whole_url": ("The whole URL was signed instead of the path.", "Sign the path and query only."),
    "signed_double_slash": ("The path was signed with '//'.", "Join base path and path with a single slash."),
    "short_path": ("The path was signed without its first segment.",
                   "Sign the whole external path, such as /corporate/v2/authorize."),
    "other_encoding": ("The path or query was signed with another percent-encoding than was sent.",
                       "Sign the request target byte for byte as it is sent."),
    "no_method": ("The method was left out of the signing string.", "Write '(request-target): post /…'."),
    "other_host": ("Another host was signed than X-Nordea-Originating-Host says.",
                   "Feed the header and the signing string from one setting."),
    "other_date": ("Another date was signed than X-Nordea-Originating-Date says.",
                   "Take the time once and use it for the header and the signing string."),
    "other_content_type": ("Another Content-Type was signed than was sent.",
                           "Sign after the HTTP client has decided the header; beware of an added charset."),
    "signed_digest": ("Another Digest was signed than was sent.",
                      "Put the Digest header's whole value, prefix included, into the signing string."),
    "signed_order": ("The lines were signed in another order than the headers parameter lists.",
                     "Build the signing string from the same list as the parameter."),
    "content_lines_missing": ("The content-type and digest lines were left out of the signing string.",
                              "Sign one line for every name in the headers parameter."),
    "content_lines_added": ("Lines for content-type and digest were signed that the headers parameter does not list.",
                            "Sign one line for every name in the headers parameter, and no other."),
    "hashed_twice": ("The signing string was hashed before it was given to RSA-SHA256.",
                     "Hand the string itself to the signing function; it hashes by itself."),
    "other_hash": ("The signature was made with another hash than SHA-256.", "Sign with RSA and SHA-256."),
    "pss_padding": ("The signature was made with PSS padding.", "Use PKCS#1 v1.5 padding (SHA256withRSA)."),
    "other_string": ("The right key signed another string than the one this request gives.",
                     "Print the string that your program signs, and compare it with the expected one."),
    "another_key": ("The signature was not made by this key.",
                    "Sign with the private key that belongs to the certificate the bank holds."),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.  cause: a key of CAUSES.  detail: a clause for this occasion.

    signed, expected: what was found beside what should be there; both empty when there is nothing to compare.
    """

    cause: str
    detail: str = ""
    signed: str = ""
    expected: str = ""

    @property
    def sentence(self) -> str:
        title = CAUSES[self.cause][0]
        return f"{title[:-1]}: {self.detail}." if self.detail else title

    @property
    def advice(self) -> str:
        return CAUSES[self.cause][1]
