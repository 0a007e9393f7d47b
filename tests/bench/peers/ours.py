"""The proxy of this repository, started the way an operator starts it."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from ..material import Application
from ..processes import free_port
from .base import REPOSITORY, SOURCE_HOST, UPSTREAM_HOST, Launch, Peer, World


@functools.cache
def missing() -> str:
    answer = subprocess.run([sys.executable, "-m", "proxy", "run", "--help"], cwd=REPOSITORY, capture_output=True,
                            text=True, timeout=60, check=False)
    if answer.returncode == 0:
        return ""
    last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
    return f"`python -m proxy run` does not start here: {last}"


def launch(world: World, application: Application, folder: Path, port: int,
            extra: dict[str, object] | None = None) -> Launch:
    admin_port = free_port()
    config = folder / "config.yaml"
    settings = configuration(world, application, port, admin_port) | (extra or {})
    if "listeners" in settings:
        settings["routes"] = [route | {"name": name, "listener": name} for name in ("main", "tls")
                              for route in settings["routes"]]
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    argv = (sys.executable, "-m", "proxy", "run", "--config-file", config)
    return Launch(argv, {"PYTHONPATH": str(REPOSITORY)}, admin_port)


def forward_proxy(tls_port: int, source_port: int) -> Peer:
    """The same, and: tunnels to the bank are intercepted, those to the source pass, another listener speaks TLS."""
    def launch_it(world: World, application: Application, folder: Path, port: int) -> Launch:
        return launch(world, application, folder, port, extra={
            "ca_directory": str(ca_directory(world)),
            "listeners": {"tls": {"port": tls_port, "tls": {
                "certificate_file": str(world.material.server_certificate),
                "key_file": str(world.material.server_key)}}},
            "destinations": [{"host": SOURCE_HOST, "policy": "tunnel", "ports": [source_port],
                              "allow_addresses": ["127.0.0.0/8"]}]})

    return Peer("ours, as a forward proxy", True, missing, launch_it)


def ca_directory(world: World) -> Path:
    return world.root / "interception-ca"


def configuration(world: World, application: Application, port: int, admin_port: int) -> dict[str, Any]:
    return {
        "port": port,
        "admin_port": admin_port,
        "min_sigterm_delay": 0,
        "upstream_ca_file": str(world.material.ca_file),
        "applications": {"bench": {
            "client_id": application.client_id,
            "client_secret_file": str(application.client_secret_file),
            "key_file": str(application.key_file),
            "certificate_file": str(application.certificate_file),
        }},
        "routes": [{
            "profile": "nordea",
            "upstream": f"https://127.0.0.1:{world.upstream_port}",
            "host": UPSTREAM_HOST,
            "application": "bench",
        }],
    }


PEER = Peer("ours", True, missing, launch)
