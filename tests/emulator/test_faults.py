"""Each way to misbehave, seen from a raw socket, and whether the bank had acted."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from pathlib import Path

import pytest

from proxy.emulator import Emulator, Fault, Options
from proxy.emulator.faults import KINDS, Faults

BODY = b"{}"


@pytest.fixture
async def line(caller):
    async with caller.connect() as line:
        yield line


def echo(caller, **fields):
    return caller.request("POST", "/echo/x", BODY, **fields)


async def ended(line):
    """What still comes, and whether the end was a reset."""
    try:
        return await line.rest(), False
    except ConnectionResetError:
        return b"", True


# --- before the bank acts


@pytest.mark.parametrize(("kind", "is_reset"), [("close_before", False), ("reset_before", True)])
async def test_ends_without_acting(bank, caller, line, kind, is_reset):
    bank.faults.add(kind)
    await line.send(echo(caller))
    assert await ended(line) == (b"", is_reset)
    assert bank.executions.total == 0
    assert bank.received[-1].verdict.accepted
    assert (await caller.ask(echo(caller))).status == 200


async def test_stall_before_acts_never(bank, caller, line):
    bank.faults.add("stall_before")
    await line.send(echo(caller))
    await bank.until(lambda: bank.received.total == 1)
    bank.faults.release()
    assert await ended(line) == (b"", False)
    assert bank.executions.total == 0


async def test_deaf_does_not_read_the_body(bank, caller, line):
    bank.faults.add("deaf", method="POST", ending="reset")
    await line.send(caller.request("POST", "/echo/x", b"x" * 100_000)[:5000])
    await bank.until(lambda: bank.faults.taken == 1)
    assert bank.received.total == 0
    bank.faults.release()
    assert await ended(line) == (b"", True)


# --- instead of acting


@pytest.mark.parametrize(
    ("kind", "status", "more"),
    [("too_many", 429, "Assembly Rate Limit exceeded"), ("unavailable", 503, "Service Unavailable"),
     ("gateway_error", 500, "Internal Server Error"), ("quota", 429, "Assembly Rate Limit exceeded"),
     ("no_api", 404, "No resources match requested URI")],
)
async def test_refusals_in_the_gateways_form(bank, caller, line, kind, status, more):
    bank.faults.add(kind, seconds=7)
    answer = await line.ask(echo(caller))
    assert (answer.status, answer.json["httpCode"], answer.code) == (status, str(status), more)
    assert answer["retry-after"] == "7"
    assert bank.executions.total == 0
    assert (await line.ask(echo(caller))).status == 200


@pytest.mark.parametrize(("kind", "field"), [("too_many", "x-burstlimit-remaining"),
                                              ("quota", "x-ratelimit-remaining")])
async def test_of_a_limit_that_is_used_up_nothing_is_left(bank, caller, kind, field):
    bank.faults.add(kind)
    assert b",0;" in (await caller.get("/echo/x"))[field].encode()
    assert b",0;" not in (await caller.get("/echo/x"))[field].encode()


async def test_any_answer(bank, caller):
    bank.faults.add("answer", status=400, body='{"error":"invalid_grant"}')
    answer = await caller.ask(echo(caller))
    assert (answer.status, answer.json) == (400, {"error": "invalid_grant"})
    assert bank.executions.total == 0


# --- on the way there and back


@pytest.mark.parametrize(("kind", "code"), [
    ("content_type_stripped", "error.signature.invalid"), ("body_rewritten", "error.digest.invalid"),
    ("target_decoded", "error.signature.invalid")])
async def test_what_was_changed_on_the_way_is_judged_as_it_came(bank, caller, kind, code):
    raw = caller.request("POST", "/echo/a%20b", BODY, content_type="application/json; charset=utf-8")
    bank.faults.add(kind)
    assert (await caller.ask(raw)).code == code
    assert b"a%20b" in bank.received[-1].head
    assert (await caller.ask(raw)).status == 200


@pytest.mark.parametrize(("kind", "coding", "read"), [
    ("gzip", "gzip", gzip.decompress), ("deflate", "deflate", zlib.decompress),
    ("raw_deflate", "deflate", lambda data: zlib.decompress(data, -15))])
async def test_compressed_answers(bank, caller, kind, coding, read):
    bank.faults.add(kind)
    answer = await caller.get("/echo/x")
    assert answer["content-encoding"] == coding
    assert json.loads(read(answer.body))["method"] == "GET"


# --- after the bank has acted


@pytest.mark.parametrize(("kind", "is_reset"), [("close_after", False), ("reset_after", True)])
async def test_acts_and_says_nothing(bank, caller, line, kind, is_reset):
    bank.faults.add(kind)
    await line.send(echo(caller))
    assert await ended(line) == (b"", is_reset)
    assert bank.executions.count("POST", "/echo") == 1
    assert bank.received[-1].executed


async def test_stall_acts_and_answers_on_release(bank, caller, line):
    bank.faults.add("stall")
    await line.send(echo(caller))
    await bank.until(lambda: bank.executions.total == 1)
    bank.faults.release()
    assert (await line.answer()).status == 200


async def test_delay_acts_first(bank, caller, line):
    bank.faults.add("delay", seconds=0)
    assert (await line.ask(echo(caller))).status == 200
    assert bank.executions.total == 1


# --- the answer is spoilt


async def test_cut_head(bank, caller, line):
    bank.faults.add("cut_head", after=20)
    await line.send(echo(caller))
    assert await ended(line) == (b"HTTP/1.1 200 OK\r\nCon", False)
    assert bank.executions.total == 1


@pytest.mark.parametrize(("ending", "framing"), [("close", "length"), ("abort", "chunked")])
@pytest.mark.parametrize("after", [0, 70_000])
async def test_cut_body(bank, caller, line, ending, framing, after):
    bank.faults.add("cut_body", after=after, ending=ending)
    await line.send(caller.request("GET", f"/bytes/200000?framing={framing}"))
    status, _ = await line.head()
    assert status == 200
    assert len(await line.rest()) == after


async def test_cut_body_by_a_reset(bank, caller, line):
    bank.faults.add("cut_body", after=1, ending="reset")
    await line.send(caller.request("GET", "/bytes/10"))
    assert (await ended(line))[1]


@pytest.mark.parametrize(("kind", "off"), [("length_long", 3), ("length_short", -3)])
async def test_wrong_content_length(bank, caller, line, kind, off):
    bank.faults.add(kind, after=3)
    await line.send(caller.request("GET", "/bytes/10"))
    _, fields = await line.head()
    assert dict(fields)["content-length"] == str(10 + off).encode()
    assert len(await line.reader.readexactly(10)) == 10
    if kind == "length_long":
        assert await line.rest() == b""
    else:
        assert (await line.ask(echo(caller))).status == 200


async def test_two_lengths(bank, caller, line):
    bank.faults.add("length_twice")
    await line.send(caller.request("GET", "/bytes/10"))
    _, fields = await line.head()
    assert [value for name, value in fields if name == "content-length"] == [b"10", b"11"]


async def test_length_and_chunked(bank, caller, line):
    bank.faults.add("length_and_chunked")
    await line.send(caller.request("GET", "/bytes/10"))
    _, fields = await line.head()
    assert {name for name, _ in fields} >= {"content-length", "transfer-encoding"}
    assert len(await line.chunks()) == 10


@pytest.mark.parametrize(
    ("kind", "part"),
    [("garbage_status", b"BANK/1.1 OK"), ("switching", b"101 Switching"), ("bad_chunk", b"\r\n0x-1\r\n"),
     ("bad_header", b"\r\nno colon here\r\nX-Nul: a\x00b\r\nX-Folded: a\r\n b\r\n")],
)
async def test_nonsense_then_the_end(bank, caller, line, kind, part):
    bank.faults.add(kind)
    await line.send(echo(caller))
    assert part in await line.rest()
    assert bank.executions.total == 1


async def test_interim_answers_come_first(bank, caller, line):
    bank.faults.add("interim")
    await line.send(echo(caller))
    assert [(await line.head())[0], (await line.head())[0]] == [100, 103]
    assert (await line.answer()).status == 200


async def test_an_unsolicited_answer_follows(bank, caller, line):
    bank.faults.add("unsolicited")
    assert (await line.ask(echo(caller))).json["method"] == "POST"
    assert (await line.answer()).json == {"poison": True}


async def test_drip(bank, caller, line):
    bank.faults.add("drip", after=50, seconds=0)
    assert (await line.ask(echo(caller))).status == 200


# --- after a good answer


async def test_close_idle_is_unannounced(bank, caller, line):
    bank.faults.add("close_idle")
    answer = await line.ask(echo(caller))
    assert "connection" not in dict(answer.fields)
    assert await line.rest() == b""


async def test_close_announced(bank, caller, line):
    bank.faults.add("close_announced")
    assert (await line.ask(echo(caller)))["connection"] == "close"
    assert await line.rest() == b""


async def test_idle_connections_closed_from_outside(bank, caller, line):
    await line.ask(echo(caller))
    await bank.until(lambda: bank.close_idle() == 1)
    assert await line.rest() == b""
    assert bank.executions.total == 1


# --- which request gets it


async def test_faults_match_method_path_and_count(bank, caller):
    bank.faults.add("unavailable", method="POST", path="/echo", times=2, skip=1)
    posts = [(await caller.ask(echo(caller))).status for _ in range(4)]
    assert posts == [200, 503, 503, 200]
    bank.faults.add("unavailable", path="/bytes")
    assert (await caller.get("/echo/x")).status == 200
    assert [fault.kind for fault in bank.faults.pending()] == ["unavailable"]
    bank.faults.clear()
    assert (await caller.get("/bytes/1")).status == 200


async def test_one_request_one_fault_in_order(bank, caller):
    bank.faults.add("too_many")
    bank.faults.add("unavailable")
    assert [(await caller.get("/echo/x")).status for _ in range(3)] == [429, 503, 200]


@pytest.mark.parametrize(
    ("order", "reason"),
    [({"kind": "nonsense"}, "no fault is called"), ([], "JSON object"), ({}, "kind"),
     ({"kind": "stall", "colour": 1}, "no 'colour'"), ({"kind": "stall", "times": "2"}, "times is not"),
     ({"kind": "stall", "times": 0}, "times is at least 1"), ({"kind": "stall", "after": True}, "after"),
     ({"kind": "stall", "ending": "bang"}, "ending is one of"), ({"kind": "stall", "seconds": -1}, "negative"),
     ({"kind": "answer", "status": 700}, "between 200 and 599")],
)
def test_an_order_that_makes_no_sense(order, reason):
    with pytest.raises(ValueError, match=reason):
        Fault.from_json(order)


def test_an_order_in_json():
    order = {"kind": "drip", "method": "GET", "seconds": 1, "after": 2}
    assert Fault.from_json(order) == Fault(kind="drip", method="GET", seconds=1, after=2)


async def test_release_lets_only_those_go_that_wait_now():
    faults = Faults(lambda: None)
    first = asyncio.ensure_future(faults.stall())
    await asyncio.sleep(0)
    faults.release()
    second = asyncio.ensure_future(faults.stall())
    await first
    assert not second.done()
    second.cancel()


def test_every_kind_is_shown_above():
    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []


@pytest.mark.parametrize("kind", ["reset_after", "cut_body", "close_after", "close_idle"])
async def test_faults_within_tls(seal, caller_of, kind):
    async with Emulator(Options(certificate=seal.certificate_pem)) as bank:
        caller = caller_of(bank)
        bank.faults.add(kind, after=3, ending="abort")
        async with caller.connect() as line:
            await line.send(caller.request("GET", "/bytes/10"))
            rest, _ = await ended(line)
            assert len(rest.partition(b"\r\n\r\n")[2]) == {"cut_body": 3, "close_idle": 10}.get(kind, 0)
        assert bank.executions.total == 1
