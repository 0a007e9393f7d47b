"""Whoever watches calls may fail at it: calls and their connections go on."""

from __future__ import annotations

import logging

from tests.e2e.line import get, post


class _Clumsy:
    keep = 0

    def over(self, *_: object) -> None:
        raise KeyError("s3cret")


async def test_calls_and_connections_go_on_and_the_log_says_what_happened(bank, start_proxy, caplog):
    proxy = await start_proxy(bank)
    proxy.running.gateway.watch(_Clumsy())
    with caplog.at_level(logging.ERROR, "proxy"):
        async with proxy.connect() as line:
            answers = [await line.ask(raw) for raw in (get("/echo"), post("/echo"), get("/a//b"), get("/echo"))]
    assert [answer.status for answer in answers] == [200, 200, 400, 200]
    assert bank.connections == 1
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "internal error: a call was not observed (KeyError)"] * 4
    caplog.clear()                      # they were foreseen
