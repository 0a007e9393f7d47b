"""mitmproxy with a signing add-on, in a virtual environment of its own because it pins older libraries than ours."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

from ..material import Application
from .base import REPOSITORY, TEMPLATES, UPSTREAM_HOST, Launch, Peer, World

VENV = REPOSITORY / ".run" / "bench-mitmproxy"
_INSTALL_SECONDS = 300


def _mitmdump() -> Path:
    return VENV / "bin" / "mitmdump"


@functools.cache
def missing() -> str:
    """Installs it on the first call; a second run finds it there."""
    if _works():
        return ""
    steps = ([sys.executable, "-m", "venv", str(VENV)], [str(VENV / "bin" / "pip"), "install", "-q", "mitmproxy"])
    try:
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError):
        pass
    return "" if _works() else f"mitmproxy could not be installed into {VENV.relative_to(REPOSITORY)} by pip."


def _works() -> bool:
    try:
        return subprocess.run([_mitmdump(), "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _launch(world: World, application: Application, folder: Path, port: int) -> Launch:
    settings = folder / "sign.json"
    settings.write_text(json.dumps({
        "key_file": str(application.key_file), "client_id": application.client_id,
        "client_secret": application.client_secret, "host": UPSTREAM_HOST}))
    argv = (_mitmdump(), "--mode", f"reverse:https://{UPSTREAM_HOST}:{world.upstream_port}",
            "--listen-host", "127.0.0.1", "--listen-port", str(port), "--scripts", TEMPLATES / "mitm_sign.py",
            "--set", f"confdir={folder}", "--set", f"ssl_verify_upstream_trusted_ca={world.material.ca_file}",
            "--set", "flow_detail=1", "--set", "http2=false")
    return Launch(argv, {"BENCH_SIGN": str(settings)})


PEER = Peer("mitmproxy", True, missing, _launch)
