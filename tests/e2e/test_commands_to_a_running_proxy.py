"""Commands to a running proxy reach the one that the same configuration describes, and say what it says."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket

import pytest
import yaml
from click.testing import CliRunner

from proxy.cli.program import program
from proxy.emulator import Authority
from proxy.emulator.authority import write_private
from proxy.keys.rotation import NextKey, Rotation
from tests.e2e.standing import Party

TOKEN = "an-admin-token"


@pytest.fixture
def mine(files, tmp_path) -> Party:
    """The shop's files, to be changed."""
    directory = tmp_path / "own"
    shutil.copytree(files.shop.key.parent, directory)
    return Party(files.shop.client_id, files.shop.secret, files.shop.pair, directory / "seal.key",
                 directory / "seal.crt", directory / "secret")


@pytest.fixture
def token_file(tmp_path):
    write_private(tmp_path / "admin-token", TOKEN.encode() + b"\nanother\n")
    return tmp_path / "admin-token"


@pytest.fixture
async def proxy(bank, start_proxy, mine, token_file, tmp_path):
    key, certificate = Authority().seal().write(tmp_path, "next.key", "next.crt")
    application = mine.application(next=NextKey(key_file=str(key), certificate_file=str(certificate)),
                                   rotation=Rotation(retry="off"))
    return await start_proxy(bank, applications={"shop": application}, admin_token_file=str(token_file))


@pytest.fixture
def command(proxy, token_file, tmp_path, monkeypatch):
    """command(*words): with a configuration file that describes this proxy."""
    path = tmp_path / "running.yaml"
    path.write_text(yaml.safe_dump({"admin_port": proxy.port("admin"), "admin_token_file": token_file.name}))
    monkeypatch.setenv("SIGNING_PROXY_CONFIG_FILE", str(path))
    return run


async def run(*words: str):
    """In a thread, as the proxy is on this loop."""
    result = await asyncio.to_thread(CliRunner().invoke, program, list(words))
    assert "Traceback" not in result.stdout + result.stderr
    assert TOKEN not in result.stdout + result.stderr
    return result


async def test_reload_shows_what_it_has_brought(command, mine, proxy):
    done = await command("reload")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["application shop, current: unchanged", "application shop, next: unchanged",
                                        "admin token: unchanged", "listeners: unchanged"]
    Authority().seal().write(mine.key.parent, "seal.key", "seal.crt")
    assert "application shop, current: reloaded\n" in (await command("reload")).stdout
    mine.key.write_bytes(b"half a")
    done = await command("reload")
    assert done.exit_code == 1
    assert "application shop, current: kept-old (key_format): " in done.stdout
    assert done.stderr.startswith("signing-proxy: reload_failed: ")
    assert "application shop, current" in done.stderr
    done = await command("reload", "--json")
    assert (done.exit_code, json.loads(done.stdout)["failed"]) == (1, ["application shop, current"])


async def test_rotate_says_which_key_signs(command, proxy):
    first, second = (ring.current.key.signer.spki_sha256[:16] for ring in proxy.running.rings["shop"].rings())
    done = await command("rotate", "--application", "shop", "--to", "next")
    assert (done.exit_code, done.stdout) == (0, f"shop: 'next' signs from now on, key {second}…\n")
    assert (await command("rotate", "--to", "next")).stdout == f"shop: 'next' signs already, key {second}…\n"
    done = await command("rotate", "--json")
    assert json.loads(done.stdout)["spki_sha256"].startswith(first)
    assert proxy.running.rings["shop"].last_change.how == "command"


