"""Editors want the schema and operators want to see what took effect, so both can be printed."""

from __future__ import annotations

import json

import click

from proxy.cli.output import show
from proxy.cli.settings import config_file, load_config

EPILOG = """\b
Examples:
  signing-proxy config schema > schema.json
  signing-proxy config show --config-file config/production.yaml
"""


@click.group(epilog=EPILOG)
def config() -> None:
    """Show the configuration or its JSON Schema."""


@config.command(epilog="Example: signing-proxy config schema > schema.json")
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from proxy.config.reference import schema as schema_of_config

    show(json.dumps(schema_of_config(), indent=2))


@config.command("show", short_help="Print the configuration that takes effect.",
                epilog="\b\nExample: signing-proxy config show --config-file config/production.yaml")
@config_file
def show_(config_file: str | None) -> None:
    """Print the configuration that takes effect: environment over file, defaults filled in.

    It holds no secrets, only the names of the files and variables that do.
    """
    import msgspec
    import yaml

    built = msgspec.to_builtins(load_config(config_file))
    show(yaml.safe_dump(_without_absent(built), sort_keys=False, allow_unicode=True).rstrip("\n"))


def _without_absent(value: object) -> object:
    """Keys that are not set are left out, so that the result is again a configuration file."""
    if isinstance(value, dict):
        return {key: _without_absent(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_absent(inner) for inner in value]
    return value
