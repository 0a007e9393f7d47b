"""A walk through the proxy that ends by itself: what goes in, what was added, what the bank said.  `make demo`."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import tempfile
import textwrap
from pathlib import Path

import aiohttp

from proxy.emulator import Authority
from proxy.emulator.material import make_material
from proxy.emulator.options import CLIENT_ID, Options
from proxy.emulator.server import Emulator

ROOT = Path(__file__).parent.parent
PAYMENT = b'{"amount":"2.00","currency":"SEK","creditor":{"name":"Company A"}}'
BANK = "open.nordea.com"
CONNECT = b"CONNECT open.nordea.com:443 HTTP/1.1\r\nHost: open.nordea.com:443\r\n\r\n"
CONFIG = """\
port: {port}
admin_port: {admin}
upstream_ca_file: {directory}/ca.pem
ca_directory: {directory}/client-ca
applications:
  demo:
    client_id: {client_id}
    client_secret_file: {directory}/client_secret
    key_file: {directory}/qsealc.key
    certificate_file: {directory}/qsealc.crt
routes:
  - profile: nordea
    upstream: https://127.0.0.1:{bank}
    host: open.nordea.com
min_sigterm_delay: 0
hint_header: true
"""


def title(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def show(mark: str, raw: bytes) -> None:
    for line in raw.decode("latin-1").splitlines():
        print(f"  {mark} {line if len(line) < 150 else line[:146] + ' …'}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def exchange(port: int, request: bytes, trusted: Path | None = None) -> bytes:
    """One raw request and the raw answer, which ends when the proxy closes.

    trusted: the authority's certificate; the request then goes through a tunnel to the bank's host, in TLS.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if trusted is not None:
        writer.write(CONNECT)
        show("<", await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20))
        await writer.start_tls(ssl.create_default_context(cafile=str(trusted)), server_hostname=BANK)
        certificate = writer.get_extra_info("peercert")
        print(f"  TLS with {certificate['subjectAltName'][0][1]}, a certificate by "
              f"{dict(pair for (pair,) in certificate['issuer'])['commonName']}; inside:")
        show(">", request)
    writer.write(request)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    await writer.wait_closed()
    return answer


def request(host: str, method: str, target: str, body: bytes = b"") -> bytes:
    head = (f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"
            "Authorization: Bearer demo\r\nConnection: close\r\n")
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