async def test_what_the_proxy_refuses_is_told_in_its_words(command, proxy, token_file, monkeypatch):
    cases = {
        "application_unknown": ("rotate", "--application", "till"), "quit_off": ("shutdown",),
        "admin_unauthenticated": ("reload", "--admin-token-file", str(token_file.with_name("other"))),
        "key_unreadable": ("reload", "--admin-token-file", str(token_file.with_name("missing"))),
        "not_alive": ("reload", "--admin-port", "1")}
    write_private(token_file.with_name("other"), b"wrong\n")
    for code, words in cases.items():
        done = await command(*words)
        assert (done.exit_code, done.stdout) == (1, ""), code
        assert done.stderr.startswith(f"signing-proxy: {code}: "), done.stderr
        assert len(done.stderr.splitlines()) == 1
    proxy.running.rings["shop"].spare.current = None
    assert (await command("rotate")).stderr.startswith("signing-proxy: rotation_unusable: ")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
                                    b'HTTP/1.1 500 Oops\r\nContent-Length: 14\r\n\r\n{"code": "odd"}',
                                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n[]"])
async def test_something_else_on_that_port_is_told_as_such(answer):
    async def speak(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = str(server.sockets[0].getsockname()[1])
        for words in (("reload",), ("rotate",), ("shutdown",)):
            done = await run(*words, "--admin-port", port)
            assert (done.exit_code, done.stdout) == (1, "")
            assert done.stderr.startswith("signing-proxy: failed: The admin port answers ")


async def test_without_a_token_it_is_said_how_to_give_one(proxy):
    done = await run("reload", "--admin-port", str(proxy.port("admin")))
    assert (done.exit_code, done.stderr.split(":")[1].strip()) == (1, "admin_unauthenticated")
    assert "--admin-token-file" in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_the_token_may_be_in_a_variable(proxy, monkeypatch):
    monkeypatch.setenv("SIGNING_PROXY_ADMIN_TOKEN_ENV", "ADMIN")
    done = await run("reload", "--admin-port", str(proxy.port("admin")))
    assert (done.exit_code, done.stderr.split(":")[1].strip()) == (1, "secret_missing")
    monkeypatch.setenv("ADMIN", TOKEN)
    assert (await run("reload", "--admin-port", str(proxy.port("admin")))).exit_code == 0


async def test_wait_ends_when_the_proxy_is_ready(command, proxy):
    assert (await command("wait")).exit_code == 0
    proxy.running.rings["shop"].signing.current = None
    waiting = asyncio.create_task(command("wait", "--max", "1m"))
    await proxy.running.reload()
    assert (await waiting).exit_code == 0


@pytest.mark.parametrize("longest", ["0", "50ms"])
async def test_wait_says_for_what_it_has_waited(command, proxy, longest):
    proxy.running.health.started = False
    proxy.running.health.waiting = lambda: "application shop waits for Vault (vault_sealed)"
    done = await command("wait", "--max", longest)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("signing-proxy: not_ready: The proxy is not ready after 0")
    assert "starting: application shop waits for Vault (vault_sealed)." in done.stderr


async def test_wait_for_a_proxy_that_never_comes():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = await run("wait", "--max", "0.3s", "--admin-port", str(taken.getsockname()[1]))
    assert done.exit_code == 1
    assert "does not answer: nothing listens there. Look at its log" in done.stderr


@pytest.mark.parametrize("text", ["", "soon", "1x", "1m 30s", "-1s", "s", "1,5s"])
async def test_a_duration_that_is_none(text):
    done = await run("wait", f"--max={text}")
    assert (done.exit_code, done.stderr.split(":")[1].strip()) == (2, "usage")


async def test_shutdown_ends_it(bank, start_child, tmp_path):
    child = await start_child(bank, quitquitquit=True)
    done = await run("shutdown", "--admin-port", str(child.listeners["admin"]))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert await child.ended() == 0


async def test_health_asks_where_the_configuration_says(command, proxy):
    assert (await command("health")).exit_code == 0
    assert (await command("health", "--admin-port", "1")).exit_code == 1


@pytest.mark.parametrize(("text", "said"), [("admin: false", "no admin port"), ("admin_port: 0", "--admin-port")])
@pytest.mark.parametrize("word", ["reload", "rotate", "wait", "shutdown", "health"])
async def test_where_no_admin_port_is_known(tmp_path, text, said, word):
    (tmp_path / "config.yaml").write_text(text)
    done = await run(word, "--config-file", str(tmp_path / "config.yaml"))
    assert (done.exit_code, done.stderr.split(":")[1].strip()) == (2, "usage")
    assert said in done.stderr
