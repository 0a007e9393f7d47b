"""What the configuration says about a key on a PKCS#11 token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from proxy.keys.guarded import shown

SlotId = Annotated[int, Meta(ge=0)]
_Seconds = Annotated[float, Meta(gt=0)]


class Pkcs11Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A private key on a PKCS#11 token.  proxy/config/application_checks.py says what excludes what."""

    module: Annotated[str, Meta(description=(
        "Path of the PKCS#11 module, the shared library that comes with the token, such as "
        "`/usr/lib/softhsm/libsofthsm2.so`."))]
    token_label: Annotated[str | None, Meta(description="The token by its label.")] = None
    slot: Annotated[SlotId | None, Meta(description=(
        "The token by the number (slot ID) of its slot."))] = None
    serial: Annotated[str | None, Meta(description="The token by its serial number.")] = None
    key_label: Annotated[str | None, Meta(description="The private key by its label (`CKA_LABEL`).")] = None
    key_id: Annotated[str | None, Meta(description="The private key by its id (`CKA_ID`), in hex.")] = None
    certificate_label: Annotated[str | None, Meta(description=(
        "The certificate on the token, by its label; without it and `certificate_id` the application's "
        "`certificate_file` counts."))] = None
    certificate_id: Annotated[str | None, Meta(description="The certificate on the token, by its id, in hex.")] = None
    pin_file: Annotated[str | None, Meta(description="File that holds the user PIN.")] = None
    pin_env: Annotated[str | None, Meta(description="Environment variable that holds the user PIN.")] = None
    timeout: Annotated[_Seconds, Meta(description="Seconds for one signature: a request waits for it.")] = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """One token of a module: by exactly one of the three.  Hashable, as sessions are kept by it."""

    label: str | None = None
    slot: int | None = None
    serial: str | None = None

    def __str__(self) -> str:
        if self.label is not None:
            return f"token {_plain(self.label)}"
        return f"slot {self.slot}" if self.slot is not None else f"token with serial {_plain(self.serial or '')}"


@dataclass(frozen=True, slots=True)
class Name:
    """An object on a token, by label or id (CKA_LABEL, CKA_ID; PKCS#11 section 4.4)."""

    label: str | None = None
    id: bytes | None = None

    def __str__(self) -> str:
        return f"label {_plain(self.label)}" if self.label is not None else f"id {(self.id or b'').hex()}"


def place(settings: Pkcs11Key) -> Place:
    return Place(settings.token_label, settings.slot, settings.serial)


def key_name(settings: Pkcs11Key) -> Name:
    return _name(settings.key_label, settings.key_id)


def certificate_name(settings: Pkcs11Key) -> Name | None:
    """None: the certificate is not read from the token."""
    if settings.certificate_label is None and settings.certificate_id is None:
        return None
    return _name(settings.certificate_label, settings.certificate_id)


def _name(label: str | None, hexadecimal: str | None) -> Name:
    return Name(label, bytes.fromhex(hexadecimal) if hexadecimal is not None else None)


def _plain(word: str) -> str:
    """For a sentence, unless somebody put something else where the word belongs."""
    return word if shown(word) == word else "(not printable)"
