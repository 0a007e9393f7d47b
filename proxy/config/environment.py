"""SIGNING_PROXY_* variables set scalar keys; one that sets nothing is a misspelling and is told."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final, get_origin

import msgspec

from proxy.config.model import Config
from proxy.config.problems import Problems, below, did_you_mean
from proxy.config.reading import fields_of, is_struct, plain

PREFIX = "SIGNING_PROXY_"
CONFIG_FILE = PREFIX + "CONFIG_FILE"
VAULT_TOKEN: Final = "VAULT_TOKEN"     # noqa: S105 - a variable's name

# Kubernetes describes every Service of the namespace to every pod; for one called signing-proxy or signing-proxy-admin
# the variables begin as ours do, and SIGNING_PROXY_PORT itself becomes tcp://10.0.0.7:8080.
_SERVICE_NAME = re.compile(
    r"(?=.{1,256}\Z)" + PREFIX
    + r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)")
_SERVICE_VALUE = re.compile(r"(?:tcp|udp|sctp)://.*")


def scalar_keys() -> tuple[str, ...]:
    """Top-level keys that a variable or a flag can set."""
    return tuple(field.name for field in fields_of(Config) if _is_scalar(plain(field.type)))


def _is_scalar(kind: object) -> bool:
    return not is_struct(kind) and get_origin(kind) not in (tuple, dict)


def variable(key: str) -> str:
    return PREFIX + key.upper()


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Key -> text.  An empty variable counts as not given."""
    ours = dict(_ours(environ))
    return {key: ours[variable(key)] for key in scalar_keys() if ours.get(variable(key))}


def secret_variables(settings: object) -> set[str]:
    """Variables that hold secrets: those that its *_env keys name, and Vault's own."""
    return {VAULT_TOKEN, *_named(settings)}


def _named(settings: object) -> Iterator[str]:
    if isinstance(settings, msgspec.Struct):
        for key in settings.__struct_fields__:
            value = getattr(settings, key)
            if isinstance(value, str):
                if key.endswith("_env"):
                    yield value
            else:
                yield from _named(value)
    elif isinstance(settings, dict | tuple):
        for value in settings.values() if isinstance(settings, dict) else settings:
            yield from _named(value)


def check_names(environ: Mapping[str, str], mentioned: Collection[str], problems: Problems) -> None:
    """mentioned: variables that the configuration names itself, in its *_env keys."""
    variables = [variable(key) for key in scalar_keys()]
    for name, _ in _ours(environ):
        if name in variables or name in mentioned or name == CONFIG_FILE:
            continue
        sentence = f"There is no such variable. {did_you_mean(name, variables)}"
        if f"{name}_FILE" in variables:
            sentence = f"A secret is not taken from here. Put it in a file and name that with {name}_FILE."
        problems.add(below("", name), sentence)


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith(PREFIX) and not _SERVICE_NAME.fullmatch(name) and not _SERVICE_VALUE.fullmatch(value):
            yield name, value
