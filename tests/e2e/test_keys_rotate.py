"""A bank that swaps certificates costs no call: what one key is refused for, the other one is accepted for, and nothing
is executed twice on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import count
from random import Random

import pytest

from proxy.emulator import Authority, Pair
from proxy.keys.rotation import NextKey, Rotation
from tests.e2e.line import get, post, request

PAYMENTS = "/personal/v4/payments/domestic"
CALLERS = 8
EACH = 15
"""Calls of every caller in every phase: 8 × 15 × 4 = 480."""


@pytest.fixture(scope="session")
def successor() -> Pair:
    return Authority().seal()


@pytest.fixture
def following(successor, tmp_path) -> NextKey:
    key, certificate = successor.write(tmp_path, "next.key", "next.crt")
    return NextKey(key_file=str(key), certificate_file=str(certificate))


@pytest.fixture
def start(bank, start_proxy, files, following):
    """start(retry, attempts): a proxy with both keys, at a bank that knows the first."""
    async def starting(retry: str = "safe", attempts: int = 16, **changes):
        application = files.shop.application(next=following, rotation=Rotation(retry=retry, attempts=attempts))
        return await start_proxy(bank, applications={"shop": application}, **changes)

    return starting


async def shop(proxy) -> dict:
    return (await proxy.admin("/status")).json["applications"]["shop"]


async def rotations(proxy, how: str = "evidence") -> float:
    return await proxy.metric("signing_proxy_key_rotations_total", application="shop", how=how)


def paid(number: int) -> bytes:
    return post(f"/echo/payments/{number}", b'{"amount":"%d.00"}' % number)


class Callers:
    """Several connections at once.  statuses: (method, status) of every answer so far."""

    def __init__(self, proxy) -> None:
        self._proxy = proxy
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.sent = 0
        self.paid: list[int] = []

    async def phase(self) -> Counter[tuple[str, int]]:
        """EACH calls of every caller, of several methods; -> the failed ones of this phase."""
        before = Counter(self.statuses)
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(self._proxy.connect()) for _ in range(CALLERS)]
            await asyncio.gather(*[self._caller(line) for line in lines])
        return Counter({one: count for one, count in (self.statuses - before).items() if one[1] >= 400})

    async def _caller(self, line) -> None:
        for turn in range(EACH):
            self.sent += 1
            number, method = self.sent, ("GET", "POST", "DELETE")[turn % 3]
            raw = {"GET": get(f"/echo/read/{number}"), "POST": paid(number),
                   "DELETE": request("DELETE", f"/echo/payments/{number}", "Authorization: Bearer token")}[method]
            answer = await line.ask(raw)
            self.statuses[method, answer.status] += 1
            if answer.status < 400:
                assert answer.json["target"].endswith(f"/{number}")
                if method != "GET":
                    self.paid.append(number)


async def through_a_swap(bank, callers, successor) -> Counter[tuple[str, int]]:
    """The old key everywhere, then half of the machines, then the new one everywhere; -> what failed."""
    failed = await callers.phase()
    bank.register(successor.certificate_pem, half=True)
    failed += await callers.phase()
    failed += await callers.phase()
    bank.register(successor.certificate_pem)
    return failed + await callers.phase()


def executed(bank) -> Counter[int]:
    return Counter(int(one.target.rpartition("/")[2]) for one in bank.executions if one.method != "GET")


async def test_no_call_fails_through_a_swap_when_all_are_signed_again(bank, start, successor, record_property):
    proxy = await start("all", limits={"upstream_connections": 6})
    callers = Callers(proxy)
    failed = await through_a_swap(bank, callers, successor)
    again = bank.received.total - callers.sent
    record_property("counted", f"retry all: {callers.sent} calls, {sum(failed.values())} failed, {again} signed again, "
                    f"{len(callers.paid)} payments, {len(executed(bank))} executed, "
                    f"{max(executed(bank).values())} times at most")
    assert callers.sent >= 300
    assert failed == Counter()
    assert again > 20
    assert executed(bank) == Counter(callers.paid)
    assert set(executed(bank).values()) == {1}
    assert sum(callers.statuses.values()) == bank.executions.total == callers.sent
    assert await rotations(proxy) == 1
    status = await shop(proxy)
    assert (status["slot"], status["other"]["slot"], status["last_rotation"]["how"]) == ("next", "current", "evidence")


@contextmanager
def machines(bank, choose) -> Iterator[None]:
    """Each request meets the machine with the next number that choose() gives, whatever its connection."""
    judge = bank.verifier.judge
    bank.verifier.judge = lambda head, body, node: judge(head, body, choose())
    yield
    bank.verifier.judge = judge


async def test_machines_that_differ_from_request_to_request(bank, start, successor, record_property):
    """Both keys may meet the wrong machine, again and again; the bank acts on none of it but the last.

    One call may have used up its few attempts before any other one was helped.
    """
    proxy = await start("all", limits={"upstream_connections": 6})
    callers, chance = Callers(proxy), Random(20261121)
    with machines(bank, lambda: chance.randrange(2)):
        failed = await callers.phase()
        bank.register(successor.certificate_pem, half=True)
        failed += await callers.phase()
        failed += await callers.phase()
    record_property("counted", f"retry all: {2 * CALLERS * EACH} calls while machines differ, {failed.total()} failed, "
                    f"{bank.received.total - callers.sent} signed again")
    assert failed.total() <= 1
    assert executed(bank) == Counter(callers.paid)
    assert set(executed(bank).values()) == {1}
    assert 3 <= max(record.attempts for record in proxy.lines.records) <= 16
    assert await rotations(proxy) == 1


async def test_a_bank_that_alternates_takes_three_signatures_at_most(bank, start, successor):
    proxy, numbers = await start("all"), count()
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(successor.certificate_pem, half=True)
        with machines(bank, lambda: next(numbers)):
            for number in range(20):
                assert (await line.ask(paid(number))).status == 200
    assert max(record.attempts for record in proxy.lines.records) == 3
    assert executed(bank) == Counter(range(20))


async def test_no_safe_call_fails_through_a_swap_and_no_other_is_signed_again(bank, start, successor,
                                                                               record_property):
    proxy = await start("safe", limits={"upstream_connections": 6})
    callers = Callers(proxy)
    failed = await through_a_swap(bank, callers, successor)
    record_property("counted", f"retry safe: {callers.sent} calls, failed: {dict(failed)}, "
                    f"{len(callers.paid)} payments executed once")
    assert callers.sent >= 300
    assert not [one for one in failed if one[0] == "GET" or one[1] != 401]
    assert failed.total() > 0
    assert executed(bank) == Counter(callers.paid)
    assert set(executed(bank).values()) == {1}
    attempts = Counter(record.attempts for record in proxy.lines.records if record.method != "GET")
    assert set(attempts) == {1}
    assert await rotations(proxy) == 1


@pytest.mark.parametrize(("retry", "method", "status"), [
    ("safe", "GET", 200), ("safe", "POST", 401), ("safe", "DELETE", 401), ("all", "POST", 200), ("all", "PUT", 200),
    ("all", "PATCH", 200), ("all", "DELETE", 200), ("off", "GET", 401), ("off", "POST", 401)])
async def test_what_is_signed_again(bank, start, successor, retry, method, status):
    proxy = await start(retry)
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo/before"))).status == 200
        bank.register(successor.certificate_pem)
        raw = post("/echo/after", method=method) if method[0] == "P" else request(method, "/echo/after")
        assert (await line.ask(raw)).status == status
    again = status == 200
    assert bank.executions.count(method, "/echo/after") == int(again)
    assert bank.received.total == 2 + again
    record = await proxy.lines.last(2)
    assert (record.attempts, record.notes) == ((2, ("resigned_with_next",)) if again else (1, ()))
    assert record.sent == "yes"
    current = (await shop(proxy))["key"]["spki_sha256"]
    assert again == (record.key == current[:16] and (await shop(proxy))["slot"] == "next")
    assert await rotations(proxy) == int(again)


async def test_the_change_is_said_once_with_what_to_do(bank, start, successor, caplog):
    proxy = await start("all")
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(successor.certificate_pem)
        for number in range(5):
            assert (await line.ask(paid(number))).status == 200
    said = [record for record in caplog.records if "signs from now on" in record.getMessage()]
    assert [record.levelname for record in said] == ["WARNING"]
    assert "destroy the old one" in said[0].getMessage()
    assert bank.received.total == 7         # the first of the five was signed twice


async def test_the_other_direction_and_only_after_many_answers_for_everybody(bank, start, files, successor):
    proxy = await start("all")
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(successor.certificate_pem)
        assert (await line.ask(paid(0))).status == 200
        assert (await shop(proxy))["slot"] == "next"
        bank.register(files.shop.pair.certificate_pem)
        for number in range(1, 20):
            assert (await line.ask(paid(number))).status == 200
        assert (await shop(proxy))["slot"] == "next"
        assert (await line.ask(paid(20))).status == 200
        assert (await shop(proxy))["slot"] == "current"
        before = bank.received.total
        assert (await line.ask(paid(21))).status == 200
    assert bank.received.total == before + 1
    assert await rotations(proxy) == 2
    assert set(executed(bank).values()) == {1}


async def test_once_it_has_settled_one_answer_is_enough_again(bank, start, files, successor):
    proxy = await start()
    assert (await proxy.ask(get("/echo"))).status == 200
    bank.register(successor.certificate_pem)
    assert (await proxy.ask(get("/echo"))).status == 200
    proxy.later(301)
    bank.register(files.shop.pair.certificate_pem)
    assert (await proxy.ask(get("/echo"))).status == 200
    assert (await shop(proxy))["slot"] == "current"


async def test_a_request_that_both_keys_are_refused_for_gets_the_first_refusal(bank, start, files):
    """What is wrong is not the key, and so no key changes; the next attempts wait, longer each time."""
    proxy = await start("all", 2)
    other = Authority().seal()
    moment = asyncio.get_running_loop().time()
    proxy.running.gateway.now = lambda: moment
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(other.certificate_pem)
        answers = []

        async def asked() -> int:
            before = bank.received.total
            answers.append(await line.ask(paid(len(answers))))
            return bank.received.total - before

        assert await asked() == 2
        assert await asked() == 1           # no second signature for a second
        moment += 1.5
        assert await asked() == 2
        moment += 1.5
        assert await asked() == 1           # for two seconds
        moment += 1
        assert await asked() == 2
    first = answers[0]
    assert first.status == 401
    ids = [one.json["group_header"]["message_identification"] for one in answers]
    record = (await proxy.lines.last(6))
    assert proxy.lines.records[1].bank_message_id == ids[0]
    assert (record.refused_by, record.code, record.sent) == ("bank", "error.signature.invalid", "yes")
    assert proxy.lines.records[1].response_bytes == len(first.body)
    assert bank.executions.total == 1
    assert await rotations(proxy) == 0
    assert (await shop(proxy))["slot"] == "current"


async def test_it_is_the_first_refusal_and_arrives_unchanged(bank, start, monkeypatch):
    refuse, given = bank.bank.refuse, []
    monkeypatch.setattr(bank.bank, "refuse", lambda *asked: given.append(refuse(*asked)) or given[-1])
    proxy = await start()
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(Authority().seal().certificate_pem)
        answer = await line.ask(get("/echo"))
    first, *rest = given
    assert answer.body == b"".join(first.pieces)
    assert answer.body not in [b"".join(one.pieces) for one in rest]
    record = await proxy.lines.last(2)
    assert (len(given), record.attempts, record.notes) == (4, 4, ("resigned_with_next",))
    assert answer.status == 401
    assert answer["X-Global-Transaction-ID"] == proxy.lines.records[1].bank_id


async def test_a_key_that_was_never_accepted_is_no_evidence(bank, start, successor):
    """A wrong key in the configuration is a mistake that its operator must see."""
    bank.register(successor.certificate_pem)
    proxy = await start("all")
    assert (await proxy.ask(get("/echo"))).status == 401
    assert bank.received.total == 1


@pytest.mark.parametrize("code", ["error.token.missing", "gateway"])
async def test_other_refusals_are_none_of_the_keys_business(bank, start, code):
    proxy = await start("all")
    assert (await proxy.ask(get("/echo"))).status == 200
    if code == "gateway":
        bank.register(None, client_id=bank.options.client_id, client_secret="another")
    raw = request("GET", "/personal/v5/accounts")
    assert (await proxy.ask(raw)).status == 401
    assert bank.received.total == 2


async def test_head_has_no_code_to_see(bank, start, successor):
    proxy = await start("all")
    assert (await proxy.ask(get("/echo"))).status == 200
    bank.register(successor.certificate_pem)
    assert (await proxy.ask(request("HEAD", "/echo"), bodiless=True)).status == 401
    assert bank.received.total == 2


async def test_cut_while_signed_again_says_maybe(bank, start, successor):
    proxy = await start("all")
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(successor.certificate_pem)
        bank.faults.add("close_after", method="POST", skip=1)
        answer = await line.ask(paid(1))
    assert bank.executions.count("POST") == 1
    assert answer.problem == (502, "upstream_closed", "maybe")


async def test_a_bank_that_closes_after_its_refusal_is_asked_on_another_connection(bank, start, successor):
    proxy = await start("all")
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(successor.certificate_pem)
        bank.faults.add("close_announced")
        assert (await line.ask(paid(1))).status == 200
    assert bank.connections == 2
    assert executed(bank) == {1: 1}


async def test_what_cannot_be_sent_again_was_refused(bank, start, successor):
    proxy = await start("all")
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(successor.certificate_pem)
        bank.faults.add("close_announced")
        proxy.pool._dialer = None           # whatever goes wrong before a byte is written
        answer = await line.ask(paid(1))
    assert (answer.status, answer.json["error"]["failures"][0]["code"]) == (401, "error.signature.invalid")
    assert executed(bank) == {}
    record = await proxy.lines.last(2)
    assert (record.outcome, record.sent, record.refused_by) == ("answered", "yes", "bank")


async def test_a_next_key_that_cannot_be_loaded_stops_nothing(bank, start_proxy, files, following, caplog):
    bad = NextKey(key_file=following.key_file, certificate_file=str(files.shop.certificate))
    proxy = await start_proxy(bank, applications={"shop": files.shop.application(next=bad)})
    assert (await proxy.ask(get("/echo"))).status == 200
    status = await shop(proxy)
    assert (status["other"]["usable"], status["other"]["last_error"]["code"]) == (False, "key_pair_mismatch")
    assert "the next key cannot be used" in caplog.text
    assert await proxy.metric("signing_proxy_key_reloads_total", application="shop", outcome="failed") == 1
    assert (await proxy.admin("/readyz")).status == 200
