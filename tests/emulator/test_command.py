"""`signing-proxy emulator`, as somebody without a bank contract uses it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from proxy.emulator import Emulator, Pair
from proxy.emulator.command import Launch, describe, emulator, prepare

REPOSITORY = Path(__file__).parents[2]
PROGRAM = "from proxy.emulator.command import emulator; emulator()"


def test_help_names_every_option():
    text = CliRunner().invoke(emulator, ["--help"]).output
    for option in ("--port", "--control-port", "--directory", "--client-id", "--client-secret-file",
                   "--certificate-file", "--host-name", "--sandbox", "--clock-ahead"):
        assert option in text


@pytest.fixture
def launch(tmp_path):
    return Launch(directory=tmp_path / "run", port=0, control_port=0, client_id="my-id", host_names=("bank.example",))


async def test_what_was_made_fits_together(launch, caller_of):
    material, options = prepare(launch)
    pair = Pair(material.seal_key.read_bytes(), material.seal_certificate.read_bytes())
    async with Emulator(options) as bank:
        caller = caller_of(bank, pair)
        assert (await caller.get("/echo/x", x_nordea_originating_host="bank.example")).status == 200
        block = describe(bank, material, launch)
    assert bank.url in block
    assert str(material.ca) in block
    assert material.client_secret.read_text() not in block
    assert block.count("curl") == 3


async def test_the_secret_survives_a_restart(launch, tmp_path):
    first = prepare(launch)[1].client_secret
    assert prepare(launch)[1].client_secret == first
    (tmp_path / "mine").write_text("my secret\n")
    mine = Launch(directory=launch.directory, client_secret_file=tmp_path / "mine")
    assert prepare(mine)[1].client_secret == "my secret"


async def test_a_bank_with_another_clock(tmp_path):
    _, options = prepare(Launch(directory=tmp_path, port=0, clock_ahead=-90))
    assert options.clock() == pytest.approx(time.time() - 90, abs=30)


async def test_the_sandbox_registers_the_published_key(tmp_path):
    launch = Launch(directory=tmp_path, port=0, control_port=0, sandbox=True)
    material, options = prepare(launch)
    assert options.certificate is None
    async with Emulator(options) as bank:
        registered = bank.applications[launch.client_id].registered
        assert registered.fingerprint == "747328e27be81cd5c751023d35903abf3d52dbed291e76ac7e0b25b88f243375"
        assert "published demo key" in describe(bank, material, launch)


@pytest.mark.parametrize("content", ["nonsense", ""])
def test_a_bad_certificate_is_one_sentence(tmp_path, content):
    (tmp_path / "bad").write_text(content)
    arguments = ["--directory", str(tmp_path / "run"), "--certificate-file", str(tmp_path / "bad")]
    ran = CliRunner().invoke(emulator, arguments)
    assert ran.exit_code == 1
    assert "The emulator could not start: the certificate is neither" in ran.output


async def test_it_runs_until_it_is_told_to_stop(tmp_path):
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", PROGRAM, "--directory", str(tmp_path),
        "--port", "0", "--control-port", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
    )
    control = ""
    while not control:
        line = (await program.stdout.readline()).decode()
        assert line, (await program.stderr.read()).decode()
        control = line.split()[-1] if "control port" in line else ""
    async with aiohttp.ClientSession() as session, session.get(control + "/executions") as answer:
        assert (await answer.json())["total"] == 0
    program.send_signal(signal.SIGTERM)
    _, errors = await program.communicate()
    assert (program.returncode, errors) == (0, b"")
