"""Secrets: no value of any of them appears in anything the proxy says or leaves behind, in any usual spelling.

The proxy runs as a process with everything on that watches calls: debug log, inspector, audit trail, self-verification,
traces, hints.  What it says is all of its log, every admin page, every answer to a caller, every span, its command
line, its environment and files.  Last of the parts, it also searches what the proxies of all the others have written.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.audit.settings import AuditSettings
from proxy.emulator import Emulator
from proxy.emulator.authority import write_private
from proxy.serve.traces.settings import TraceSettings
from tests.e2e.child import Child
from tests.e2e.collector import running
from tests.e2e.line import Cut, connected, request
from tests.torture.figures import Figure, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.key_files import matrix
from tests.torture.processes_stay_shut import crashes, environments, in_variables, none_came_of, same_user

PROMISE = "secrets"
ROUNDS = 200
CANARIES = {name: f"canary+{name}/8c1f=7Q{number:02d}" for number, name in enumerate((
    "client-secret", "key-password", "client-token", "admin-token", "wrong-token", "bearer", "cookie", "api-key",
    "body", "query", "vault-token"))}
_FAULTS = ("close_after", "reset_after", "bad_header", "cut_head", "gateway_error", "garbage_status", "too_many")


def spellings(secret: bytes) -> dict[str, bytes]:
    """As it is, reversed, in base64 at each of its three alignments, hex, URL and JSON."""
    text = secret.decode()
    return {"plain": secret, "reversed": secret[::-1], "base64": base64.b64encode(secret).rstrip(b"="),
            "base64 +1": base64.b64encode(b"x" + secret)[4:-4], "base64 +2": base64.b64encode(b"xx" + secret)[4:-4],
            "base64url": base64.urlsafe_b64encode(secret).rstrip(b"="),
            "base64url +1": base64.urlsafe_b64encode(b"x" + secret)[4:-4],
            "base64url +2": base64.urlsafe_b64encode(b"xx" + secret)[4:-4], "hex": secret.hex().encode(),
            "HEX": secret.hex().upper().encode(), "url": quote(text, safe="").encode(),
            "url, lower case": re.sub("%..", lambda escape: escape[0].lower(), quote(text, safe="")).encode(),
            "form": quote_plus(text).encode(),
            "json": json.dumps(text).replace("/", "\\/")[1:-1].encode()}


async def run(ground: Ground, size: float) -> list[Figure]:
    directory = ground.directory / "secrets"
    await asyncio.to_thread(directory.mkdir, exist_ok=True)
    key = await asyncio.to_thread(_material, ground, directory)
    said: dict[str, bytes] = {}
    async with running() as collector, ground.bank(client_secret=CANARIES["client-secret"]) as bank, ground.child(
            bank, debug_logs=True, inspect=True, self_verify=True, log_paths="full", hint_header=True,
            traces=TraceSettings(endpoint=collector.url, interval=0.1), **_settings(ground, directory),
    ) as child:
        answers = [await _round(bank, child) for _ in range(scaled(ROUNDS, size, least=2))]
        said |= {"answers": b"".join(answers), **await _pages(child), **_process(child)}
        limits = Path(f"/proc/{child.process.pid}/limits").read_text()
        started = none_came_of(child)
        child.signal(signal.SIGTERM)
        await child.ended()
        await child.finished()
        said["traces"] = collector.raw
        said["log"] = json.dumps(child.logged, ensure_ascii=False).encode()
        executed = bank.executions.total
    said |= {f"file {path.name}": path.read_bytes() for path in directory.glob("audit*.jsonl")}
    said |= await in_variables(ground, CANARIES)
    shut = [*await crashes(ground, size), *await same_user(ground), *await asyncio.to_thread(matrix, ground, size)]
    secrets = {**{name: value.encode() for name, value in CANARIES.items()}, **key}
    found = [f"{name} as {spelling} in {where}" for name, secret in secrets.items()
             for spelling, value in spellings(secret).items() for where, text in said.items()
             if value in text and (name, where) != ("body", "answers")]      # the bank shows a payment to who made it
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    empty = [where for where, text in said.items() if not text]
    size_of_all = f"{executed:,} calls executed, {sum(map(len, said.values())):,} bytes searched"
    tried = len(secrets) * len(spellings(b""))
    return [none_of(PROMISE, f"secrets found in {len(said)} outputs", len(found), tried,
                    "; ".join(found[:5]) or size_of_all),
            await asyncio.to_thread(_in_what_others_said, ground, secrets),
            none_of(PROMISE, "processes that it starts without workers", started, 1),
            none_of(PROMISE, "outputs that were empty, so that nothing could be found", len(empty), len(said),
                    ", ".join(empty)),
            none_of(PROMISE, "core dumps allowed", 0 if core.split()[4:6] == ["0", "0"] else 1, 1, core), *shut]


def _in_what_others_said(ground: Ground, secrets: dict[str, bytes]) -> Figure:
    """The proxies of this whole run, whose secrets are those of ground.files and here and there one of these."""
    files = ground.files
    all_of_them = {**secrets, "the shop's secret": files.shop.secret.encode(),
                   "the till's secret": files.till.secret.encode(),
                   **_pieces("the till's key", files.till.key.read_bytes())}
    needles = [(name, spelling, value) for name, secret in all_of_them.items()
               for spelling, value in spellings(secret).items()]
    found, size, logs = [], 0, [path for path in sorted(ground.said.iterdir()) if path.stat().st_size]
    for path in logs:
        text = path.read_bytes()
        size += len(text)
        found += [f"{name} as {spelling} in {path.name}" for name, spelling, value in needles if value in text]
    return none_of(PROMISE, "secrets found in what the proxies of all parts have written", len(found),
                   len(needles) * bool(size), "; ".join(found[:5]) or f"{len(logs)} logs, {size:,} bytes")


def _pieces(name: str, pem: bytes) -> dict[str, bytes]:
    """Of a private key, what nothing may show: lines of its file, and its numbers."""
    lines = pem.splitlines()
    private = load_pem_private_key(pem, None)
    assert isinstance(private, RSAPrivateKey)
    numbers = private.private_numbers()
    return {f"{name}, a line": lines[5], f"{name}, another line": lines[-3],
            f"{name}, d in hex": b"%x" % numbers.d, f"{name}, p in hex": b"%x" % numbers.p,
            f"{name}, q in decimal": str(numbers.q).encode()}


def _material(ground: Ground, directory: Path) -> dict[str, bytes]:
    """Writes the secrets' files. -> pieces of the private key that nothing may show"""
    pem = ground.files.shop.key.read_bytes()
    private = load_pem_private_key(pem, None)
    write_private(directory / "key.pem", private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(CANARIES["key-password"].encode())))
    for name in ("client-secret", "key-password", "client-token", "admin-token"):
        write_private(directory / name, CANARIES[name].encode() + b"\n")
    return _pieces("the key", pem)


