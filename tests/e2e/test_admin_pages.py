"""What the admin port tells, to probes, to Prometheus and to people, and that none of it is a secret or unbounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.e2e.line import get, post, request
from tests.e2e.standing import samples

PROBES = ("/livez", "/liveness", "/healthz", "/readyz", "/readiness", "/startup")


@pytest.mark.parametrize("path", PROBES)
async def test_probes_and_their_aliases(proxy, path):
    answer = await proxy.admin(path)
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert answer["Cache-Control"] == "no-store"
    head = await proxy.ask(request("HEAD", path), listener="admin", bodiless=True)
    assert (head.status, head["Content-Length"]) == (200, "3")


async def test_ready_never_asks_the_bank(bank, proxy):
    await bank.stop()
    assert (await proxy.admin("/readyz")).status == 200
    assert bank.connections == 0


async def test_not_ready_without_a_usable_key(proxy):
    proxy.running.rings["shop"].signing.current = None
    answer = await proxy.admin("/readyz")
    assert (answer.status, answer.body) == (503, b"application shop: no key is loaded\n")
    assert (await proxy.admin("/livez")).status == 200
    assert (await proxy.ask(post("/echo"))).problem == (503, "key_unavailable", "no")


async def test_not_ready_once_the_certificate_has_expired(proxy):
    identity = proxy.running.rings["shop"].signing.current
    facts = replace(identity.key.certificate, not_after=datetime(2020, 1, 1, tzinfo=UTC))
    proxy.running.rings["shop"].signing.current = replace(identity, key=replace(identity.key, certificate=facts))
    answer = await proxy.admin("/readyz")
    assert (answer.status, answer.body) == (503, b"application shop: the certificate has expired\n")
    assert (await proxy.admin("/status")).json["applications"]["shop"]["ready"] is False


async def test_the_index_lists_the_pages(proxy):
    listed = [line for line in (await proxy.admin("/")).body.decode().splitlines() if not line.startswith("POST ")]
    assert {*PROBES, "/metrics", "/status"} == set(listed)
    for path in listed:
        assert (await proxy.admin(path)).status == 200


async def test_status_tells_what_runs(bank, proxy, files):
    await proxy.ask(get("/echo"))
    report = (await proxy.admin("/status")).json
    assert report["state"] == "serving"
    assert {(one["name"], one["port"]) for one in report["listeners"]} == {
        ("main", proxy.port()), ("admin", proxy.port("admin"))}
    shop = report["applications"]["shop"]
    assert (shop["client_id"], shop["revision"], shop["ready"]) == (files.shop.client_id, 1, True)
    assert shop["key"]["bits"] == 2048
    assert "PSP_PI" in shop["certificate"]["roles"]
    assert report["upstreams"][str(proxy.pool.origin)]["connections"] == 1


async def test_metrics_count_what_happened(bank, proxy):
    for _ in range(3):
        await proxy.ask(get("/personal/v5/accounts"))
    await proxy.ask(post("/echo", b"12345"))
    await proxy.ask(get("/a//b"))
    bank.faults.add("too_many")
    await proxy.ask(get("/echo"))
    await proxy.ask(get("/personal/v5/accounts").replace(b"Bearer token", b"Bearer expired"))
    found = samples((await proxy.admin("/metrics")).body)

    def value(metric, **labels):
        return found[(f"signing_proxy_{metric}", tuple(sorted(labels.items())))]

    def requests(**labels):
        return value("requests_total", **{"route": "nordea", "method": "GET", "refused_by": "none",
                                          "status_class": "2xx", **labels})

    assert requests() == 3
    assert requests(method="POST") == 1
    assert requests(status_class="4xx", refused_by="bank") == 2
    assert requests(route="none", status_class="4xx", refused_by="proxy") == 1
    assert value("rejected_total", reason="bad_target") == 1
    assert value("bank_failures_total", route="nordea", code="gateway.rate_limit") == 1
    assert value("bank_failures_total", route="nordea", code="error.token.expired") == 1
    assert value("request_bytes_total", route="nordea") == 5
    assert value("request_duration_seconds_count", route="nordea") == 6
    assert value("signing_duration_seconds_count", route="nordea") == 6
    assert value("rate_limit_remaining", upstream=str(proxy.pool.origin), name="rate-limit-1") > 10_000_000
    assert abs(value("clock_skew_seconds", upstream=str(proxy.pool.origin))) < 60
    assert value("certificate_expiry_timestamp_seconds", application="shop", slot="current") > 1.7e9
    assert value("requests_in_flight") == 0


async def test_labels_are_bounded_whatever_callers_and_banks_send(bank, proxy):
    async with proxy.connect() as line:
        await line.ask(get("/echo"))
        await line.ask(get("/status/200"))
        known = set(samples((await proxy.admin("/metrics")).body))
        for number in range(30):
            await line.ask(get(f"/echo/account-{number}?q={number}"))
            await line.ask(request(f"METHOD{number}", "/echo"))
            await line.ask(get(f"/status/{200 + number}"))
    new = set(samples((await proxy.admin("/metrics")).body)) - known
    # One method ("other"), one refusal by code; no path, no method of the callers' making.
    assert len(new) < 60
    assert not [name for name in new if "account" in str(name) or "METHOD" in str(name)]
    assert "other" in {dict(labels).get("method") for _, labels in new}


async def test_a_banks_own_codes_become_labels_only_when_known(bank, proxy):
    await proxy.ask(get("/personal/v5/nowhere"))        # error.resource.notfound is not in the table
    assert await proxy.metric("signing_proxy_bank_failures_total", route="nordea", code="other") == 1


async def test_request_id_and_traceparent_are_passed_on_and_logged(bank, proxy):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await proxy.ask(get("/echo", "X-Request-ID: order-17", f"traceparent: {trace}", "tracestate: a=b"))
    head = bank.received[-1].head
    for line in (b"X-Request-ID: order-17\r\n", f"traceparent: {trace}\r\n".encode(), b"tracestate: a=b\r\n"):
        assert line in head
    record = await proxy.lines.last()
    assert (record.request_id, record.traceparent) == ("order-17", trace)


async def test_without_an_admin_port_there_is_none(bank, start_proxy):
    proxy = await start_proxy(bank, admin=False)
    assert [name for name, _, _ in proxy.running.listeners] == ["main"]
    assert (await proxy.ask(get("/echo"))).status == 200
