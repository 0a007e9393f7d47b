"""The clients that people use: how each is run, how it is told of the authority, and the table of what they did."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "clients"
NODE = os.environ.get("NODE_PATH") or str(ROOT / ".run/node/node_modules")
INSTALL = {"node": "nodejs", "javac": "default-jdk-headless", "go": "golang-go", "php": "php-cli php-curl"}
"""The package where it is not called as the program is."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client with the program that makes it do GET, then POST.

    command: "{trust}" stands for `trust`, words for clients that the environment does not tell whom to trust; other
    names in braces are environment variables.  needs: a program on PATH.  module: what it needs besides, of Node or of
    Python.  clear, secure: the form in which http:// and https:// URLs reach the proxy.  late: it looks at the
    certificate only after the handshake, so that all the proxy sees is a connection that closes.  version: a command
    that shows it.
    """

    name: str
    command: tuple[str, ...]
    needs: str = ""
    module: str = ""
    clear: str = "absolute"
    secure: str = "connect"
    trust: tuple[str, ...] = ()
    late: bool = False
    version: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def argv(self, environ: Mapping[str, str], *, trusting: bool) -> list[str]:
        words = [word for part in self.command
                 for word in ((self.trust if trusting else ()) if part == "{trust}" else (part,))]
        return [word.format_map(environ) for word in words]

    @property
    def missing(self) -> str:
        """One sentence that says what to install, "" when nothing is missing."""
        if self.needs and shutil.which(self.needs) is None:
            return f"install {INSTALL.get(self.needs, self.needs)} to run this"
        if self.needs == "php" and "curl" not in _output("php", "-m").split():
            return "install php-curl to run this"
        if self.needs == "node" and not Path(NODE, self.module).is_dir():
            return f"install the npm package {self.module} (NODE_PATH) to run this; .ci/run does"
        if not self.needs and self.module and not _version(self.module):
            return f"install {self.module} to run this; requirements-dev.lock has it"
        return ""

    @property
    def release(self) -> str:
        """Its version, "" where it is missing."""
        if self.missing:
            return ""
        if self.needs == "node":
            return re.search(r'"version": *"([^"]+)"', Path(NODE, self.module, "package.json").read_text())[1]
        if not self.needs:
            return _version(self.module) if self.module else sys.version.split()[0]
        return re.search(r"\d+(?:\.\d+)+", _output(*self.version))[0]


@cache
def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _program(name: str) -> str:
    return str(PROGRAMS / name)


def _python(name: str, module: str = "") -> Client:
    return Client(name, (sys.executable, _program(f"with_{name}.py")), module=module)


def _node(name: str, module: str, program: str, *arguments: str, **more: Any) -> Client:
    return Client(name, ("node", _program(program), *arguments), "node", module, **more)


def _java(name: str, which: str) -> Client:
    quickly = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")      # it lives for a second
    return Client(name, ("java", *quickly, "-cp", "{GET_AND_POST}", "GetAndPost", which), "javac",
                  version=("java", "-version"))


CLIENTS = (
    Client("curl", ("sh", _program("curl.sh")), "curl", version=("curl", "--version")),
    Client("wget", ("sh", _program("wget.sh"), "{trust}"), "wget", version=("wget", "--version"),
           trust=("--ca-certificate={SSL_CERT_FILE}",), late=True),
    _python("requests", "requests"),
    _python("httpx", "httpx"),
    _python("aiohttp", "aiohttp"),
    _python("urllib"),
    _node("undici EnvHttpProxyAgent", "undici", "undici.cjs", "env", clear="connect"),
    _node("the same, proxyTunnel: false", "undici", "undici.cjs", "untunnelled"),
    _node("undici ProxyAgent", "undici", "undici.cjs", "agent", clear="connect"),
    _node("axios", "axios", "axios.cjs", "axios", "own"),
    _node("axios with https-proxy-agent", "axios", "axios.cjs", "axios", "agent", clear="connect"),
    _node("axios 1.7", "axios-1.7", "axios.cjs", "axios-1.7", "own", secure="absolute"),
    _node("newman", "newman", "newman.cjs"),
    _java("Java HttpClient", "new"),
    _java("Java HttpURLConnection", "old"),
    Client("Go net/http", ("{GO_CLIENT}",), "go", version=("go", "version")),
    Client("PHP curl", ("php", "{trust}", _program("client.php")), "php", version=("php", "--version"),
           trust=("-d", "curl.cainfo={SSL_CERT_FILE}")),
    Client("Ruby Net::HTTP", ("ruby", "-r", _program("no_names.rb"), _program("client.rb")), "ruby",
           version=("ruby", "--version")),
)
BY_NAME = {client.name: client for client in CLIENTS}


def compiled(directory: Path) -> dict[str, str]:
    """The variables that say where it is what had to be compiled; whoever asks first does it, others wait for it."""
    directory.mkdir(exist_ok=True)
    told = directory / "variables.json"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(_compile(directory)))
    return dict(json.loads(told.read_text()))


def _compile(directory: Path) -> dict[str, str]:
    """Go's cache is kept between runs: without it, this takes a minute."""
    made = {}
    if shutil.which("javac"):
        subprocess.run(["javac", "-d", directory, _program("GetAndPost.java")], check=True)
        made["GET_AND_POST"] = str(directory)
    if shutil.which("go"):
        environ = {"PATH": os.environ["PATH"], "HOME": str(directory), "GOCACHE": str(ROOT / ".run/go-cache"),
                   "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        binary = directory / "client"
        subprocess.run(["go", "build", "-o", binary, _program("client.go")], check=True, env=environ, cwd=directory)
        made["GO_CLIENT"] = str(binary)
    return made


COLUMNS = ("http://", "https://", "CA unknown", "token in the URL")
"""What was tried with a client, in the order of the table."""


def table(reports: Iterable[Any]) -> list[str]:
    """Lines: a client a row, from the properties that its tests have recorded; no lines when none ran."""
    rows: dict[str, dict[str, str]] = {}
    reasons: dict[str, str] = {}
    for report in reports:
        properties = dict(getattr(report, "user_properties", ()))      # what was not collected has none
        if "client" not in properties or (report.when != "call" and report.passed):
            continue
        row = rows.setdefault(properties["client"], {"version": properties["version"]})
        row[properties["column"]] = properties["result"] if report.passed else report.outcome
        if report.skipped:
            reasons[properties["client"]] = report.longrepr[2].removeprefix("Skipped: ")
    ordered = [name for name in BY_NAME if name in rows]
    cells = [("client", "version", *COLUMNS),
             *((name, *(rows[name].get(column) or "–" for column in ("version", *COLUMNS))) for name in ordered)]
    return [*_aligned(cells), *(f"{name}: {reasons[name]}" for name in ordered if name in reasons)] if ordered else []


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
