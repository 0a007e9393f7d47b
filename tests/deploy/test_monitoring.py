"""deploy/monitoring: what promtool says of rules, stories and dashboard; each alert is explained to whom it wakes."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from proxy.errors import PROBLEMS
from proxy.serve.rulings import KNOWN_CODES
from tests.deploy.monitoring import MONITORING, RUNBOOK, alerts, dashboard, panel_queries, queries, rules

ALERTS = alerts()
names = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])

promtool = pytest.mark.skipif(shutil.which("promtool") is None,
                              reason="promtool is missing (Debian: apt-get install prometheus)")


def ask_promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_prometheus_understands_every_rule():
    ask_promtool("check", "rules", str(MONITORING / "rules.yaml"))


@promtool
def test_each_alert_fires_when_it_should_and_only_then():
    ask_promtool("test", "rules", str(MONITORING / "rules-test.yaml"))


@promtool
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path):
    """As recording rules, which are what promtool reads."""
    found = [{"record": f"panel:{number}", "expr": query.expr} for number, query in enumerate(panel_queries())]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": found}]}))
    ask_promtool("check", "rules", str(tmp_path / "rules.yaml"))


@names
def test_an_alert_has_stories_in_which_it_fires_and_in_which_it_does_not(alert):
    stories = yaml.safe_load((MONITORING / "rules-test.yaml").read_text())["tests"]
    of_it = [check for story in stories for check in story["promql_expr_test"]
             if f'alertname="{alert["alert"]}"' in check["expr"]]
    assert {bool(check["exp_samples"]) for check in of_it} == {True, False}


@names
def test_who_is_woken_finds_what_to_do(alert):
    name = alert["alert"]
    section = RUNBOOK.read_text().partition(f"\n### {name}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    assert len(section) > 150
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["labels"]["severity"] in ("critical", "warning", "info")


def test_the_runbook_has_no_section_of_an_alert_that_is_gone():
    assert set(re.findall(r"^### (\S+)$", RUNBOOK.read_text(), re.MULTILINE)) == {alert["alert"] for alert in ALERTS}


def test_the_labels_that_people_read_are_there():
    """An alert's text can only name labels that its expression leaves over."""
    for alert in ALERTS:
        text = " ".join(alert["annotations"].values())
        by = re.match(r"\s*(?:sum|min|max|count) by \(([^)]*)\)", alert["expr"])
        if by is not None:
            left = {label.strip() for label in by[1].split(",")}
            assert set(re.findall(r"\$labels\.([a-z_]+)", text)) <= left, alert["alert"]


def test_the_recordings_that_alerts_use_are_recorded():
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for query in queries() for name in re.findall(r"signing_proxy:[a-z0-9_:]+", query.expr)}
    assert used
    assert used <= recorded


def test_codes_in_matchers_exist():
    """A code that nobody writes any more would make an alert silent."""
    for query in queries():
        for metric, matchers in query.selectors():
            for label, operator, value in matchers:
                if metric == "signing_proxy_rejected_total" and label == "reason":
                    assert set(value.split("|")) <= PROBLEMS.keys()
                if metric == "signing_proxy_bank_failures_total" and label == "code":
                    matching = {code for code in KNOWN_CODES if re.fullmatch(value, code)}
                    assert matching, (query.place, operator, value)
                    for part in re.findall(r"[a-z]{4,}", value.partition("(")[2].partition(")")[0]):
                        assert any(f".{part}." in code for code in matching), part


def test_the_dashboard_holds_together():
    document = dashboard()
    panels = document["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    cells = [(x, y) for panel in panels for at in [panel["gridPos"]]
             for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)
    named = {variable["name"] for variable in document["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", str(document))) - {"__rate_interval", "__all"}
    assert used <= named | {"__"}
