"""Everything under deploy/ that a cluster would be given: what kustomize made and is committed, and what Helm makes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config.load import load
from proxy.config.model import Config

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUSTOMIZE = DEPLOY / "kustomize"
HELM = DEPLOY / "helm"
CHART = HELM / "psd2-signing-proxy"
GATEWAYS = sorted(path.stem for path in (HELM / "examples").glob("*.yaml"))
KUSTOMIZED = {path.stem: KUSTOMIZE / "examples" / path.stem.replace("secrets-", "secrets/")
              for path in sorted((KUSTOMIZE / "rendered").glob("*.yaml"))}
SETS = [*KUSTOMIZED, *GATEWAYS, "application-chart"]
"""Names of what is given to a cluster at a time."""
PROXY = "signing-proxy"

Document = dict[str, Any]


@cache
def documents(name: str) -> tuple[Document, ...]:
    """Of one set.  Skips where Helm is missing."""
    if name in KUSTOMIZED:
        text = (KUSTOMIZE / "rendered" / f"{name}.yaml").read_text()
        return tuple(document for document in yaml.safe_load_all(text) if document)
    if name in GATEWAYS:
        return render(CHART, yaml.safe_load((HELM / "examples" / f"{name}.yaml").read_text()))
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder) / "payments"
        shutil.copytree(HELM / "examples" / "application-chart", chart)
        shutil.copytree(CHART, chart / "charts" / CHART.name)
        return render(chart, {})


def render(chart: Path, values: Document) -> tuple[Document, ...]:
    made = helm().Chart.load(str(chart)).render(values, name="psd2", namespace="bank")
    return tuple(document for path, text in made.items() if not path.endswith(".txt")
                 for document in yaml.safe_load_all(text) if document)


def helm() -> Any:
    return pytest.importorskip("helm_python", reason="Helm is missing (pip install -r requirements-deploy.lock)")


@dataclass(frozen=True)
class Workload:
    """A Deployment or Job, and the proxy in it.  together: everything that is given to the cluster with it."""

    document: Document
    together: tuple[Document, ...]

    @property
    def name(self) -> str:
        return self.document["metadata"]["name"]

    @property
    def template(self) -> Document:
        return self.document["spec"]["template"]

    @property
    def pod(self) -> Document:
        return self.template["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.template.get("metadata", {}).get("labels", {})

    @property
    def proxy(self) -> Document:
        (found,) = [one for one in (*self.pod.get("initContainers", ()), *self.pod["containers"])
                    if one["name"] == PROXY]
        return found

    @property
    def native(self) -> bool:
        return self.proxy in self.pod.get("initContainers", ())

    @property
    def applications(self) -> list[Document]:
        return [one for one in self.pod["containers"] if one["name"] != PROXY]

    @property
    def environment(self) -> dict[str, str]:
        return {entry["name"]: entry["value"] for entry in self.proxy.get("env", ())}

    def volume(self, name: str) -> Document:
        (found,) = [one for one in self.pod["volumes"] if one["name"] == name]
        return found

    def files(self) -> Iterator[tuple[str, str]]:
        """(path in the proxy's container, content) of its configuration's ConfigMap."""
        for mount in self.proxy["volumeMounts"]:
            source = self.volume(mount["name"]).get("configMap")
            if source is not None:
                (found,) = [one for one in self.together
                            if one["kind"] == "ConfigMap" and one["metadata"]["name"] == source["name"]]
                yield from ((f"{mount['mountPath']}/{key}", text) for key, text in found["data"].items())

    @property
    def configured(self) -> bool:
        return "SIGNING_PROXY_CONFIG_FILE" in self.environment

    def config(self) -> Config:
        """As the proxy in this container would have it."""
        content = dict(self.files())[self.environment["SIGNING_PROXY_CONFIG_FILE"]]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "config.yaml"
            path.write_text(content)
            return load(path, self.environment, {})


def workloads(name: str) -> list[Workload]:
    together = documents(name)
    return [Workload(one, together) for one in together if one["kind"] in ("Deployment", "Job")]


def of_kind(together: tuple[Document, ...], kind: str) -> list[Document]:
    return [one for one in together if one["kind"] == kind]
