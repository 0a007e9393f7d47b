"""A stand-in for Vault: not Vault, but what its public API documentation says of the parts that the proxy asks for.

It runs in a thread of its own, over real sockets.  Faults are on demand: `sealed`, `health`, `latency`, `fail`, `raw`.
The same tests run against a real server where one is on PATH (conftest.py), and hvac drives this one (test_hvac.py).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Self

from aiohttp import ClientSession, web

from tests.vault.access import Access, Denied, Token
from tests.vault.engines import Kv1, Kv2, Reply, Transit, failure

ROOT = "root-of-the-standin"


class Space:
    """One namespace: its mounts.  Policies and tokens are the whole server's."""

    def __init__(self) -> None:
        self.mounts: dict[str, Kv1 | Kv2 | Transit] = {"secret": Kv2()}

    def mount(self, name: str, kind: str, options: dict[str, str]) -> None:
        if kind == "transit":
            self.mounts[name] = Transit()
        else:
            self.mounts[name] = Kv2() if kind == "kv-v2" or options.get("version") == "2" else Kv1()


class Standin:
    """latency: seconds before each answer.  held: nothing is answered while it is set.

    health: what /sys/health says of an unsealed node.

    seen: (method, path, namespace) of every request, oldest first.  concurrent, most: requests being answered.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, port: int = 0, root: str = ROOT) -> None:
        self.access = Access(root)
        self.spaces: dict[str, Space] = {"": Space()}
        self.latency = 0.0
        self.held = False
        self.sealed = False
        self.health = 200
        self.seen: deque[tuple[str, str, str]] = deque(maxlen=10_000)
        self.concurrent = self.most = 0
        self._faults: list[tuple[str, int, Any, int]] = []
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="vault stand-in", daemon=True)
        self._ready = threading.Event()
        self.port = port
        self.root = root

    @property
    def address(self) -> str:
        return f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(30)

    close = __exit__

    def fail(self, path: str, status: int, *, times: int = 1_000_000, body: Any = None) -> None:
        """Answers so the next `times` requests whose path begins with this; body: bytes are sent as they are."""
        self._faults.append((path, status, {"errors": ["on demand"]} if body is None else body, times))

    def mend(self) -> None:
        self._faults.clear()
        self.latency, self.sealed, self.health = 0.0, False, 200

    def count(self, path: str) -> int:
        return sum(1 for _, seen, _ in list(self.seen) if seen.startswith(path))

    # --- the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = web.Server(self._handle)
        runner = web.ServerRunner(server, shutdown_timeout=0.01)      # 0 would be for ever
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        for listening in site._server.sockets:
            self._loop.remove_reader(listening.fileno())
        await self._turns()             # asyncio forgets to close what it accepts while its server closes
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await runner.cleanup()
        await self._turns()             # what was aborted is closed in the loop's next rounds

    async def _turns(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, space = request.path.removeprefix("/v1/"), request.headers.get("X-Vault-Namespace", "").strip("/")
        self.seen.append((request.method, path, space))
        self.concurrent += 1
        self.most = max(self.most, self.concurrent)
        try:
            raw = await request.read()
            if self.latency:
                await self._pause()
            while self.held and not self._stop.is_set():
                await asyncio.sleep(0.005)
            fault = self._fault(path)
            if fault is not None:
                return fault
            body = json.loads(raw) if raw else {}
            if path == "auth/kubernetes/login" and not await self._reviewed(str(body.get("jwt"))):
                return json_answer({"errors": ["permission denied"]}, 403)
            status, document = self._answer(request, path, space, body)
        finally:
            self.concurrent -= 1
        if document is None:
            return web.Response(status=status)
        return json_answer(document, status)

    async def _pause(self) -> None:
        """For `latency`, or until this is closed: the close waits for what is being answered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.latency):
                await self._stop.wait()

    async def _reviewed(self, jwt: str) -> bool:
        async with (ClientSession() as session, session.post(
                f"{self.access.cluster}/apis/authentication.k8s.io/v1/tokenreviews", json={"spec": {"token": jwt}},
                headers={"Authorization": "Bearer reviewer"}) as answer):
            return bool((await answer.json())["status"]["authenticated"])

    def _fault(self, path: str) -> web.Response | None:
        for index, (prefix, status, body, times) in enumerate(self._faults):
            if path.startswith(prefix):
                self._faults[index:index + 1] = [(prefix, status, body, times - 1)] if times > 1 else []
                if isinstance(body, bytes):
                    return web.Response(status=status, body=body)
                return json_answer(body, status)
        return None

    def _answer(self, request: web.BaseRequest, path: str, space: str, body: dict[str, Any]) -> Reply:
        if path == "sys/health":
            status = 503 if self.sealed else self.health
            return status, {"initialized": True, "sealed": self.sealed, "standby": status != 200}
        if path == "sys/unseal":
            self.sealed = False
            return 200, {"sealed": False}
        if self.sealed:
            return failure(503, "Vault is sealed")
        if space not in self.spaces:
            return failure(404, f'no handler for route "{space}/{path}". route entry not found.')
        try:
            login = self.access.login(path, body)
            if login is not None:
                return login
            token = self.access.known(request.headers.get("X-Vault-Token", ""))
            return self._wrapped(request, self._authorised(request, path, space, body, token))
        except Denied as denied:
            return failure(denied.status, *denied.words)

    def _wrapped(self, request: web.BaseRequest, reply: Reply) -> Reply:
        ttl = request.headers.get("X-Vault-Wrap-TTL")
        return reply if ttl is None or reply[0] != 200 else self.access.wrap(reply, int(ttl.rstrip("s")))

    def _authorised(self, request: web.BaseRequest, path: str, space: str, body: dict[str, Any], token: Token) -> Reply:
        own = self.access.self_service(path, token, body)
        if own is not None:
            return own
        self.access.require(token, f"{space}/{path}".lstrip("/"))
        if path.startswith(("sys/", "auth/")):
            return self._manage(request.method, path, space, body)
        mounts = self.spaces[space].mounts
        mount = max((name for name in mounts if path.startswith(name + "/")), key=len, default=None)
        if mount is None:
            return failure(404, f'no handler for route "{path}". route entry not found.')
        return mounts[mount].answer(request.method, path.removeprefix(mount + "/"), body, dict(request.query))

    def _manage(self, method: str, path: str, space: str, body: dict[str, Any]) -> Reply:
        if path == "sys/seal":
            self.sealed = True
            return 204, None
        if path.startswith("sys/mounts/"):
            self.spaces[space].mount(path.removeprefix("sys/mounts/"), body["type"], body.get("options") or {})
            return 204, None
        if path.startswith("sys/namespaces/"):
            self.spaces[path.removeprefix("sys/namespaces/")] = Space()
            return 200, {"data": {}}
        return self.access.manage(method, path, body)


def json_answer(document: Any, status: int) -> web.Response:
    """With the very Content-Type that Vault sends: hvac compares all of it."""
    return web.Response(status=status, body=json.dumps(document).encode(),
                        headers={"Content-Type": "application/json", "Cache-Control": "no-store"})
