"""Documentation and JSON Schema are made from the model, so that neither can say what the proxy does not do.

`python -m proxy.config.reference` in the repository's root writes both anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from proxy.audit.settings import AuditSettings
from proxy.config.environment import scalar_keys, variable
from proxy.config.load import flag
from proxy.config.model import Application, Config, Destination, EgressProxy, Listener, ListenerTls, Route
from proxy.config.reading import is_struct, plain
from proxy.keys.pkcs11 import Pkcs11Key
from proxy.keys.rotation import NextKey, Rotation
from proxy.keys.vault.settings import TransitKey, VaultAppRole, VaultField, VaultKey, VaultKubernetes, VaultSettings
from proxy.serve.bank_clock import DateCorrection
from proxy.serve.shaping import ShapingSettings
from proxy.serve.traces.settings import TraceSettings
from proxy.wire.breaker import BreakerSettings
from proxy.wire.limits import Limits, Timeouts

STRUCTS: tuple[type[Struct], ...] = (
    Config, Application, Pkcs11Key, NextKey, Rotation, Route, Listener, ListenerTls, Destination, EgressProxy,
    AuditSettings, TraceSettings, Limits, Timeouts, BreakerSettings, ShapingSettings, DateCorrection, VaultSettings,
    VaultAppRole, VaultKubernetes, VaultKey, VaultField, TransitKey)
FLAGS = frozenset((
    "address", "port", "admin_address", "admin_port", "admin_token_file", "unsafe_listen", "ca_directory",
    "timed_reload", "min_sigterm_delay", "max_sigterm_delay", "exit_zero_on_sigterm", "quitquitquit", "inspect",
    "workers", "quiet", "debug_logs", "structured_logs", "log_format"))
"""Scalar keys that `signing-proxy run` also takes as flags."""

SCHEMA_FILE = Path("config/schema.json")
DOCUMENT = Path("docs/configuration.md")
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n)(?:(?!<!-- ).)*(<!-- end -->)", re.DOTALL)
_NAMES: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file, shorthand forms included."""
    made = msgspec.json.schema(Config)
    definitions: dict[str, Any] = {name: _properties(node) for name, node in made["$defs"].items()}
    definitions["Config"]["required"] = ["applications", "routes"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "psd2-signing-proxy",
        "$ref": made["$ref"],
        "$defs": definitions,
    }


def _properties(definition: dict[str, Any]) -> dict[str, Any]:
    return {**definition, "properties": {key: _widened(node) for key, node in definition["properties"].items()}}


def _widened(node: Any) -> Any:
    """A list may be its only item; a struct may be the text of its shorthand field."""
    if not isinstance(node, dict):
        return node
    if node.get("type") == "array":
        rest = {key: value for key, value in node.items() if key not in ("type", "items")}
        item = _widened(node["items"])
        return {**rest, "anyOf": [item, {"type": "array", "items": item}]}
    if "anyOf" in node:
        return {**node, "anyOf": [_widened(member) for member in node["anyOf"]]}
    for kind in STRUCTS:
        shorthand = getattr(kind, "shorthand", None)
        if shorthand is not None and node.get("$ref") == f"#/$defs/{kind.__name__}":
            return {"anyOf": [_field_schema(kind, shorthand), node]}
    return node


def _field_schema(kind: type[Struct], name: str) -> Any:
    return msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"][name]


def table(kind: type[Struct]) -> str:
    """A Markdown table of one struct's keys."""
    top = kind is Config
    head = ["key", "type", "default", *(("flag", "environment") if top else ()), "description"]
    rows = [head, ["---"] * len(head), *(_row(field, top=top) for field in msgspec.structs.fields(kind))]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(field: msgspec.structs.FieldInfo, *, top: bool) -> list[str]:
    ways = []
    if top:
        ways = [f"`{flag(field.name)}`" if field.name in FLAGS else "",
                f"`{variable(field.name)}`" if field.name in scalar_keys() else ""]
    return [f"`{field.name}`", _type(plain(field.type)), _default(field), *ways, _description(field)]


def _type(kind: Any) -> str:
    if is_struct(kind):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if get_origin(kind) is tuple:
        return f"list of {_type(plain(get_args(kind)[0]))}"
    if get_origin(kind) is dict:
        return f"name: {_type(plain(get_args(kind)[1]))}"
    if get_origin(kind) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(kind))
    return _NAMES[kind]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT or field.default is None or field.default == ():
        return ""
    if isinstance(field.default, float):
        return f"`{field.default:g}`"
    return f"`{json.dumps(field.default)}`".replace('"', "")


def _description(field: msgspec.structs.FieldInfo) -> str:
    found = msgspec.inspect.type_info(field.type)
    assert isinstance(found, msgspec.inspect.Metadata)
    assert found.extra_json_schema is not None
    return str(found.extra_json_schema["description"])


def with_tables(document: str) -> str:
    """The document with the table between each pair of markers made anew."""
    kinds = {kind.__name__: kind for kind in STRUCTS}
    return _TABLE.sub(lambda match: match[1] + table(kinds[match[2]]) + match[3], document)


def schema_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
