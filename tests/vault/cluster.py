"""The part of a Kubernetes API server that Vault's kubernetes method asks: is a service account's token good?"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from proxy.emulator import Authority

NAMESPACE = "payments"
_ISSUER = "https://kubernetes.default.svc.cluster.local"
_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account with a token that the kubelet would put into its pod."""

    name: str
    uid: str
    jwt: str


class Cluster:
    """Answers POST tokenreviews: a token that it has given out and not taken back is authenticated."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._review))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="cluster", daemon=True)
        self.reviewed = 0
        self.ca = Authority().pem.decode()      # Vault wants one, also for http

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def account(self, name: str) -> Account:
        uid = str(uuid.uuid4())
        account = Account(name, uid, _jwt(name, uid))
        self._accounts[account.jwt] = account
        return account

    def forget(self, account: Account) -> None:
        """As when its pod is gone."""
        del self._accounts[account.jwt]

    def _review(self, token: str) -> dict[str, Any]:
        self.reviewed += 1
        account = self._accounts.get(token)
        if account is None:
            return {"authenticated": False, "error": "the token is not valid"}
        user = {"username": f"system:serviceaccount:{NAMESPACE}:{account.name}", "uid": account.uid,
                "groups": ["system:serviceaccounts"]}
        return {"authenticated": True, "audiences": [_ISSUER], "user": user}


def _handler(review: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == _REVIEWS and self.headers["Authorization"]
            answer = json.dumps({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
                                 "status": review(asked["spec"]["token"])}).encode()
            self.send_response(201 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _jwt(name: str, uid: str) -> str:
    """As Kubernetes writes them; the signature is for the API server to judge, and that is this one."""
    head = {"alg": "RS256", "kid": "throw-away"}
    claims = {"iss": _ISSUER, "sub": f"system:serviceaccount:{NAMESPACE}:{name}", "aud": [_ISSUER],
              "iat": 1, "nbf": 1, "exp": 4102444800,
              "kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": {"name": name, "uid": uid}}}
    return ".".join((_part(json.dumps(head)), _part(json.dumps(claims)), _part(f"signature of {uid}")))


def _part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def claims_of(jwt: str) -> dict[str, Any]:
    """Raises ValueError."""
    _, part, _ = jwt.split(".")
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
