"""The Helm chart: lint, values that are refused, and files that must equal others."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from proxy.config.model import Config
from tests.deploy.chart_schema import OF_THE_CHART, copies
from tests.deploy.manifests import CHART, GATEWAYS, HELM, documents, helm, of_kind, render, workloads

TOKEN = {"gateway": {"clients": {"tokenSecret": "clients"}}}


@pytest.mark.parametrize("path", copies(), ids=lambda path: path.name)
def test_what_the_chart_repeats_is_up_to_date(path):
    assert path.read_text() == copies()[path], "run 'make docs'"


def test_the_keys_that_the_chart_sets_exist():
    assert set(OF_THE_CHART) <= set(Config.__struct_fields__)


@pytest.mark.parametrize("name", GATEWAYS)
def test_helm_finds_nothing_to_complain_about(name):
    values = yaml.safe_load((HELM / "examples" / f"{name}.yaml").read_text())
    report = helm().lint(str(CHART), values, strict=True)
    assert report["errors"] == []
    assert [one for one in report["messages"] if one["error"] != "icon is recommended"] == []


@pytest.mark.parametrize(("values", "place"), [
    ({"gatway": {}}, "gatway"),
    ({"gateway": {"replica": 3}}, "replica"),
    ({"gateway": {"clients": {"token": "x"}}}, "token"),
    ({"gateway": {"networkPolicy": {"enable": False}}}, "enable"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"config": {"routes": [{"profile": "nordea", "alow": "GET /"}]}}, "alow"),
    ({"config": {"routes": [{"profile": "nordae"}]}}, "/config/routes"),
    ({"config": {"address": "0.0.0.0"}}, "address"),
    ({"secrets": [{"nam": "x"}]}, "nam"),
    ({"monitoring": {"serviceMonitor": {"enabled": "yes"}}}, "/monitoring/serviceMonitor/enabled"),
])
def test_a_typo_in_the_values_is_an_error_with_its_place(values, place):
    errors = helm()
    with pytest.raises(errors.HelmValuesError) as refused:
        render(CHART, {**TOKEN, **values})
    assert place in str(refused.value)


@pytest.mark.parametrize("clients", [{}, {"tlsSecret": "tls"}, {"certificates": True}])
def test_no_gateway_without_knowing_its_callers(clients):
    errors = helm()
    with pytest.raises(errors.HelmRenderError, match="has requests signed in your name"):
        render(CHART, {"gateway": {"clients": clients}})


def test_the_three_value_files_are_three_gateways():
    plain, both = (workloads(name)[0].config() for name in ("gateway-token", "gateway-two-applications"))
    mutual = workloads("gateway-mtls-vault")[0].config()
    assert (plain.client_token_file, plain.tls) == ("/run/secrets/clients/tokens", None)
    assert mutual.tls is not None
    assert mutual.client_token_file is None
    assert mutual.tls.client_names == ("payments.payments.svc", "spiffe://company/reports")
    assert mutual.vault is not None
    assert (mutual.vault.address, mutual.vault.kubernetes.jwt_file) == (
        "https://vault.vault.svc:8200", "/run/secrets/vault/token")
    assert mutual.limits.body == 2097152
    assert both.tls is not None
    assert both.tls.client_ca_file is None
    assert both.client_token_file is not None


@pytest.mark.parametrize("name", GATEWAYS)
def test_callers_may_use_every_name_of_the_service(name):
    together = documents(name)
    (service,) = [one for one in of_kind(together, "Service") if "clusterIP" not in one["spec"]]
    config = workloads(name)[0].config()
    port, own = service["spec"]["ports"][0]["port"], service["metadata"]["name"]
    for host in (own, f"{own}.bank", f"{own}.bank.svc", f"{own}.bank.svc.cluster.local"):
        assert {host, f"{host}:{port}"} <= set(config.allowed_hosts)


def test_a_policy_lets_in_only_whom_it_names():
    (policy,) = of_kind(render(CHART, TOKEN), "NetworkPolicy")
    assert policy["spec"]["ingress"] == []
    (policy,) = of_kind(documents("gateway-token"), "NetworkPolicy")
    assert [rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]] == ["proxy", "proxy-admin"]


def test_another_configuration_is_another_pod():
    """It is read at the start only; a secret's new content is not in the template, and is read by the running pod."""
    def annotation(values):
        (found,) = of_kind(render(CHART, {**TOKEN, **values}), "Deployment")
        return found["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert annotation({}) != annotation({"config": {"log_paths": "full"}})
    assert len(annotation({})) == hashlib.sha256().digest_size * 2


@pytest.mark.parametrize(("gateway", "share"), [
    ({"autoscaling": {"enabled": False}, "replicas": 3}, 0.3333), ({"autoscaling": {"maxReplicas": 8}}, 0.125),
    ({"autoscaling": {"enabled": False}, "replicas": 1}, 1)])
def test_each_replica_has_its_part_of_the_banks_limit(gateway, share):
    values = {"config": {"shaping": {"waiting": 10}}, "gateway": {**TOKEN["gateway"], **gateway}}
    ((_, text),) = of_kind(render(CHART, values), "ConfigMap")[0]["data"].items()
    assert yaml.safe_load(text)["shaping"] == {"waiting": 10, "share": share}
    values["config"]["shaping"]["share"] = 0.5
    ((_, text),) = of_kind(render(CHART, values), "ConfigMap")[0]["data"].items()
    assert yaml.safe_load(text)["shaping"]["share"] == 0.5


def test_the_rules_and_the_dashboard_arrive_whole():
    together = documents("gateway-token")
    (rule,) = of_kind(together, "PrometheusRule")
    monitoring = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    for ours, theirs in zip(monitoring["groups"], rule["spec"]["groups"], strict=True):
        for one, other in zip(ours["rules"], theirs["rules"], strict=True):
            assert one["expr"] == other["expr"]
            if "annotations" in one:
                assert other["annotations"]["runbook_url"] == (
                    "https://git.example/psd2-signing-proxy/" + one["annotations"]["runbook_url"])
                assert one["annotations"]["summary"] == other["annotations"]["summary"]
    (dashboard,) = [one for one in of_kind(together, "ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]
    assert dashboard["data"]["psd2-signing-proxy.json"] == (CHART / "files" / "dashboard.json").read_text()
