"""The stand-in's tokens, policies and logins, as far as Vault's API documentation describes them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from tests.vault.cluster import claims_of
from tests.vault.engines import Reply, failure, success

_RULE = re.compile(r'path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]')
_ALWAYS = ("auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self", "sys/wrapping/unwrap")


class Denied(Exception):
    def __init__(self, *words: str, status: int = 403) -> None:
        self.words = words
        self.status = status
        super().__init__(*words)


@dataclass
class Token:
    """ttl: seconds, 0 for ever.  until: monotonic.  holds: what a wrapping token is for."""

    text: str
    policies: list[str]
    ttl: int = 0
    renewable: bool = False
    until: float = float("inf")
    left: int = 1_000_000
    holds: Reply | None = field(default=None, repr=False)


@dataclass
class Role:
    role_id: str
    policies: list[str]
    ttl: int
    secret_ids: dict[str, int]
    uses: int


@dataclass
class Service:
    """accounts, namespaces: of the service accounts that may have the role."""

    accounts: list[str]
    namespaces: list[str]
    policies: list[str]
    ttl: int


class Access:
    """roles: AppRoles by name.  services: roles of the kubernetes method by name."""

    def __init__(self, root: str) -> None:
        self.tokens = {root: Token(root, ["root"])}
        self.policies: dict[str, list[tuple[str, bool]]] = {}
        self.roles: dict[str, Role] = {}
        self.services: dict[str, Service] = {}
        self.cluster = ""
        self.lifetime = 0
        self._numbers = itertools.count(1)

    # --- who asks

    def known(self, text: str) -> Token:
        token = self.tokens.get(text)
        if not text or token is None or monotonic() >= token.until:
            raise Denied("permission denied", *(["invalid token"] if text else []))
        return token

    def require(self, token: Token, path: str) -> None:
        if "root" in token.policies:
            return
        for policy in token.policies:
            for pattern, deep in self.policies.get(policy, []):
                if path == pattern or (deep and path.startswith(pattern)):
                    return
        raise Denied("1 error occurred:\n\t* permission denied\n\n")

    def issue(self, policies: list[str], ttl: int, *, renewable: bool = True) -> Token:
        token = Token(f"hvs.token-{next(self._numbers)}", policies, ttl, renewable and ttl > 0)
        token.until = monotonic() + ttl if ttl else float("inf")
        self.tokens[token.text] = token
        return token

    def expire(self) -> None:
        """Every token but the root's is forgotten."""
        self.tokens = {text: token for text, token in self.tokens.items() if "root" in token.policies}

    # --- logins, without a token

    def login(self, path: str, body: dict[str, Any]) -> Reply | None:
        if path == "auth/approle/login":
            return self._approle(body)
        if path == "auth/kubernetes/login":
            return self._kubernetes(body)
        return None

    def _approle(self, body: dict[str, Any]) -> Reply:
        role = next((role for role in self.roles.values() if role.role_id == body.get("role_id")), None)
        secret_id = str(body.get("secret_id"))
        if role is None or secret_id not in role.secret_ids:
            raise Denied("invalid role or secret ID", status=400)
        if role.uses:
            role.secret_ids[secret_id] -= 1
            if not role.secret_ids[secret_id]:
                del role.secret_ids[secret_id]
        return self._auth(self.issue(role.policies, role.ttl))

    def _kubernetes(self, body: dict[str, Any]) -> Reply:
        """A token that the cluster has found good already (standin.py)."""
        service = self.services.get(str(body.get("role")))
        if service is None:
            raise Denied('invalid role name "x"', status=400)
        try:
            claims = claims_of(str(body.get("jwt")))["kubernetes.io"]
            known = (claims["serviceaccount"]["name"] in service.accounts and claims["namespace"] in service.namespaces)
        except (ValueError, KeyError):
            known = False
        if not known:
            raise Denied("permission denied")
        return self._auth(self.issue(service.policies, service.ttl))

    def _auth(self, token: Token) -> Reply:
        return success(None, auth={"client_token": token.text, "accessor": "a", "policies": token.policies,
                                   "token_policies": token.policies, "lease_duration": token.ttl,
                                   "renewable": token.renewable, "metadata": {}, "token_type": "service"})

    # --- what every token may do with itself

    def self_service(self, path: str, token: Token, body: dict[str, Any]) -> Reply | None:
        if path not in _ALWAYS:
            return None
        if path.endswith("lookup-self"):
            left = max(0, int(token.until - monotonic())) if token.ttl else 0
            return success({"id": token.text, "ttl": left, "renewable": token.renewable, "policies": token.policies,
                            "creation_ttl": token.ttl, "display_name": "token", "type": "service"})
        if path.endswith("renew-self"):
            if not token.renewable:
                raise Denied("lease is not renewable", status=400)
            token.until = monotonic() + token.ttl
            return self._auth(token)
        if path.endswith("revoke-self"):
            del self.tokens[token.text]
            return 204, None
        return self._unwrap(token, body)

    def wrap(self, reply: Reply, ttl: int) -> Reply:
        token = self.issue(["response-wrapping"], ttl, renewable=False)
        token.holds = reply
        return 200, {"data": None, "auth": None, "warnings": None, "wrap_info": {
            "token": token.text, "accessor": "a", "ttl": ttl, "creation_time": "2026-06-01T12:00:00Z",
            "creation_path": "auth/approle/role/x/secret-id"}}

    def _unwrap(self, asking: Token, body: dict[str, Any]) -> Reply:
        token = self.tokens.get(str(body["token"])) if body.get("token") else asking
        if token is None or token.holds is None:
            raise Denied("wrapping token is not valid or does not exist", status=400)
        del self.tokens[token.text]
        return token.holds

    # --- what an administrator does

    def manage(self, method: str, path: str, body: dict[str, Any]) -> Reply:
        if path.startswith(("sys/policies/acl/", "sys/policy/")):
            rules = _RULE.findall(body["policy"])
            self.policies[path.rsplit("/", 1)[1]] = [(rule.rstrip("*"), rule.endswith("*")) for rule, _ in rules]
            return 204, None
        if path.startswith("sys/auth/"):
            return 204, None
        if path == "auth/token/create":
            return self._auth(self.issue(body.get("policies", []), _seconds(body.get("ttl", 0)),
                                         renewable=body.get("renewable", True)))
        if path == "auth/token/revoke":
            self.tokens.pop(body["token"], None)
            return 204, None
        if path == "auth/kubernetes/config":
            self.cluster = body["kubernetes_host"]
            return 204, None
        if path.startswith("auth/kubernetes/role/"):
            self.services[path.rsplit("/", 1)[1]] = Service(
                body["bound_service_account_names"], body["bound_service_account_namespaces"], body["token_policies"],
                _seconds(body.get("token_ttl", 0)))
            return 204, None
        if path.startswith("auth/approle/role/"):
            return self._role(path.removeprefix("auth/approle/role/"), body)
        return failure(404, f'no handler for route "{path}". route entry not found.')

    def _role(self, path: str, body: dict[str, Any]) -> Reply:
        name, _, action = path.partition("/")
        if action == "role-id":
            return success({"role_id": self.roles[name].role_id})
        if action == "secret-id":
            text = f"secret-id-{next(self._numbers)}"
            self.roles[name].secret_ids[text] = self.roles[name].uses
            return success({"secret_id": text, "secret_id_accessor": "a", "secret_id_ttl": 0, "secret_id_num_uses": 0})
        policies = body.get("token_policies", [])
        self.roles[name] = Role(f"role-id-of-{name}", policies.split(",") if isinstance(policies, str) else policies,
                                _seconds(body.get("token_ttl", 0)), {}, int(body.get("secret_id_num_uses", 0)))
        return 204, None


def _seconds(text: object) -> int:
    digits = re.fullmatch(r"(\d+)([smh]?)", str(text))
    assert digits, text
    return int(digits[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[digits[2]]
