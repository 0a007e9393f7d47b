"""nginx as everybody's upstream, as the floor, with Lua and libcrypto as the peer for signing, and as that for TLS."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ..material import Application
from ..processes import Child
from .base import UPSTREAM_HOST, Launch, NotMeasured, Peer, World, fill

_MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules")
_LUA_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_ANSWER = '{"group_header":{"http_code":200},"response":{"padding":"' + "p" * 965 + '"}}'


def missing() -> str:
    return "" if _binary() else "nginx is not installed: install the Debian package nginx."


def missing_lua() -> str:
    if _modules():
        return missing()
    return "nginx has no Lua module: install the Debian package libnginx-mod-http-lua."


def version() -> str:
    """Such as: nginx/1.22.1, OpenSSL 3.0.19 27 Jan 2026."""
    if not (binary := _binary()):
        return "not installed"
    said = subprocess.run([binary, "-V"], capture_output=True, text=True, timeout=20, check=False).stderr
    server, library = re.search(r"nginx/[\d.]+", said), re.findall(r"OpenSSL [^()\n]+", said)
    return ", ".join(part.strip() for part in (server.group() if server else "", *library[-1:]) if part)


def start_upstream(world: World) -> Child:
    """The bank: TLS, keep-alive, 1 KB for every GET and POST."""
    if sentence := missing():
        raise NotMeasured(sentence)
    folder = world.root / "upstream"
    folder.mkdir(exist_ok=True)
    config = fill("upstream.conf", folder / "nginx.conf", port=world.upstream_port, answer=_ANSWER,
                  certificate=world.material.server_certificate, key=world.material.server_key, **_common(folder))
    return Child(_command(config, folder), world.cpus.load, folder / "output.log", folder)


def _launch_plain(world: World, application: Application, folder: Path, port: int) -> Launch:
    config = fill("plain.conf", folder / "nginx.conf", **_proxy(world, folder, port))
    return Launch(_command(config, folder))


def _launch_lua(world: World, application: Application, folder: Path, port: int) -> Launch:
    sign = fill("sign.lua", folder / "sign.lua", key=application.key_file, host=UPSTREAM_HOST,
                client_id=application.client_id, client_secret=application.client_secret)
    load = "\n".join(f"load_module {module};" for module in _modules())
    config = fill("lua.conf", folder / "nginx.conf", load=load, sign=sign, folder=folder,
                  **_proxy(world, folder, port))
    return Launch(_command(config, folder))


def _launch_accept(world: World, application: Application, folder: Path, port: int) -> Launch:
    config = fill("accept.conf", folder / "nginx.conf", port=port, certificate=world.material.server_certificate,
                  key=world.material.server_key, **_common(folder))
    return Launch(_command(config, folder))


def _binary() -> str | None:
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def _modules() -> list[Path]:
    for folder in map(Path, _MODULE_FOLDERS):
        found = [folder / name for name in _LUA_MODULES]
        if all(path.exists() for path in found):
            return found
    return []


def _command(config: Path, folder: Path) -> tuple[str | Path, ...]:
    return (_binary() or "nginx", "-p", folder, "-c", config, "-e", folder / "error.log")


def _common(folder: Path) -> dict[str, object]:
    paths: Iterable[str] = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temp = "\n".join(f"    {name}_temp_path {folder / name};" for name in paths)
    return {"user": "user root root;" if os.geteuid() == 0 else "", "pid": folder / "nginx.pid", "temp": temp,
            "access_log": folder / "access.log"}


def _proxy(world: World, folder: Path, port: int) -> dict[str, object]:
    return {"port": port, "upstream_port": world.upstream_port, "host": UPSTREAM_HOST,
            "ca": world.material.ca_file, **_common(folder)}


PLAIN = Peer("nginx plain", False, missing, _launch_plain)
ACCEPT = Peer("nginx", False, missing, _launch_accept)
LUA = Peer("nginx+lua", True, missing_lua, _launch_lua)
