"""Every cause that a refused call can have is played, and the proxy names it; nothing else changes for the caller."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib

import msgspec
import pytest
from click.testing import CliRunner

from proxy.cli.program import program
from proxy.core.diagnosis import CAUSES
from proxy.keys.rotation import NextKey, Rotation
from proxy.serve.diagnosing import observer
from proxy.serve.logline import DIAGNOSIS_FIELDS
from proxy.serve.rulings import LIMIT
from tests.e2e.inspecting import exchange
from tests.e2e.line import Cut, connected, get, post, request, reset
from tests.e2e.refusals import ACCOUNTS, SCENES, Pairs, Stage


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    return Pairs.make()


@pytest.fixture
def stage(files, pairs, tmp_path, start_bank, start_proxy, lines, monkeypatch) -> Stage:
    return Stage(files, pairs, tmp_path, start_bank, start_proxy, lines, monkeypatch)


@pytest.mark.parametrize("cause", SCENES)
async def test_the_cause_is_found(stage, cause):
    scene = SCENES[cause]
    await scene.play(stage)
    told = await stage.diagnosis()
    found = {candidate["cause"]: candidate for candidate in told["causes"]}
    assert cause in found
    assert found[cause]["certainty"] == scene.certainty
    if scene.first:
        assert told["cause"] == cause
        assert told["what"] == CAUSES[cause].title
        assert told["todo"] == CAUSES[cause].advice
        assert told["side"] == CAUSES[cause].side
        assert [part for part in scene.tells if part not in told["evidence"]] == []
    assert await stage.proxy.metric("signing_proxy_diagnoses_total", route=stage.lines.records[-1].route,
                                    cause=told["cause"]) >= 1


# --- how it is read

@pytest.mark.parametrize(("kind", "read"), [
    ("gzip", gzip.decompress), ("deflate", zlib.decompress), ("raw_deflate", lambda data: zlib.decompress(data, -15))])
async def test_compressed_refusals_are_read_and_arrive_as_they_were(bank, proxy, lines, kind, read):
    bank.register(None)
    bank.faults.add(kind)
    answer = await proxy.ask(get(ACCOUNTS))
    assert b"error.certificate.invalid" in read(answer.body)
    assert answer["Content-Encoding"] in kind
    assert "Signing-Proxy-Hint" not in answer
    record = await lines.last()
    assert (record.code, len(record.bank_message_id)) == ("error.certificate.invalid", 32)
    assert lines.events[0]["cause"] == "certificate_armoured"


async def test_a_caller_that_leaves_is_diagnosed_without_what_it_took_along(bank, proxy, lines):
    """Its body is let go when it leaves, and what is not there is not verified."""
    bank.faults.add("stall")
    bank.register(None)
    async with proxy.connect() as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        reset(line)
        await proxy.until_connections(0)
        bank.faults.release()
        await lines.last()
    assert (await lines.last()).outcome == "client_gone"
    (told,) = lines.events
    assert told["cause"] == "unrecognised"
    assert "verification" not in told["evidence"]


# --- one call, or all of them

async def test_one_refused_call_is_told_from_all_of_them(bank, proxy, lines):
    def scope() -> str:
        (told,) = proxy.running.diagnoses.report().values()
        return told["evidence"]

    await proxy.ask(get(ACCOUNTS))
    bank.register(bank.options.certificate, state="wrong_field")
    await proxy.ask(get(ACCOUNTS))
    await lines.last(2)
    assert "Only this call has been refused so, so far; the last accepted one was at " in scope()
    await proxy.ask(get(ACCOUNTS))
    await lines.last(3)
    assert "The last 2 calls, all of the same kind, have been refused so since " in scope()
    await proxy.ask(post("/echo"))
    await lines.last(4)
    assert "Every call (3 of 2 kinds) has been refused so since " in scope()
    bank.register(bank.options.certificate)
    assert (await proxy.ask(get(ACCOUNTS))).status == 200
    await lines.last(5)
    (told,) = proxy.running.diagnoses.report().values()
    assert (told["count"], told["accepted_since"]) == (3, True)
    bank.register(bank.options.certificate, state="wrong_field")
    await proxy.ask(get(ACCOUNTS))
    await lines.last(6)
    assert "Only this call" in scope()


async def test_other_routes_of_the_application_speak_for_the_key(bank, start_proxy, files, lines):
    from proxy.config.model import Route

    upstream = f"https://127.0.0.1:{bank.port}"
    both = tuple(Route(profile="nordea", upstream=upstream, host="open.nordea.com", prefix=prefix)
                 for prefix in ("/personal", "/echo"))
    proxy = await start_proxy(bank, routes=both)
    await proxy.ask(get(ACCOUNTS))
    bank.faults.add("target_decoded", path="/personal", times=2)
    await proxy.ask(get(f"{ACCOUNTS}?q=a%20b"))
    await proxy.ask(get("/echo"))
    await proxy.ask(get(f"{ACCOUNTS}?q=a%20b"))
    await lines.last(4)
    (told,) = proxy.running.diagnoses.report().values()
    assert "Other routes of the application go on." in told["evidence"]
    assert "bank_certificate_replaced" not in [found["cause"] for found in told["causes"]]


# --- two keys

@pytest.fixture
def both_keys(files, pairs, tmp_path):
    """The shop's application with a next key, and the next key's pair."""
    key, certificate = pairs.other.write(tmp_path, "next.key", "next.crt")
    following = NextKey(key_file=str(key), certificate_file=str(certificate))
    return files.shop.application(next=following, rotation=Rotation(retry="off"))


async def test_a_rotation_that_came_too_early(bank, start_proxy, both_keys, lines):
    proxy = await start_proxy(bank, applications={"shop": both_keys})
    assert (await proxy.ask(get(ACCOUNTS))).status == 200
    proxy.running.rings["shop"].rotate("next", proxy.running.gateway.now())
    assert (await proxy.ask(get(ACCOUNTS))).status == 401
    await lines.last(2)
    assert lines.events[0]["cause"] == "key_replaced_here"
    former, now = (ring.current.key.signer.spki_sha256[:16] for ring in proxy.running.rings["shop"].rings())
    assert f"{now}… instead of {former}…" in lines.events[0]["evidence"]


async def test_both_keys_are_refused(bank, start_proxy, both_keys, lines):
    application = msgspec.structs.replace(both_keys, rotation=Rotation(retry="safe"))
    proxy = await start_proxy(bank, applications={"shop": application})
    assert (await proxy.ask(get(ACCOUNTS))).status == 200
    bank.register(bank.options.certificate, state="wrong_field")
    assert (await proxy.ask(get(ACCOUNTS))).status == 401
    assert (await lines.last(2)).attempts > 1
    assert "is refused too" in lines.events[0]["evidence"]


# --- what is said, and how often

async def test_a_storm_is_one_line_a_minute(bank, proxy, lines):
    bank.register(None)
    began = time.time()
    for later in (0.0, 1.0, 59.0, 60.0, 61.0):
        proxy.running.diagnoses.clock = lambda later=later: began + later
        await proxy.ask(get(ACCOUNTS))
        await lines.last(len(bank.received))
    assert [event.get("unsaid", 0) for event in lines.events] == [0, 2]
    assert observer.QUIET == 60
    assert await proxy.metric("signing_proxy_diagnoses_total", route="nordea", cause="certificate_armoured") == 5
    for event in lines.events:
        names = ["time", *event]
        assert names == [name for name in DIAGNOSIS_FIELDS if name in names]


async def test_the_line_is_in_the_log(bank, start_child):
    bank.register(None)
    child = await start_child(bank)
    async with connected(child.port) as line:
        await line.ask(get(ACCOUNTS))
    assert (await child.told(event="diagnosis"))["cause"] == "certificate_armoured"


async def test_no_secret_and_no_token_in_what_is_said(stage):
    stage.write_secret(b'"canary-secret" \n')
    await stage.open()
    claims = "eyJleHAiOjF9"         # {"exp":1}
    for raw in (get(ACCOUNTS), post("/personal/v5/authorize", b'{"canary-body":1}'),
                request("GET", f"{ACCOUNTS}/canary1234", f"Authorization: Bearer canary.{claims}.canary")):
        await stage.refused(raw)
    await stage.diagnosis()
    assert "canary" not in json.dumps(stage.lines.events)
    assert "canary" not in (await stage.proxy.admin("/status")).body.decode()


async def test_a_token_that_tells_its_own_end(bank, proxy, lines):
    """The bank says "invalid", and the token itself that it has ended."""
    from base64 import urlsafe_b64encode

    proxy.running.diagnoses.clock = lambda: 2000.0
    claims = urlsafe_b64encode(b'{"exp":1200}').rstrip(b"=").decode()
    bank.faults.add("answer", status=401, body='{"error":"invalid_token"}')
    await proxy.ask(request("GET", ACCOUNTS, f"Authorization: Bearer e30.{claims}.x"))
    await lines.last()
    assert lines.events[0]["cause"] == "token_expired"
    assert "ended 13 min ago" in lines.events[0]["evidence"]


# --- the answer's hint

@pytest.fixture
async def hinting(bank, start_proxy):
    return await start_proxy(bank, hint_header=True)


async def test_the_hint_names_the_cause_to_the_caller(bank, hinting, lines):
    bank.register(None)
    answer = await hinting.ask(get(ACCOUNTS))
    assert answer["Signing-Proxy-Hint"].startswith("certificate_armoured; side=portal; certainty=likely; what=\"")
    assert answer["Signing-Proxy-Hint"].count('"') == 6
    assert answer["Signing-Proxy-Hint"].isascii()
    assert answer.json["error"]["failures"][0]["code"] == "error.certificate.invalid"
    await lines.last()
    assert await hinting.metric("signing_proxy_diagnoses_total", route="nordea", cause="certificate_armoured") == 1


async def test_no_hint_where_nothing_is_to_be_told(bank, hinting):
    for raw in (get(ACCOUNTS), get("/status/404"), get("/status/503"), get("/a//b")):
        assert "Signing-Proxy-Hint" not in await hinting.ask(raw)


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
async def test_a_long_refusal_goes_without(bank, hinting, size):
    body = '{"moreInformation":"Invalid client id or secret."}'
    bank.faults.add("answer", status=401, body=body + " " * (size - len(body)))
    answer = await hinting.ask(get(ACCOUNTS))
    assert len(answer.body) == size
    assert ("Signing-Proxy-Hint" in answer) == (size == LIMIT)


async def test_a_fault_of_the_explanation_costs_nobody_the_answer(bank, hinting, lines, monkeypatch, caplog):
    def broken(case):
        raise KeyError("canary")

    monkeypatch.setattr(observer, "diagnose", broken)
    bank.register(None)
    answer = await hinting.ask(get(ACCOUNTS))
    assert answer.json["error"]["failures"][0]["code"] == "error.certificate.invalid"
    assert "Signing-Proxy-Hint" not in answer
    assert (await lines.last()).code == "error.certificate.invalid"
    bank.register(bank.options.certificate)
    assert (await hinting.ask(get(ACCOUNTS))).status == 200
    assert "a refusal could not be diagnosed (KeyError)" in caplog.text
    assert "canary" not in caplog.text


async def test_a_refusal_to_head_has_its_status_alone(bank, hinting):
    bank.register(None)
    answer = await hinting.ask(request("HEAD", ACCOUNTS, "Authorization: Bearer token"), bodiless=True)
    assert answer["Signing-Proxy-Hint"].startswith("unrecognised; ")


async def test_a_refusal_that_breaks_off_is_cut_for_the_caller_too(bank, hinting, lines):
    bank.register(None)
    bank.faults.add("cut_body", after=10)
    with pytest.raises(Cut) as cut:
        await hinting.ask(get(ACCOUNTS))
    assert cut.value.partial.startswith(b"HTTP/1.1 401")
    assert (await lines.last()).outcome == "cut"


async def test_the_hint_and_a_second_key(bank, start_proxy, both_keys, lines):
    """A refusal that both keys met: the caller gets the first one, with what is known after the second."""
    application = msgspec.structs.replace(both_keys, rotation=Rotation(retry="safe"))
    proxy = await start_proxy(bank, applications={"shop": application}, hint_header=True)
    assert (await proxy.ask(get(ACCOUNTS))).status == 200
    bank.register(bank.options.certificate, state="wrong_field")
    answer = await proxy.ask(get(ACCOUNTS))
    assert answer.status == 401
    assert "Signing-Proxy-Hint" in answer
    assert (await lines.last(2)).attempts > 1


# --- saved in the inspector, explained elsewhere

def explained(*arguments: str, stdin: bytes) -> dict:
    """What `signing-proxy explain --json` prints."""
    result = CliRunner().invoke(program, ["explain", "--json", *arguments], input=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


async def test_what_the_inspector_saves_is_explained_elsewhere(bank, start_proxy, files):
    proxy = await start_proxy(bank, inspect=True)
    await proxy.ask(get(ACCOUNTS))
    bank.register(bank.options.certificate, state="wrong_field")
    await proxy.ask(post("/personal/v5/authorize", b'{"scope":["ACCOUNTS_BASIC"]}'))
    saved = await exchange(proxy)
    cause = saved["diagnosis"]["cause"]
    assert cause == "authorize_parameters"
    told = await asyncio.to_thread(explained, stdin=json.dumps(saved).encode())
    assert (told["cause"], told["scope"]) == (cause, saved["diagnosis"]["scope"])
    assert any(saved["bank_message_id"] in note for note in told["notes"])
    again = await asyncio.to_thread(explained, "--certificate", str(files.shop.certificate),
                                    stdin=json.dumps({**saved, "diagnosis": None}).encode())
    assert again["cause"] == cause
    assert "bank_holds_another_certificate" in again["others"]
    (holds,) = (one for one in again["causes"] if one["cause"] == "bank_holds_another_certificate")
    assert holds["evidence"] == ["Our own verification of the outgoing message passes."]
