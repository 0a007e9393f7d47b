"""`make test` is quick, tells where its time goes, and ends with a word about a test that does not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WATCHED = """
from tests import hanging

def pytest_configure(config):
    config.pluginmanager.register(hanging.Watch())
"""
HANGS = """
import asyncio, uvloop

def test_hangs_in_a_loop_that_no_signal_interrupts():
    print("this was said before")
    uvloop.run(outer())

async def outer():
    await inner()

async def inner():
    await asyncio.Event().wait()

def test_another():
    pass
"""

FAILS_AND_HANGS = """
import threading, pytest

@pytest.fixture
def held():
    yield
    threading.Event().wait()

def test_fails_and_hangs(held):
    assert not "a failure"
"""


def environment_without(*beginnings):
    return {name: value for name, value in os.environ.items() if not name.startswith(beginnings)}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make: install it")
@pytest.mark.parametrize(("given", "workers"), [((), "2"), (("WORKERS=5",), "5")])
def test_make_test_takes_workers_and_lists_the_slowest(given, workers):
    done = subprocess.run(["make", "--dry-run", "test", "PYTEST_FLAGS=-k this", *given], cwd=ROOT, capture_output=True,
                          env=environment_without("MAKE", "MFLAGS", "WORKERS"), text=True, check=True)
    (command,) = [line for line in done.stdout.splitlines() if "-m pytest" in line]
    assert command.endswith(f"--numprocesses {workers} --dist worksteal --durations 15 -k this")


def run(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "conftest.py").write_text(WATCHED)
    (tmp_path / "test_two.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "pytest_timeout", "-p", "xdist", "-n", "1", "--timeout", "1"]
    environ = environment_without("PYTEST_") | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False)


def test_a_hung_test_is_named_with_where_it_waits_and_the_others_go_on(tmp_path):
    done = run(tmp_path, HANGS)
    name = "test_two.py::test_hangs_in_a_loop_that_no_signal_interrupts"
    assert f"{name} has not ended within 1 seconds." in done.stderr
    assert "this was said before" in done.stderr
    assert re.findall(r"^  .*test_two.py:\d+ in (\w+)$", done.stderr, re.MULTILINE) == ["outer", "inner"]
    assert f"crashed while running '{name}'" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert done.returncode == 1


def test_what_hangs_after_a_failure_is_ended_too(tmp_path):
    done = run(tmp_path, FAILS_AND_HANGS)
    assert "test_two.py::test_fails_and_hangs has not ended within 1 seconds." in done.stderr
    assert done.returncode == 1
