"""Where a running proxy's admin port is, for commands that a container starts every few seconds.

They need a few keys of the configuration and none of the code that judges the rest: reading these alone takes a sixth
of the time and 15 MiB less.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from proxy.config.problems import Enough, Problems
from proxy.errors import ConfigInvalid, ProxyError

CONFIG_FILE: Final = "SIGNING_PROXY_CONFIG_FILE"
KEYS: Final = ("admin", "admin_address", "admin_port", "admin_token_file", "admin_token_env",
               "token_allow_group_read")

_SERVICE = re.compile(r"(?:tcp|udp|sctp)://.*")
_HIGHEST_PORT: Final = 65535
_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class AdminPlace:
    """The same defaults as the whole configuration's."""

    admin: bool = True
    admin_address: str = "127.0.0.1"
    admin_port: int = 9090
    admin_token_file: str | None = None
    admin_token_env: str | None = None
    token_allow_group_read: bool = False


def admin_place(path: str | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> AdminPlace:
    """Flags over environment over file, as load() has them; whoever ran load() knows that the rest is right.

    Raises ConfigInvalid; ProxyError("config_unreadable").
    """
    location = path or environ.get(CONFIG_FILE) or None
    problems = Problems()
    given: dict[str, object] = {}
    with suppress(Enough):
        given = _from_file(location, problems) if location is not None else {}
    places = {key: key for key in KEYS}
    for spelled, values_of in ((_variable, _from_environment(environ)), (_flag, flags)):
        for key, value in values_of.items():
            if value is not None:
                given[key], places[key] = value, spelled(key)
    values: dict[str, Any] = {}
    for key in KEYS:
        if given.get(key) is None:
            continue
        try:
            values[key] = _READERS.get(key, _text)(given[key])
        except ValueError:
            problems.add(places[key], "This value does not fit. Look it up in docs/configuration.md.")
    if problems.found:
        raise ConfigInvalid(problems.found, str(location or ""))
    return AdminPlace(**values)


def _variable(key: str) -> str:
    return f"SIGNING_PROXY_{key.upper()}"


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")     # noqa: TRY004 - whatever does not fit is told in the same way
    return value


def _yes(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = _text(value).lower()
    if word not in _WORDS:
        raise ValueError("neither true nor false")
    return _WORDS[word]


def _port(value: object) -> int:
    port = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else -1
    if not 0 <= port <= _HIGHEST_PORT:
        raise ValueError("no port")
    return port


_READERS: Final[dict[str, Callable[[object], object]]] = {"admin": _yes, "admin_port": _port,
                                                            "token_allow_group_read": _yes}


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """Without what Kubernetes writes for a Service of such a name."""
    values = {key: environ.get(_variable(key), "") for key in KEYS}
    return {key: value for key, value in values.items() if value and not _SERVICE.fullmatch(value)}


def _from_file(location: str, problems: Problems) -> dict[str, object]:
    from proxy.config.document import MAX_BYTES, read_document

    try:
        with open(location, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not a path"
        raise ProxyError("config_unreadable", f"{location!a}, {reason}") from None
    found = read_document(data, problems)
    if not isinstance(found, dict):
        problems.add("", "This is not a mapping. Write lines of the form key: value.")
        return {}
    values = {str(key).replace("-", "_"): value for key, value in found.items()}
    token_file = values.get("admin_token_file")
    if isinstance(token_file, str):
        values["admin_token_file"] = os.path.join(os.path.dirname(os.path.abspath(location)), token_file)
    return {key: values[key] for key in KEYS if key in values}
