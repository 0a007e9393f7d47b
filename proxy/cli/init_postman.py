"""Many have id and secret in Postman already; its exported environment is a JSON file of names and values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.credentials import header_value
from proxy.keys.guarded import read_public_file, shown

if TYPE_CHECKING:
    from proxy.cli.init_answers import Answers

# Names as in the bank's collections and in what people make of them, without case and punctuation.
_IDS = ("xibmclientid", "ibmclientid", "clientid", "nordeaclientid", "appid")
_SECRETS = ("xibmclientsecret", "ibmclientsecret", "clientsecret", "nordeaclientsecret", "appsecret")
_KEYS = ("eidasprivatekey", "privatekey", "qsealcprivatekey")
_PLACES = (".", "~", "~/Downloads", "~/Documents", "~/Desktop", "~/Postman")
_MOST = 200


@dataclass(frozen=True, slots=True)
class Environment:
    """What it holds; None where it has none.  path: the file."""

    path: str
    client_id: str | None
    secret: Secret | None
    key: Secret | None

    def added_to(self, answers: Answers) -> Answers:
        """Answers that are there already stay."""
        secret = None if answers.has_secret else self.secret
        key = None if answers.has_key else self.key
        return replace(answers, client_id=answers.client_id or self.client_id or "",
                       secret=secret or answers.secret, key=key or answers.key)


def read_environment(path: str) -> Environment:
    """Raises ProxyError: input_unreadable."""
    try:
        document = json.loads(read_public_file(str(Path(path).expanduser())).decode("utf-8-sig"))
        values = [value for value in document["values"] if value.get("enabled", True) is not False]
        known = {re.sub(r"[^a-z]", "", str(value["key"]).lower()): str(value.get("value") or "") for value in values}
    except KeyUnusable as error:
        raise ProxyError("input_unreadable", error.detail) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ProxyError("input_unreadable", f"{shown(path)} is no environment that Postman has exported") from None
    client_id, secret = _first(known, _IDS), _first(known, _SECRETS)
    if client_id is None and secret is None:
        raise ProxyError("input_unreadable", f"{shown(path)} has neither a client id nor a client secret")
    try:
        return Environment(
            path, header_value(client_id.encode(), "client id").secret.reveal().decode() if client_id else None,
            header_value(secret.encode(), "client secret").secret if secret else None, _key(_first(known, _KEYS)))
    except KeyUnusable as error:
        raise ProxyError("input_unreadable", f"in {shown(path)} {error.detail}") from None


def found_environments() -> Iterator[Environment]:
    """Exports that hold both, where people keep them; the newest first."""
    paths = []
    for place in _PLACES:
        try:
            paths += list(Path(place).expanduser().glob("*.postman_environment.json"))[:_MOST]
        except (OSError, RuntimeError):
            continue
    for path in sorted(set(paths), key=_age):
        try:
            environment = read_environment(str(path))
        except ProxyError:
            continue
        if environment.client_id and environment.secret:
            yield environment


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0


def _first(known: dict[str, str], names: tuple[str, ...]) -> str | None:
    """The value of the first of these names; one that is a variable itself counts for none."""
    for name in names:
        value = known.get(name, "").strip()
        if value and "{{" not in value:
            return value
    return None


def _key(text: str | None) -> Secret | None:
    """A private key as people paste it: with line breaks, with the two characters \\n, or without any."""
    if text is None or len(text) < 200:
        return None
    return Secret(text.replace("\\n", "\n").strip().encode("utf-8", "replace") + b"\n")
