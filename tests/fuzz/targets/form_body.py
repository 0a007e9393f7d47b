"""Three readers of the bank's form rule, of which none knows another, hash the same bytes for any body; and what is
sent instead of the body means the same fields.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from proxy.core.digest import FORM, canonical_form, is_form
from proxy.core.personal import impersonal_form
from proxy.emulator.content import form_fields, normalised_form
from proxy.selfcheck import form

TOKENS = (
    b"&",
    b"=",
    b"%",
    b"%00",
    b"%26",
    b"%3d",
    b"%2B",
    b"+",
    b"a=b",
    b"&&",
    b"grant_type=authorization_code",
    b"code=",
    b"%C3%A4",
    b"%zz",
    b";",
)


def check(data: bytes) -> None:
    made = canonical_form(data)
    assert form.normalised(data) == made.digest_input
    if made.note == "form_not_canonical":
        assert (made.body, made.digest_input) == (data, data)
    else:
        assert normalised_form(made.body) == made.digest_input == normalised_form(data)
        assert _fields(made.body) == _fields(data)
    form_fields(data)
    impersonal_form(data)
    kind = data[:100]
    assert is_form(kind.strip(b" \t")) == form.is_form(kind.strip(b" \t"))
    assert is_form(FORM + b";" + kind)


def _fields(body: bytes) -> list[tuple[str, str]]:
    return sorted(
        parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1"), key=lambda pair: pair[0]
    )
