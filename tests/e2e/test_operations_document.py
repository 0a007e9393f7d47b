"""docs/operations.md is true: its tables and the program say the same, name by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.audit.settings import AuditSettings
from proxy.config.model import Destination
from proxy.errors import PROBLEMS
from proxy.serve.logforms import NAMES
from proxy.serve.logline import DIAGNOSIS_FIELDS, FIELDS
from proxy.serve.shaping import ShapingSettings
from proxy.serve.traces.settings import TraceSettings
from proxy.wire.limits import Limits, Timeouts
from tests.e2e.collector import running
from tests.e2e.line import eventually, get, post
from tests.e2e.tunnels import connect, tunnelled

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


WITH_VAULT = {
    "signing_proxy_vault_requests_total": ("counter", {"operation", "outcome"}),
    "signing_proxy_vault_transit_in_flight": ("gauge", set()),
    "signing_proxy_vault_token_expiry_timestamp_seconds": ("gauge", set()),
}
"""Those have samples only where Vault is used: tests/e2e/test_vault_signs.py reads them."""
KINDS = {"server": "server", "internal": "signing", "client": "client"}


WITH_WORKERS = {
    "signing_proxy_workers_ready": ("gauge", set()),
    "signing_proxy_worker_restarts_total": ("counter", set()),
}
"""Only with more than one of them: tests/e2e/test_workers.py reads them."""
WITH_TRACES = {"signing_proxy_spans_total": ("counter", {"outcome"})}
"""tests/e2e/test_traces.py reads it."""


def table(title: str, first: str) -> list[list[str]]:
    """The rows of the table with this heading and this first column."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    after = section.partition(f"| {first} |")[2]
    rows = []
    for line in after.split("\n")[2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture
async def proxy(bank, start_proxy, tmp_path):
    return await everything_on(bank, start_proxy, tmp_path)


async def everything_on(bank, start_proxy, tmp_path):
    """A proxy that has every metric but those of Vault; tests/e2e/test_monitoring_names.py asks it too."""
    rule = Destination(host="127.0.0.1", policy="tunnel", ports=(bank.port,), allow_addresses=("127.0.0.0/8",))
    return await start_proxy(bank, ca_directory=str(tmp_path / "ca"), destinations=(rule,),
                             audit=AuditSettings(file=str(tmp_path / "trail" / "audit.jsonl")),
                             shaping=ShapingSettings(window=0.001))


async def eventful(bank, proxy) -> None:
    """Makes every metric have a sample."""
    async with tunnelled(proxy):
        pass
    async with proxy.connect() as line:
        assert (await line.ask(connect(f"127.0.0.1:{bank.port}"), bodiless=True)).status == 200
    await eventually(lambda: proxy.running.passages.open == 0)
    await proxy.ask(get("/personal/v5/accounts"))
    await proxy.ask(get("/a//b"))
    bank.faults.add("too_many")
    await proxy.ask(get("/echo"))
    bank.faults.add("close_after")
    await proxy.ask(post("/echo"))
    await proxy.ask(get("/echo"))
    await proxy.running.reload()


async def test_the_table_of_metrics_is_what_a_scrape_gives(bank, proxy):
    await eventful(bank, proxy)
    live = {}
    for family in text_string_to_metric_families((await proxy.admin("/metrics")).body.decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        if name in WITH_VAULT or name in WITH_TRACES:
            continue
        if name.endswith("_created"):       # the library's own, one beside each counter and histogram
            continue
        assert family.samples, name
        live[name] = (family.type, labels)
    written = {names(name)[0]: (kind, set(names(labels)))
               for name, kind, labels, _ in table("Metrics", "metric")}
    for elsewhere in (WITH_VAULT, WITH_WORKERS, WITH_TRACES):
        assert {name: written.pop(name) for name in elsewhere} == elsewhere
    assert written == live


def test_the_table_of_fields_is_what_a_line_has():
    assert [names(field)[0] for field, _ in table("Log lines", "field")] == list(FIELDS)


def test_the_names_for_other_programs_are_those_that_are_written():
    rows = table("Names that other programs know", "field")
    assert {names(field)[0]: (names(ecs)[0], names(otel)[0]) for field, ecs, otel in rows} == NAMES


async def test_the_table_of_attributes_is_what_spans_have(bank, start_proxy):
    async with running() as collector:
        proxy = await start_proxy(bank, traces=TraceSettings(endpoint=collector.url, interval=0.01))
        await proxy.ask(get("/personal/v5/accounts"))
        bank.faults.add("close_after")
        await proxy.ask(post("/echo"))
        spans = await collector.until(6)
    live = {(name, KINDS[span.kind]) for span in spans for name in span.attributes}
    written = {(names(name)[0], kind) for name, kinds, _ in table("Traces", "attribute") for kind in kinds.split(", ")}
    assert written - live == {("http.request.resend_count", "client"), ("error.type", "signing")}
    assert live <= written


def test_the_table_of_a_diagnosis_has_every_field():
    written = [name for field, _ in table("Lines about refusals", "field") for name in names(field)]
    assert sorted(written) == sorted(DIAGNOSIS_FIELDS)


async def test_the_table_of_paths_is_what_the_admin_port_answers(proxy):
    written = [path for row in table("Admin port", "path") for path in names(row[0])]
    listed = (await proxy.admin("/")).body.decode().splitlines()
    assert sorted(written) == sorted([*listed, "/"])


def test_the_table_of_limits_names_every_one():
    written = [name for row in table("Limits", "limit") for name in names(row[0])]
    fields = [f"limits.{name}" for name in Limits.__struct_fields__]
    fields += [f"timeouts.{name}" for name in Timeouts.__struct_fields__]
    assert set(fields) - set(written) == {"timeouts.resolve"}       # no limit: how long an address is trusted
    assert set(written) <= set(fields)


@pytest.mark.parametrize("code", sorted({code for row in table("Limits", "limit") for code in names(row[1])
                                         if "_" in code and "." not in code}))
def test_the_codes_it_names_exist(code):
    assert code in PROBLEMS


def test_the_notes_it_names_are_those_the_core_writes():
    row = next(row for row in table("Log lines", "field") if names(row[0]) == ["notes"])
    core = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "proxy").rglob("*.py"))
    for note in names(row[1]):
        assert f'"{note.partition(":")[0]}' in core
