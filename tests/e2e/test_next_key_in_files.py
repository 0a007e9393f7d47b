"""The next key is read, watched and used like the current one, but it never stands in the way of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from proxy.emulator import Authority, Validity
from proxy.keys.rotation import NextKey, Rotation
from tests.e2e.line import eventually, get, post, reset


def at(**ahead: float) -> datetime:
    return datetime.now(UTC) + timedelta(**ahead)


@pytest.fixture
def place(tmp_path):
    """place(pair): its files are those of the next key."""
    def placing(pair) -> NextKey:
        key, certificate = pair.write(tmp_path, "next.key", "next.crt")
        return NextKey(key_file=str(key), certificate_file=str(certificate))

    return placing


@pytest.fixture
def start(bank, start_proxy, files):
    async def starting(following: NextKey, rotation: Rotation | None = None, **changes):
        application = files.shop.application(next=following, rotation=rotation or Rotation(retry="all"), **changes)
        return await start_proxy(bank, applications={"shop": application})

    return starting


async def shop(proxy) -> dict:
    return (await proxy.admin("/status")).json["applications"]["shop"]


async def test_a_reload_brings_in_another_next_key_whole_or_not_at_all(bank, start, place, files):
    first, second = Authority().seal(), Authority().seal()
    following = place(first)
    proxy = await start(following)
    assert (await proxy.ask(get("/echo"))).status == 200
    before = (await shop(proxy))["other"]
    files.shop.pair.write(files.directory, "other.key", "other.crt")
    (files.directory / "other.crt").replace(following.certificate_file)
    await proxy.running.reload()
    after = (await shop(proxy))["other"]
    assert after["last_error"]["code"] == "key_pair_mismatch"
    assert (after["key"], after["revision"], after["usable"]) == (before["key"], 1, True)
    place(second)
    await proxy.running.reload()
    after = (await shop(proxy))["other"]
    assert (after["revision"], after["usable"]) == (2, True)
    assert "last_error" not in after
    bank.register(second.certificate_pem)
    assert (await proxy.ask(post("/echo"))).status == 200
    assert (await shop(proxy))["key"] == after["key"]


async def test_a_slow_key_signs_again_as_well(bank, start, place):
    """Above RSA-2048 the signature is made in a thread."""
    pair = Authority().seal(key_bits=3072)
    proxy = await start(place(pair))
    assert (await proxy.ask(get("/echo"))).status == 200
    bank.register(pair.certificate_pem)
    assert (await proxy.ask(post("/echo"))).status == 200
    assert bank.executions.count("POST") == 1
    assert (await proxy.lines.last(2)).attempts == 2


async def test_a_certificate_that_is_not_valid_yet_waits(bank, start, place):
    pair = Authority().seal(validity=Validity(at(days=1), at(days=90)))
    proxy = await start(place(pair))
    assert (await proxy.ask(get("/echo"))).status == 200
    other = (await shop(proxy))["other"]
    assert other["usable"] is False
    assert any(sentence.startswith("The certificate is valid from") for sentence in other["warnings"])
    bank.register(None)
    assert (await proxy.ask(get("/echo"))).status == 401
    assert bank.received.total == 2


async def test_at_its_date_next_signs(bank, start, place):
    pair = Authority().seal()
    proxy = await start(place(pair), Rotation(at=at(seconds=-1).isoformat()))
    await eventually(lambda: proxy.running.rings["shop"].changes["date"] == 1)
    bank.register(pair.certificate_pem)
    assert (await proxy.ask(post("/echo"))).status == 200
    assert bank.received.total == 1
    assert (await shop(proxy))["last_rotation"]["how"] == "date"
    assert await proxy.metric("signing_proxy_key_rotations_total", application="shop", how="date") == 1


async def test_an_expired_current_key_leaves_the_place_to_next(bank, start, place, files, tmp_path):
    """Also at a start in the night."""
    old = Authority().seal(validity=Validity(at(days=-90), at(days=-1)))
    key, certificate = old.write(tmp_path, "old.key", "old.crt")
    pair = Authority().seal()
    proxy = await start(place(pair), key_file=str(key), certificate_file=str(certificate))
    bank.register(pair.certificate_pem)
    assert (await proxy.ask(post("/echo"))).status == 200
    assert (await proxy.admin("/readyz")).status == 200
    status = await shop(proxy)
    assert (status["slot"], status["last_rotation"]["how"], status["other"]["usable"]) == ("next", "expiry", False)


async def test_a_caller_that_leaves_while_its_request_is_signed_again(bank, start, place):
    pair = Authority().seal()
    proxy = await start(place(pair))
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        bank.register(pair.certificate_pem)
        bank.faults.add("stall", method="POST", skip=1)
        await line.send(post("/echo"))
        await bank.until(lambda: bank.executions.count("POST") == 1)
        reset(line)
        await proxy.until_connections(0)
    bank.faults.release()
    record = await proxy.lines.last(2)
    assert (record.outcome, record.sent, record.attempts) == ("client_gone", "yes", 2)
    assert bank.executions.count("POST") == 1
    assert (await proxy.ask(post("/echo"))).status == 200
