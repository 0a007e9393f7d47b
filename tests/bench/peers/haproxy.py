"""HAProxy in TCP mode with one thread, as its packager configures it, and once more with splicing in the kernel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..material import Application
from .base import SOURCE_HOST, Launch, Peer, World, fill


def _binary() -> str | None:
    return shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def missing() -> str:
    return "" if _binary() else "haproxy is not installed: install the Debian package haproxy."


def version() -> str:
    if not (binary := _binary()):
        return "not installed"
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=20, check=False).stdout
    found = re.search(r"HAProxy version ([\d.]+)", said)
    return f"haproxy/{found[1]}" if found else ""


def relays(source_port: int) -> tuple[Peer, Peer]:
    """To the source; the second one splices."""
    return (Peer("HAProxy", False, missing, _launching(source_port, "")),
            Peer("HAProxy with splice", False, missing, _launching(source_port, "option splice-auto")))


def _launching(source_port: int, option: str) -> Callable[[World, Application, Path, int], Launch]:
    return partial(_launch, source_port=source_port, option=option)


def _launch(world: World, application: Application, folder: Path, port: int, *, source_port: int,
            option: str) -> Launch:
    config = fill("relay.cfg", folder / "haproxy.cfg", port=port, option=option,
                  source=f"{SOURCE_HOST}:{source_port}")
    return Launch((_binary() or "haproxy", "-db", "-f", config))
