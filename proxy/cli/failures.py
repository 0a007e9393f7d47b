"""Whoever calls this from a script needs one line and one number, so every failure ends here and nowhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import click

from proxy.cli.output import printable
from proxy.errors import PROBLEMS, ConfigInvalid, ProxyError, Refused

OK = 0
FAILED = 1
REFUSED = 2
NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130
BROKEN_PIPE = 141


# What click before 8.2 does not raise: it prints the help by itself.
_NO_ARGUMENTS: tuple[type[click.UsageError], ...] = tuple(
    found for found in (getattr(click.exceptions, "NoArgsIsHelpError", None),) if found is not None)


class CommandFailed(Exception):
    """A failure that only the command line knows.  It ends with 1."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def guarded(command: Callable[[], object]) -> NoReturn:
    """Runs a command and exits with the integer it returned, or with that of its failure."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = _code_of(command)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
        _discard_output()
    sys.exit(code)


def _code_of(command: Callable[[], object]) -> int:
    try:
        result = command()
    except _NO_ARGUMENTS as error:
        error.show()
        return REFUSED
    except click.ClickException as error:
        complain("usage" if isinstance(error, click.UsageError) else "failed", _usage_sentence(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ProxyError as error:
        report(error)
        return REFUSED if isinstance(error, Refused) else FAILED
    except CommandFailed as error:
        complain(error.code, error.sentence)
        return FAILED
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except SystemExit as leave:
        # With 1 it is click, which has met a broken pipe; commands return their code.
        if leave.code != 1:
            raise
        _discard_output()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the one guard: never a traceback
        complain("internal_error", f"{_clause('internal_error')}: {type(error).__name__}. Report it with the command "
                                   "line you used.")
        return FAILED
    return result if isinstance(result, int) else OK


def complain(code: str, sentence: str) -> None:
    """One line on standard error."""
    click.echo(f"signing-proxy: {code}: {printable(sentence)}", err=True)


def warn(sentence: str) -> None:
    complain("warning", sentence)


def report(error: ProxyError) -> None:
    """The failure's line, and one more for each problem of a configuration."""
    complain(error.code, str(error))
    if isinstance(error, ConfigInvalid):
        for place, sentence in error.problems:
            click.echo(printable(f"  {place}: {sentence}" if place else f"  {sentence}"), err=True)


def _clause(code: str) -> str:
    return PROBLEMS[code].title.removesuffix(".")


def _usage_sentence(error: click.ClickException) -> str:
    sentence = " ".join(error.format_message().split())
    if not sentence.endswith((".", "?", "!")):
        sentence += "."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{sentence} See '{context.command_path} --help'." if context else sentence


def _discard_output() -> None:
    """The reader has gone: what is still buffered must not fail once more when the interpreter ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
