"""Every label has a bounded number of values, and each call is counted where it belongs."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.exchange import Exchange, Timings
from proxy.core.routing import METHODS
from proxy.serve.rulings import KNOWN_CODES, Ruling
from proxy.serve.telemetry import Telemetry, method_label

ANSWERED = Exchange(
    request_id="id", client="c", listener="main", route="nordea", application="shop", method="GET", path="/x",
    status=200, outcome="answered", sent="yes", attempts=1, request_bytes=7, response_bytes=9,
    timings=Timings(0, .001, .02, .03))
BANK = "open.nordea.com:443"


def value(telemetry, metric, **labels):
    return telemetry.registry.get_sample_value("signing_proxy_" + metric, labels)


def changed(**values):
    return msgspec.structs.replace(ANSWERED, **values)


def test_an_answered_call():
    telemetry = Telemetry()
    telemetry.record(ANSWERED, None)
    telemetry.record(ANSWERED, None)
    assert value(telemetry, "requests_total", route="nordea", method="GET", status_class="2xx", refused_by="none") == 2
    assert value(telemetry, "request_bytes_total", route="nordea") == 14
    assert value(telemetry, "response_bytes_total", route="nordea") == 18
    assert value(telemetry, "upstream_duration_seconds_sum", route="nordea") == pytest.approx(.04)
    assert value(telemetry, "uncertain_total", route="nordea") is None


@pytest.mark.parametrize(("sent", "uncertain"), [("maybe", 1), ("no", None)])
def test_a_failure_of_ours(sent, uncertain):
    telemetry = Telemetry()
    telemetry.record(changed(status=502, outcome="failed", refused_by="proxy", code="upstream_closed", sent=sent), None)
    assert value(telemetry, "rejected_total", reason="upstream_closed") == 1
    assert value(telemetry, "uncertain_total", route="nordea") == uncertain


def test_what_was_never_sealed_has_no_signing_time():
    telemetry = Telemetry()
    telemetry.record(changed(status=400, refused_by="proxy", code="bad_target", sent="no", attempts=0), None)
    assert not value(telemetry, "signing_duration_seconds_count", route="nordea")
    assert value(telemetry, "request_duration_seconds_count", route="nordea") == 1


@given(st.text(max_size=80))
def test_a_banks_code_is_a_known_label_or_other(code):
    assert Ruling(code).label in KNOWN_CODES | {"other"}


@given(st.binary(max_size=20))
def test_a_method_is_a_known_label_or_other(method):
    assert method_label(method) in {known.decode() for known in METHODS} | {"other"}


def test_rate_limits_by_name_are_bounded():
    telemetry = Telemetry()
    telemetry.seen(BANK, b"x-ratelimit-remaining", b"name=rate-limit-1,10;name=auth,0;")
    telemetry.seen(BANK, b"x-burstlimit-remaining", b"name=burst,3")
    assert value(telemetry, "rate_limit_remaining", upstream=BANK, name="rate-limit-1") == 10
    assert value(telemetry, "rate_limit_remaining", upstream=BANK, name="auth") == 0
    assert value(telemetry, "rate_limit_remaining", upstream=BANK, name="burst") == 3
    telemetry.seen(BANK, b"x-ratelimit-remaining", b"".join(b"name=n%d,1;" % number for number in range(1000)))
    family = next(one for one in telemetry.registry.collect() if one.name == "signing_proxy_rate_limit_remaining")
    assert len(family.samples) <= 16


@given(st.binary(max_size=200))
def test_no_header_of_a_bank_is_too_strange(raw):
    telemetry = Telemetry()
    for name in (b"x-ratelimit-remaining", b"x-burstlimit-remaining"):
        telemetry.seen(BANK, name, raw)
    assert list(telemetry.registry.collect())


def test_skew_is_read_when_somebody_asks():
    telemetry = Telemetry()
    assert value(telemetry, "clock_skew_seconds", upstream=BANK) is None
    telemetry.skews = lambda: [(BANK, 60.04)]
    assert value(telemetry, "clock_skew_seconds", upstream=BANK) == 60.04
    assert telemetry.last_heard()["clock_ahead"] == [{"upstream": BANK, "seconds": 60.0}]