async def tell(bank: Emulator, port: int, raw: bytes, trusted: Path | None = None) -> None:
    """Sends one request and shows both sides of the proxy.  trusted: as in exchange()."""
    seen = bank.received.total
    print("  the application sent:")
    show(">", raw if trusted is None else CONNECT)
    answer = await exchange(port, raw, trusted)
    if bank.received.total > seen:
        received = list(bank.received)[-1]
        ours = {line.split(b":")[0].lower() for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
        print("  the bank received (+ marks what the proxy added):")
        for line in received.head.split(b"\r\n\r\n")[0].split(b"\r\n"):
            name = line.split(b":")[0].lower()
            show(" " if name in ours or b" HTTP/1.1" in line else "+", _masked(line))
        print(f"  the bank's verdict: {received.verdict.code or 'accepted'}")
    else:
        print("  the bank received: nothing")
    print("  the application got:")
    show("<", answer)


def _masked(line: bytes) -> bytes:
    return b"X-IBM-Client-Secret: ***" if line.lower().startswith(b"x-ibm-client-secret") else line


async def walk(bank: Emulator, port: int, admin: int, trusted: Path) -> None:
    here = f"127.0.0.1:{port}"
    title("1  A GET without a signature goes in, a sealed one reaches the bank")
    await tell(bank, port, request(here, "GET", "/personal/v5/accounts"))
    title("2  A payment: the body's digest is covered too")
    await tell(bank, port, request(here, "POST", "/personal/v4/payments/domestic", PAYMENT))
    title("3  A target the bank would refuse to verify never leaves")
    await tell(bank, port, request(here, "GET", "//personal/v5/accounts"))
    title("4  The bank executes a payment and dies before it answers: nothing is sent twice, and the caller is told")
    executed = bank.executions.total
    bank.faults.add("close_after")
    await tell(bank, port, request(here, "POST", "/personal/v4/payments/domestic", PAYMENT))
    print(f"  payments executed by that call: {bank.executions.total - executed}")
    title("5  The bank's own URL, as a program with HTTP_PROXY asks for it: signed, and https to the bank all the same")
    await tell(bank, port, request(BANK, "GET", f"http://{BANK}/personal/v5/accounts?limit=10"))
    title("6  The same with HTTPS_PROXY: a tunnel, and in it TLS with the proxy, by an authority it trusts")
    await tell(bank, port, request(BANK, "POST", "/personal/v4/payments/domestic", PAYMENT), trusted)
    title("7  What the operator sees")
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{admin}/metrics") as answer:
        for line in (await answer.text()).splitlines():
            if line.startswith(("signing_proxy_requests_total", "signing_proxy_rejected_total",
                                "signing_proxy_uncertain_total", "signing_proxy_clock_skew")):
                print(f"    {line}")


class Log:
    """What the proxy writes, as it comes."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self.lines: list[str] = []
        self._stream = stream
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while line := await self._stream.readline():
            self.lines.append(line.decode().rstrip())
            self._news.set()

    async def until(self, text: str, count: int = 1) -> bool:
        """Whether so many lines with this text have come; False when the proxy has ended without."""
        async with asyncio.timeout(20):
            while sum(text in line for line in self.lines) < count:
                if self._reading.done():
                    return False
                self._news.clear()
                coming = asyncio.create_task(self._news.wait())
                await asyncio.wait((coming, self._reading), return_when=asyncio.FIRST_COMPLETED)
                coming.cancel()
        return True


async def refused(bank: Emulator, port: int, admin: int) -> None:
    """The certificate in the portal is replaced, and nobody has told the proxy."""
    bank.register(Authority().seal().certificate_pem)
    for target in ("/personal/v5/accounts", "/personal/v5/accounts/FI6593857450293470-EUR"):
        await tell(bank, port, request(f"127.0.0.1:{port}", "GET", target))
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{admin}/status") as answer:
        (found,) = (await answer.json())["diagnoses"].values()
    print("\n  why, as /status, the log and the header Signing-Proxy-Hint have it:")
    for name, text in (("cause", f"{found['cause']} ({found['certainty']})"), ("what", found["what"]),
                       ("evidence", found["evidence"]), ("to do", found["todo"]), ("where", found["side"])):
        print(textwrap.fill(text, 118, initial_indent=f"    {name:<10}", subsequent_indent=" " * 14))


async def main() -> int:
    with tempfile.TemporaryDirectory(prefix="signing-proxy-demo-") as name:
        directory = Path(name)
        material = make_material(directory, client_id=CLIENT_ID, client_secret="a-demo-secret")
        options = Options(client_secret="a-demo-secret", certificate=material.seal_certificate.read_bytes(),
                          directory=directory)
        async with Emulator(options) as bank:
            port, admin = free_port(), free_port()
            (directory / "proxy.yaml").write_text(CONFIG.format(
                port=port, admin=admin, bank=bank.port, directory=directory, client_id=CLIENT_ID))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "proxy", "run", "--config-file", str(directory / "proxy.yaml"), cwd=ROOT,
                stderr=asyncio.subprocess.PIPE)
            assert process.stderr is not None
            log = Log(process.stderr)
            try:
                if not await log.until("is ready"):
                    print("The proxy did not start; its last words:", *log.lines, sep="\n")
                    return 1
                await walk(bank, port, admin, directory / "client-ca" / "ca.pem")
                await log.until("event=request", 6)
                title("8  Its log: one line per request, no secret, no account number")
                show(" ", "\n".join(log.lines).encode("latin-1", "replace"))
                title("9  Somebody replaces the certificate in the bank's portal: calls fail, and the proxy says why")
                await refused(bank, port, admin)
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()
    title("The end. README.md says how to point it at the real bank.")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
