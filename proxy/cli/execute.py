"""The shortest way to see a program work through the proxy is to run it with everything set."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import Any

import click

from proxy.cli.authorities import client_options, client_token, exports_of
from proxy.cli.failures import NOT_EXECUTABLE, NOT_FOUND, complain
from proxy.cli.settings import load_config

EPILOG = """\b
Examples:
  signing-proxy exec -- curl https://open.nordea.com/personal/v5/accounts
  signing-proxy exec --config-file config/production.yaml -- python my_program.py

\b
The proxy has to run already: start it with 'signing-proxy run' and the same configuration.
Exit codes: the command's own; 126 it cannot be executed, 127 there is no such command.
"""


@click.command("exec", epilog=EPILOG, context_settings={"allow_interspersed_args": False})
@client_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(config_file: str | None, exports: str | None, command: tuple[str, ...], **flags: Any) -> int:
    """Run a command whose calls to the bank go through the proxy."""
    from proxy.cli.client_environment import child

    config = load_config(config_file, flags)
    environ = child(config, exports_of(config, exports), os.environ, client_token(config))
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these two for itself, and a program that is executed would inherit that.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - this is what it is for, and no shell is involved
    except (OSError, ValueError) as error:
        return _explain(command[0], error)


def _explain(command: str, error: Exception) -> int:
    """Complains, and returns the exit code that a shell would give."""
    absent = isinstance(error, FileNotFoundError | NotADirectoryError)
    # A directory in PATH that may not be entered is reported as if the command in it might not be executed.
    if absent or (os.sep not in command and shutil.which(command, os.F_OK) is None):
        complain("failed", "There is no such command. Check its name and PATH.")
        return NOT_FOUND
    complain("failed", "The command cannot be executed. Check that it is a program, and its permissions.")
    return NOT_EXECUTABLE
