"""What a hostile caller may send: nothing hides a route, takes another's place or costs more than it is worth."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

import pytest

from proxy.core.digest import FORM, canonical_form
from proxy.core.exchange import path_in_full, path_template
from proxy.core.headers import HeaderRules, answer_fields
from proxy.core.profiles import NORDEA
from proxy.core.routing import RouteTable, Rule
from proxy.core.signing import SigningRules, prepare
from proxy.core.target import origin_form
from proxy.errors import Refused
from proxy.wire.chunked import Chunks
from tests.core.sealing import DATE, ME, request

RULES = HeaderRules(NORDEA.reserved, NORDEA.reserved_prefixes)
FREE = 16384


@dataclass(frozen=True)
class Route:
    prefix: bytes


TABLE = RouteTable([Route(b"/"), Route(b"/corporate")])


def field(name: bytes, value: bytes = b"v") -> tuple[bytes, bytes, bytes]:
    return name.lower(), name, value


class TestPathsInTheLog:
    @pytest.mark.parametrize("path", [b"/" + b"a" * 32768, b"a" * 32768, b"/a" * 16384, b"/1234" * 6000,
                                      b"/" + b"%41" * 10000])
    @pytest.mark.parametrize("shown", [path_template, path_in_full])
    def test_a_long_one_is_cut(self, path, shown):
        text = shown(path)
        assert len(text) <= 600
        assert text.endswith("…")

    def test_a_short_one_is_not(self):
        assert path_template(b"/personal/v5/accounts/FI1234-EUR") == "/personal/v5/accounts/*"
        assert path_in_full(b"/" + b"a" * 511) == "/" + "a" * 511


class TestRoutes:
    @pytest.mark.parametrize("path", [b"/%63orporate/pay", b"/corporate%2fpay", b"/corporate%2Fpay",
                                      b"/corporate;x/pay", b"/corporate;/pay", b"/corporate;x", b"/corporat%65",
                                      b"/corporate%3bx/pay", b"/%63orporate;x%2fpay", b"/x/..%2fcorporate/pay",
                                      b"/%2fcorporate/pay", b"/.%2fcorporate/pay", b"/x%2f../corporate",
                                      b"/x;%2f..%2fcorporate/pay", b"/%2563orporate/pay", b"/corporate%252fpay",
                                      b"/corporate%253bx/pay", b"/x/%25252525252541"])
    def test_no_spelling_hides_a_prefix(self, path):
        with pytest.raises(Refused) as refused:
            TABLE.find(path)
        assert refused.value.code == "bad_target"

    @pytest.mark.parametrize(("path", "prefix"), [
        (b"/accounts/a%20b", b"/"), (b"/accounts;x=1/%63", b"/"), (b"/accounts/%63orporate", b"/"),
        (b"/corporate/a%20b", b"/corporate"), (b"/corporate/a;b%2fc", b"/corporate"), (b"/corporates%20", b"/"),
        (b"/%43orporate", b"/")])
    def test_an_escape_elsewhere_is_welcome(self, path, prefix):
        assert TABLE.find(path).prefix == prefix

    @pytest.mark.parametrize("segment", [b"%252e%252e", b"%252E.", b".%25252e", b"..%3bx", b"..%3B", b"..%253bx",
                                         b".;x", b"%2e%2e;x", b"%252e", b"%252e%252e%253bx"])
    def test_no_spelling_hides_a_dot_segment(self, segment):
        for target in (b"/a/%b/b" % segment, b"/a/%b" % segment, b"/%b?c=d" % segment):
            with pytest.raises(Refused, match="segment") as refused:
                origin_form(target)
            assert refused.value.code == "bad_target"

    @pytest.mark.parametrize("target", [b"/a..%3bx", b"/%252e%252ea", b"/a%252e", b"/a?b=%252e%252e", b"/...;x"])
    def test_what_is_no_dot_segment_goes_on(self, target):
        assert origin_form(target) == target

    @pytest.mark.parametrize("text", ["/**/**", "GET /a/**/b/**", "/****"])
    def test_a_rule_has_one_double_star(self, text):
        with pytest.raises(ValueError, match=r"at most one '\*\*'"):
            Rule(text)


class TestHeaders:
    @pytest.mark.parametrize("name", [
        b"X-HTTP-Method-Override", b"x-http-method-override", b"X_HTTP_Method_Override", b"X.Http-Method_Override",
        b"X-HTTP-Method", b"X_HTTP_METHOD", b"X-Method-Override", b"x_method_override", b"X-Original-URL",
        b"X_Original_URL", b"x.original.url", b"X-Rewrite-URL", b"X_Rewrite_Url"])
    def test_nothing_overrides_what_was_signed(self, name):
        with pytest.raises(Refused) as refused:
            RULES.clean([field(b"Accept"), field(name)], frozenset())
        assert refused.value.code == "override_not_allowed"

    @pytest.mark.parametrize("name", [b"Content_Type", b"content.type", b"CONTENT_TYPE", b"Signing-Proxy-Upstream-Sent",
                                      b"signing-proxy-request-id", b"SIGNING-PROXY-X", b"Signing_Proxy_Upstream_Sent",
                                      b"True-Client-IP", b"X-Client-IP", b"X_Client_IP"])
    def test_it_is_dropped(self, name):
        kept = [field(b"Content-Type"), field(b"X-Own")]
        assert RULES.clean([kept[0], field(name), kept[1]], frozenset()) == kept

    @pytest.mark.parametrize("name", [b"Signing-Proxy-Upstream-Sent", b"signing-proxy-request-id", b"SIGNING-PROXY-X"])
    def test_a_bank_does_not_speak_in_our_name(self, name):
        lines = answer_fields([field(b"A"), field(name), field(b"B")], frozenset(), keep_length=True)
        assert lines == b"A: v\r\nB: v\r\n"

    def test_ours_may_be_named_in_connection(self):
        assert RULES.clean([field(b"A")], frozenset((b"signing-proxy-x", b"x-forwarded-for"))) == [field(b"A")]


class TestForms:
    LARGE = urlencode([("b", "x" * 40000), ("a", "y" * 30000)]).encode()

    def test_a_large_one_is_hashed_as_it_is_sent(self):
        form = canonical_form(self.LARGE)
        assert (form.body, form.digest_input, form.note) == (self.LARGE, self.LARGE, "form_not_canonical")

    def test_in_the_request_too(self):
        draft = prepare(request(b"POST", b"/token", (b"Content-Type", FORM), body=self.LARGE), SigningRules(NORDEA))
        assert "form_not_canonical" in draft.notes
        raw = draft.plan(ME, DATE).complete(b"signature")
        assert raw.endswith(b"\r\n\r\n" + self.LARGE)
        assert b"SHA-256=" + b64encode(sha256(self.LARGE).digest()) + b"\r\n" in raw

    def test_the_largest_that_is_sorted(self):
        body = b"b=" + b"x" * (65536 - 6) + b"&a=y"
        assert len(body) == 65536
        assert canonical_form(body).note == "form_sorted"
        assert canonical_form(body + b"y").note == "form_not_canonical"


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("segment", [1 << 30, 1000, 7])
class TestChunks:
    def feed(self, raw: bytes, segment: int) -> tuple[bytes, bytes | None]:
        chunks, payload = Chunks(), []
        for at in range(0, len(raw), segment):
            data, rest = chunks.feed(raw[at:at + segment])
            payload.append(data)
            if rest is not None:
                return b"".join(payload), rest
        return b"".join(payload), None

    def test_of_one_byte_cost_too_much(self, segment):
        with pytest.raises(Refused, match="small") as refused:
            self.feed(chunked(b"x" * FREE, 1), segment)
        assert refused.value.code == "malformed_request"

    def test_a_short_body_may_be_in_any(self, segment):
        body = b"x" * 3000
        assert self.feed(chunked(body, 1), segment) == (body, b"")

    def test_of_64_bytes_are_fine(self, segment):
        body = bytes(1 << 20)
        assert self.feed(chunked(body, 64), segment) == (body, b"")

    def test_a_large_chunk_pays_for_small_ones(self, segment):
        small = chunked(b"x" * 5000, 1)
        assert self.feed(chunked(bytes(FREE), FREE)[:-5] + small, segment) == (bytes(FREE) + b"x" * 5000, b"")
        with pytest.raises(Refused, match="small"):
            self.feed(small, segment)
