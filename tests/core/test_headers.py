"""Nobody but the proxy writes a sealed header, in no spelling; what is the application's own goes on untouched."""

from __future__ import annotations

import pytest

from proxy.core.headers import HeaderRules, answer_fields, canonical, redacted
from proxy.core.profiles import NORDEA
from proxy.errors import Refused

RULES = HeaderRules(NORDEA.reserved, NORDEA.reserved_prefixes)


def fields(*pairs: tuple[bytes, bytes]):
    return [(name.lower(), name, value) for name, value in pairs]


def clean(*names: bytes, options: tuple[bytes, ...] = ()) -> list[bytes]:
    return [name for _, name, _ in RULES.clean(fields(*((name, b"v") for name in names)), frozenset(options))]


RESERVED = [
    b"Signature", b"SIGNATURE", b"Digest", b"digest", b"X-IBM-Client-Id", b"x-ibm-client-id", b"X_IBM_Client_Id",
    b"X.IBM.Client.Id",
    b"X-IBM_Client.Id", b"x_ibm-client_secret", b"X-IBM-Client-Secret", b"X.Ibm-Client_Secret",
    b"X-IBM-Client-Anything",
    b"X_IBM_Client_Anything", b"X-Nordea-Originating-Host", b"X_Nordea_Originating_Host", b"x.nordea.originating.host",
    b"X-Nordea_Originating-Host", b"X-Nordea-Originating-Date", b"X_NORDEA_ORIGINATING_DATE",
    b"x-nordea-originating.date",
    b"X.Nordea-Originating_Date",
]
HOP = [
    b"Connection", b"Keep-Alive", b"Proxy-Connection", b"Proxy-Authorization", b"Proxy-Authenticate",
    b"Proxy-Authentication-Info",
    b"TE", b"Trailer", b"Transfer-Encoding", b"Upgrade", b"HTTP2-Settings", b"Host", b"Content-Length", b"Expect",
    b"Transfer_Encoding", b"transfer.encoding", b"Content_Length", b"CONTENT.LENGTH", b"Keep_Alive",
    b"Proxy_Authorization",
    b"proxy.authorization",
]
FORWARDING = [b"Forwarded", b"Via", b"X-Real-IP", b"X_Real_IP", b"X-Forwarded-For", b"X_Forwarded_For",
              b"x.forwarded.for",
              b"X-Forwarded-Host", b"X-Forwarded-Proto", b"X-Forwarded-Anything", b"X_FORWARDED-Proto"]
KEPT = [
    b"Authorization", b"Content-Type", b"Accept", b"User-Agent", b"X-Request-ID", b"X-Nordea-Originating-User-Ip",
    b"X-Nordea-Originating-User-Agent", b"X-Nordea-Other", b"X-Response-Scenarios", b"Agreement-Number",
    b"Content-Encoding",
    b"Accept-Encoding", b"Cookie", b"traceparent", b"X-IBM-Client", b"X-Signature", b"Digest-Other", b"My_Header",
    b"My.Header",
    b"X-Forwarded", b"Signature-Input", b"Content-Digest",
]


@pytest.mark.parametrize("name", RESERVED + HOP + FORWARDING)
def test_it_never_reaches_the_bank(name):
    assert clean(b"Accept", name, b"X-Own") == [b"Accept", b"X-Own"]


def test_there_are_enough_spellings():
    assert sum(b"_" in name or b"." in name for name in RESERVED + HOP + FORWARDING) >= 20


@pytest.mark.parametrize("name", KEPT)
def test_it_goes_on(name):
    assert clean(name) == [name]


def test_order_spelling_duplicates_and_values_stay():
    sent = fields((b"B", b"1"), (b"a", b""), (b"Host", b"x"), (b"B", b"2"), (b"b", b"\xff\t "), (b"Signature", b"x"),
                  (b"A", b"3"))
    assert RULES.clean(sent, frozenset()) == [field for field in sent if field[0] not in (b"host", b"signature")]


@pytest.mark.parametrize("option", [
    b"signature", b"digest", b"x-ibm-client-id", b"x_ibm_client_id", b"x-ibm-client-secret", b"x.ibm.client.secret",
    b"x-nordea-originating-host", b"x_nordea_originating_date", b"host", b"content-length", b"content_length",
    b"content-type",
    b"content.type", b"authorization", b"content-encoding", b"expect", b"x-ibm-client-whatever",
])
def test_a_protected_header_may_not_be_named_in_connection(option):
    with pytest.raises(Refused) as refusal:
        RULES.clean(fields((b"Accept", b"v")), frozenset((b"close", option)))
    assert refusal.value.code == "protected_header_in_connection"


def test_what_connection_names_stops_here():
    assert clean(b"Accept", b"X-Hop", b"x-hop", b"X-Other", options=(b"x-hop", b"close")) == [b"Accept", b"X-Other"]
    assert clean(b"X-Forwarded-For", b"Accept", options=(b"x-forwarded-for",)) == [b"Accept"]
    assert clean(b"Accept", options=(b"close", b"keep-alive", b"upgrade", b"te", b"")) == [b"Accept"]


def test_which_sealed_headers_were_replaced():
    sent = fields((b"Signature", b"x"), (b"Accept", b"y"), (b"DIGEST", b"z"))
    assert RULES.replaced(sent) == ["signature", "digest"]


ANSWER = fields((b"Date", b"now"), (b"Set-Cookie", b"a"), (b"Connection", b"x-hop"), (b"Content-Length", b"5"),
                (b"set-cookie", b"b"),
                (b"X-Hop", b"1"), (b"Transfer-Encoding", b"chunked"), (b"Keep-Alive", b"x"), (b"X", b"\xff"))


@pytest.mark.parametrize(("options", "keep_length", "lines"), [
    ((), True, [b"Date: now", b"Set-Cookie: a", b"Content-Length: 5", b"set-cookie: b", b"X-Hop: 1", b"X: \xff"]),
    ((), False, [b"Date: now", b"Set-Cookie: a", b"set-cookie: b", b"X-Hop: 1", b"X: \xff"]),
    ((b"x-hop",), True, [b"Date: now", b"Set-Cookie: a", b"Content-Length: 5", b"set-cookie: b", b"X: \xff"]),
    ((b"x-hop", b"date"), False, [b"Set-Cookie: a", b"set-cookie: b", b"X: \xff"]),
])
def test_what_goes_back_to_the_caller(options, keep_length, lines):
    sent = answer_fields(ANSWER, frozenset(options), keep_length=keep_length)
    assert sent == b"".join(line + b"\r\n" for line in lines)


@pytest.mark.parametrize(("name", "value", "shown"), [
    (b"Authorization", b"Bearer x", "***"), (b"authorization", b"x", "***"), (b"Proxy_Authorization", b"x", "***"),
    (b"Cookie", b"x", "***"), (b"Set-Cookie", b"x", "***"), (b"X-IBM-Client-Secret", b"x", "***"),
    (b"My-Secret", b"x", "***"),
    (b"X-Access-Token", b"x", "***"), (b"Accept", b"text/\xe4", "text/ä"), (b"Signature", b"s", "s"),
])
def test_secrets_are_masked(name, value, shown):
    assert redacted(name, value) == shown


def test_the_canonical_spelling():
    assert canonical(b"X_iBm.Client-ID") == b"x-ibm-client-id"
