"""Somebody without a bank contract wants to try the proxy, and this command is their bank."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import click

from proxy.emulator.material import SECRET_NAME, Material, make_material
from proxy.emulator.options import CLIENT_ID, Options
from proxy.emulator.server import Emulator
from proxy.emulator.verify import Policy

__all__ = ["Launch", "Material", "emulator", "make_material", "run"]

_BLOCK = """\
Bank emulator: a strict stand-in for Nordea's PSD2 API.  No real bank, no real money.

  bank           {url}
  its CA         {ca}
  client id      {client_id}
  client secret  {secret}
  sealing key    {key}
  certificate    {certificate}
  control port   {control}

Three things to try:
  why was the last request refused?         curl {control}/received
  act on the next one, but never answer:    curl -d '{{"kind":"close_after"}}' {control}/faults
  all that the control port can do:         curl {control}/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the command line says."""

    directory: Path
    port: int = 9443
    control_port: int = 9444
    client_id: str = CLIENT_ID
    client_secret_file: Path | None = None
    certificate_file: Path | None = None
    host_names: tuple[str, ...] = ()
    sandbox: bool = False
    clock_ahead: float = 0.0


def prepare(launch: Launch) -> tuple[Material, Options]:
    """Makes or reads the files, and says how the emulator is to be started with them."""
    kept = launch.client_secret_file or launch.directory / SECRET_NAME
    given = kept.read_text(encoding="utf-8").strip() if launch.client_secret_file or kept.exists() else ""
    secret = given or secrets.token_urlsafe(24)
    material = make_material(launch.directory, client_id=launch.client_id, client_secret=secret)
    certificate = launch.certificate_file or (None if launch.sandbox else material.seal_certificate)
    policy = Policy(hosts=frozenset({*Policy().hosts, *launch.host_names}), sandbox=launch.sandbox)
    return material, Options(
        client_id=launch.client_id,
        client_secret=secret,
        certificate=certificate.read_bytes() if certificate else None,
        policy=policy,
        port=launch.port,
        control_port=launch.control_port,
        directory=launch.directory,
        clock=lambda: time.time() + launch.clock_ahead,
    )


async def run(launch: Launch) -> None:
    """Serves until SIGINT or SIGTERM."""
    material, options = await asyncio.to_thread(prepare, launch)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Emulator(options) as bank:
        click.echo(describe(bank, material, launch))
        await stopped.wait()


def describe(bank: Emulator, material: Material, launch: Launch) -> str:
    """The block printed on start; it names the secret's file, never the secret."""
    demo = "the bank's published demo key"
    registered = launch.certificate_file or (demo if launch.sandbox else material.seal_certificate)
    return _BLOCK.format(
        url=bank.url, ca=material.ca, client_id=material.client_id, secret=f"in {material.client_secret}",
        key=demo if launch.sandbox else material.seal_key, certificate=registered, control=bank.control_url,
    )


EPILOG = """\b
Examples:
  signing-proxy emulator
  signing-proxy emulator --certificate-file qsealc.pem --port 0
  signing-proxy emulator --sandbox
"""

_PORT = click.IntRange(0, 65535)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog=EPILOG)
@click.option("--port", default=9443, show_default=True, type=_PORT,
              help="HTTPS port of the bank, on loopback; 0 takes any.")
@click.option("--control-port", default=9444, show_default=True, type=_PORT,
              help="Port that tells verdicts and takes faults.")
@click.option("--directory", default=".run/emulator", show_default=True, help="Keys and certificates live here.",
              type=click.Path(file_okay=False, path_type=Path))
@click.option("--client-id", default=CLIENT_ID, show_default=True, help="X-IBM-Client-Id the bank expects.")
@click.option("--client-secret-file", type=_FILE, help="File with the client secret; one is made if not given.")
@click.option("--certificate-file", type=_FILE, help="Certificate or public key to register instead of a made one.")
@click.option("--host-name", "host_names", multiple=True, help="Further accepted X-Nordea-Originating-Host; repeat.")
@click.option("--sandbox", is_flag=True, help="Be the sandbox: its published demo key, and signatures may be skipped.")
@click.option("--clock-ahead", default=0.0, metavar="SECONDS", help="How far its clock is ahead of this machine's.")
def emulator(
    port: int,
    control_port: int,
    directory: Path,
    client_id: str,
    client_secret_file: Path | None,
    certificate_file: Path | None,
    host_names: tuple[str, ...],
    sandbox: bool,
    clock_ahead: float,
) -> None:
    """Run a strict stand-in for the bank, to try the proxy without one."""
    launch = Launch(
        directory=directory, port=port, control_port=control_port, client_id=client_id,
        client_secret_file=client_secret_file, certificate_file=certificate_file,
        host_names=host_names, sandbox=sandbox, clock_ahead=clock_ahead,
    )
    try:
        asyncio.run(run(launch))
    except (OSError, ValueError) as error:
        advice = ("Choose another --port, --control-port or --directory." if isinstance(error, OSError)
                  else "Correct the named file or option.")
        raise click.ClickException(f"The emulator could not start: {error}. {advice}") from error
