"""Everything under deploy/ is what Kubernetes takes, holds together by itself, and says of the program what is true."""

from __future__ import annotations

import shutil
import subprocess
from importlib import import_module
from pathlib import PurePosixPath

import click
import pytest
import yaml

from proxy.cli.client_environment import NO_PROXY, variables
from proxy.cli.program import COMMANDS, program
from proxy.config import environment
from proxy.config.address import is_loopback
from tests.deploy.manifests import KUSTOMIZED, SETS, documents, of_kind, workloads

VERSIONS = ("1.29", "1.37")
OF_OTHERS = {"ExternalSecret", "SecretProviderClass", "ServiceMonitor", "PrometheusRule", "PodMonitor"}
"""Kinds that Kubernetes itself does not know; tests/deploy/test_custom_resources.py has their schemas."""
LOCKED = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "readOnlyRootFilesystem": True,
          "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
          "seccompProfile": {"type": "RuntimeDefault"}}

every_set = pytest.mark.parametrize("name", SETS)


@pytest.mark.parametrize("name", KUSTOMIZED)
def test_what_is_committed_is_what_kustomize_makes(name):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is missing, which has kustomize in it; deploy/kustomize/rendered is taken as it is")
    made = subprocess.run(["kubectl", "kustomize", str(KUSTOMIZED[name])], capture_output=True, text=True, timeout=60,
                          check=False)
    assert made.returncode == 0, made.stderr
    assert [one for one in yaml.safe_load_all(made.stdout) if one] == list(documents(name)), (
        f"run: kubectl kustomize {KUSTOMIZED[name]} >deploy/kustomize/rendered/{name}.yaml")


@pytest.mark.parametrize("version", VERSIONS)
@every_set
def test_kubernetes_takes_it(name, version):
    checker = pytest.importorskip("kubernetes_validate",
                                  reason="kubernetes-validate is missing (pip install -r requirements-deploy.lock)")
    for document in documents(name):
        if document["kind"] not in OF_OTHERS:
            checker.validate(document, version, strict=True)


