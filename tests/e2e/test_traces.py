"""A collector is told the story of each call, and nothing that is secret; whatever it does, no call notices."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.app import tracing
from proxy.errors import ProxyError
from proxy.serve.traces.settings import TraceSettings
from tests.e2e.collector import running, told
from tests.e2e.line import connected, eventually, get, post, within

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = (f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: vendor=1")
ACCOUNT = "/personal/v5/accounts/FI6593857450293470-EUR"
SOON = 0.01
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def collector():
    async with running() as collector:
        yield collector


@pytest.fixture
def traced(bank, start_proxy, collector):
    async def start(**changes):
        to = {"endpoint": collector.url, "interval": SOON, "timeout": 5.0, **changes}
        return await start_proxy(bank, traces=TraceSettings(**to))

    return start


def context(bank):
    """traceparent and tracestate of the last request at the bank."""
    fields = {name.lower(): value for name, value in list(bank.received)[-1].fields}
    return fields.get("traceparent"), fields.get("tracestate")


async def test_a_signed_call_is_three_spans_of_the_callers_trace(bank, traced, collector, lines):
    proxy = await traced()
    assert (await proxy.ask(get(ACCOUNT, *CALLER))).status == 200
    spans = await collector.trace()
    server, sign, client = spans["server"], spans["internal"], spans["client"]
    assert {span.trace_id for span in spans.values()} == {TRACE}
    assert {span.state for span in spans.values()} == {"vendor=1"}
    assert (server.parent, sign.parent, client.parent) == (SPAN, server.span_id, server.span_id)
    assert (server.name, sign.name) == ("GET /personal/v5/accounts/*", "sign")
    assert server.start <= sign.start < sign.end <= client.start < client.end == server.end
    assert server.start < sign.start, "there was a connection to make"
    timings = lines.records[0].timings
    assert sign.end - sign.start == pytest.approx(timings.sign * 1e9, abs=1000)
    assert client.attributes["http.response.status_code"] == server.attributes["http.response.status_code"] == 200
    assert client.attributes["server.port"] == bank.port
    assert not any(span.failed for span in spans.values())
    assert server.resource["service.name"] == "psd2-signing-proxy"
    assert (lines.records[0].trace_id, lines.records[0].span_id) == (TRACE, server.span_id)
    assert context(bank) == (CALLER[0].removeprefix("traceparent: "), "vendor=1")
    await eventually(lambda: proxy.running.telemetry.spans.values["exported",] == 3)
    assert await proxy.metric("signing_proxy_spans_total", outcome="exported") == 3


async def test_the_bank_is_told_of_our_span_where_that_is_asked_for(bank, traced, collector, lines):
    proxy = await traced(propagate=True)
    await proxy.ask(get("/echo", *CALLER))
    client = (await collector.trace())["client"]
    assert context(bank) == (f"00-{TRACE}-{client.span_id}-01", "vendor=1")
    assert lines.records[0].traceparent == f"00-{TRACE}-{SPAN}-01", "the log says what the caller sent"
    collector.spans.clear()
    await proxy.ask(get("/echo", "traceparent: 00-secret", "tracestate: not=ours"))
    begun = await collector.trace()
    client = begun["client"]
    assert context(bank) == (f"00-{client.trace_id}-{client.span_id}-03", None)
    assert begun["server"].parent == ""


async def test_without_a_callers_trace_nothing_is_added_to_the_request(bank, traced, collector):
    proxy = await traced()
    await proxy.ask(get("/echo"))
    await collector.trace()
    assert context(bank) == (None, None)


async def test_a_caller_that_does_not_sample_is_followed(bank, traced, collector, lines):
    proxy = await traced()
    await proxy.ask(get("/echo", f"traceparent: 00-{TRACE}-{SPAN}-00"))
    await proxy.ask(get("/echo"))
    assert all(span.trace_id != TRACE for span in await collector.until(3))
    assert lines.records[0].trace_id == TRACE, "the log names the trace all the same"


async def test_a_sampled_caller_is_traced_where_no_trace_begins_here(traced, collector):
    proxy = await traced(sample_ratio=0.0)
    await proxy.ask(get("/echo"))
    await proxy.ask(get("/echo", *CALLER))
    assert {span.trace_id for span in await collector.until(3)} == {TRACE}


async def test_nothing_secret_leaves(bank, traced, collector, files, tmp_path):
    key = tmp_path / "headers"
    key.write_text("x-api-key: canary-collector\n")
    key.chmod(0o600)
    proxy = await traced(headers_file=str(key))
    bank.faults.add("close_after", path="/echo/cut")
    await proxy.ask(post(f"{ACCOUNT}/canary1-path?q=canary-query", b"canary-body", "X-Note: canary-header"))
    await proxy.ask(get("/echo/cut?canary-query").replace(b"Bearer token", b"Bearer canary-token"))
    await proxy.ask(get("/a//canary1-path?canary-query"))
    await eventually(lambda: len(collector.spans) >= 7)
    signatures = [value for request in bank.received for name, value in request.fields if name == "Signature"]
    for secret in (b"canary", files.shop.secret.encode(), b"FI6593857450293470", *map(str.encode, signatures)):
        assert secret not in collector.raw
    assert signatures
    assert {headers["x-api-key"] for headers in collector.headers} == {"canary-collector"}


async def test_what_we_refuse_is_one_span(traced, collector):
    proxy = await traced()
    await proxy.ask(get("/a//b", *CALLER))
    (span,) = await collector.until(1)
    assert (span.kind, span.parent, span.name, span.failed) == ("server", SPAN, "GET", False)
    assert (span.attributes["error.type"], span.attributes["signing_proxy.sent"]) == ("bad_target", "no")


async def test_what_the_bank_refuses_is_an_error_of_the_client_span(traced, collector):
    proxy = await traced()
    await proxy.ask(get(ACCOUNT).replace(b"Bearer token", b"Bearer expired"))
    spans = await collector.trace()
    assert (spans["client"].failed, spans["server"].failed, spans["internal"].failed) == (True, False, False)
    assert spans["client"].attributes["error.type"] == "error.token.expired"
    assert spans["client"].attributes["http.response.status_code"] == 401


async def test_a_call_without_an_answer(bank, traced, collector):
    proxy = await traced()
    bank.faults.add("close_after")
    await proxy.ask(post("/echo"))
    spans = await collector.trace()
    assert (spans["client"].failed, spans["server"].failed) == (True, True)
    assert spans["client"].attributes["signing_proxy.sent"] == "maybe"
    assert spans["server"].attributes["error.type"] == "upstream_closed"
    assert "http.response.status_code" not in spans["client"].attributes


async def test_a_key_that_cannot_sign(traced, collector, monkeypatch):
    proxy = await traced()
    signer = proxy.running.rings["shop"].current.key.signer
    monkeypatch.setattr(type(signer), "sign", lambda self, data: 1 / 0)
    assert (await proxy.ask(get("/echo"))).status == 503
    spans = await collector.trace(2)
    assert spans.keys() == {"server", "internal"}
    assert (spans["internal"].failed, spans["internal"].attributes["error.type"]) == (True, "signing_failed")


async def test_a_key_that_was_not_asked(traced, collector):
    class Refusing:
        def begin(self, recording, plan, done):
            asyncio.get_running_loop().call_soon(done, ProxyError("audit_unavailable"))
            return True

    proxy = await traced()
    proxy.running.gateway.audit = Refusing()
    assert (await proxy.ask(get("/echo"))).status == 503
    (span,) = await collector.until(1)
    assert (span.kind, span.attributes["error.type"]) == ("server", "audit_unavailable")


@pytest.mark.parametrize("mood", ["refuses", "hangs", "gone"])
async def test_a_collector_that_does_not_take_them_holds_up_nothing(bank, start_proxy, collector, mood, monkeypatch):
    monkeypatch.setattr(tracing, "_LEAST_S", 0.1)
    collector.mood = mood
    proxy = await start_proxy(bank, traces=TraceSettings(
        endpoint="http://127.0.0.1:1" if mood == "gone" else collector.url, interval=SOON, timeout=0.2, queue=1))
    for _ in range(4):
        assert (await proxy.ask(get("/echo"))).status == 200
    spans = proxy.running.telemetry.spans.values
    await eventually(lambda: spans["failed",] >= 3)
    assert sum(spans.values()) % 3 == 0
    assert not spans["exported",]
    await proxy.running.close()


async def test_a_collector_that_hangs_does_not_keep_the_process(bank, start_proxy, collector, monkeypatch, caplog):
    monkeypatch.setattr(tracing, "_MOST_S", 0.1)
    collector.mood = "hangs"
    proxy = await start_proxy(bank, traces=TraceSettings(endpoint=collector.url, interval=SOON, timeout=3600.0))
    await proxy.ask(get("/echo"))
    await within(collector.bell.until(lambda: collector.asked))
    assert (await proxy.ask(get("/echo"))).status == 200
    await within(proxy.running.close())
    assert "has not taken the last spans" in caplog.text


async def test_the_queue_has_a_bound(bank, start_proxy, collector, monkeypatch):
    monkeypatch.setattr(tracing, "_LEAST_S", 5.0)
    proxy = await start_proxy(bank, traces=TraceSettings(endpoint=collector.url, interval=3600.0, queue=2))
    for _ in range(3):
        await proxy.ask(get("/echo"))
    assert await proxy.metric("signing_proxy_spans_total", outcome="no_room") == 3
    await proxy.running.close()
    assert len(collector.spans) == 6, "what waited is sent at the end"


async def test_the_last_spans_leave_while_it_drains(bank, start_child, collector):
    child = await start_child(bank, traces=TraceSettings(endpoint=collector.url, interval=3600.0))
    async with connected(child.port) as line:
        assert (await line.ask(get("/echo"))).status == 200
    child.signal(signal.SIGTERM)
    assert await child.ended() == 143
    await collector.until(3)


async def test_the_variables_of_opentelemetry_count(bank, start_proxy, collector, monkeypatch):
    for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "till",
                        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
                        "OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=from-there",
                        "HTTP_PROXY": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    proxy = await start_proxy(bank, traces=TraceSettings(interval=SOON))
    await proxy.ask(get("/echo"))
    server = (await collector.trace())["server"]
    assert (server.resource["service.name"], server.resource["deployment.environment.name"]) == ("till", "test")
    assert collector.headers[0]["x-api-key"] == "from-there"


async def test_the_sdk_can_be_disabled_by_its_variable(bank, start_proxy, collector, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    proxy = await start_proxy(bank, traces=TraceSettings(endpoint=collector.url))
    assert proxy.running.gateway.tracer is None


async def test_without_the_extra_it_says_what_to_install(bank, start_proxy, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "proxy.serve.traces.s",
                                                                  "proxy.serve.traces.c"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(ProxyError) as caught:
        await start_proxy(bank, traces=TraceSettings())
    assert caught.value.code == "otel_missing"


@pytest.mark.parametrize(("text", "part"), [("no header\n", "line 1"), ("a: b\nx y: z\n", "line 2")])
def test_a_bad_file_of_headers(tmp_path, text, part):
    path = tmp_path / "headers"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ProxyError, match=part) as caught:
        tracing.try_traces(TraceSettings(headers_file=str(path)))
    assert caught.value.code == "traces_unusable"


async def test_grpc(bank, start_proxy):
    reason = "needs the extra otel-grpc: pip install 'opentelemetry-exporter-otlp-proto-grpc>=1.40'"
    grpc = pytest.importorskip("grpc", reason=reason)
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason=reason)
    from concurrent.futures import ThreadPoolExecutor

    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

    spans = []

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request, context):
            spans.extend(told(request))
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        proxy = await start_proxy(bank, traces=TraceSettings(
            endpoint=f"http://127.0.0.1:{port}", protocol="grpc", interval=SOON))
        await proxy.ask(get("/echo", *CALLER))
        await eventually(lambda: len(spans) == 3)
        assert {span.trace_id for span in spans} == {TRACE}
    finally:
        server.stop(None)


def test_nothing_of_it_is_imported_where_there_are_no_traces():
    program = ("import sys, proxy.app.lifecycle; "
               "print([name for name in sys.modules if name.startswith(('opentelemetry', 'requests'))])")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
