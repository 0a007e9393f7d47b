"""docs/kubernetes.md shows files as they are, and names what exists."""

from __future__ import annotations

import re
import textwrap

import jsonschema
import pytest
import yaml

from proxy.cli.program import COMMANDS
from tests.deploy.manifests import ROOT, workloads
from tests.deploy.test_custom_resources import LABELS, TEXT, strict

TEXT_OF_PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
FENCES = re.findall(r"^(?:<!-- from: (\S+) -->\n)?```yaml\n(.*?)^```$", TEXT_OF_PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("file", "text"), FENCES, ids=[f"{file}:{text[:20].strip()}" for file, text in FENCES])
def test_its_yaml_is_that_of_a_tested_file(file, text):
    assert file, "say with <!-- from: … --> where this is taken from"
    assert textwrap.dedent(text) in textwrap.dedent((ROOT / file).read_text()) or text in (ROOT / file).read_text()
    assert file.startswith(("deploy/kustomize/", "deploy/helm/", "deploy/monitoring/"))


def test_it_has_some():
    assert len(FENCES) == TEXT_OF_PAGE.count("```yaml") >= 12


def test_folders_that_it_names_exist():
    for name in re.findall(r"(?<![\w/])(deploy/[\w./-]+)", TEXT_OF_PAGE):
        assert (ROOT / name.rstrip(".")).exists(), name
    for name in re.findall(r"`…/(secrets/[\w-]+)`", TEXT_OF_PAGE):
        assert (ROOT / "deploy/kustomize/examples" / name).is_dir(), name


def test_the_commands_that_it_names_exist():
    named = set(re.findall(r"`signing-proxy ([a-z]+)", TEXT_OF_PAGE))
    assert named
    assert named <= COMMANDS.keys()


def test_the_pod_monitor_finds_the_sidecars():
    monitor = yaml.safe_load((ROOT / "deploy/monitoring/podmonitor.yaml").read_text())
    endpoint = strict(["port"], port=TEXT, path=TEXT, interval=TEXT)
    jsonschema.validate(monitor["spec"], strict(
        ["selector", "podMetricsEndpoints"], namespaceSelector=strict([], any={"type": "boolean"}),
        selector=strict(["matchLabels"], matchLabels=LABELS),
        podMetricsEndpoints={"type": "array", "items": endpoint}))
    for name in ("deployment", "job", "classic"):
        for workload in workloads(name):
            assert monitor["spec"]["selector"]["matchLabels"].items() <= workload.labels.items()
            assert {one["port"] for one in monitor["spec"]["podMetricsEndpoints"]} <= {
                port["name"] for port in workload.proxy["ports"]}
