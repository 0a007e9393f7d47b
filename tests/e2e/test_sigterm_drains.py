"""SIGTERM loses no request that was sent, and the process ends with the code that an orchestrator reads."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import pytest

from tests.e2e.line import Cut, connected, get, post, request

LIVE, READY = (request("GET", path) for path in ("/livez", "/readyz"))


async def admin(child, raw):
    async with connected(child.listeners["admin"]) as line:
        return await line.ask(raw)


@pytest.mark.parametrize(("number", "changes", "code"), [
    (signal.SIGTERM, {}, 143), (signal.SIGTERM, {"exit_zero_on_sigterm": True}, 0), (signal.SIGINT, {}, 130),
    (signal.SIGINT, {"exit_zero_on_sigterm": True}, 130)])
async def test_exit_codes(bank, start_child, number, changes, code):
    child = await start_child(bank, **changes)
    assert (await admin(child, READY)).status == 200
    child.signal(number)
    assert await child.ended() == code


async def test_not_ready_at_once_and_still_accepting(bank, start_child):
    """An orchestrator needs a moment to take a pod out of its lists; whoever still comes is served."""
    child = await start_child(bank, min_sigterm_delay=3600.0, max_sigterm_delay=3600.0)
    async with connected(child.port) as before:
        assert "Connection" not in await before.ask(get("/echo"))
        child.signal(signal.SIGTERM)
        await child.told(message="draining")
        ready = await admin(child, READY)
        assert (ready.status, ready.body) == (503, b"draining\n")
        assert (await admin(child, LIVE)).status == 200
        for line in (before, None):
            async with connected(child.port) as fresh:
                answer = await (line or fresh).ask(post("/echo"))
                assert (answer.status, answer["Connection"]) == (200, "close")
        child.signal(signal.SIGTERM)        # a second one ends the wait
        assert await child.ended() == 143
    assert bank.executions.total == 3


async def test_what_is_in_hand_is_answered(bank, start_child):
    child = await start_child(bank)
    bank.faults.add("stall")
    async with connected(child.port) as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        child.signal(signal.SIGTERM)
        await child.told(message="draining: 1 requests in hand")
        bank.faults.release()
        answer = await line.answer()
        assert (answer.status, answer["Connection"]) == (200, "close")
    assert await child.ended() == 143
    assert (await child.told(event="request", outcome="answered"))["sent"] == "yes"


async def test_what_does_not_end_is_cut_and_told(bank, start_child):
    child = await start_child(bank, max_sigterm_delay=0.5)
    bank.faults.add("stall")
    async with connected(child.port) as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        child.signal(signal.SIGTERM)
        with pytest.raises(Cut):
            await line.answer()
    assert await child.ended() == 143
    await child.told(message="stopping with 1 requests in hand")
    bank.faults.release()


async def test_a_second_signal_stops_at_once(bank, start_child):
    child = await start_child(bank, max_sigterm_delay=3600.0)
    bank.faults.add("stall")
    async with connected(child.port) as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        child.signal(signal.SIGTERM)
        await child.told(message="draining")
        child.signal(signal.SIGINT)
        assert await child.ended() == 143
        with pytest.raises(Cut):
            await line.answer()
    bank.faults.release()


@pytest.mark.parametrize("workers", [1, 2])
async def test_reloads_until_the_last_moment_change_no_exit_code(bank, start_child, workers):
    """Also when the loop and its handlers have gone, and the process has not."""
    child = await start_child(bank, workers=workers)
    child.signal(signal.SIGTERM)
    while child.process.returncode is None:
        for number in (signal.SIGHUP, signal.SIGUSR1):
            with suppress(ProcessLookupError):
                child.signal(number)
        await asyncio.sleep(0)
    assert await child.ended() == 143


async def test_no_request_is_lost_while_callers_go_on(bank, start_child):
    """Keep-alive callers send all the time; each request they managed to send is answered."""
    child = await start_child(bank, min_sigterm_delay=1.0)
    answered, lost, stop = 0, [], asyncio.Event()

    async def caller(name: int) -> None:
        nonlocal answered
        while not stop.is_set():
            try:
                async with connected(child.port) as line:
                    while True:
                        answer = await line.ask(post(f"/echo/{name}"))
                        assert answer.status == 200
                        answered += 1
                        if "Connection" in answer:
                            break
            except (ConnectionRefusedError, ConnectionResetError):      # nobody listens any more: nothing was sent
                return
            except Cut as cut:
                lost.append(cut)
                return

    callers = [asyncio.create_task(caller(name)) for name in range(10)]
    await bank.until(lambda: bank.executions.total > 50)
    child.signal(signal.SIGTERM)
    assert await child.ended() == 143
    stop.set()
    await asyncio.gather(*callers)
    assert bank.executions.total == answered        # nothing was executed without its caller hearing of it
    # A caller whose connection was accepted by the kernel alone, after the last accept, sees it end without an answer.
    assert all(not cut.partial for cut in lost)


async def test_a_port_in_use_is_said_in_one_sentence(bank, files, proxy, start_proxy):
    from proxy.app.listeners import StartFailed

    with pytest.raises(StartFailed) as failed:
        await start_proxy(bank, port=proxy.port())
    assert failed.value.code == "address_in_use"
    assert str(proxy.port()) in str(failed.value)
