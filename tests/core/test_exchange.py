"""Account numbers are personal data: they stay out of the record, while the shape of the path stays readable."""

from __future__ import annotations

import pytest

from proxy.core.exchange import path_template


@pytest.mark.parametrize(("path", "template"), [
    (b"/", "/"),
    (b"", ""),
    (b"/personal/v5/accounts", "/personal/v5/accounts"),
    (b"/personal/v5/accounts/FI6593857450293470-EUR", "/personal/v5/accounts/*"),
    (b"/personal/v5/accounts/FI6593857450293470-EUR/transactions", "/personal/v5/accounts/*/transactions"),
    (b"/a/1234/b/5678", "/a/*/b/*"),
    (b"/v5", "/v5"),
    (b"/v10/a", "/v10/a"),
    (b"/123", "/123"),
    (b"/1234", "/*"),
    (b"/abc1", "/*"),
    (b"/1abc", "/*"),
    (b"/ab1cdef", "/*"),
    (b"/someone@example.org/x", "/*/x"),
    (b"/%C3%A4/x", "/*/x"),
    (b"/abc%20def/", "/*/"),
    (b"/payments/domestic", "/payments/domestic"),
    (b"/caf\xe9", "/café"),
    (b"//1234//", "//*//"),
])
def test_identifying_segments_are_hidden(path, template):
    assert path_template(path) == template
