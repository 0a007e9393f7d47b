"""The stand-in's engines: KV version 1 and 2, and Transit, as far as Vault's API documentation describes them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Reply = tuple[int, dict[str, Any] | None]
_TIME = "2026-06-01T12:00:00.000000000Z"
_ONE = "1 error occurred:\n\t* "


def success(data: Any, **more: Any) -> Reply:
    return 200, {"request_id": "stand-in", "lease_id": "", "renewable": False, "lease_duration": 0, "data": data,
                 "wrap_info": None, "warnings": None, "auth": None, **more}


def failure(status: int, *words: str) -> Reply:
    return status, {"errors": list(words)}


class Kv1:
    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, body: dict[str, Any], query: dict[str, str]) -> Reply:
        if method in ("POST", "PUT"):
            self.secrets[path] = body
            return 204, None
        if method == "DELETE":
            self.secrets.pop(path, None)
            return 204, None
        return success(self.secrets[path]) if path in self.secrets else failure(404)


class Kv2:
    """versions: by path, oldest first; None in place of the data of a deleted one."""

    def __init__(self) -> None:
        self.versions: dict[str, list[dict[str, Any] | None]] = {}

    def answer(self, method: str, path: str, body: dict[str, Any], query: dict[str, str]) -> Reply:
        kind, _, name = path.partition("/")
        if kind == "data":
            return self._data(method, name, body, int(query.get("version", 0)))
        if kind == "metadata":
            return self._metadata(method, name)
        return 404, {"errors": [], "warnings": [
            "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints."]}

    def _data(self, method: str, name: str, body: dict[str, Any], version: int) -> Reply:
        versions = self.versions.setdefault(name, []) if method in ("POST", "PUT") else self.versions.get(name, [])
        if method in ("POST", "PUT"):
            versions.append(body["data"])
            return success(self._about(versions, len(versions)))
        number = version or len(versions)
        if not 1 <= number <= len(versions):
            return failure(404)
        if method == "DELETE":
            versions[number - 1] = None
            return 204, None
        data = versions[number - 1]
        _, document = success({"data": data, "metadata": self._about(versions, number)})
        return (200 if data is not None else 404), document

    def _metadata(self, method: str, name: str) -> Reply:
        if method == "DELETE":
            self.versions.pop(name, None)
            return 204, None
        versions = self.versions.get(name)
        if not versions:
            return failure(404)
        return success({"current_version": len(versions), "oldest_version": 1, "max_versions": 0,
                        "versions": {str(number): self._about(versions, number)
                                     for number in range(1, len(versions) + 1)}})

    def _about(self, versions: list[dict[str, Any] | None], number: int) -> dict[str, Any]:
        deleted = versions[number - 1] is None
        return {"created_time": _TIME, "custom_metadata": None, "deletion_time": _TIME if deleted else "",
                "destroyed": False, "version": number}


class TransitKeyRing:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.keys: list[Any] = []
        self.least = 0

    def rotate(self, key: Any = None) -> None:
        if key is None and self.kind.startswith("rsa-"):
            key = rsa.generate_private_key(65537, int(self.kind.removeprefix("rsa-")))
        self.keys.append(key or ec.generate_private_key(ec.SECP256R1()))


class Transit:
    """instant: signatures by message are made once and kept, where a test measures something else."""

    def __init__(self) -> None:
        self.rings: dict[str, TransitKeyRing] = {}
        self.instant = False
        self._made: dict[tuple[str, int, str], bytes] = {}

    def put(self, name: str, key: Any) -> None:
        """A key from outside, which the real one would take through keys/<name>/import."""
        ring = self.rings.setdefault(name, TransitKeyRing(f"rsa-{key.key_size}"))
        ring.rotate(key)

    def answer(self, method: str, path: str, body: dict[str, Any], query: dict[str, str]) -> Reply:
        kind, _, rest = path.partition("/")
        name, _, action = rest.partition("/")
        if kind == "keys":
            return self._keys(method, name, action, body)
        if kind == "sign" and (action or body.get("hash_algorithm", "sha2-256")) == "sha2-256":
            return self._sign(name, body)
        return failure(404, f'no handler for route "transit/{path}".')

    def _keys(self, method: str, name: str, action: str, body: dict[str, Any]) -> Reply:
        if method == "GET":
            return success(self._about(name)) if name in self.rings else failure(404)
        if action == "config":
            self.rings[name].least = body.get("min_encryption_version", 0)
        elif action == "rotate":
            self.rings[name].rotate()
        elif name not in self.rings:
            self.rings[name] = TransitKeyRing(body.get("type", "aes256-gcm96"))
            self.rings[name].rotate()
        return success(self._about(name))

    def _about(self, name: str) -> dict[str, Any]:
        ring = self.rings[name]
        return {"name": name, "type": ring.kind, "latest_version": len(ring.keys), "min_available_version": 0,
                "min_decryption_version": 1, "min_encryption_version": ring.least, "supports_signing": True,
                "keys": {str(number): {"creation_time": _TIME, "name": ring.kind, "public_key": _pem(key)}
                         for number, key in enumerate(ring.keys, 1)}}

    def _sign(self, name: str, body: dict[str, Any]) -> Reply:
        ring = self.rings.get(name)
        if ring is None:
            return failure(400, "signing key not found")
        number = body.get("key_version") or len(ring.keys)
        if number > len(ring.keys):
            return failure(500, f"{_ONE}requested version for signing is higher than the latest key version")
        if number < ring.least:
            return failure(500, f"{_ONE}requested version for signing is less than the minimum encryption key version")
        data = base64.b64decode(body["input"])
        if body.get("prehashed") and len(data) != hashlib.sha256().digest_size:
            return failure(400, "the input has not the length of a SHA-256")
        signature = base64.b64encode(self._made_by(ring.keys[number - 1], name, number, body, data)).decode()
        return success({"signature": f"vault:v{number}:{signature}", "key_version": number})

    def _made_by(self, key: Any, name: str, number: int, body: dict[str, Any], data: bytes) -> bytes:
        known = (name, number, body["input"])
        if self.instant and known in self._made:
            return self._made[known]
        algorithm = Prehashed(SHA256()) if body.get("prehashed") else SHA256()
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(algorithm))
        pkcs1 = body.get("signature_algorithm", "pss") == "pkcs1v15"
        scheme = padding.PKCS1v15() if pkcs1 else padding.PSS(padding.MGF1(SHA256()), 32)
        signature = self._made[known] = key.sign(data, scheme, algorithm)
        return signature


def _pem(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
