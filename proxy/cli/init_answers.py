"""What a configuration needs to know, wherever it came from, and whether it can be true."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from proxy.cli.init_postman import read_environment
from proxy.core.profiles import PROFILES
from proxy.core.secret import Secret
from proxy.errors import PROBLEMS, KeyUnusable
from proxy.keys.credentials import header_value, read_secret
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.material import read_material
from proxy.keys.rsa_signer import spki_sha256
from proxy.keys.unlock import Lock

SANDBOX = "nordea-sandbox"


@dataclass(frozen=True, slots=True)
class Answers:
    """"" or None: not known yet.  secret, key: what has to be written into files, because it is in none yet."""

    profile: str = ""
    client_id: str = ""
    secret: Secret | None = None
    secret_file: str | None = None
    secret_env: str | None = None
    key: Secret | None = None
    key_file: str | None = None
    key_password_file: str | None = None
    certificate_file: str | None = None
    skip: bool = False
    application: str = "bank"
    port: int = 8080
    warnings: tuple[str, ...] = ()

    @property
    def has_secret(self) -> bool:
        return self.secret is not None or self.secret_file is not None or self.secret_env is not None

    @property
    def has_key(self) -> bool:
        return self.skip or self.key is not None or self.key_file is not None


def answers_of(given: Mapping[str, Any]) -> Answers:
    """The flags, and what a Postman environment adds.  Raises click.UsageError, ProxyError."""
    if given["profile"] is not None and given["profile"] not in PROFILES:
        raise click.UsageError(f"There is no such profile. Give one of {', '.join(sorted(PROFILES))}.")
    if given["client_secret_file"] is not None and given["client_secret_env"] is not None:
        raise click.UsageError("Give either --client-secret-file or --client-secret-env.")
    if given["skip_signature"] and (given["key_file"] is not None or given["profile"] not in (None, SANDBOX)):
        raise click.UsageError("--skip-signature is for the sandbox, and goes without a key.")
    answers = Answers(
        profile=given["profile"] or (SANDBOX if given["skip_signature"] else ""), client_id=given["client_id"] or "",
        secret_file=given["client_secret_file"], secret_env=given["client_secret_env"], key_file=given["key_file"],
        key_password_file=given["key_password_file"], certificate_file=given["certificate_file"],
        skip=given["skip_signature"], application=given["application"], port=given["port"])
    if given["postman_environment"] is not None:
        return keep_demo_key(read_environment(given["postman_environment"]).added_to(answers))
    return answers


def keep_demo_key(answers: Answers) -> Answers:
    """Of a key that was in Postman only the sandbox's public one is taken; another one belongs into a safer place."""
    if answers.key is None:
        return answers
    try:
        keys = read_material(answers.key.reveal(), Lock("the key", None)).keys
        known = any(spki_sha256(key.public_key()) == PROFILES[SANDBOX].key_spki_sha256 for key in keys)
    except KeyUnusable:
        known = False
    if known and answers.profile in ("", SANDBOX):
        return replace(answers, profile=SANDBOX)
    return replace(answers, key=None)


def require_all(answers: Answers) -> None:
    """Raises click.UsageError that names every flag that is missing."""
    key = "--key-file or --skip-signature" if answers.profile == SANDBOX else "--key-file"
    missing = [flag for flag, there in (("--profile", answers.profile), ("--client-id", answers.client_id),
                                        ("--client-secret-file", answers.has_secret), (key, answers.has_key))
               if not there]
    if missing:
        raise click.UsageError(f"Without a terminal nothing can be asked. Give {', '.join(missing)}.")


def check_answers(answers: Answers) -> tuple[str, ...]:
    """What the proxy would refuse at its start is refused now.  Returns warnings.  Raises KeyUnusable, UsageError."""
    warnings = list(check_client_id(answers.client_id))
    if answers.secret_file is not None:
        warnings += read_secret(file=answers.secret_file, env=None, what="client secret", environ=os.environ,
                                allow_group_read=False).warnings
    if answers.key_file is not None:
        warnings += check_key(answers)
    return tuple(warnings)


def check_client_id(text: str) -> tuple[str, ...]:
    """Raises KeyUnusable."""
    from proxy.cli.applications import fit_for_key_id

    checked = header_value(text.encode("utf-8", "surrogateescape"), "client id")
    fit_for_key_id(checked.secret.reveal())
    return checked.warnings


def check_key(answers: Answers) -> tuple[str, ...]:
    """Raises KeyUnusable."""
    assert answers.key_file is not None
    loaded = FileSource(FileSettings(key_file=answers.key_file, certificate_file=answers.certificate_file,
                                     key_password_file=answers.key_password_file)).load(datetime.now(UTC))
    profile = PROFILES[answers.profile]
    if profile.key_spki_sha256 and loaded.signer.spki_sha256 != profile.key_spki_sha256:
        raise KeyUnusable("not_the_sandbox_key")
    if not answers.certificate_file and loaded.certificate is None and not profile.key_spki_sha256:
        return (*loaded.warnings, "Without a certificate nobody checks that it fits the key: set certificate_file.")
    return loaded.warnings


def sentence(error: KeyUnusable) -> str:
    """For asking again."""
    problem = PROBLEMS[error.code]
    return f"{problem.title[:-1]}: {error.detail}." if error.detail else problem.title
