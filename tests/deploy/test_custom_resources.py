"""Resources that Kubernetes itself does not know, against the part of their definitions that is used here.

Written from the projects' API references (External Secrets v1, Secrets Store CSI driver v1, Prometheus operator v1);
their own schemas are not in any package that the tests could install.
"""

from __future__ import annotations

import jsonschema
import pytest

from tests.deploy.manifests import SETS, documents
from tests.deploy.test_manifests import OF_OTHERS

TEXT = {"type": "string", "minLength": 1}


def strict(required: list[str], **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


REFERENCE = strict(["key"], key=TEXT, property=TEXT, version=TEXT)
LABELS = {"type": "object", "additionalProperties": TEXT}
RULE = {**strict(["expr"], record=TEXT, alert=TEXT, expr=TEXT, labels=LABELS, annotations=LABELS,
                 **{"for": {"type": "string", "pattern": "^[0-9]+[smhd]$"}}),
        "oneOf": [{"required": ["record"]}, {"required": ["alert"]}]}
SPECS = {
    ("external-secrets.io/v1", "ExternalSecret"): strict(
        ["secretStoreRef", "target", "data"], refreshInterval={"type": "string", "pattern": "^[0-9]+[smh]$"},
        secretStoreRef=strict(["name", "kind"], name=TEXT, kind={"enum": ["SecretStore", "ClusterSecretStore"]}),
        target=strict(["name"], name=TEXT, creationPolicy={"enum": ["Owner", "Orphan", "Merge", "None"]}),
        data={"type": "array", "items": strict(["secretKey", "remoteRef"], secretKey=TEXT, remoteRef=REFERENCE)}),
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"): strict(
        ["provider", "parameters"], provider=TEXT, parameters={"type": "object", "additionalProperties": TEXT},
        secretObjects={"type": "array", "items": strict(
            ["secretName", "type", "data"], secretName=TEXT, type=TEXT,
            data={"type": "array", "items": strict(["key", "objectName"], key=TEXT, objectName=TEXT)})}),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): strict(
        ["selector", "endpoints"], jobLabel=TEXT, selector=strict(["matchLabels"], matchLabels=LABELS),
        endpoints={"type": "array", "items": strict(["port"], port=TEXT, path=TEXT, interval=TEXT)}),
    ("monitoring.coreos.com/v1", "PrometheusRule"): strict(
        ["groups"], groups={"type": "array", "items": strict(
            ["name", "rules"], name=TEXT, rules={"type": "array", "minItems": 1, "items": RULE})}),
}


@pytest.mark.parametrize("name", SETS)
def test_custom_resources_have_the_form_that_their_makers_describe(name):
    for document in documents(name):
        if document["kind"] in OF_OTHERS:
            jsonschema.validate(document["spec"], SPECS[document["apiVersion"], document["kind"]])


def test_each_kind_occurs():
    seen = {(one["apiVersion"], one["kind"]) for name in SETS for one in documents(name)}
    assert seen >= SPECS.keys()
