"""Files of the certificate commands: what is read from them, and how results are written beside them."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass

from proxy.config.document import read_document
from proxy.config.problems import Enough, Problems
from proxy.errors import ConfigInvalid, KeyUnusable, ProxyError
from proxy.keys.armour import recover
from proxy.keys.findings import Finding
from proxy.keys.guarded import read_public_file, read_secret_file, shown
from proxy.keys.material import Material, read_certificates, read_material
from proxy.keys.unlock import Lock

PRIVATE_MODE, PUBLIC_MODE = 0o600, 0o644


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """certificates: DER, in file order, at least one.  armour: what is wrong with the file's form."""

    certificates: tuple[bytes, ...]
    armour: tuple[Finding, ...]


def read_certificate_file(path: str, password: bytes | None) -> CertificateFile:
    """PEM, DER, PKCS#12 or bare base64.  Raises KeyUnusable: key_unreadable, certificate_format, key_password."""
    data = read_public_file(path)
    body, armour = recover(data)
    lock = Lock(shown(path), password)
    try:
        return CertificateFile(read_certificates(body, lock), tuple(armour))
    except KeyUnusable as error:
        if error.code == "certificate_format" and _is_key(data):
            lock.refuse("certificate_format", "holds a private key and no certificate")
        raise


def read_key_file(path: str, password: bytes | None) -> Material:
    """At least one RSA key.

    Raises KeyUnusable: key_unreadable, key_permissions, key_format, key_type, key_password.
    """
    lock = Lock(shown(path), password)
    material = read_material(read_secret_file(path, allow_group_read=True), lock)
    if not material.keys:
        lock.refuse("key_type" if material.useless_keys else "key_format", "holds no RSA private key")
    return material


def read_mapping(path: str, code: str) -> dict[object, object]:
    """A YAML file's mapping.  code: of the problem when it holds none.  Raises ProxyError (input_unreadable)."""
    problems = Problems()
    try:
        value = read_document(read_public_file(path), problems)
    except KeyUnusable as error:
        raise ProxyError("input_unreadable", error.detail) from None
    except Enough:
        value = None
    if problems.found:
        raise ConfigInvalid(problems.found, shown(path), code)
    if not isinstance(value, dict):
        raise ConfigInvalid([("", "the file must hold names and values")], shown(path), code)
    return value


def make_directory(path: str) -> None:
    """Raises ProxyError: output_unwritable."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def require_new(path: str, *, force: bool) -> None:
    """Before work is done for nothing.  Raises ProxyError: output_exists, output_unwritable."""
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode):
        raise ProxyError("output_unwritable", f"{shown(path)} is not a regular file")
    if not force:
        raise ProxyError("output_exists", shown(path))


def write_new(path: str, content: bytes, mode: int, *, force: bool) -> None:
    """The whole file or none of it, with this mode from its first byte on; without force never over another.

    Raises ProxyError: output_exists, output_unwritable.
    """
    require_new(path, force=force)
    target = os.path.realpath(path)
    try:
        descriptor, unfinished = tempfile.mkstemp(".new", ".", os.path.dirname(target))
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if force:
            os.replace(unfinished, target)
        else:
            os.link(unfinished, target)
    except FileExistsError:
        raise ProxyError("output_exists", shown(path)) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)


def _unwritable(path: str, error: OSError) -> ProxyError:
    return ProxyError("output_unwritable", f"{shown(path)}, {(error.strerror or 'unknown error').lower()}")


def _is_key(data: bytes) -> bool:
    if b"PRIVATE KEY-----" in data:
        return True
    try:
        found = read_material(data, Lock("", None))
    except KeyUnusable:
        return False
    return bool(found.keys or found.useless_keys)
