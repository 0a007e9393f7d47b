"""No payment is sent twice, or lost without a truthful word: a call that must not be repeated is never repeated, and
the caller of one that was cut is told that the bank may have acted."""

from __future__ import annotations

import pytest

from tests.e2e.line import Cut, get, post, request

UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def call(method: str, target: str = "/echo/pay") -> bytes:
    return post(target, method=method) if method in ("POST", "PUT", "PATCH") else request(method, target)


async def warm(line, bank) -> None:
    """Leaves an idle connection to the bank, so that the next call goes out on a reused one."""
    assert (await line.ask(get("/echo/warm"))).status == 200
    assert bank.connections == 1


@pytest.mark.parametrize("ending", ["close_after", "reset_after"])
@pytest.mark.parametrize("reused", [True, False], ids=["reused", "fresh"])
@pytest.mark.parametrize("method", UNSAFE)
async def test_cut_after_execution_is_executed_once_and_said_so(bank, proxy, method, reused, ending):
    async with proxy.connect() as line:
        if reused:
            await warm(line, bank)
        before = bank.received.total
        bank.faults.add(ending, method=method)
        answer = await line.ask(call(method))
        assert answer.problem == (502, "upstream_closed", "maybe")
        assert bank.connections == 1        # where it was reused, the cut call was on the reused connection
        assert bank.received.total == before + 1
        assert bank.executions.count(method) == 1
        assert (await line.ask(get("/echo"))).status == 200


@pytest.mark.parametrize("method", UNSAFE)
async def test_cut_within_the_answers_head_is_executed_once_and_said_so(bank, proxy, method):
    async with proxy.connect() as line:
        await warm(line, bank)
        bank.faults.add("cut_head", method=method, after=20)
        assert (await line.ask(call(method))).problem == (502, "upstream_closed", "maybe")
    assert bank.executions.count(method) == 1


@pytest.mark.parametrize("method", UNSAFE)
async def test_cut_before_execution_is_not_resent_either(bank, proxy, method):
    """The proxy cannot know that the bank did not act."""
    bank.faults.add("close_before", method=method)
    assert (await proxy.ask(call(method))).problem == (502, "upstream_closed", "maybe")
    assert bank.received.total == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_safe_call_on_a_stale_connection_is_tried_once_more(bank, proxy, method):
    async with proxy.connect() as line:
        await warm(line, bank)
        bank.faults.add("close_after", method=method)
        answer = await line.ask(request(method, "/echo/again"), bodiless=method == "HEAD")
        assert answer.status == 200
    first, second = list(bank.received)[-2:]
    assert first.target == second.target
    assert first.connection != second.connection
    assert second.verdict.signature_checked
    assert await proxy.metric("signing_proxy_upstream_connections_total", upstream=str(proxy.pool.origin),
                              event="retried") == 1


async def test_a_safe_call_is_tried_once_more_and_not_twice(bank, proxy):
    async with proxy.connect() as line:
        await warm(line, bank)
        bank.faults.add("close_after", times=2)
        assert (await line.ask(get("/echo/again"))).problem == (502, "upstream_closed", "maybe")
    assert bank.received.total == 3


async def test_a_safe_call_on_a_fresh_connection_is_not_repeated(bank, proxy):
    bank.faults.add("close_after")
    assert (await proxy.ask(get("/echo"))).problem == (502, "upstream_closed", "maybe")
    assert bank.received.total == 1


async def test_a_safe_call_whose_answer_had_begun_is_not_repeated(bank, proxy):
    async with proxy.connect() as line:
        await warm(line, bank)
        bank.faults.add("cut_head", after=20)
        assert (await line.ask(get("/echo/again"))).problem == (502, "upstream_closed", "maybe")
    assert bank.received.total == 2


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_the_banks_own_books_show_one_payment(bank, proxy, method):
    created = await proxy.ask(post("/personal/v4/payments/domestic"))
    path = "/personal/v4/payments/domestic/" + created.json["response"]["_id"]
    bank.faults.add("reset_after", method=method)
    raw = post(path, b"{}", method="PUT") if method == "PUT" else get(path).replace(b"GET", b"DELETE", 1)
    assert (await proxy.ask(raw)).problem == (502, "upstream_closed", "maybe")
    payments = bank.bank.payments.all()
    assert [payment["times_changed"] for payment in payments] == ([1] if method == "PUT" else [])
    assert bank.executions.count(method) == 1


async def test_what_is_uncertain_is_counted(bank, proxy):
    bank.faults.add("close_after")
    await proxy.ask(post("/echo"))
    assert await proxy.metric("signing_proxy_uncertain_total", route="nordea") == 1
    record = await proxy.lines.last()
    assert (record.sent, record.outcome, record.attempts) == ("maybe", "failed", 1)


async def test_an_unsafe_call_does_not_go_out_on_a_connection_that_has_been_idle(bank, proxy):
    """A bank that closes idle connections would cut it, and then nobody could say whether it acted."""
    async with proxy.connect() as line:
        await warm(line, bank)
        proxy.later(2.5)
        assert (await line.ask(get("/echo"))).status == 200         # a safe call may
        assert bank.connections == 1
        proxy.later(2.5)
        assert (await line.ask(post("/echo"))).status == 200
        assert bank.connections == 2


async def test_an_answer_nobody_asked_for_is_never_given_to_the_next_caller(bank, proxy):
    bank.faults.add("unsolicited")
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo/mine"))).json["target"] == "/echo/mine"
        answer = await line.ask(get("/echo/next"))
        assert answer.json["target"] == "/echo/next"


@pytest.mark.parametrize("kind", ["length_twice", "length_and_chunked", "bad_header", "garbage_status", "switching"])
async def test_an_answer_with_more_than_one_reading_is_refused_after_the_fact(bank, proxy, kind):
    async with proxy.connect() as line:
        bank.faults.add(kind)
        assert (await line.ask(post("/echo"))).problem == (502, "upstream_malformed", "maybe")
        assert bank.executions.total == 1
        assert (await line.ask(post("/echo"))).status == 200
        assert bank.connections == 2        # nothing more is read from the connection that lied


async def test_a_cut_call_is_cut_for_its_caller_too_when_the_answer_had_begun(bank, proxy):
    bank.faults.add("cut_body", after=10)
    with pytest.raises(Cut):
        await proxy.ask(post("/bytes/5000"))
    assert bank.executions.total == 1
    assert (await proxy.lines.last()).outcome == "cut"
