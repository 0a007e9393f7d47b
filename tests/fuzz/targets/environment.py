"""Whatever the environment says, of us, of Vault and of systemd, the program is configured or says in one sentence
what to change.
"""

from __future__ import annotations

import os

from proxy.app.systemd import SocketUnfit, _descriptors, _watchdog_s
from proxy.config.admin_place import admin_place
from proxy.config.environment import scalar_keys, variable
from proxy.config.load import load
from proxy.errors import ConfigInvalid, KeyUnusable, ProxyError
from proxy.keys.credentials import header_value, read_secret

TOKENS = (
    *(variable(key).encode() + b"=" for key in scalar_keys()),
    b"\n",
    b"tcp://10.0.0.7:8080",
    b"VAULT_ADDR=",
    b"VAULT_TOKEN=",
    b"VAULT_NAMESPACE=",
    b"LISTEN_FDS=",
    b"LISTEN_FDNAMES=",
    b"WATCHDOG_USEC=",
    b"LISTEN_PID=",
    b"SIGNING_PROXY_SIGNING_PROXY_SERVICE_PORT=1",
    b"unix:/a",
    b"true",
    b"1e5",
    b"9" * 5000,
    b"\xd9\xa3",
    b"WATCHDOG_USEC=" + b"9" * 5000 + b"\n",
    b"LISTEN_FDS=" + b"1" * 5000 + b"\n",
    b"LISTEN_FDS=\xd9\xa3\n",
)
FULL = 8_000


def check(data: bytes) -> None:
    environ = _environment(data)
    for read in (lambda: load(None, environ, {}), lambda: admin_place(None, environ, {})):
        try:
            read()
        except ConfigInvalid as error:
            for place, sentence in error.problems:
                assert place.isprintable() and sentence.isprintable() and sentence.endswith((".", "?")), sentence
    try:
        assert all(number >= 3 for _, number in _descriptors(environ))
    except SocketUnfit as error:
        assert str(error)
    assert _watchdog_s(environ) >= 0
    _secrets(environ, data)


def _environment(data: bytes) -> dict[str, str]:
    """NAME=value in each line; without the one that names a file, which is read."""
    pairs = (line.partition("=")[::2] for line in os.fsdecode(data).splitlines())
    return {
        name: value
        for name, value in pairs
        if name and name != "SIGNING_PROXY_CONFIG_FILE" and "\0" not in name + value
    }


def _secrets(environ: dict[str, str], data: bytes) -> None:
    for name in [*environ][:4]:
        try:
            read_secret(file=None, env=name, what="client secret", allow_group_read=False, environ=environ)
        except KeyUnusable as error:
            assert error.code == "secret_missing" and (len(environ[name]) < 6 or environ[name] not in str(error))
    try:
        value = header_value(data, "client id").secret.reveal()
    except ProxyError as error:
        assert error.code == "secret_missing"
        return
    assert value.isascii() and b"\n" not in value and value == value.strip()
