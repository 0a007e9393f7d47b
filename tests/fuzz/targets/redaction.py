"""A secret that is known is in nothing that a person reads of a message, in whatever body, header or target it
stands, and masking raises nothing.
"""

from __future__ import annotations

from urllib.parse import quote_from_bytes

from proxy.core.personal import (
    impersonal_fields,
    impersonal_form,
    impersonal_json,
    impersonal_target,
    impersonal_text,
)
from proxy.core.redaction import Known, Masks, cut_clean

SECRET = b"CANARY-7f3a+/secret="
TOKENS = (
    SECRET,
    quote_from_bytes(SECRET, safe="").encode(),
    b"access_token=",
    b'"client_secret":"',
    b"<token>",
    b"</token>",
    b"-----BEGIN PRIVATE KEY-----",
    b"eyJhbGciOi.eyJhIjox.c2ln",
    b"Bearer ",
    b'--b\r\nname="secret"\r\n\r\n',
    b"\\",
    b"FI2112345600000785",
    b"a@b.fi",
    b"%40",
    b"?code=",
    b"#access_token=",
    b'{"a":' * 250,
    b"\xef\xbb\xbf",
    b"0401234567",
)
FULL = 20_000
_KNOWN = Known(b"k" * 32, (SECRET,))


def check(data: bytes) -> None:
    masks = Masks(_KNOWN)
    fields = [
        (b"authorization", b"Authorization", b"Bearer " + SECRET),
        (b"x-other", b"X-Other", data[:500]),
        (b"location", b"Location", data[:500]),
        (b"cookie", b"Cookie", b"a=" + data[:500]),
    ]
    shown = [
        masks.body(data, "body"),
        masks.body(data, "body", form=True),
        masks.target(data, "target"),
        *(value for _, _, value in masks.fields(fields, "header")),
        masks.sentence(data.decode("utf-8", "replace")).encode(),
    ]
    for text in shown:
        assert SECRET not in text
    for length in range(8, len(SECRET), 4):
        assert len(cut_clean(data + SECRET[:length], masks.values)) <= len(data)
    for form in (impersonal_json, impersonal_form, impersonal_text, impersonal_target):
        assert isinstance(form(data), bytes)
    assert SECRET not in b"".join(value for _, value in impersonal_fields(fields))
