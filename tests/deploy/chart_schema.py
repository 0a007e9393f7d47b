"""values.schema.json of the Helm chart, with that of the proxy's own configuration in it: `make docs` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "psd2-signing-proxy"
SCHEMA = CHART / "values.schema.json"

TEXT = {"type": "string"}
YES = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 1}
TEXTS = {"type": "array", "items": TEXT}
LABELS = {"type": "object", "additionalProperties": TEXT}
FREE = {"type": "object"}
OBJECTS = {"type": "array", "items": FREE}
OF_THE_CHART = ("address", "port", "admin_address", "admin_port", "allowed_hosts", "client_token_file", "tls",
                "token_allow_group_read", "ca_directory", "ca_certificate_file", "ca_key_file", "ca_allow_group_read",
                "min_sigterm_delay", "max_sigterm_delay", "socket_mode")
"""Keys of the configuration that the chart sets, so that nobody can set them twice."""


def keys(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def values() -> dict[str, Any]:
    configuration = json.loads((ROOT / "config" / "schema.json").read_text())["$defs"]
    own = configuration.pop("Config")
    own.pop("required")     # empty until the user writes it
    own["properties"] = {name: node for name, node in own["properties"].items() if name not in OF_THE_CHART}
    resources = keys(requests=FREE, limits=FREE, claims=OBJECTS)
    clients = keys(tokenSecret=TEXT, tlsSecret=TEXT, certificates=YES, names=TEXTS)
    gateway = keys(
        enabled=YES, replicas=COUNT, clients=clients, interceptionSecret=TEXT, allowedHosts=TEXTS,
        service=keys(type={"enum": ["ClusterIP", "LoadBalancer", "NodePort"]},
                     port={"type": "integer", "minimum": 1, "maximum": 65535}, annotations=LABELS),
        autoscaling=keys(enabled=YES, minReplicas=COUNT, maxReplicas=COUNT, targetCPUUtilizationPercentage=COUNT),
        podDisruptionBudget=keys(enabled=YES, maxUnavailable={"type": ["integer", "string"]}),
        networkPolicy=keys(enabled=YES, clients=OBJECTS, monitoring=OBJECTS, egress=OBJECTS),
        resources=resources, spread=YES, minSigtermDelay={"type": "integer", "minimum": 0}, maxSigtermDelay=COUNT,
        podLabels=LABELS, podAnnotations=LABELS, nodeSelector=LABELS, tolerations=OBJECTS, priorityClassName=TEXT)
    monitoring = keys(
        serviceMonitor=keys(enabled=YES, interval=TEXT, labels=LABELS),
        prometheusRule=keys(enabled=YES, labels=LABELS, runbookBase=TEXT),
        dashboard=keys(enabled=YES, labels=LABELS))
    secret = {**keys(name=TEXT, items=TEXTS), "required": ["name"]}
    schema = keys(
        image=keys(repository=TEXT, tag=TEXT, digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                   pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]}),
        imagePullSecrets={"type": "array", "items": keys(name=TEXT)}, config=own,
        secrets={"type": "array", "items": secret},
        vaultToken=keys(enabled=YES, audience=TEXT, expirationSeconds={"type": "integer", "minimum": 600}),
        serviceAccount=keys(create=YES, name=TEXT, annotations=LABELS), gateway=gateway,
        sidecar=keys(configMap=TEXT, resources=resources), monitoring=monitoring,
        **{"global": FREE})     # Helm's own, of a chart that has this one as a dependency
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "psd2-signing-proxy, the Helm chart",
            **schema, "$defs": configuration}


def written() -> str:
    return json.dumps(values(), indent=2, ensure_ascii=False) + "\n"


def copies() -> dict[Path, str]:
    """Files of the chart that must equal others: Helm reads nothing outside of the chart's folder."""
    monitoring = ROOT / "deploy" / "monitoring"
    return {SCHEMA: written(), **{CHART / "files" / name: (monitoring / name).read_text()
                                  for name in ("rules.yaml", "dashboard.json")}}


if __name__ == "__main__":
    for path, text in copies().items():
        path.write_text(text, encoding="utf-8")
