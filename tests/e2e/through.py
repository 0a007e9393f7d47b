"""Runs a client as its user would: a process with a clean environment, and what `signing-proxy exec` adds to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from proxy.cli.client_environment import child
from proxy.emulator.authority import write_private
from proxy.keys.authority import AuthoritySettings, load_or_make
from proxy.keys.trust import BUNDLE
from tests.e2e.matrix import NODE, Client
from tests.e2e.standing import BANK_NAME, Proxy

TOKEN = b"6f2d1c0a9b8e7d6c5b4a39281706f5e4"
ESCAPED = b"c/29tZSB+0b2tlbg=="
"""One that a URL holds with escapes only."""
TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
JAVA_TUNNELS = "-Djdk.http.auth.tunneling.disabledSchemes="
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A client's end.  statuses: the words of its output that are numbers; said: what it wrote to stderr."""

    code: int
    output: str
    said: str

    @property
    def statuses(self) -> list[int]:
        return [int(word) for word in self.output.split() if word.isdigit() and int(word)]     # curl: 000 for none


def make_authority(directory: Path) -> Path:
    load_or_make(AuthoritySettings(directory=str(directory)), [BANK_NAME], clock=lambda: datetime.now(UTC))
    assert (directory / BUNDLE).exists(), "this system has no certificate authorities: install ca-certificates"
    return directory


def write_token(path: Path, token: bytes) -> Path:
    write_private(path, token + b"\n")
    return path


def clean(home: Path) -> dict[str, str]:
    """What a program needs of its environment, and nothing that was set here for other reasons."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "NODE_PATH": NODE, "LC_ALL": "C.UTF-8"}


def environment(proxy: Proxy, home: Path, *, trusting: bool = True) -> dict[str, str]:
    """As `signing-proxy exec` makes it.  trusting: False leaves out what says whom to trust."""
    config = replace(proxy.config, port=proxy.port())
    assert config.ca_directory is not None
    token = Path(config.client_token_file).read_bytes().strip() if config.client_token_file else b""
    before = {"JAVA_TOOL_OPTIONS": JAVA_TUNNELS} if token else {}
    ours = child(config, config.ca_directory, clean(home) | before, token)
    if not trusting:
        ours = {name: value for name, value in ours.items() if name not in TRUST}
        words = [word for word in ours["JAVA_TOOL_OPTIONS"].split() if "trustStore" not in word]
        ours["JAVA_TOOL_OPTIONS"] = " ".join(words)
    return ours


async def run(client: Client, proxy: Proxy, home: Path, more: Mapping[str, str], *arguments: str,
              trusting: bool = True, trust_option: bool = True, **variables: str) -> Ran:
    """trust_option: False leaves out what the client has to be told besides the environment."""
    environ = environment(proxy, home, trusting=trusting) | more | variables
    return await ran(*client.argv(environ, trusting=trusting and trust_option), *arguments, environ=environ, home=home)


async def ran(*command: str, environ: Mapping[str, str], home: Path) -> Ran:
    process = await asyncio.create_subprocess_exec(
        *command, env=dict(environ), cwd=home, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)
    try:
        output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ran(process.returncode or 0, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))
