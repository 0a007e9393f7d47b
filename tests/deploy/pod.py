"""A pod of deploy/kustomize without a cluster: its volumes are folders, its containers are processes, or podman's.

Whoever runs this has a network namespace of its own, as a pod has (tests/deploy/podlike.py sees to that), so that ports
are those of the manifests.  What is done here is what a kubelet does: secrets are replaced by moving a link, probes and
hooks are taken from the manifest, a native sidecar starts first and is told to end last.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.deploy.manifests import ROOT, Workload

DEADLINE = 60.0
SECRETS, CONFIG = "signing-proxy-secrets", "signing-proxy-config"

# The application: an ordinary program that reads its environment, told by standard input what to call.
APPLICATION = """
import sys
HEADERS = {"Authorization": "Bearer demo", "Content-Type": "application/json"}
PAYMENT = b'{"amount": "2.00", "currency": "EUR"}'
from urllib.error import HTTPError
from urllib.request import Request, urlopen
for line in sys.stdin:
    method, url = line.split()
    try:
        answer = urlopen(Request(url, PAYMENT if method == "POST" else None, HEADERS), timeout=50)
    except HTTPError as error:
        answer = error
    print(answer.status, flush=True)
"""


class Pod:
    """image: the proxy runs in a container of it; "" for a process.  changes: to its configuration."""

    def __init__(self, workload: Workload, folder: Path, changes: Mapping[str, Any], image: str = "") -> None:
        self.workload, self.image = workload, image
        self._folder = folder
        self._changes = changes
        self._volumes: dict[str, Path] = {}
        for volume in workload.pod["volumes"]:
            self._volumes[volume["name"]] = folder / volume["name"]
            self._volumes[volume["name"]].mkdir(parents=True)
            os.chmod(self._volumes[volume["name"]], 0o777)
        self._revision = 0
        self.proxy: subprocess.Popen[bytes] | None = None
        self.application: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._mount_config()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.application, self.proxy):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        if self.image:
            subprocess.run(["podman", "rm", "--force", "--ignore", self._container], capture_output=True, check=False)

    # --- volumes

    def _mount_config(self) -> None:
        for path, text in self.workload.files():
            document = yaml.safe_load(text)
            text = json.dumps(self._moved({**document, **self._changes}))
            (self._volumes[CONFIG] / Path(path).name).write_text(text)

    def secrets(self, content: Mapping[str, bytes]) -> None:
        """As the kubelet writes a Secret's files, the first time and any other: all of them change at one moment."""
        self._revision += 1
        folder = self._volumes[SECRETS]
        fresh = folder / f"..{self._revision}"
        fresh.mkdir()
        for name, data in content.items():
            (fresh / name).write_bytes(data)
            (fresh / name).chmod(0o440)
            if os.getuid() == 0:
                os.chown(fresh / name, 0, 65532)
        (folder / "..new").symlink_to(fresh.name)
        (folder / "..new").rename(folder / "..data")
        for name in content:
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(f"..data/{name}")

    def _moved(self, value: Any) -> Any:
        """The same with every path of the container replaced by that of its folder; in a container paths stay."""
        if isinstance(value, dict):
            return {key: self._moved(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._moved(one) for one in value]
        return self._path(value) if isinstance(value, str) and not self.image else value

    def _path(self, text: str) -> str:
        for mount in (*self.workload.proxy["volumeMounts"], *self._application_mounts()):
            text = text.replace(mount["mountPath"], str(self._volumes[mount["name"]] / mount.get("subPath", "")))
        return text

    def _application_mounts(self) -> list[Mapping[str, str]]:
        return [mount for one in self.workload.applications for mount in one.get("volumeMounts", ())]

    # --- containers

    @property
    def _container(self) -> str:
        return f"podlike-{os.getpid()}-{self.workload.name}"

    def start(self) -> None:
        """The proxy, as far as its startup probe or its postStart hook; then the application."""
        arguments, environment = self.workload.proxy["args"], self._moved(self.workload.environment)
        command = [sys.executable, "-m", "proxy", *arguments]
        if self.image:
            command = self._podman(environment, arguments)
        with open(self._folder / "proxy.log", "wb") as log:
            self.proxy = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
        if self.image:
            until(self._created, f"podman has started the container: {self.log()}")
        if self.workload.native:
            self.until("/startup")
        else:
            assert self.hook("postStart") == 0, self.log()
        (container,) = self.workload.applications
        given = {one["name"]: self._path(one["value"]) for one in container.get("env", ())}
        self.application = subprocess.Popen([sys.executable, "-c", APPLICATION], env={**os.environ, **given},
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _podman(self, environment: Mapping[str, str], arguments: Sequence[str]) -> list[str]:
        mounts = [f"--volume={self._volumes[one['name']]}:{one['mountPath']}{':ro' if one.get('readOnly') else ''}"
                  for one in self.workload.proxy["volumeMounts"]]
        memory = self.workload.proxy["resources"]["limits"]["memory"].replace("Mi", "m")
        return ["podman", "--runtime", "runc", "run", "--rm", "--name", self._container, "--network", "host",
                "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
                "--memory", memory, "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096",
                "--user", "65532:65532", "--no-healthcheck", "--volume=/dev/null:/bin/sh:ro", *mounts,
                *(f"--env={name}={value}" for name, value in environment.items()), self.image, *arguments]

    def _created(self) -> bool:
        """The kubelet runs hooks in a container that runs."""
        assert self.proxy is not None
        assert self.proxy.poll() is None, self.log()
        seen = subprocess.run(["podman", "container", "inspect", "--format", "{{.State.Running}}", self._container],
                              capture_output=True, text=True, check=False)
        return seen.stdout.strip() == "true"

    def hook(self, name: str) -> int:
        """A lifecycle hook of the proxy's container; -> its exit code."""
        _, *command = self.workload.proxy["lifecycle"][name]["exec"]["command"]
        if self.image:
            command = ["podman", "exec", self._container, "signing-proxy", *command]
        else:
            command = [sys.executable, "-m", "proxy", *command]
        environment = self._moved(self.workload.environment)
        return subprocess.run(command, cwd=ROOT, timeout=DEADLINE, check=False,
                              env={**os.environ, "PYTHONPATH": str(ROOT), **environment}).returncode

    def terminate(self) -> None:
        """SIGTERM to the proxy, as the kubelet sends it."""
        assert self.proxy is not None
        if self.image:
            subprocess.run(["podman", "kill", "--signal", "TERM", self._container], capture_output=True, check=True)
        else:
            self.proxy.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """-> the proxy's exit code, once it has ended by itself."""
        assert self.proxy is not None
        return self.proxy.wait(DEADLINE)

    # --- what it is asked

    def call(self, method: str, url: str) -> None:
        assert self.application is not None
        assert self.application.stdin is not None
        self.application.stdin.write(f"{method} {url}\n")
        self.application.stdin.flush()

    def answer(self) -> int:
        """Of the application's call."""
        assert self.application is not None
        assert self.application.stdout is not None
        line = self.application.stdout.readline()
        assert line, self.log()
        return int(line)

    def admin(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        return asked(9090, method, path)

    def status(self) -> dict[str, Any]:
        return json.loads(self.admin("/status")[1])

    def until(self, path: str, wanted: int = 200) -> None:
        """As a probe asks again and again."""
        def there() -> bool:
            try:
                return self.admin(path)[0] == wanted
            except OSError:
                assert self.proxy is not None
                assert self.proxy.poll() is None, self.log()
                return False

        until(there, f"{path} is {wanted}: {self.log()}")

    def log(self) -> str:
        path = self._folder / "proxy.log"
        return path.read_text() if path.exists() else ""


def asked(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def until(condition: Any, what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def copy_of(folder: Path, *names: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
