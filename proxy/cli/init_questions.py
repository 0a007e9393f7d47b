"""Five questions, each with what to answer when one does not know; a wrong answer is asked for again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import click

from proxy.cli.init_answers import (
    SANDBOX,
    Answers,
    check_client_id,
    check_key,
    keep_demo_key,
    sentence,
)
from proxy.cli.init_postman import found_environments
from proxy.cli.output import dim, printable
from proxy.core.profiles import PROFILES
from proxy.errors import KeyUnusable
from proxy.keys.credentials import header_value

T = TypeVar("T")

_SHORT = {"sandbox": SANDBOX, "production": "nordea", **{name: name for name in PROFILES}}


def ask(answers: Answers) -> Answers:
    """Completes the answers on the terminal; what flags have answered is not asked."""
    answers = _environment(answers)
    if not answers.client_id and not answers.has_secret:
        answers = _from_postman(answers)
    for question in (_client_id, _secret, _key, _certificate):
        answers = question(answers)
    return answers


def _environment(answers: Answers) -> Answers:
    if answers.profile:
        return answers
    _explain("1/5  The sandbox has made-up data and one key for everybody; production wants your own QSealC.")
    text = click.prompt("Which environment: sandbox or production", default="sandbox", err=True,
                        type=click.Choice(list(_SHORT)), show_choices=False)
    return replace(answers, profile=_SHORT[text])


def _from_postman(answers: Answers) -> Answers:
    """Only told of, and read only after a yes."""
    for environment in found_environments():
        _explain(f"Postman's environment {environment.path} holds a client id and a client secret.")
        if click.confirm("Take them from there", default=False, err=True):
            return keep_demo_key(environment.added_to(answers))
        break
    return answers


def _client_id(answers: Answers) -> Answers:
    if answers.client_id:
        return answers
    _explain("2/5  The client id is in the bank's portal, at your application; hyphens belong to it.")
    return replace(answers, client_id=_asked("Client id", _checked_id))


def _checked_id(text: str) -> str:
    check_client_id(text)
    return text.strip()


def _secret(answers: Answers) -> Answers:
    if answers.has_secret:
        return answers
    _explain("3/5  The client secret is shown once, when the application is made.  It is not echoed here, and is "
             "written to a file of mode 0600.")
    return replace(answers, secret=_asked(
        "Client secret", lambda text: header_value(text.encode("utf-8", "replace"), "client secret").secret, hide=True))


def _key(answers: Answers) -> Answers:
    if answers.has_key:
        return answers
    sandbox = answers.profile == SANDBOX
    _explain("4/5  The private key: PEM, DER, PKCS#12 or bare base64."
             + ("  The sandbox takes the bank's demo key only; without it, signatures are skipped." if sandbox else
                "  It stays where it is, and has to be a file of mode 0600."))

    def checked(text: str) -> Answers:
        path = os.path.expanduser(text.strip())
        if not path and sandbox:
            return replace(answers, skip=True)
        found = replace(answers, key_file=path)
        check_key(found)
        return found

    return _asked("Key file" + (" (Enter for none)" if sandbox else ""), checked, empty=sandbox)


def _certificate(answers: Answers) -> Answers:
    if answers.certificate_file is not None or answers.key_file is None or PROFILES[answers.profile].key_spki_sha256:
        return answers
    _explain("5/5  The certificate that the bank holds, so that the pair and its dates are checked at every start.")

    def checked(text: str) -> Answers:
        path = os.path.expanduser(text.strip())
        found = replace(answers, certificate_file=path or None)
        check_key(found)
        return found

    return _asked("Certificate file (Enter for none)", checked, empty=True)


def _asked(question: str, checked: Callable[[str], T], *, hide: bool = False, empty: bool = False) -> T:
    """Until the answer will do; the third wrong one is the last."""
    for attempt in range(3):
        text = click.prompt(question, hide_input=hide, err=True, default="" if empty else None, show_default=False)
        try:
            return checked(text)
        except KeyUnusable as error:
            if attempt == 2:
                raise
            click.echo(printable(sentence(error)), err=True)
    raise AssertionError


def _explain(text: str) -> None:
    click.echo("\n" + dim(printable(text)), err=True)
