"""SoftHSM tokens with keys made for the test, in a directory of their own.

SoftHSM reads its configuration once a process and finds new tokens only when it is initialized, so that every token of
this process is made before the first is used; what needs another configuration runs in a child.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.keys.pkcs11 import Pkcs11Key, Pkcs11Source

MODULES = tuple(map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
                           "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
                           "/opt/homebrew/lib/softhsm/libsofthsm2.so")))
PIN, SO_PIN = "CANARY-pin-4711", "CANARY-so-4711"
ROOT = Path(__file__).parents[2]


def missing() -> str:
    """Why there is no token to test with; "" when there is one."""
    if importlib.util.find_spec("pkcs11") is None:
        return "python-pkcs11 is missing: install the extra pkcs11."
    if not any(path.exists() for path in MODULES):
        return "SoftHSM is missing: install the package softhsm2."
    absent = [name for name in ("softhsm2-util", "pkcs11-tool") if shutil.which(name) is None]
    return f"{absent[0]} is missing: install the packages softhsm2 and opensc." if absent else ""


def module() -> str:
    return str(next(path for path in MODULES if path.exists()))


def run(*command: str, **environ: str) -> str:
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True, slots=True)
class Store:
    """A directory of tokens."""

    directory: Path

    @classmethod
    def make(cls, directory: Path, *options: str) -> Store:
        """options: lines of softhsm2.conf."""
        (directory / "tokens").mkdir(parents=True)
        lines = (f"directories.tokendir = {directory / 'tokens'}", "objectstore.backend = file", *options)
        (directory / "softhsm2.conf").write_text("\n".join(lines) + "\n")
        return cls(directory)

    @property
    def environ(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.directory / "softhsm2.conf")}

    def token(self, label: str) -> None:
        run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN,
            **self.environ)

    def serial(self, label: str) -> str:
        blocks = run("softhsm2-util", "--show-slots", **self.environ).split("Slot ")
        (block,) = [block for block in blocks if any(line.split() == ["Label:", label] for line in block.splitlines())]
        return next(line.split()[-1] for line in block.splitlines() if "Serial number:" in line)

    def slot(self, label: str) -> int:
        """SoftHSM takes the slot's number from the last digits of the serial."""
        return int(self.serial(label)[-8:], 16) & 0x7FFFFFFF

    def key(self, token: str, key: RSAPrivateKey | EllipticCurvePrivateKey, label: str, ident: str) -> None:
        path = self.directory / f"{token}-{ident}.pem"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        run("softhsm2-util", "--import", str(path), "--token", token, "--label", label, "--id", ident, "--pin", PIN,
            **self.environ)
        path.unlink()

    def certificate(self, token: str, der: bytes, label: str, ident: str) -> None:
        path = self.directory / f"{token}-{ident}.der"
        path.write_bytes(der)
        self.tool(token, "--write-object", str(path), "--type", "cert", "--label", label, "--id", ident)

    def decrypting_key(self, token: str, label: str) -> None:
        """CKA_SIGN is false, which none of the tools can make."""
        self.child("import sys, pkcs11; module, token, label, pin = sys.argv[1:];"
                   "session = pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin);"
                   "session.generate_keypair(pkcs11.KeyType.RSA, 2048, label=label, store=True,"
                   "capabilities=pkcs11.MechanismFlag.DECRYPT | pkcs11.MechanismFlag.ENCRYPT)",
                   module(), token, label, PIN)

    def tool(self, token: str, *arguments: str) -> str:
        return run("pkcs11-tool", "--module", module(), "--token-label", token, "--login", "--pin", PIN, *arguments,
                   **self.environ)

    def pin_file(self, content: str = PIN + "\n", name: str = "pin") -> str:
        path = self.directory / name
        path.write_text(content)
        path.chmod(0o600)
        return str(path)

    def settings(self, **changes: object) -> Pkcs11Key:
        given = {"module": module(), "token_label": "seals", "key_label": "seal",
                 "pin_file": str(self.directory / "pin"), **changes}
        return Pkcs11Key(**{name: value for name, value in given.items() if value is not None})

    def source(self, certificate_file: str | None = None, **changes: object) -> Pkcs11Source:
        return Pkcs11Source(self.settings(**changes), certificate_file)

    def child(self, program: str, *arguments: str) -> str:
        """Standard output of a Python program in a process of its own, which a module may take down."""
        done = subprocess.run([sys.executable, "-W", "error", "-c", program, *arguments], capture_output=True,
                              text=True, timeout=60, check=False, cwd=ROOT,
                              env={**os.environ, **self.environ, "PYTHONPATH": str(ROOT)})
        assert done.returncode == 0, done.stderr
        return done.stdout


def needed() -> None:
    if reason := missing():
        pytest.skip(reason)
