"""A client token is changed while the proxy runs: the old one is worth nothing from then on."""

from __future__ import annotations

import os
import signal

import pytest

from proxy.emulator.authority import write_private
from tests.e2e.line import connected, eventually, get

OLD, NEW = "the-old-and-long-token", "the-new-and-long-token"


def asking(token: str) -> bytes:
    return get("/echo", f"Proxy-Authorization: Bearer {token}")


@pytest.fixture
def file(tmp_path):
    write_private(tmp_path / "token", OLD.encode() + b"\n")
    return tmp_path / "token"


def rewrite(file, token: str) -> None:
    """As a secret is rolled out: another file takes the name."""
    fresh = file.with_name("fresh")
    write_private(fresh, token.encode() + b"\n")
    os.replace(fresh, file)


async def test_after_a_reload_only_the_new_one_counts(bank, start_proxy, file):
    proxy = await start_proxy(bank, client_token_file=str(file))
    async with proxy.connect() as line:         # one that was let in keeps no right either
        assert (await line.ask(asking(OLD))).status == 200
        assert (await line.ask(asking(NEW))).problem == (401, "client_unauthenticated", "no")
        rewrite(file, NEW)
        assert (await line.ask(asking(OLD))).status == 200
        await proxy.running.reload()
        assert (await line.ask(asking(OLD))).problem == (401, "client_unauthenticated", "no")
        assert (await line.ask(asking(NEW))).status == 200
    assert bank.received.total == 3


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_bytes(b""),
                                   lambda file: file.chmod(0o644)])
async def test_a_file_that_cannot_be_used_changes_nothing(bank, start_proxy, file, spoil, caplog):
    proxy = await start_proxy(bank, client_token_file=str(file))
    spoil(file)
    await proxy.running.reload()
    assert (await proxy.ask(asking(OLD))).status == 200
    assert (await proxy.ask(get("/echo"))).status == 401
    (said,) = [record.getMessage() for record in caplog.records if "client token" in record.getMessage()]
    assert "the old one stays" in said
    assert OLD not in said


async def test_without_one_a_reload_asks_for_none(bank, start_proxy):
    proxy = await start_proxy(bank)
    await proxy.running.reload()
    assert (await proxy.ask(get("/echo"))).status == 200


async def test_it_is_read_again_from_time_to_time(bank, start_proxy, file):
    proxy = await start_proxy(bank, client_token_file=str(file), timed_reload=0.01)
    (tokens,) = proxy.running.doors.tokens.values()
    rewrite(file, NEW)
    await eventually(lambda: [token.reveal() for token in tokens.current] == [NEW.encode()])
    assert (await proxy.ask(asking(OLD))).status == 401
    assert (await proxy.ask(asking(NEW))).status == 200


async def test_a_sighup_reads_it(bank, start_child, file):
    child = await start_child(bank, client_token_file=str(file))

    async def status(token: str) -> int:
        async with connected(child.port) as line:
            return (await line.ask(asking(token))).status

    assert (await status(OLD), await status(NEW)) == (200, 401)
    rewrite(file, NEW)
    child.signal(signal.SIGHUP)
    async with connected(child.port) as line:   # nobody announces it: asks until it is so, or the test's time is over
        while (await line.ask(asking(NEW))).status != 200:
            pass
    assert await status(OLD) == 401
