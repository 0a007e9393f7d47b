"""What the rules and the dashboard ask Prometheus for, read from their files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RUNBOOK = ROOT / "docs" / "runbook.md"

_SELECTOR = re.compile(r"\b(signing_proxy_[a-z0-9_]+)(?:\s*\{(?P<matchers>[^}]*)\})?")
_MATCHER = re.compile(r"\s*([a-z_]+)\s*(=~|!=|!~|=)\s*\"([^\"]*)\"\s*,?")
_BY = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")

OF_THE_SCRAPE = {"job", "instance", "namespace", "pod", "service", "container", "le"}
"""Labels that Prometheus adds, and the histograms' own."""


@dataclass(frozen=True)
class Query:
    place: str
    expr: str

    def selectors(self) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
        """Each metric with its matchers (label, operator, value).  Recording rules' names have a colon."""
        for found in _SELECTOR.finditer(re.sub(r"\bsigning_proxy:[a-z0-9_:]+", "", self.expr)):
            text = found["matchers"] or ""
            matchers = _MATCHER.findall(text)
            assert _MATCHER.sub("", text).strip() == "", (self.place, text)
            yield found[1], matchers

    def labels(self) -> set[str]:
        """Those it groups and joins by."""
        return {label.strip() for group in _BY.findall(self.expr) for label in group.split(",")} - {""}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((MONITORING / "rules.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard() -> dict[str, Any]:
    return json.loads((MONITORING / "dashboard.json").read_text())


def panel_queries() -> list[Query]:
    """With Grafana's variables filled in as Grafana would."""
    document = dashboard()
    found = [Query(panel["title"], target["expr"]) for panel in document["panels"]
             for target in panel.get("targets", [])]
    found += [Query(note["name"], note["expr"]) for note in document["annotations"]["list"]]
    return [Query(query.place, query.expr.replace("$__rate_interval", "1m").replace("$job", ".*")
                  .replace("$route", ".*")) for query in found]


def queries() -> list[Query]:
    return [Query(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()] + panel_queries()