def _settings(ground: Ground, directory: Path) -> dict[str, object]:
    return {"client_token_file": str(directory / "client-token"), "admin_token_file": str(directory / "admin-token"),
            "audit": AuditSettings(file=str(directory / "audit.jsonl")),
            "applications": {"shop": ground.files.shop.application(
                client_secret_file=str(directory / "client-secret"), key_file=str(directory / "key.pem"),
                key_password_file=str(directory / "key-password"))}}


async def _round(bank: Emulator, child: Child) -> bytes:
    """Calls of every outcome, each with secrets wherever a caller has some. -> what the caller got, without echoes"""
    c, said = CANARIES, b""
    knock = f"Proxy-Authorization: Bearer {c['client-token']}"
    own = (f"Authorization: Bearer {c['bearer']}", f"Cookie: session={c['cookie']}", f"X-Api-Key: {c['api-key']}")
    query = f"?code={quote(c['query'])}"
    body = json.dumps({"password": c["body"]}).encode()
    for fault in ("", *_FAULTS):
        if fault:
            bank.faults.add(fault, path="/personal")
        said += await _ask(child, request("POST", "/personal/v4/payments/domestic" + query, knock, *own,
                                          "Content-Type: application/json", body=body))
    for raw in (request("GET", "/personal/v5/accounts" + query, knock, *own),
                request("GET", "/personal/v5/accounts", f"Proxy-Authorization: Bearer {c['wrong-token']}", *own),
                request("GET", f"//{quote(c['query'])}", knock, *own),
                request("GET", "/personal", knock, f"Bad Header: {c['bearer']}"),
                request("POST", "/personal", knock, f"Content-Length: {c['bearer']}", *own),
                request("GET", "/personal", knock, *own, host=c["bearer"].replace("/", "").replace("+", "")),
                request("GET", "/personal", knock, f"Connection: {c['api-key'].replace('/', '')}", *own)):
        said += await _ask(child, raw)
    return said


async def _ask(child: Child, raw: bytes, listener: str = "main") -> bytes:
    with suppress(Cut):
        async with connected(child.listeners[listener]) as line:
            return (await line.ask(raw)).raw
    return b""


async def _pages(child: Child) -> dict[str, bytes]:
    admin = f"Authorization: Bearer {CANARIES['admin-token']}"
    pages = {}
    for path in ("/metrics", "/status", "/readyz", "/livez", "/inspector", "/inspector/api/exchanges",
                 "/inspector/api/exchange?id=1"):
        pages[f"GET {path}"] = await _ask(child, request("GET", path, admin), "admin")
    for path in ("/reload", "/rotate", "/log-level?level=info"):
        pages[f"POST {path}"] = await _ask(child, request("POST", path, admin), "admin")
        pages[f"POST {path}, wrong"] = await _ask(child, request(
            "POST", path, f"Authorization: Bearer {CANARIES['wrong-token']}"), "admin")
    return pages


def _process(child: Child) -> dict[str, bytes]:
    return environments([child.process.pid])
