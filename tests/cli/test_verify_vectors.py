"""Every vector gets its verdict, and the rejected ones the reason that their note gives."""

import json

import pytest

from tests.cli.captures import VECTORS, raw_message

TWINS = [vector for vector in VECTORS if "lower_case_digest_prefix_twin" in vector and vector["expect"] == "accept"]

CAUSES = {
    "neg-upper-method": "upper_case_method",
    "neg-trailing-newline": "trailing_newline",
    "neg-no-colon": "no_colon",
    "neg-scheme-prefix": "scheme_prefix",
    "neg-backslashes": "backslashes",
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector(call, sandbox_public_key, vector):
    result = call("verify", "--public-key-file", sandbox_public_key, "--json", stdin=raw_message(vector))
    verdict = json.loads(result.stdout)
    assert verdict["cause"] == CAUSES.get(vector["id"])
    assert verdict["verdict"] == {"accept": "valid", "reject": "invalid"}[vector["expect"]]
    assert result.exit_code == {"accept": 0, "reject": 1}[vector["expect"]]
    if vector["expect"] == "accept":
        assert verdict["signing_string"] == vector["signing_string"]


@pytest.mark.parametrize("vector", TWINS, ids=lambda vector: vector["id"])
def test_lower_case_digest_prefix_is_accepted(call, sandbox_public_key, vector):
    twin = vector["lower_case_digest_prefix_twin"]
    signature = vector["headers"]["Signature"].replace(vector["signature_base64"], twin["signature_base64"])
    message = raw_message(vector, Digest=twin["digest"], Signature=signature)
    result = call("verify", "--public-key-file", sandbox_public_key, stdin=message)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "valid")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_message_with_bare_line_feeds_gets_the_same_verdict(call, sandbox_public_key, vector):
    head, end, body = raw_message(vector).partition(b"\r\n\r\n")
    message = (head + end).replace(b"\r\n", b"\n") + body
    result = call("verify", "--public-key-file", sandbox_public_key, stdin=message)
    assert result.exit_code == {"accept": 0, "reject": 1}[vector["expect"]]
