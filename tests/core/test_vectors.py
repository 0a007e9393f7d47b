"""The accepted vectors come out byte for byte, and none of the rejected ones can be made."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from proxy.core.profiles import NORDEA, NORDEA_SANDBOX
from proxy.core.secret import Secret
from proxy.core.signing import Credentials, SigningRules, prepare
from tests.core.sealing import parse, request, sign, verify

VECTORS = Path(__file__).parents[1] / "vectors"
BOOK = json.loads((VECTORS / "nordea.json").read_text(encoding="utf-8"))
BY_ID = {vector["id"]: vector for vector in BOOK["vectors"]}
ACCEPTED = [vector for vector in BOOK["vectors"] if vector["expect"] == "accept"]
REJECTED = [vector for vector in BOOK["vectors"] if vector["expect"] == "reject"]
PROFILES = {profile.host: profile for profile in (NORDEA, NORDEA_SANDBOX)}
CREDENTIALS = Credentials(BOOK["client_id"].encode(), Secret(b"<secret, not signed>"))


@pytest.fixture(scope="module")
def demo_key():
    return load_der_private_key(b64decode((VECTORS / "sandbox-key.b64").read_bytes()), None)


def _plan(vector):
    asked = vector["request"]
    rules = SigningRules(PROFILES[asked["host"]], empty_body="omit" if vector["id"].endswith("-omit") else "digest")
    sent = [(b"Content-Type",
             vector["headers"]["Content-Type"].encode())] if "Content-Type" in vector["headers"] else []
    built = request(asked["method"].encode(), asked["request_target"].encode(), *sent,
                    body=b64decode(asked["body_base64"]))
    return prepare(built, rules).plan(CREDENTIALS, BOOK["originating_date"].encode())


def test_there_are_vectors():
    assert len(ACCEPTED) >= 11
    assert len(REJECTED) >= 5


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["id"])
def test_accepted(vector, demo_key):
    plan = _plan(vector)
    assert plan.signature_base.decode() == vector["signing_string"]
    assert sha256(plan.signature_base).hexdigest() == vector["signing_string_sha256_hex"]
    assert [name.decode() for name in plan.draft.covered] == vector["covered"]
    assert plan.draft.digest == (vector["digest"].encode() if vector["digest"] else None)
    wire = parse(plan.complete(sign(demo_key, plan.signature_base)))
    assert wire.one(b"Signature").decode() == vector["signature_header"]
    assert wire.one(b"Host").decode() == vector["request"]["host"]
    assert wire.body == b64decode(vector["request"]["body_base64"])
    for name, value in vector["headers"].items():
        assert wire.one(name.encode()).decode() == value
    verify(wire, demo_key.public_key())


@pytest.mark.parametrize("vector", REJECTED, ids=lambda vector: vector["id"])
def test_rejected_ones_are_never_made(vector, demo_key):
    plan = _plan({**vector, "id": vector["alternative_of"], "headers": BY_ID[vector["alternative_of"]]["headers"]})
    header = parse(plan.complete(sign(demo_key, plan.signature_base))).one(b"Signature").decode()
    assert header == BY_ID[vector["alternative_of"]]["signature_header"]
    assert header != vector["signature_header"]
