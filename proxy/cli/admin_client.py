"""What commands that talk to a running proxy share: where it is, who asks, and one sentence for each failure."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from proxy.cli.failures import CommandFailed
from proxy.cli.settings import ADMIN_ADDRESS, ADMIN_PORT, config_file
from proxy.errors import PROBLEMS, ProxyError

if TYPE_CHECKING:
    from proxy.config.admin_place import AdminPlace

F = TypeVar("F", bound=Callable[..., Any])

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to be replaced, not to be listened on
_LIMIT = 1 << 20
_PORT = click.IntRange(1, 65535)
_PLACE = (
    config_file,
    click.option("--admin-address", metavar="IP",
                 help=f"Where the admin port listens.  [env: SIGNING_PROXY_ADMIN_ADDRESS; {ADMIN_ADDRESS}]"),
    click.option("--admin-port", type=_PORT, help=f"The admin port.  [env: SIGNING_PROXY_ADMIN_PORT; {ADMIN_PORT}]"),
)
_TOKEN = click.option("--admin-token-file", metavar="FILE",
                      help="Its first token is presented.  [env: SIGNING_PROXY_ADMIN_TOKEN_FILE]")
timeout_option = click.option("--timeout", default=3.0, show_default=True, type=click.FloatRange(0.1, 600),
                              metavar="SECONDS", help="How long to wait for the answer.")


def place_options(function: F) -> F:
    """Where the admin port is: flags over environment over file."""
    for option in reversed(_PLACE):
        function = option(function)
    return function


def action_options(function: F) -> F:
    """The same, and who asks."""
    return place_options(_TOKEN(timeout_option(function)))


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in it; {} when it is something else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class AdminClient:
    """place: as configured.  Nothing of it needs the signing code."""

    def __init__(self, config_file: str | None, flags: Mapping[str, object]) -> None:
        """Raises ConfigInvalid, ProxyError("config_unreadable"), UsageError."""
        from proxy.config.admin_place import admin_place

        self._place = admin_place(config_file, os.environ, flags)
        self._address, self._port = _reached(self._place)

    def ask(self, method: str, path: str, timeout: float, *, token: bytes = b"") -> Reply:
        """timeout: seconds for each step of the exchange.  Raises CommandFailed("not_alive")."""
        import http.client

        connection = http.client.HTTPConnection(self._address, self._port, timeout=timeout)
        headers = {"Authorization": b"Bearer " + token} if token else {}
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.read(_LIMIT))
        except (OSError, http.client.HTTPException) as error:
            raise CommandFailed("not_alive", f"The admin port {self._address}:{self._port} does not answer: "
                                             f"{_reason(error)}. Check --admin-address and --admin-port, and that the "
                                             "proxy runs.") from None
        finally:
            connection.close()

    def post(self, path: str, timeout: float) -> Reply:
        """An action, with the token.  Raises CommandFailed("not_alive", "admin_unauthenticated"), KeyUnusable."""
        token = _token(self._place)
        reply = self.ask("POST", path, timeout, token=token)
        if not token and reply.document.get("code") == "admin_unauthenticated":
            raise CommandFailed("admin_unauthenticated",
                                "This needs a token of the admin port, and none was given. Name its file with "
                                "--admin-token-file, or the proxy's configuration with --config-file.")
        return reply


def refusal(reply: Reply) -> Exception:
    """The proxy's own words where it gave them."""
    document = reply.document
    code, detail = document.get("code"), document.get("detail")
    if isinstance(code, str) and code in PROBLEMS and isinstance(detail, str):
        return ProxyError(code, "" if detail == PROBLEMS[code].title else detail)
    return CommandFailed("failed", f"The admin port answers {reply.status}, and nothing that is understood. Check that "
                                   "--admin-port is the proxy's, and the proxy's log.")


def _reason(error: Exception) -> str:
    """A clause."""
    if isinstance(error, TimeoutError):
        return "it takes longer than --timeout allows"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"what listens there is no proxy ({type(error).__name__})"


def _reached(place: AdminPlace) -> tuple[str, int]:
    """Raises UsageError."""
    if not place.admin:
        raise click.UsageError("The configuration has no admin port (admin: false), so nobody can ask the proxy.")
    address = place.admin_address.strip("[]")
    address = _ANY.get(address, address)
    if re.fullmatch(r"[0-9A-Za-z.:\-]+", address) is None:
        raise click.UsageError("The admin address is not an IP address.")
    if not place.admin_port:
        raise click.UsageError("The configuration lets the system choose the admin port (admin_port: 0). Name it with "
                               "--admin-port; the proxy's log says which it is.")
    return address, place.admin_port


def _token(place: AdminPlace) -> bytes:
    """b"" when none is configured; the proxy then says what it needs.  Raises KeyUnusable."""
    if place.admin_token_file is not None:
        from proxy.keys.tokens import read_tokens

        return read_tokens(place.admin_token_file, "admin token",
                           allow_group_read=place.token_allow_group_read)[0].reveal()
    if place.admin_token_env is not None:
        from proxy.keys.credentials import read_secret

        return read_secret(file=None, env=place.admin_token_env, what="admin token", allow_group_read=False,
                           environ=os.environ).secret.reveal()
    return b""
