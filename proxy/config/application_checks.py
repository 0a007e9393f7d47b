"""An application must be known by exactly one id, one secret and, where something is signed, one key."""

from __future__ import annotations

import os.path
import re
from collections.abc import Sequence

from msgspec import Struct

from proxy.config.model import Application
from proxy.config.problems import Problems, below, choices, shown
from proxy.keys.pkcs11 import Pkcs11Key
from proxy.keys.rotation import NextKey

_SOURCES = ("key_file", "key_pkcs11", "key_vault", "key_transit")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_QUOTABLE = re.compile(r'[ !#-\[\]-~]*')


def check_application(path: str, application: Application, signing: Sequence[str], problems: Problems) -> None:
    """signing: profiles of the routes that sign with the application's key."""
    _one_of(path, application, ("client_id", "client_id_file", "client_id_env", "client_id_vault"), problems)
    _one_of(path, application, ("client_secret_file", "client_secret_env", "client_secret_vault"), problems)
    at_most_one(path, application, ("key_password_file", "key_password_env"), problems)
    check_variables(path, application, problems)
    check_quotable(f"{path}.client_id", application.client_id, problems)
    at_most_one(path, application, _SOURCES, problems)
    if application.key_pkcs11 is not None:
        _check_pkcs11(path, application, application.key_pkcs11, problems)
    if application.next is not None:
        _check_next(path, application, application.next, problems)
    _check_rotation(f"{path}.rotation", application, problems)
    if signing and all(getattr(application, source) is None for source in _SOURCES):
        problems.add(f"{path}.key_file", f"The key is missing, and a route to {shown(signing[0])} signs with it. Name "
                                         "the file that holds the QSealC's private key.",
                     "routes", *(f"{path}.{source}" for source in _SOURCES[1:]))


def _check_next(above: str, application: Application, following: NextKey, problems: Problems) -> None:
    path = f"{above}.next"
    _one_of(path, following, _SOURCES, problems)
    at_most_one(path, following, ("key_password_file", "key_password_env"), problems)
    check_variables(path, following, problems)
    if following.key_pkcs11 is not None:
        _check_pkcs11(path, following, following.key_pkcs11, problems)
    for source in _SOURCES:
        if getattr(following, source) is not None and getattr(following, source) == getattr(application, source):
            problems.add(f"{path}.{source}", "This is the current key. Name the new one.")
    if all(getattr(application, source) is None for source in _SOURCES):
        problems.add(path, "There is no current key that this one could follow. Give key_file as well.")


def _check_rotation(path: str, application: Application, problems: Problems) -> None:
    rotation = application.rotation
    try:
        moment = rotation.moment()
    except ValueError:
        problems.add(f"{path}.at", "This is not a time with an offset. Write one such as 2027-03-01T06:00:00+02:00.")
        return
    if moment is not None and application.next is None:
        problems.add(f"{path}.at", "There is no next key for that moment. Give next, or remove this.")


def _check_pkcs11(above: str, key: Application | NextKey, settings: Pkcs11Key, problems: Problems) -> None:
    """One token, one key, one PIN, at most one certificate."""
    path = f"{above}.key_pkcs11"
    _one_of(path, settings, ("token_label", "slot", "serial"), problems)
    _one_of(path, settings, ("key_label", "key_id"), problems)
    _one_of(path, settings, ("pin_file", "pin_env"), problems)
    at_most_one(path, settings, ("certificate_label", "certificate_id"), problems)
    check_variables(path, settings, problems)
    if not os.path.isabs(settings.module):
        problems.add(f"{path}.module", "This is not a whole path, and libraries are not searched for. Write one such "
                                       "as /usr/lib/softhsm/libsofthsm2.so.")
    for field in ("key_id", "certificate_id"):
        value = getattr(settings, field)
        if value is not None and _HEX.fullmatch(value) is None:
            problems.add(f"{path}.{field}", "This is not an id in hex. Write pairs of the digits 0-9 and a-f.")
    if key.certificate_file is not None and (settings.certificate_label or settings.certificate_id):
        problems.add(f"{above}.certificate_file", "The certificate is named on the token as well. Keep one of them.")
    for field in ("key_password_file", "key_password_env"):
        if getattr(key, field) is not None:
            problems.add(f"{above}.{field}", "A key on a token has a PIN and no password. Name it with pin_file or "
                                             "pin_env of key_pkcs11.")


def check_quotable(path: str, value: str | None, problems: Problems) -> None:
    """keyId="…" and header values have no way to escape anything, so nothing that would need it is taken."""
    if value is not None and _QUOTABLE.fullmatch(value) is None:
        problems.add(path, "This holds a quotation mark, a backslash or a character outside ASCII, which no header "
                           "can carry. Copy it again from the bank's portal.")


def check_variables(path: str, settings: Struct, problems: Problems) -> None:
    """A secret pasted where the name of its variable belongs is told without being shown."""
    for field in settings.__struct_fields__:
        name = getattr(settings, field)
        if field.endswith("_env") and name is not None and _VARIABLE.fullmatch(name) is None:
            problems.add(below(path, field), "This is not the name of an environment variable. Give the variable's "
                                            "name, not its value.")


def at_most_one(path: str, settings: Struct, fields: Sequence[str], problems: Problems) -> None:
    given = [field for field in fields if getattr(settings, field) is not None]
    for field in given[1:]:
        problems.add(below(path, field), f"Both {given[0]} and {field} are given. Keep one of them.")


def _one_of(path: str, settings: Struct, fields: Sequence[str], problems: Problems) -> None:
    if all(getattr(settings, field) is None for field in fields):
        what = fields[0].removesuffix("_file").replace("_", " ")
        problems.add(f"{path}.{fields[0]}", f"The {what} is missing. Give {choices(fields)}.",
                     *(f"{path}.{field}" for field in fields))
    at_most_one(path, settings, fields, problems)
