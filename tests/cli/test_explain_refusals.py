"""What a script of one's own was refused for, from its request and the bank's answer, however both were saved."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.refusal.answers import read_answer
from proxy.cli.refusal.blame import blamed
from proxy.cli.verification import Finding
from proxy.cli.verification.causes import CAUSES as FINDINGS
from proxy.core.diagnosis import CAUSES
from proxy.emulator import Emulator, Options, Policy
from tests.cli.scripts import SCRIPTS
from tests.cli.sealed_by_hand import SECRET, TOKEN, Sealer

UNSIGNED = b"GET /personal/v5/accounts HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
REFUSAL = {"group_header": {"message_identification": "212f2bd2c6471234", "http_code": 401,
                            "creation_date_time": "2024-01-31T07:22:46.04803484Z"},
           "error": {"request": {"url": "/personal/v5/authorize"},
                     "failures": [{"code": "error.signature.invalid", "description": "Signature is invalid."}]}}


@pytest.fixture(scope="session")
def own_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def public_pem(own_key):
    return own_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def public_file(public_pem, tmp_path):
    path = tmp_path / "key.pub"
    path.write_bytes(public_pem)
    return path


async def refused(message: bytes, public_pem: bytes, **policy) -> bytes:
    """What the bank answers, with everything as it comes on the wire."""
    options = Options(tls=False, client_id="abc", client_secret=SECRET, certificate=public_pem,
                      policy=Policy(**{"date_window": None, **policy}))
    async with Emulator(options) as bank, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", bank.port)
        writer.write(message.replace(b"\r\nHost:", b"\r\nConnection: close\r\nHost:", 1))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize("cause", SCRIPTS)
async def test_why_a_script_was_refused(call, own_key, public_pem, public_file, cause):
    sealer = Sealer(own_key)
    SCRIPTS[cause](sealer)
    length = f"\r\nContent-Length: {len(sealer.body)}\r\nHost:" if sealer.body else "\r\nHost:"
    message = sealer.message().replace(b"\r\nHost:", length.encode(), 1)
    answer = await refused(message, public_pem, hosts=frozenset({"open.nordea.com"}))
    assert b" 401 " in answer
    told = await asyncio.to_thread(call, "explain", "--public-key", public_file, "--json",
                                   stdin=message + b"\r\n" + answer)
    assert told.exit_code == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["cause"] == cause
    assert document["what"] == CAUSES[cause].title
    assert SECRET not in told.stdout
    assert TOKEN not in told.stdout


def test_every_finding_has_a_cause():
    assert {blamed(Finding(name)) for name in FINDINGS} <= set(CAUSES)


def test_a_right_signature_that_is_refused(call, own_key, public_file):
    """Our verification passes, so the bank holds another certificate."""
    told = call("explain", "--public-key", public_file, stdin=Sealer(own_key).message() + b"\r\n" +
                json.dumps(REFUSAL, indent=2).encode())
    assert told.exit_code == 0
    assert told.stdout.startswith("the bank answered 401, error.signature.invalid\n"
                                  "bank_holds_another_certificate (likely)\n")
    assert "Our own verification of the outgoing message passes." in told.stdout
    assert "or certificate_wrong_field (possible)" in told.stdout
    assert "message_identification 212f2bd2c6471234, creation_date_time 2024-01-31T07:22:46.04803484Z" in told.stdout


def test_without_a_key_the_signature_is_not_judged(call, own_key):
    told = call("explain", stdin=Sealer(own_key).message() + b"\r\n" + json.dumps(REFUSAL).encode())
    assert "bank_holds_another_certificate (possible)" in told.stdout
    assert "no key was given" in told.stdout


# --- where the answer stands

ANSWERED = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nX-Global-Transaction-ID: c054\r\n\r\n"


@pytest.mark.parametrize("answer", [
    json.dumps(REFUSAL).encode(), json.dumps(REFUSAL, indent=4).encode(), ANSWERED + json.dumps(REFUSAL).encode(),
    b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWERED + json.dumps(REFUSAL).encode(),
    b"HTTP/2 401 \r\n\r\n" + json.dumps(REFUSAL).encode() + b"\n* Connection #0 to host open.nordea.com left intact\n"])
def test_an_answer_alone(call, answer):
    told = call("explain", stdin=answer)
    assert told.exit_code == 0, told.stderr
    assert "401, error.signature.invalid" in told.stdout
    assert "the request is not known" in told.stdout


@pytest.mark.parametrize(("answer", "code"), [
    (b'{"httpCode":"401","httpMessage":"Unauthorized","moreInformation":"Invalid client id or secret."}',
     "gateway.credentials"),
    (b"<errorResponse><httpCode>401</httpCode><moreInformation>Invalid client id or secret.</moreInformation>"
     b"</errorResponse>", "gateway.credentials"),
    (b'{"httpCode":"429","httpMessage":"x","moreInformation":"Assembly Rate Limit exceeded"}', "gateway.rate_limit"),
    (b'{"tppMessages":[{"category":"ERROR","code":"CERTIFICATE_EXPIRED"}]}', "CERTIFICATE_EXPIRED")])
def test_other_envelopes(call, answer, code):
    assert code in call("explain", stdin=answer).stdout.splitlines()[0]


VERBOSE = b"""\
*   Trying 1.2.3.4:443...
> GET /personal/v5/accounts HTTP/1.1\r
> Host: open.nordea.com\r
> Authorization: Bearer %b\r
>\x20\r
< HTTP/1.1 401 Unauthorized\r
< Date: Mon, 14 Aug 2023 06:25:45 GMT\r
<\x20\r
{ [300 bytes data]
%b
* Connection #0 to host open.nordea.com left intact
"""


def test_the_output_of_curl_v(call):
    told = call("explain", stdin=VERBOSE % (TOKEN.encode(), json.dumps(REFUSAL).encode()))
    assert told.stdout.splitlines()[1] == "signature_missing (certain)"
    assert TOKEN not in told.stdout


def har(*entries) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}).encode()


def entry(status: int, body: str, **content) -> dict:
    return {"request": {"method": "GET", "url": "https://open.nordea.com/personal/v5/accounts", "headers": []},
            "response": {"status": status, "headers": [{"name": "Content-Encoding", "value": "gzip"}],
                         "content": {"text": body, **content}}}


def test_the_refused_entry_of_an_archive(call, tmp_path):
    path = tmp_path / "network.har"
    encoded = base64.b64encode(json.dumps(REFUSAL).encode()).decode()
    path.write_bytes(har(entry(200, "{}"), entry(401, encoded, encoding="base64"), entry(500, "")))
    assert "401, error.signature.invalid" in call("explain", path).stdout
    assert call("explain", path, "--entry", "3").stdout.startswith("the bank answered 500\nbank_failed (certain)")
    nothing = call("explain", path, "--entry", "1")
    assert (nothing.exit_code, "raises no question" in nothing.stdout) == (1, True)
    assert call("explain", path, "--entry", "4").exit_code == 2


def test_two_files(call, tmp_path):
    for name, content in (("request", UNSIGNED), ("answer", json.dumps(REFUSAL).encode())):
        (tmp_path / name).write_bytes(content)
    told = call("explain", "--request-file", tmp_path / "request", "--answer-file", tmp_path / "answer")
    assert "this is the request as the proxy got it" in told.stdout
    assert "signature_missing" not in told.stdout


def test_a_configuration_tells_the_keys(call, tmp_path, own_key):
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    key, secret, config = tmp_path / "key.pem", tmp_path / "secret", tmp_path / "proxy.yaml"
    for path, content in ((key, own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
                          (secret, SECRET.encode())):
        path.touch(mode=0o600)
        path.write_bytes(content)
    config.write_text(f"applications: {{shop: {{client_id: abc, client_secret_file: {secret}, key_file: {key}}}}}\n"
                      "routes: [{profile: nordea}]\n")
    told = call("explain", "--config-file", config, stdin=Sealer(own_key).message() + b"\r\n" +
                json.dumps(REFUSAL).encode())
    assert "Our own verification of the outgoing message passes." in told.stdout, told.stderr


# --- what the inspector has saved

SAVED = {"format": "signing-proxy-exchange/1", "id": 1, "method": "GET", "status": 401, "refused_by": "bank",
         "sent_host": "open.nordea.com", "sent_target": "/personal/v5/accounts",
         "sent_headers": [["Authorization", "***", "caller"], ["X-IBM-Client-Secret", "***", "added"],
                          ["X-Nordea-Originating-Date", "Mon, 14 Aug 2023 06:26:26 GMT", "added"]],
         "sent_body": {"text": "", "encoding": "", "bytes": 0, "kept": 0, "decoded_from": "", "note": ""},
         "answer_headers": [["Date", "Mon, 14 Aug 2023 06:25:45 GMT"]],
         "answer_body": {"text": '{"error":{"failures":[{"code":"error.date.invalid"}]}}', "encoding": "",
                         "bytes": 53, "kept": 53, "decoded_from": "gzip", "note": ""},
         "bank_message_id": "212f2bd2c6471234", "diagnosis": None}


def test_a_saved_exchange_carries_its_diagnosis(call, tmp_path):
    path = tmp_path / "exchange.json"
    cause = {"cause": "clock_ahead", "certainty": "certain", "side": "configuration", "what": "Ahead.\x1b[31m",
             "evidence": ["41 s."], "todo": "NTP."}
    diagnosis = {"status": 401, "code": "error.date.invalid", "scope": "Every call.", "causes": [cause]}
    path.write_text(json.dumps({**SAVED, "diagnosis": diagnosis}))
    told = call("explain", path)
    assert told.exit_code == 0
    for part in ("clock_ahead (certain)", "41 s.", "NTP.", "Every call.", "212f2bd2c6471234", r"Ahead.\x1b[31m"):
        assert part in told.stdout
    assert json.loads(call("explain", path, "--json").stdout)["causes"] == [cause]


def test_a_saved_exchange_without_one_is_diagnosed(call):
    told = call("explain", stdin=json.dumps(SAVED))
    assert "clock_ahead (certain)" in told.stdout
    assert "Our clock is 41 s ahead of the answer's Date." in told.stdout


@pytest.mark.parametrize(("change", "sentence"), [
    ({"refused_by": "", "status": 200, "outcome": "answered"}, "refused this call: it answered 200."),
    ({"answer_headers": None, "answer_body": "x", "refused_by": "proxy", "outcome": "refused", "code": "bad_target",
      "detail": "a\x1b[31m", "hint": "Do that."}, "the proxy has: bad_target, a\\x1b[31m. Do that."),
    ({"refused_by": "", "status": 0, "outcome": "client_gone"}, "its outcome is client_gone.")])
def test_a_saved_exchange_that_no_bank_has_refused(call, change, sentence):
    told = call("explain", stdin=json.dumps({**SAVED, **change}))
    assert (told.exit_code, told.stderr) == (1, "")
    assert told.stdout.startswith("The bank has not ")
    assert told.stdout.endswith(f"{sentence}\n")


@pytest.mark.parametrize("diagnosis", [{}, {"status": 401, "causes": []}, {"status": 401, "causes": [1]}, [], "x"])
def test_a_diagnosis_that_no_proxy_has_made_is_made_anew(call, diagnosis):
    assert "clock_ahead (certain)" in call("explain", stdin=json.dumps({**SAVED, "diagnosis": diagnosis})).stdout


texts = st.sampled_from(["", "GET / HTTP/1.1", "Host: a", "HTTP/1.1 401 No", "< HTTP/2 401", "> GET / HTTP/1.1", "{",
                         '{"error":{"failures":[{"code":"error.date.invalid"}]}}', '"error":', "<errorResponse>", "}"])


@given(st.lists(texts, max_size=12).map("\r\n".join).map(str.encode) | st.binary(max_size=60))
def test_no_text_is_too_strange(raw):
    found = read_answer(raw)
    assert found is None or 200 <= found.response.status <= 599


@pytest.mark.parametrize("stdin", [b"", b"\xff\xfe\x00", UNSIGNED, b"{}", b"[1]", b'{"log":{"entries":[]}}',
                                   b'{"log":{"entries":[{"request":1}]}}', b'{"error":{"failures":[' * 50])
def test_what_is_no_refused_call(call, stdin):
    told = call("explain", stdin=stdin)
    assert told.exit_code == 2
    assert told.stderr.startswith("signing-proxy: message_unreadable: ")
