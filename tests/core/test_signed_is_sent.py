"""Whatever is asked: either it is refused, or a recipient that shares no code with the proxy finds it in order."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.core.digest import canonical_form, is_form
from proxy.core.profiles import NORDEA, NORDEA_SANDBOX
from proxy.core.signing import SigningRules
from proxy.errors import Refused
from proxy.selfcheck import verify_outgoing
from proxy.serve.selfverify import demands_of
from tests.core.sealing import FULL, ME, parse, plan, request, sign, verify
from tests.drawing import bytes_of

_TOKEN = bytes_of(b"!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=8)
_NAMES = st.one_of(_TOKEN, st.sampled_from((
    b"Accept", b"Content-Type", b"content-type", b"Digest", b"Signature", b"X-IBM-Client-Id", b"x_ibm_client_secret",
    b"Host",
    b"Connection", b"Content-Length", b"Transfer-Encoding", b"Authorization", b"X-Forwarded-For", b"Content_Length",
    b"X-Nordea-Originating-Date", b"x.nordea.originating.host", b"X-Nordea-Originating-User-Ip", b"Expect", b"Via")))
_BYTES = bytes_of(b"\t" + bytes(range(0x20, 0x7F)) + b"\x80\xe4\xff", max_size=12)
_VALUES = st.one_of(_BYTES, st.sampled_from((
    b"application/json", b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded; charset=utf-8",
    b"close")),
).map(lambda value: value.strip(b" \t"))
_SEGMENTS = st.one_of(st.sampled_from((b"a", b"v5", b"%C3%A4", b"..", b"%2e", b"", b"a;b", b"x.y", b"%2F")), _TOKEN)
_QUERIES = st.one_of(st.just(b""), st.just(b"?"), _TOKEN.map(lambda query: b"?" + query), st.just(b"?a=b%20c&d=/e?f"))
_TARGETS = st.tuples(st.lists(_SEGMENTS, max_size=4), _QUERIES).map(lambda parts: b"/" + b"/".join(parts[0]) + parts[1])
_BODIES = st.one_of(st.just(b""), st.binary(max_size=40), st.lists(st.tuples(_TOKEN, _TOKEN), max_size=4).map(
    lambda pairs: b"&".join(name + b"=" + value for name, value in pairs)))
_METHODS = st.sampled_from((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
_OPTIONS = st.frozensets(st.sampled_from((b"close", b"x-hop", b"digest", b"accept", b"a")), max_size=2)
_RULES = st.builds(
    SigningRules, st.sampled_from((NORDEA, NORDEA_SANDBOX)), empty_body=st.sampled_from(("digest", "omit")),
    form=st.sampled_from(("canonical", "raw")), base=st.sampled_from(("", "/base", "/base/")),
    key_id=st.sampled_from((None, "clientId")), authority=st.sampled_from((None, "bank.example:8443")))

SEALED = {b"signature", b"digest", b"x-ibm-client-id", b"x-ibm-client-secret", b"x-nordea-originating-host",
          b"x-nordea-originating-date", b"host", b"content-length"}


@settings(max_examples=1200, deadline=None, database=None, derandomize=True,
          suppress_health_check=[HealthCheck.too_slow])
@given(_METHODS, _TARGETS, st.lists(st.tuples(_NAMES, _VALUES), max_size=6), _BODIES, _OPTIONS, _RULES)
def test_what_is_signed_is_what_is_sent(key, method, target, fields, body, options, rules):
    asked = request(method, target, *fields, body=body, options=options)
    try:
        made = plan(asked, rules)
    except Refused:
        return
    raw = made.complete(sign(key, made.signature_base))
    wire = parse(raw)
    assert verify_outgoing(raw.removesuffix(wire.body), wire.body, key.public_key(), demands_of(rules)) is None

    sent = wire.target.removeprefix(rules.base.rstrip(b"/"))
    assert wire.method == method
    assert target in (sent, sent + b"?")
    types = wire.all(b"content-type")
    form = rules.form == "canonical" and types and is_form(types[0]) and wire.one(b"Signature").find(FULL) > 0
    hashed = canonical_form(body).digest_input if form else body
    covered = verify(wire, key.public_key(), form_digest_of=hashed)
    assert wire.body == (canonical_form(body).body if form else body)
    assert covered == FULL or not body

    for name in SEALED - {b"digest", b"content-length"}:
        assert len(wire.all(name)) == 1
    seen = [name.lower().replace(b"_", b"-").replace(b".", b"-") for name, _ in wire.fields]
    for name in SEALED:
        assert seen.count(name) <= 1, "an alias of a sealed header reached the bank"
    assert wire.one(b"X-IBM-Client-Secret") == ME.client_secret.reveal()
    own = [field for field in fields if field in wire.fields]
    assert [field for field in wire.fields if field in own] == own, "order and duplicates are the caller's"
    assert not {b"connection", b"transfer-encoding", b"expect", b"via", b"x-forwarded-for"} & set(seen)
