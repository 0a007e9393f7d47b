"""The vectors were made by openssl and checked by others; the emulator must agree with every one of them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from httpsig.verify import HeaderVerifier

from proxy.emulator.explain import why_not
from proxy.emulator.registration import SANDBOX_PUBLIC_KEY, Application, read_registered
from proxy.emulator.verify import Policy, Verifier, signing_string
from proxy.emulator.wire import Malformed, parse_head

SUITE = json.loads((Path(__file__).parents[1] / "vectors" / "nordea.json").read_text(encoding="utf-8"))
VECTORS = [pytest.param(vector, id=vector["id"]) for vector in SUITE["vectors"]]
ACCEPTED = [pytest.param(vector, id=vector["id"]) for vector in SUITE["vectors"] if vector["expect"] == "accept"]
TWIN = "lower_case_digest_prefix_twin"
TWINS = [pytest.param(vector, id=vector["id"]) for vector in SUITE["vectors"]
         if TWIN in vector and vector["expect"] == "accept"]
NOW = 1691994345.0
SECRET = "emulated-secret"

NODE = """
const sig = require('http-signature'), inputs = JSON.parse(require('fs').readFileSync(0));
const said = input => {
  try {
    const parsed = sig.parseRequest(input.request, {
      authorizationHeaderName: 'signature', clockSkew: 1e12, headers: input.covered, algorithms: ['rsa-sha256'] });
    return { string: parsed.signingString, ok: sig.verifySignature(parsed, input.key) };
  } catch (error) { return { ok: false, error: String(error) } }
};
process.stdout.write(JSON.stringify(inputs.map(said)));
"""


def raw_of(vector, **replaced):
    request = vector["request"]
    headers = {"Host": request["host"], **vector["headers"], "X-IBM-Client-Secret": SECRET, **replaced}
    lines = [f"{request['method']} {request['request_target']} HTTP/1.1",
             *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def body_of(vector):
    return base64.b64decode(vector["request"]["body_base64"])


def judge(raw, body, **policy):
    registered = read_registered(SUITE["key"]["public_key_pem"])
    applications = {SUITE["client_id"]: Application(SUITE["client_id"], SECRET, registered)}
    return Verifier(Policy(**policy), applications, lambda: NOW).judge(parse_head(raw), body)


def test_the_sandbox_key_is_the_published_one():
    assert read_registered(SANDBOX_PUBLIC_KEY).fingerprint == SUITE["key"]["spki_sha256"]


@pytest.mark.parametrize("vector", VECTORS)
def test_verdict_is_what_the_vector_expects(vector):
    verdict = judge(raw_of(vector), body_of(vector))
    assert verdict.accepted == (vector["expect"] == "accept"), verdict
    if verdict.accepted:
        assert verdict.signing_string.decode() == vector["signing_string"]
        assert verdict.signature_checked
    else:
        assert verdict.code == "error.signature.invalid"


@pytest.mark.parametrize("vector", TWINS)
def test_lower_case_digest_prefix_is_as_good(vector):
    twin = vector[TWIN]
    raw = raw_of(vector, Digest=twin["digest"], Signature=twin["signature_header"])
    assert judge(raw, body_of(vector)).accepted


@pytest.mark.parametrize("vector", ACCEPTED)
def test_one_changed_byte_anywhere_covered_is_refused(vector):
    """Each line of the signing string, and the body, in turn."""
    request, body = vector["request"], body_of(vector)
    raw = raw_of(vector)
    changed = [
        raw.replace(request["request_target"].encode(), request["request_target"].encode() + b"x", 1),
        raw.replace(b"06:25:45 GMT", b"06:25:46 GMT", 1),
        raw.replace(b"Originating-Host: " + request["host"].encode(), b"Originating-Host: localhost", 1),
    ]
    if "content-type" in vector["covered"]:
        changed.append(raw.replace(b"Content-Type: application/", b"Content-Type: Application/", 1))
    for other in changed:
        assert other != raw
        assert judge(other, body).code == "error.signature.invalid"
    if "digest" in vector["covered"]:
        assert judge(raw, body + b" ").code == "error.digest.invalid"


@pytest.mark.parametrize("identity", ["get-query", "post-json"])
def test_one_changed_bit_is_refused_wherever_it_is_but_in_host(identity):
    vector = next(one for one in SUITE["vectors"] if one["id"] == identity)
    raw, body = raw_of(vector), body_of(vector)
    start = raw.index(b"Host: ") + len(b"Host:")
    unsigned = range(start, raw.index(b"\r\n", start))
    for index in (index for index in range(len(raw)) if index not in unsigned):
        other = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1:]
        try:
            assert not judge(other, body).accepted, other
        except Malformed:
            pass


@pytest.mark.parametrize("vector", VECTORS)
def test_httpsig_agrees(vector):
    """PyPI httpsig is lenient about the header's form, so it is asked only where the emulator looked at the seal."""
    request = vector["request"]
    headers = {**vector["headers"], "Authorization": "Signature " + vector["headers"]["Signature"]}
    if vector["id"] in ("neg-scheme-prefix", "neg-backslashes"):
        assert judge(raw_of(vector), body_of(vector)).code == "error.signature.invalid"
        return
    theirs = HeaderVerifier(
        headers, SUITE["key"]["public_key_pem"], vector["covered"], request["method"], request["request_target"],
        request["host"],
    ).verify()
    assert theirs == judge(raw_of(vector), body_of(vector)).accepted


@pytest.fixture(scope="module")
def node_says():
    """What http-signature makes of each vector, by id."""
    node = shutil.which("node")
    if not node or subprocess.run([node, "-e", "require('http-signature')"], capture_output=True).returncode:
        pytest.skip("install node and its module http-signature (NODE_PATH) to compare with it")
    asked = [{
        "request": {
            "method": vector["request"]["method"], "url": vector["request"]["request_target"], "httpVersion": "1.1",
            "headers": {name.lower(): value for name, value in vector["headers"].items()},
        },
        "covered": vector["covered"], "key": SUITE["key"]["public_key_pem"],
    } for vector in SUITE["vectors"]]
    ran = subprocess.run([node, "-e", NODE], input=json.dumps(asked).encode(), capture_output=True, check=True)
    return dict(zip((vector["id"] for vector in SUITE["vectors"]), json.loads(ran.stdout), strict=True))


@pytest.mark.parametrize("vector", VECTORS)
def test_node_http_signature_agrees(vector, node_says):
    ours, theirs = judge(raw_of(vector), body_of(vector)), node_says[vector["id"]]
    assert theirs["ok"] == ours.accepted, theirs
    if ours.accepted:
        assert theirs["string"] == ours.signing_string.decode()


@pytest.mark.parametrize(
    ("identity", "cause"),
    [("neg-upper-method", "upper case"), ("neg-trailing-newline", "line feed"), ("neg-no-colon", "colon"),
     ("neg-scheme-prefix", "prefix"), ("neg-backslashes", "backslash")],
)
def test_the_explanation_names_the_mistake(identity, cause):
    vector = next(one for one in SUITE["vectors"] if one["id"] == identity)
    assert cause in judge(raw_of(vector), body_of(vector)).explanation


def test_no_known_mistake_is_said_so():
    vector = SUITE["vectors"][0]
    head = parse_head(raw_of(vector))
    reason = why_not(head, signing_string(head, vector["covered"]), lambda _: False)
    assert "no known mistake" in reason
