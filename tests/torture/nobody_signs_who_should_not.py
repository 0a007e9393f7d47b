"""Who may call: credentials, methods and paths; web pages; protected headers in every spelling; forbidden destinations.

What is allowed is worked out here from the configuration's words, not by the proxy's rules; what was signed is counted
at the bank, and what was dialled at the socket.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from proxy.config.model import Destination, Listener
from proxy.emulator import Emulator
from proxy.emulator.authority import write_private
from tests.core.test_authority_spellings import IPV4, IPV6
from tests.e2e.line import connected, request
from tests.e2e.standing import Proxy
from tests.torture.figures import Figure, at_least, none_of, scaled
from tests.torture.ground import Ground

PROMISE = "who may call"
SEED = 20261121
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
PATHS = (
    "/echo/open",
    "/echo/open/",
    "/echo/open/x",
    "/echo/openx",
    "/echo/Open",
    "/echo",
    "/",
    "/echo/%6fpen",
    "/echo/open%2fx",
    "/echo/closed",
    "/echo/open;x",
    "/echo/open?x=/echo/closed",
)
ALLOW = ("GET,POST /echo/open", "DELETE /echo/open/*")
ALLOWED = {
    ("GET", "/echo/open"),
    ("POST", "/echo/open"),
    ("DELETE", "/echo/open/x"),
    ("GET", "/echo/open?x=/echo/closed"),
    ("POST", "/echo/open?x=/echo/closed"),
}
TOKENS = {"main": "the-token-of-the-main-listener-0001", "more": "the-token-of-the-other-listener-0002"}


async def run(ground: Ground, size: float) -> list[Figure]:
    return [
        *await _matrix(ground, size),
        *await _browsers(ground, size),
        *await _headers(ground),
        *await _destinations(ground, size),
    ]


def _token_file(ground: Ground, name: str) -> str:
    path = Path(ground.directory) / f"token-{name}"
    if not path.exists():
        write_private(path, TOKENS[name].encode() + b"\n")
    return str(path)


def _credentials() -> dict[str, tuple[str, str]]:
    """what it is called -> (header line, the listener on which it counts)"""
    fields = {"none": ("X: y", "")}
    for name, token in TOKENS.items():
        fields |= {
            f"{name}'s": (f"Proxy-Authorization: Bearer {token}", name),
            f"{name}'s, cut": (f"Proxy-Authorization: Bearer {token[:-1]}", ""),
            f"{name}'s, longer": (f"Proxy-Authorization: Bearer {token}x", ""),
            f"{name}'s, in capitals": (f"Proxy-Authorization: Bearer {token.upper()}", ""),
            f"{name}'s, as the application's own": (f"Authorization: Bearer {token}", ""),
            f"{name}'s, in a cookie": (f"Cookie: token={token}", ""),
        }
    return fields


async def _matrix(ground: Ground, size: float) -> list[Figure]:
    every = list(product(METHODS, PATHS, _credentials().values(), ("main", "more")))
    chosen = Random(SEED).sample(every, scaled(len(every), min(size * 10, 1.0), least=100))
    more = {"more": Listener(address="127.0.0.1", port=0, client_token_file=_token_file(ground, "more"))}
    wrong = []
    async with (
        ground.bank() as bank,
        ground.proxy(
            bank, client_token_file=_token_file(ground, "main"), listeners=more, route={"allow": ALLOW}
        ) as proxy,
        ground.proxy(bank) as _,
    ):
        for method, path, (field, listener_of), listener in chosen:
            if listener == "more":
                continue  # no route there: counted below
            may = listener_of == listener and _allowed(method, path)
            if await _signed(bank, proxy, request(method, path, field), listener) != may:
                wrong.append(f"{method} {path} {field[:24]}")
        stray = [
            one
            for one in chosen
            if one[3] == "more" and await _signed(bank, proxy, request(one[0], one[1], one[2][0]), "more")
        ]
    return [
        none_of(
            PROMISE,
            "method × path × credential × listener: signed, or refused, wrongly",
            len(wrong) + len(stray),
            len(chosen),
            "; ".join(wrong[:3]),
        )
    ]


def _allowed(method: str, path: str) -> bool:
    return (method, path) in ALLOWED


async def _signed(bank: Emulator, proxy: Proxy, raw: bytes, listener: str = "main") -> bool:
    before = bank.received.total
    async with connected(proxy.port(listener)) as line:
        await line.ask(raw, bodiless=raw.startswith(b"HEAD "))
    return bank.received.total > before


async def _browsers(ground: Ground, size: float) -> list[Figure]:
    own = ("localhost", "127.0.0.1", "[::1]", "localhost:{port}", "127.0.0.1:{port}", "LOCALHOST")
    foreign = (
        "evil.example",
        "localhost.evil.example",
        "127.0.0.2",
        "localhost:1",
        "[::2]",
        "",
        "127.0.0.1.nip.example",
        "open.nordea.com",
        "localhost.",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
    )
    origins = (
        "",
        "null",
        "http://localhost",
        "http://localhost:{port}",
        "https://evil.example",
        "file://",
        "http://127.0.0.1",
        "chrome-extension://abc",
    )
    sites = ("", "none", "same-origin", "same-site", "cross-site", "Cross-Site", "bogus")
    every = list(product((*own, *foreign), origins, sites, ("main", "admin")))
    chosen = Random(SEED).sample(every, scaled(len(every), min(size * 10, 1.0), least=200))
    wrong = []
    async with ground.both() as (bank, proxy):
        for host, origin, site, listener in chosen:
            port = proxy.port(listener)
            fields = [
                *([f"Origin: {origin.format(port=port)}"] if origin else []),
                *([f"Sec-Fetch-Site: {site}"] if site else []),
            ]
            raw = request("GET", "/echo/b", *fields, host=host.format(port=port))
            may = host in own and not origin and site in ("", "none", "same-origin") and listener == "main"
            if await _signed(bank, proxy, raw, listener) != may:
                wrong.append(f"{host} {origin} {site} {listener}")
    return [
        at_least(PROMISE, "browser matrix: combinations of Host, Origin, Sec-Fetch-Site, port", len(every), 1000),
        none_of(PROMISE, "browser matrix: signed, or refused, wrongly", len(wrong), len(chosen), "; ".join(wrong[:3])),
    ]


PROTECTED = (
    "Signature",
    "Digest",
    "X-IBM-Client-Id",
    "X-IBM-Client-Secret",
    "X-Nordea-Originating-Host",
    "X-Nordea-Originating-Date",
)


def _spellings(name: str, random: Random) -> list[str]:
    found = dict.fromkeys((name, name.lower(), name.upper(), name.swapcase()))
    while len(found) < 24:
        found[
            "".join(
                random.choice((letter.lower(), letter.upper())) if letter.isalpha() else random.choice("-_.")
                for letter in name
            )
        ] = None
    return list(found)


async def _headers(ground: Ground) -> list[Figure]:
    random, forged, listed, tried = Random(SEED), [], [], 0
    async with ground.both() as (bank, proxy):
        for name in PROTECTED:
            for spelling in _spellings(name, random):
                tried += 1
                await _signed(
                    bank, proxy, request("POST", "/echo", f"{spelling}: forged", "Content-Type: a/b", body=b"{}")
                )
                if b"forged" in bank.received[-1].head or not bank.received[-1].verdict.accepted:
                    forged.append(spelling)
                raw = request("POST", "/echo", f"Connection: keep-alive, {spelling}", "Content-Type: a/b", body=b"{}")
                if await _signed(bank, proxy, raw) and not bank.received[-1].verdict.accepted:
                    listed.append(spelling)
    return [
        at_least(PROMISE, "spellings of each protected header", tried / len(PROTECTED), 20),
        none_of(PROMISE, "a caller's own value at the bank", len(forged), tried, ", ".join(forged[:5])),
        none_of(PROMISE, "a protected header taken away by Connection", len(listed), tried, ", ".join(listed[:5])),
    ]


async def _destinations(ground: Ground, size: float) -> list[Figure]:
    """Everything may be tunnelled to by name; what is private, ours or otherwise special may not be dialled."""
    spelled = [spelling for _, spelling in IPV4] + [f"[{spelling}]" for _, spelling in IPV6]
    everything = (Destination(host="*", policy="tunnel", ports=(443, 80)),)
    async with ground.bank() as bank, ground.proxy(bank, destinations=everything) as proxy:
        own = [
            f"{name}:{port}"
            for name in (
                "localhost",
                "localhost.",
                "LOCALHOST",
                "127.0.0.1",
                "127.1",
                "0x7f.1",
                "2130706433",
                "017700000001",
                "[::1]",
                "[::ffff:127.0.0.1]",
                "[0:0:0:0:0:ffff:7f00:1]",
                "0.0.0.0",
            )
            for port in (proxy.port(), proxy.port("admin"))
        ]
        authorities = [f"{host}:{port}" for host in spelled for port in (443, 80)] + own
        chosen = Random(SEED).sample(authorities, scaled(len(authorities), min(size * 10, 1.0), least=300))
        passed = []
        with _dialled() as dials:
            for authority in chosen:
                async with connected(proxy.port()) as line:
                    answer = await line.ask(
                        f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode(), bodiless=True
                    )
                    if answer.status < 400:
                        passed.append(authority)
        with _dialled() as allowed:
            await _signed(bank, proxy, request("GET", "/echo", "X: y"))
    return [
        at_least(PROMISE, "dials seen at the socket for a request that is allowed", len(allowed), 1),
        at_least(PROMISE, "spellings of forbidden destinations", len(authorities), 500),
        none_of(
            PROMISE,
            "forbidden destinations dialled, counted at the socket",
            len(dials) + len(passed),
            len(chosen),
            ", ".join([*passed, *map(str, dials)][:5]),
        ),
    ]


_watching: list[list[Any]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watching:
        _watching[-1].append(arguments[1])


@contextmanager
def _dialled() -> Iterator[list[Any]]:
    """Where Python's sockets were connected to meanwhile.  uvloop's own, such as the callers', do not show here."""
    if _hook not in _installed:
        sys.addaudithook(_hook)
        _installed.append(_hook)
    dials: list[Any] = []
    _watching.append(dials)
    try:
        yield dials
    finally:
        _watching.remove(dials)


_installed: list[Any] = []
