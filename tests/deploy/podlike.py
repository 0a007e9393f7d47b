"""Pods of deploy/kustomize in front of the emulator: signed, rotated, drained, ended.

    python -m tests.deploy.podlike                  the proxy as a process
    python -m tests.deploy.podlike --image NAME     in a container of that image, which may do nothing (podman, runc)

It runs in a network namespace of its own, as a pod does, where the machine lets it make one; else on plain loopback.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proxy.emulator import Authority
from proxy.emulator.options import CLIENT_ID
from tests.deploy.manifests import ROOT, Workload, workloads
from tests.deploy.pod import Pod, asked, copy_of, removed, until

INSIDE = "PODLIKE_INSIDE"
BANK, CONTROL = 9443, 9444
BANK_URL = "https://open.nordea.com"
ACCOUNTS, PAYMENTS = "/personal/v5/accounts", "/personal/v4/payments/domestic"
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="", help="of the proxy, in podman's store")
    image = parser.parse_args().image
    if INSIDE not in os.environ:
        return subprocess.run([*namespace(), sys.executable, "-m", "tests.deploy.podlike", *sys.argv[1:]], cwd=ROOT,
                              check=False, env={**os.environ, INSIDE: "1", "PYTHONPATH": str(ROOT)}).returncode
    raise_loopback()
    folder = Path(tempfile.mkdtemp(prefix="podlike-"))
    folder.chmod(0o755)
    try:
        with bank(folder / "bank"):
            for story in (a_deployment, a_classic_deployment, a_classic_job):
                story(folder, image)
    finally:
        removed(folder)
    tell("all is as it should be")
    return 0


def tell(line: str) -> None:
    print(f"podlike: {line}", flush=True)


# --- where it happens

def namespace() -> list[str]:
    """The command that makes one, as root or as anybody; [] where nobody may."""
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if shutil.which("unshare") is None:
            break
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    tell("no network namespace can be made here; plain loopback it is")
    return []


def raise_loopback() -> None:
    """A new namespace has its loopback down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        name = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, name))[1]
        if not flags & _IFF_UP:
            fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


