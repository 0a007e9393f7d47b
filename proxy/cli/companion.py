"""Nobody should need a contract with a bank to see the proxy work, so `run --with-emulator` starts one beside it.

The emulator is a process of its own: it shares no code with the signer, so it shall share no memory either.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from proxy.config.address import UNIX, where
from proxy.errors import ProxyError

if TYPE_CHECKING:
    from proxy.config.model import Config

MAIN, DEFAULT_PORT = "main", 8080
BANK_PORT, CONTROL_PORT = 9443, 9444
HOST = "open.nordea.com"
_URL = re.compile(r"\s+(bank|control port)\s+(https?://\S+)\s*")
_LINES = 200

_CONFIG = """\
# Written by `signing-proxy run --with-emulator`; it is written again at every start.
applications:
  demo:
    client_id: {client_id}
    client_secret_file: {client_secret}
    key_file: {key}
    certificate_file: {certificate}
routes:
  - profile: nordea
    upstream: {upstream}
    host: {host}
inspect: true
upstream_ca_file: {ca}
ca_directory: {ca_directory}
admin_token_file: {admin_token}
self_verify: true
"""

_BLOCK = """\
signing-proxy, with a strict stand-in for the bank: no real bank, no real money.

  proxy      http://{proxy}          send unsigned requests here
  bank       {bank}         receives them sealed, and judges every byte
  its view   {control}          what it received and decided
  inspector  {inspector}
  metrics    {metrics}
  config     {config}

Things to try in another terminal:

  curl -H 'Authorization: Bearer demo' http://{proxy}/personal/v5/accounts

  curl -H 'Authorization: Bearer demo' -H 'Content-Type: application/json' \\
    -d '{{"amount":"2.00","currency":"EUR"}}' http://{proxy}/personal/v4/payments/domestic

  curl --path-as-is http://{proxy}/personal//v5/accounts        (refused, with the reason: '//' cannot be signed)

The same with the bank's own URLs, as an application with HTTP_PROXY and HTTPS_PROXY would call it:

  curl -x http://{proxy} -H 'Authorization: Bearer demo' http://open.nordea.com/personal/v5/accounts

  {program} exec --config-file {quoted}{more} -- \\
    curl -H 'Authorization: Bearer demo' https://open.nordea.com/personal/v5/accounts

Ctrl-C stops both.
"""


@dataclass(frozen=True, slots=True)
class Bank:
    """A running emulator.  url, control: its addresses.  config_file: what the proxy reads to reach it."""

    url: str
    control: str
    config_file: Path

    def require_free_ports(self, config: Config) -> None:
        """Raises ProxyError("address_in_use") before anything is printed that would not be true."""
        listeners = [(config.address, config.port, "--port")]
        if config.admin:
            listeners.append((config.admin_address, config.admin_port, "--admin-port"))
        for address, port, flag in listeners:
            if not _is_free(address, port):
                raise ProxyError("address_in_use", f"{address}:{port}; {flag} takes another one, or 0 for any")


@contextmanager
def companion(directory: Path) -> Iterator[Bank]:
    """An emulator that ends with the block, whatever happens in it."""
    directory = directory.absolute()
    before = signal.signal(signal.SIGTERM, _leave)
    process = _start(directory)
    try:
        assert process.stdout is not None
        addresses = _addresses(process.stdout)
        if addresses.keys() < {"bank", "control port"}:
            raise ProxyError("internal_error", "the emulator did not start; its own message is above")
        yield Bank(addresses["bank"], addresses["control port"], _write_config(directory, addresses["bank"]))
    finally:
        _end(process)
        signal.signal(signal.SIGTERM, before)


def _start(directory: Path) -> subprocess.Popen[str]:
    bank, control = (port if _is_free("127.0.0.1", port) else 0 for port in (BANK_PORT, CONTROL_PORT))
    command = [sys.executable, "-m", "proxy.cli.leash", "emulator", "--directory", str(directory), "--port", str(bank),
               "--control-port", str(control)]
    # In a process group of its own, Ctrl-C reaches the proxy alone, which answers what it has in hand first.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,  # noqa: S603
                            process_group=0)


def _addresses(output: IO[str]) -> dict[str, str]:
    """What the emulator says once it listens; fewer than both when it ended before."""
    found: dict[str, str] = {}
    for _, line in zip(range(_LINES), output, strict=False):
        match = _URL.fullmatch(line)
        if match is not None:
            # The name may also resolve to ::1, where nobody listens.
            found[match[1]] = match[2].replace("//localhost:", "//127.0.0.1:")
        if len(found) == 2:
            break
    return found


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _leave(number: int, frame: object) -> None:
    """SIGTERM before the proxy listens to it: leave through the finally clauses."""
    sys.exit(128 + number)


def _is_free(address: str, port: int) -> bool:
    if port == 0 or address.startswith(UNIX):
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _write_config(directory: Path, url: str) -> Path:
    from proxy.emulator.authority import write_private
    from proxy.emulator.material import Material
    from proxy.emulator.options import CLIENT_ID

    path, material = directory / "proxy.yaml", Material(CLIENT_ID, directory)
    token = directory / "admin-token"
    write_private(token, secrets.token_urlsafe(32).encode() + b"\n")
    # A JSON string is a YAML string, whatever the directory is called.
    path.write_text(_CONFIG.format(
        client_id=CLIENT_ID, upstream=url, host=HOST, client_secret=json.dumps(str(material.client_secret)),
        key=json.dumps(str(material.seal_key)), certificate=json.dumps(str(material.seal_certificate)),
        ca=json.dumps(str(material.ca)), ca_directory=json.dumps(str(directory / "client-ca")),
        admin_token=json.dumps(str(token))), encoding="utf-8")
    return path


def describe(bank: Bank, listeners: Sequence[tuple[str, str, int]], inspector: str | None) -> str:
    """listeners: name, address and port of each, as the proxy opened them.  inspector: its address, None: it is off."""
    places = {name: where(address, port) for name, address, port in listeners}
    metrics = f"http://{places['admin']}/metrics" if "admin" in places else "off"
    return _BLOCK.format(proxy=places["main"], bank=bank.url, control=bank.control, inspector=inspector or "off",
                         metrics=metrics, config=bank.config_file, quoted=shlex.quote(str(bank.config_file)),
                         program=_program(), more=_flags(listeners))


def _flags(listeners: Sequence[tuple[str, str, int]]) -> str:
    """What the written configuration does not know of where the proxy listens."""
    port = next(port for name, _, port in listeners if name == MAIN)
    return "" if port == DEFAULT_PORT else f" --port {port}"


def _program() -> str:
    """How this program was called, for a line to paste."""
    called = Path(sys.argv[0])
    words = [str(called)] if called.stem == "signing-proxy" else [sys.executable, "-m", "proxy"]
    return shlex.join(words)
