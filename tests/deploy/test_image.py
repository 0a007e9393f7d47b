"""The container image: what its definition says, and, after `make image-test` has built it, what it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proxy import __version__
from proxy.config.model import Config
from tests.deploy.manifests import ROOT
from tests.deploy.test_manifests import assert_can_be_run

DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL = DOCKERFILE.rpartition("\nFROM ")[2]
ABOVE_ITS_BASE = 70_000_000
IMAGE, BASE = os.environ.get("SIGNING_PROXY_IMAGE", ""), os.environ.get("SIGNING_PROXY_BASE", "")

built = pytest.mark.skipif(not IMAGE, reason="builds the image, which takes minutes and root: make image-test")


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if hadolint is None:
        pytest.skip("hadolint is missing (pip install -r requirements-deploy.lock)")
    done = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_only_what_the_lock_names_is_installed():
    installs = re.findall(r"pip install (.*?)(?: \\|$)", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 3
    for arguments in installs:
        assert "--require-hashes -r requirements" in arguments or "--no-deps --no-build-isolation ." in arguments


def test_what_is_copied_is_there_and_nothing_else_is_sent_to_the_build():
    copied = {name.rstrip("/") for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
              for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert {line[1:].rstrip("/") for line in ignored if line.startswith("!")} == copied
    assert "**/__pycache__" in ignored


def test_it_runs_as_nobody_and_needs_no_shell():
    assert re.search(r"^USER 65532:65532$", FINAL, re.MULTILINE)
    assert "\nRUN " not in FINAL
    commands = re.findall(r"(?:ENTRYPOINT|CMD) (\[.*\])$", FINAL, re.MULTILINE)
    health, entry, arguments = map(json.loads, commands)
    assert entry == ["signing-proxy"] == health[:1]
    assert_can_be_run(health[1:])
    assert_can_be_run(arguments)


def test_labels_and_ports_are_the_programs():
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', FINAL))
    assert labels["version"] == __version__
    assert labels["licenses"] == "Apache-2.0"
    assert set(labels) >= {"title", "description"}
    config = Config()
    assert re.search(rf"^EXPOSE {config.port} {config.admin_port}$", FINAL, re.MULTILINE)


def inspected(name: str) -> dict:
    done = subprocess.run(["podman", "image", "inspect", name], capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)
    return found


@built
def test_two_builds_are_the_same_bytes():
    one, other = (inspected(f"{IMAGE}:{number}") for number in (1, 2))
    assert one["RootFS"]["Layers"] == other["RootFS"]["Layers"]


@built
def test_it_is_small_above_its_base():
    assert inspected(f"{IMAGE}:1")["Size"] - inspected(BASE)["Size"] <= ABOVE_ITS_BASE


@built
def test_pods_of_it_sign_rotate_drain_and_end():
    """Nothing writable, no capability, no shell, and the memory that deploy/kustomize gives it."""
    done = subprocess.run([sys.executable, "-m", "tests.deploy.podlike", "--image", f"{IMAGE}:1"], cwd=ROOT,
                          capture_output=True, text=True, timeout=110, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all is as it should be" in done.stdout