@contextmanager
def bank(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "proxy", "emulator", "--directory", str(folder), "--port", str(BANK),
               "--control-port", str(CONTROL)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def listens() -> bool:
        assert process.poll() is None, "the emulator did not start; its own message is above"
        try:
            return asked(CONTROL, "GET", "/")[0] == 200
        except OSError:
            return False

    try:
        until(listens, "the emulator listens")
        yield
    finally:
        process.terminate()
        process.wait(20)


# --- what the bank says

def executed(method: str, path: str) -> int:
    return int(control("GET", f"/executions?method={method}&path={path}")["count"])


def last_received() -> dict[str, Any]:
    return control("GET", "/received?last=1")["received"][0]


def control(method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    status, answer = asked(CONTROL, method, path, body)
    assert status < 300, answer
    return json.loads(answer) if answer else {}


# --- pods

@contextmanager
def running(workload: Workload, folder: Path, image: str, **changes: Any) -> Iterator[Pod]:
    made, place = folder / "bank", folder / f"{workload.name}-{'native' if workload.native else 'classic'}"
    place.mkdir()
    config = workload.config()
    (name,) = config.applications
    own = {"client_id": CLIENT_ID, "client_secret_file": "/run/secrets/signing-proxy/client-secret",
           "key_file": "/run/secrets/signing-proxy/qseal.key", "allow_group_read": True,
           "certificate_file": "/run/secrets/signing-proxy/qseal.crt"}
    route = {"profile": "nordea", "upstream": f"https://127.0.0.1:{BANK}", "host": "open.nordea.com",
             "allow": list(config.routes[0].allow)}
    changes = {"applications": {name: own}, "routes": [route], "timed_reload": 0.2,
               "upstream_ca_file": "/etc/signing-proxy/bank-ca.pem", **changes}
    with Pod(workload, place, changes, image) as pod:
        (place / "signing-proxy-config" / "bank-ca.pem").write_bytes((made / "ca.pem").read_bytes())
        content = copy_of(made, "qsealc.key", "qsealc.crt", "client_secret")
        pod.secrets({"qseal.key": content["qsealc.key"], "qseal.crt": content["qsealc.crt"],
                     "client-secret": content["client_secret"]})
        pod.start()
        yield pod


def a_deployment(folder: Path, image: str) -> None:
    """Native sidecar; the application calls the bank's own URLs through HTTPS_PROXY."""
    (workload,) = workloads("deployment")
    with running(workload, folder, image) as pod:
        signed(pod, BANK_URL)
        rotated(pod, folder)
        drained(pod)
        assert pod.ended() == 143, pod.log()
        tell("the proxy ended with 143, after the application's last call")


def signed(pod: Pod, base: str) -> None:
    pod.call("GET", base + ACCOUNTS)
    assert pod.answer() == 200, pod.log()
    assert last_received()["accepted"], last_received()
    pod.call("GET", base + "/corporate/v2/accounts")
    assert pod.answer() == 403      # not on the route's list: never signed
    tell(f"signed: {base}{ACCOUNTS}")


def rotated(pod: Pod, folder: Path) -> None:
    """New files in the Secret's volume, key and certificate at one moment; nobody restarts anything."""
    (name,) = pod.workload.config().applications
    before = pod.status()["applications"][name]["key"]["spki_sha256"]
    fresh = folder / "fresh"
    fresh.mkdir()
    Authority().seal().write(fresh, "qseal.key", "qseal.crt")
    content = copy_of(fresh, "qseal.key", "qseal.crt")
    pod.secrets({**content, "client-secret": (folder / "bank" / "client_secret").read_bytes()})
    until(lambda: pod.status()["applications"][name]["key"]["spki_sha256"] != before, "the new key is taken")
    control("POST", f"/certificate?client_id={CLIENT_ID}", content["qseal.crt"])
    pod.call("GET", BANK_URL + ACCOUNTS)
    assert pod.answer() == 200, pod.log()
    assert last_received()["accepted"], last_received()
    (folder / "bank" / "qsealc.key").write_bytes(content["qseal.key"])      # what the next pods are given
    (folder / "bank" / "qsealc.crt").write_bytes(content["qseal.crt"])
    tell("rotated: the new key signs, and the process is the same")


def drained(pod: Pod) -> None:
    """The pod is told to go while a payment is on its way: it is answered, and executed once."""
    before = executed("POST", PAYMENTS)
    control("POST", "/faults", b'{"kind": "stall", "method": "POST"}')
    pod.call("POST", BANK_URL + PAYMENTS)
    until(lambda: executed("POST", PAYMENTS) == before + 1, "the bank has acted")
    pod.terminate()
    pod.until("/readyz", 503)
    control("POST", "/release")
    assert pod.answer() in (200, 201), pod.log()
    assert executed("POST", PAYMENTS) == before + 1
    tell("drained: the payment in hand was answered")


def a_classic_deployment(folder: Path, image: str) -> None:
    """An ordinary container: postStart waits, preStop shuts down, and the kubelet's SIGTERM follows at once."""
    workload = next(one for one in workloads("classic") if one.document["kind"] == "Deployment")
    with running(workload, folder, image, min_sigterm_delay=0.1) as pod:
        signed(pod, BANK_URL)
        assert pod.hook("preStop") == 0, pod.log()
        assert pod.ended() == 0, pod.log()
        tell("a classic sidecar: ready after postStart, ended with 0 by preStop")


def a_classic_job(folder: Path, image: str) -> None:
    """The application's last act ends the proxy, so that the Job can end."""
    workload = next(one for one in workloads("classic") if one.document["kind"] == "Job")
    with running(workload, folder, image, min_sigterm_delay=0.1) as pod:
        pod.call("GET", "http://127.0.0.1:8080" + ACCOUNTS)
        assert pod.answer() == 200, pod.log()
        assert pod.application is not None
        assert pod.application.stdin is not None
        pod.application.stdin.close()
        assert pod.application.wait(20) == 0
        assert asked(9090, "POST", "/quitquitquit")[0] == 200
        assert pod.ended() == 0, pod.log()
        tell("a Job: application and proxy have both ended with 0")


if __name__ == "__main__":
    sys.exit(main())
