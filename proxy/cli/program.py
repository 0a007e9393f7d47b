"""Commands are looked up by name and imported only when called, so that `health` starts without the signing code."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from proxy import __version__
from proxy.cli.failures import guarded

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("proxy.cli.init:init", "Write a configuration by asking five questions."),
    "run": ("proxy.cli.run:run", "Run the proxy."),
    "check": ("proxy.cli.check:check", "Check configuration, keys, certificates and routes."),
    "sign": ("proxy.cli.sign:sign", "Sign one request and show how."),
    "verify": ("proxy.cli.verify:verify", "Judge a captured request, and find the mistake in it."),
    "explain": ("proxy.cli.explain:explain", "Say why the bank refused a call, from what was saved or pasted of it."),
    "emulator": ("proxy.emulator.command:emulator", "Run a strict stand-in for the bank."),
    "cert": ("proxy.cli.cert:cert", "Show, judge, request and hand over QSealC certificates."),
    "ssa": ("proxy.cli.ssa:ssa", "Make and judge the Software Statement Assertion of the onboarding."),
    "ca": ("proxy.cli.ca:ca", "Make, show and hand over the CA that tunnels are intercepted with."),
    "exec": ("proxy.cli.execute:exec_", "Run a command whose calls to the bank go through the proxy."),
    "audit": ("proxy.cli.audit:audit", "Judge and read the audit trail."),
    "config": ("proxy.cli.configuration:config", "Show the configuration or its JSON Schema."),
    "reload": ("proxy.cli.actions:reload", "Let a running proxy read keys and secrets again."),
    "rotate": ("proxy.cli.actions:rotate", "Let a running proxy sign with the other key."),
    "wait": ("proxy.cli.actions:wait", "Wait until a proxy is ready."),
    "shutdown": ("proxy.cli.actions:shutdown", "Let a running proxy end."),
    "completion": ("proxy.cli.completion:completion", "Print what makes a shell complete this command."),
    "health": ("proxy.cli.health:health", "Ask a running proxy whether it is alive."),
}

EPILOG = """\b
Examples:
  signing-proxy run --with-emulator
  signing-proxy init
  signing-proxy run --config-file config/production.yaml
  signing-proxy check --config-file config/production.yaml --connect
  signing-proxy sign --config-file config/production.yaml /personal/v5/accounts
  signing-proxy verify --explain --certificate qsealc.pem failing-curl.txt
"""


class Program(click.Group):
    """A group of lazily imported commands, with one guard around all of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        if ctx.resilient_parsing:       # a shell asks what could be written here
            _complete_paths(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands by their summaries here, so that none is imported for them."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items()
                 if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, complete_var: str | None = None,
        standalone_mode: bool = True, **extra: Any,
    ) -> NoReturn:
        """Always ends in SystemExit with one of the exit codes of docs/cli.md."""
        run = super().main
        guarded(lambda: run(args, prog_name or "signing-proxy", complete_var, standalone_mode=False, **extra))


def _complete_paths(command: click.Command) -> None:
    from proxy.cli.completion import complete_paths

    complete_paths(command)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        complete_paths(inner)


program = Program(
    name="signing-proxy",
    help="A reverse proxy that seals calls to PSD2 bank APIs with the company's eIDAS key.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, prog_name="signing-proxy", message="%(prog)s %(version)s")(program)
