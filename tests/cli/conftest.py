"""The command as a person meets it: as a process, and in this process where a table of cases would take too long."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli.program import program
from tests.cli.captures import DOCUMENT, FILES, clean_environment


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in os.environ:
        if name.startswith("SIGNING_PROXY_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sandbox_key(tmp_path_factory):
    """The bank's published demo key, as a file that only its owner can read."""
    path = tmp_path_factory.mktemp("keys") / "sandbox-key.b64"
    path.touch(mode=0o600)
    path.write_bytes((FILES / "sandbox-key.b64").read_bytes())
    return path


@pytest.fixture(scope="session")
def sandbox_public_key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "sandbox.pub"
    path.write_text(DOCUMENT["key"]["public_key_pem"])
    return path


@pytest.fixture(scope="session")
def private_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def call():
    """Runs the program in this process: result has exit_code, stdout, stderr."""

    def run(*arguments, stdin=None):
        result = CliRunner().invoke(program, [str(argument) for argument in arguments], input=stdin)
        assert "Traceback" not in result.stdout + result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    return run


@pytest.fixture
def process():
    """Runs the program as its own process; warnings are errors there too."""

    def run(*arguments, stdin=b"", **environment):
        done = subprocess.run([sys.executable, "-m", "proxy", *map(str, arguments)], input=stdin, capture_output=True,
                              env=clean_environment(**environment), timeout=60, check=False)
        assert b"Traceback" not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def public_key_file(private_key, tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "key.pub"
    path.write_bytes(private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path
