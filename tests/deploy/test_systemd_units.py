"""deploy/systemd: systemd reads it, the sandbox is tight, and it says of the program what the program does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.config.load import load
from proxy.config.model import MAIN, Config

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
PROGRAM = "/opt/signing-proxy/bin/signing-proxy"

analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                             reason="systemd-analyze is missing (Debian: apt-get install systemd)")


def assignments(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", (UNITS / name).read_text(), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path):
    """The units, with a program that exists."""
    for unit in UNITS.glob("signing-proxy.s*"):
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    return tmp_path


@analyze
def test_systemd_understands_every_line(installed):
    done = subprocess.run(["systemd-analyze", "verify", *map(str, installed.glob("*.s*"))],
                          capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in done.stderr.splitlines() if "signing-proxy" in line]
    assert (done.returncode, ours) == (0, [])


@analyze
def test_the_sandbox_is_tight(installed):
    """1.5 of 10; what is left is that the proxy must reach a network."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager",
                           str(installed / "signing-proxy.service")],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_the_socket_is_what_the_configuration_says():
    config, socket = load(UNITS / "signing-proxy.yaml", {}, {}), assignments("signing-proxy.socket")
    assert socket["ListenStream"] == [f"{config.address}:{config.port}"]
    assert socket["FileDescriptorName"] == [MAIN]
    assert socket["Accept"] == ["no"]


def test_the_service_says_what_the_program_does():
    service, defaults = assignments("signing-proxy.service"), Config()
    assert service["Type"] == ["notify"]
    assert service["ExecStart"] == [f"{PROGRAM} run"]
    assert service["SuccessExitStatus"] == ["143"]
    assert int(service["TimeoutStopSec"][0]) > defaults.max_sigterm_delay + 5
    config = load(None, {"SIGNING_PROXY_CONFIG_FILE": str(UNITS / "signing-proxy.yaml")}, {})
    limits = config.limits
    assert int(service["LimitNOFILE"][0]) >= limits.connections + limits.upstream_connections + limits.tunnels + 128
