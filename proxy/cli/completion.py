"""Nobody remembers thirty options, and shells can ask the program for them."""

from __future__ import annotations

import click

from proxy.cli.output import show

SHELLS = ("bash", "zsh", "fish")

EPILOG = """\b
Examples, for this shell and then for every new one:
  source <(signing-proxy completion bash)
  signing-proxy completion bash > ~/.local/share/bash-completion/completions/signing-proxy
  signing-proxy completion zsh > ~/.zfunc/_signing-proxy         (with fpath+=~/.zfunc before compinit in .zshrc)
  signing-proxy completion fish > ~/.config/fish/completions/signing-proxy.fish

\b
bash has to be 4.4 or newer; macOS comes with an older one.
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the lines that make a shell complete commands, options and files."""
    from click.shell_completion import get_completion_class

    root = ctx.find_root()
    name = root.info_name or "signing-proxy"
    variable = f"_{name}_COMPLETE".replace("-", "_").replace(".", "_").upper()
    lines = get_completion_class(shell)
    assert lines is not None
    source = lines(root.command, {}, name, variable)
    # Not source(), which for bash starts one to look at its version: the lines may be for another machine.
    show(source.source_template % source.source_vars())


class _Path(click.types.StringParamType):
    """Any text, which a shell completes as a path; the command itself says what is wrong with one."""

    def __init__(self, kind: str) -> None:
        self.name = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter,
                       incomplete: str) -> list[click.shell_completion.CompletionItem]:
        from click.shell_completion import CompletionItem
        return [CompletionItem(incomplete, type=self.name)]


def complete_paths(command: click.Command) -> None:
    """Options and arguments that are called FILE or DIR take paths, though the commands read them as text."""
    for param in command.params:
        if isinstance(param.type, click.types.StringParamType):
            kind = {"FILE": "file", "DIR": "dir"}.get(param.metavar or (param.name or "").upper())
            if kind is not None:
                param.type = _Path(kind)
