"""Pods of the committed manifests, with the proxy as a process: make image-test does the same with the image."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.deploy.manifests import ROOT
from tests.deploy.podlike import BANK, CONTROL, namespace


def test_pods_sign_rotate_drain_and_end():
    if not namespace():
        for port in (8080, 9090, BANK, CONTROL):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    pytest.skip(f"no network namespace can be made (util-linux, root), and port {port} is in use")
    done = subprocess.run([sys.executable, "-m", "tests.deploy.podlike"], cwd=ROOT, capture_output=True, text=True,
                          timeout=110, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.partition(": ")[2].partition(":")[0] for line in done.stdout.splitlines()]
    assert [word for word in ("signed", "rotated", "drained", "a classic sidecar", "a Job") if word not in told] == []
