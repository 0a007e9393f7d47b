"""What an operator says about a second key; slots.py does it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy.keys.pkcs11 import Pkcs11Key
from proxy.keys.vault.settings import TransitKey, VaultKey

Retry = Literal["safe", "all", "off"]
Attempts = Annotated[int, Meta(ge=2, le=32)]


class NextKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key that follows the one in service, until the bank has its certificate.  It may be in another place."""

    key_file: Annotated[str | None, Meta(description="Private key: PEM, DER, PKCS#12 or a bare base64 body.")] = None
    certificate_file: Annotated[str | None, Meta(description=(
        "Its certificate; it need not be valid yet. Not needed when `key_file` is a PKCS#12 file."))] = None
    key_password_file: Annotated[str | None, Meta(description="File that holds the key's password.")] = None
    key_password_env: Annotated[
        str | None, Meta(description="Environment variable that holds the key's password.")] = None
    key_pkcs11: Annotated[Pkcs11Key | None, Meta(description="Private key on a PKCS#11 token instead.")] = None
    key_vault: Annotated[VaultKey | None, Meta(description="Private key in Vault's KV engine instead.")] = None
    key_transit: Annotated[TransitKey | None, Meta(description="Key in Vault's Transit engine instead.")] = None

    @property
    def needs_vault(self) -> bool:
        return self.key_vault is not None or self.key_transit is not None


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the next key takes over."""

    retry: Annotated[Retry, Meta(description=(
        "Which requests are signed again with the other key when the bank suddenly refuses the one in service: `safe` "
        "is GET and HEAD, `all` is every method, `off` none."))] = "safe"
    attempts: Annotated[Attempts, Meta(description=(
        "How often such a request is signed at most, with both keys in turn, while the bank's machines differ from one "
        "request to the next; no more than 4 times while no request has been helped by it."))] = 16
    at: Annotated[str | None, Meta(description=(
        "Moment from which `next` signs, such as `2027-03-01T06:00:00+02:00`."))] = None

    def moment(self) -> datetime | None:
        """at, aware.  Raises ValueError when it is no RFC 3339 time with an offset."""
        if self.at is None:
            return None
        moment = datetime.fromisoformat(self.at)
        if moment.tzinfo is None:
            raise ValueError("without an offset")
        return moment
