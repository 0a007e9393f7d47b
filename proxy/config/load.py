"""The way in: flags over environment over file, and every problem of all three at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from proxy.config import environment
from proxy.config.checks import check
from proxy.config.document import MAX_BYTES, read_document
from proxy.config.model import Config
from proxy.config.problems import MOST, Enough, Problems
from proxy.config.reading import Reader
from proxy.config.vault_checks import check_vault
from proxy.errors import ConfigInvalid, ProxyError


def load(path: str | Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Config:
    """path: None takes the file that SIGNING_PROXY_CONFIG_FILE names, if any.  flags: key -> value or None.

    Reads that one file and no other.  Raises ConfigInvalid; ProxyError("config_unreadable").
    """
    problems = Problems()
    location = path or environ.get(environment.CONFIG_FILE) or None
    given, places = _given(environ, flags)
    in_file, config = MOST + 1, None
    try:
        values = _file(location, problems) if location is not None else {}
        in_file = len(problems.found)
        values |= Reader(problems, strict=False).fields(Config, given)
        config = Config(**values)
        environment.check_names(environ, set(_mentioned(config)), problems)
        check(config, problems)
        check_vault(config, environ, problems)
    except Enough:
        pass
    if config is None or problems.found:
        rest = [(_place(path, places), sentence) for path, sentence in problems.found[in_file:]]
        raise ConfigInvalid([*problems.found[:in_file], *rest], str(location or ""))
    return config


def _file(location: str | Path, problems: Problems) -> dict[str, Any]:
    """Relative paths in the file are relative to its folder."""
    try:
        with open(location, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not a path"
        raise ProxyError("config_unreadable", f"{str(location)!a}, {reason}") from None
    folder = os.path.dirname(os.path.abspath(location))
    return Reader(problems, folder=folder).fields(Config, read_document(data, problems))


def _given(environ: Mapping[str, str], flags: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Key -> value, and key -> how the operator spelled it."""
    given: dict[str, object] = dict(environment.from_environment(environ))
    places = {key: environment.variable(key) for key in given}
    for key, value in flags.items():
        if value is not None:
            given[key] = os.fspath(value) if isinstance(value, os.PathLike) else value
            places[key] = flag(key)
    return given, places


def flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _place(path: str, places: Mapping[str, str]) -> str:
    """A problem of a value that came from a variable or flag is shown there."""
    key = re.split(r"[.\[]", path, maxsplit=1)[0]
    return places.get(key, key) + path[len(key):]


def _mentioned(config: Config) -> Iterator[str]:
    """Variables that the configuration names itself."""
    keys = [key for application in config.applications.values() for key in (application, application.next) if key]
    tokens = [key.key_pkcs11 for key in keys]
    vault = config.vault
    elsewhere = (config, config.egress_proxy, vault, vault.approle if vault else None)
    for settings in (*keys, *tokens, *elsewhere):
        for field in getattr(settings, "__struct_fields__", ()):
            if field.endswith("_env") and getattr(settings, field) is not None:
                yield getattr(settings, field)