@every_set
def test_what_points_at_pods_finds_them(name):
    together = documents(name)
    pods = [one.labels for one in workloads(name)]
    for workload in of_kind(together, "Deployment"):
        assert workload["spec"]["selector"]["matchLabels"].items() <= (
            workload["spec"]["template"]["metadata"]["labels"].items())
    for service in of_kind(together, "Service"):
        assert any(service["spec"]["selector"].items() <= labels.items() for labels in pods)
        ports = {port["name"] for one in workloads(name) for port in one.proxy["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for kind in ("NetworkPolicy", "PodDisruptionBudget"):
        for one in of_kind(together, kind):
            selector = one["spec"].get("podSelector") or one["spec"]["selector"]
            assert any(selector["matchLabels"].items() <= labels.items() for labels in pods)
    for scaler in of_kind(together, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        (found,) = [one for one in of_kind(together, target["kind"]) if one["metadata"]["name"] == target["name"]]
        assert "replicas" not in found["spec"]
    for monitor in of_kind(together, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        (service,) = [one for one in of_kind(together, "Service")
                      if wanted.items() <= one["metadata"]["labels"].items()]
        there = {one["name"] for one in service["spec"]["ports"]}
        assert {one["port"] for one in monitor["spec"]["endpoints"]} <= there


@every_set
def test_mounts_have_volumes_and_pods_have_accounts(name):
    for workload in workloads(name):
        pod = workload.pod
        there = {volume["name"] for volume in pod["volumes"]}
        used = {mount["name"] for one in (*pod.get("initContainers", ()), *pod["containers"])
                for mount in one.get("volumeMounts", ())}
        assert used == there
        account = pod.get("serviceAccountName")
        if account is not None:
            assert account in {one["metadata"]["name"] for one in of_kind(workload.together, "ServiceAccount")}


@every_set
def test_the_proxy_has_no_rights_and_is_bounded(name):
    for workload in workloads(name):
        assert workload.proxy["securityContext"] == LOCKED
        assert workload.proxy["resources"]["limits"]["memory"]
        assert set(workload.proxy["resources"]["requests"]) == {"cpu", "memory"}


def flags_of(command: str) -> set[str]:
    module, _, attribute = COMMANDS[command][0].partition(":")
    found: click.Command = getattr(import_module(module), attribute)
    return {spelled for parameter in found.params for spelled in parameter.opts}


def assert_can_be_run(arguments: list[str]) -> None:
    command, *rest = arguments
    assert command in program.list_commands(click.Context(program))
    assert {word for word in rest if word.startswith("--")} <= flags_of(command)


@every_set
def test_commands_flags_and_variables_are_the_programs(name):
    known = {environment.CONFIG_FILE, *map(environment.variable, environment.scalar_keys())}
    for workload in workloads(name):
        assert_can_be_run(workload.proxy["args"])
        assert set(workload.environment) <= known
        for hook in workload.proxy.get("lifecycle", {}).values():
            executable, *arguments = hook["exec"]["command"]
            assert executable == "signing-proxy"
            assert_can_be_run(arguments)


@every_set
def test_its_configuration_loads_and_fits_what_stands_around_it(name):
    for workload in workloads(name):
        if not workload.configured:
            assert "--with-emulator" in workload.proxy["args"]
            continue
        config = workload.config()
        ports = {port["name"]: port["containerPort"] for port in workload.proxy["ports"]}
        assert ports["proxy-admin"] == config.admin_port
        assert not is_loopback(config.admin_address)        # the kubelet asks from outside
        assert ports.get("proxy", config.port) == config.port
        assert ("proxy" in ports) == (not is_loopback(config.address))
        assert config.timed_reload > 0
        grace = workload.pod.get("terminationGracePeriodSeconds", 30)
        assert config.max_sigterm_delay + 5 <= grace
        assert config.min_sigterm_delay < config.max_sigterm_delay
        if workload.native:
            assert config.min_sigterm_delay == 0


@every_set
def test_the_files_that_it_names_are_mounted(name):
    for workload in workloads(name):
        if not workload.configured:
            continue
        config, named = workload.config(), set()
        applications = config.applications.values()
        for settings in (config, config.tls, config.vault and config.vault.kubernetes, *applications,
                         *(one.key_transit for one in applications)):
            for field in getattr(settings, "__struct_fields__", ()):
                value = getattr(settings, field)
                if field.endswith(("_file", "ca_directory")) and value is not None:
                    named.add(value)
        if config.vault is not None:
            assert config.vault.ca_file is None or dict(workload.files())[
                "/etc/signing-proxy/" + PurePosixPath(config.vault.ca_file).name]
        assert named
        for path in named:
            assert is_there(workload, PurePosixPath(path)), path


def is_there(workload, path: PurePosixPath) -> bool:
    """Whether the container has such a file or folder, as far as the manifests tell."""
    annotations = workload.template.get("metadata", {}).get("annotations", {})
    if annotations.get("vault.hashicorp.com/secret-volume-path") == str(path.parent):
        return f"vault.hashicorp.com/agent-inject-secret-{path.name}" in annotations
    (mount,) = [one for one in workload.proxy["volumeMounts"] if path.is_relative_to(one["mountPath"])]
    volume = workload.volume(mount["name"])
    if "emptyDir" in volume:
        return not mount.get("readOnly", False)
    assert mount["readOnly"]
    wanted = str(path.relative_to(mount["mountPath"]))
    if "projected" in volume:
        sources = volume["projected"]["sources"]
        assert volume["projected"]["defaultMode"] == 0o440
        return wanted in [item["path"] for source in sources for item in source.get("secret", {}).get("items", ())] + [
            source["serviceAccountToken"]["path"] for source in sources if "serviceAccountToken" in source]
    items = volume["secret"].get("items")
    assert volume["secret"]["defaultMode"] == 0o440
    return wanted in [item["path"] for item in items] if items else wanted in ("tls.crt", "tls.key", "ca.crt")


@every_set
def test_probes_ask_for_what_the_admin_port_has(name, admin_paths):
    asked = set()
    for workload in workloads(name):
        ports = {port["name"] for port in workload.proxy["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in workload.proxy:
                assert workload.proxy[probe]["httpGet"]["port"] in ports
                asked.add(workload.proxy[probe]["httpGet"]["path"])
    for monitor in of_kind(documents(name), "ServiceMonitor"):
        asked |= {one["path"] for one in monitor["spec"]["endpoints"]}
    assert asked or not workloads(name)
    assert asked <= admin_paths


@every_set
def test_the_application_is_told_what_ca_env_prints(name):
    for workload in workloads(name):
        for application in workload.applications:
            given = {entry["name"]: entry["value"] for entry in application.get("env", ())}
            if "HTTPS_PROXY" not in given:
                continue
            mounted = {mount["mountPath"]: mount for mount in application["volumeMounts"]}
            own = workload.config()
            expected = {variable: "".join(map(str, parts))
                        for variable, parts in variables(own, "/run/signing-proxy-ca").items()}
            # A folder of its own below the volume, which others may write to: the proxy makes it for itself alone.
            assert own.ca_directory == next(mount["mountPath"] for mount in workload.proxy["volumeMounts"]
                                            if mount["name"] == "signing-proxy-ca") + "/ca"
            for variable, value in expected.items():
                if variable.upper() == "NO_PROXY":
                    assert given[variable].startswith(NO_PROXY + ",")
                elif variable == "JAVA_TOOL_OPTIONS":
                    assert set(value.replace("]", "]|*.svc|*.cluster.local").split()) == set(given[variable].split())
                else:
                    assert given[variable] == value
                    if value.startswith("/"):
                        assert mounted[value]["subPath"] == f"ca/{PurePosixPath(value).name}"
            # File by file, so that the CA's key is not among them.
            assert all(mount.get("subPath") and mount["readOnly"] for mount in mounted.values())


def test_a_job_ends():
    """A native sidecar does not keep one from it; a classic one must be told."""
    jobs = [(name, one) for name in KUSTOMIZED for one in workloads(name) if one.document["kind"] == "Job"]
    assert {one.native for _, one in jobs} == {True, False}
    for name, job in jobs:
        if job.native:
            assert job.proxy["restartPolicy"] == "Always", name
        else:
            assert job.config().quitquitquit
            (application,) = job.applications
            assert f"http://127.0.0.1:{job.config().admin_port}/quitquitquit" in application["args"][0]
            assert job.config().min_sigterm_delay + 5 < job.pod.get("terminationGracePeriodSeconds", 30)


def test_the_classic_sidecar_is_the_native_one_but_for_when_it_starts_and_ends():
    (native,), (classic, _) = workloads("deployment"), workloads("classic")
    ours, theirs = dict(native.proxy), dict(classic.proxy)
    assert ours.pop("restartPolicy") == "Always"
    assert set(theirs.pop("lifecycle")) == {"postStart", "preStop"}
    assert ours == theirs
    assert classic.pod["containers"][0] == classic.proxy     # the kubelet starts the next one after postStart


def test_the_charts_sidecar_is_kustomizes():
    (ours,), (theirs,) = workloads("deployment"), workloads("application-chart")
    for key in ("restartPolicy", "args", "startupProbe", "readinessProbe", "livenessProbe", "resources",
                "securityContext", "volumeMounts", "ports"):
        assert ours.proxy[key] == theirs.proxy[key], key
    (one,), (other,) = ours.applications, theirs.applications
    assert (one["env"], one["volumeMounts"]) == (other["env"], other["volumeMounts"])
    assert ours.pod["securityContext"] == theirs.pod["securityContext"]
