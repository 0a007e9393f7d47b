"""What somebody's own signing script gets wrong, as the bank then refuses it: one script for each cause."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cli.sealed_by_hand import FULL, Sealer, sha256

Spoil = Callable[[Sealer], Any]
SCRIPTS: dict[str, Spoil] = {}


def script(cause: str) -> Callable[[Spoil], Spoil]:
    def keep(spoil: Spoil) -> Spoil:
        SCRIPTS[cause] = spoil
        return spoil
    return keep


@script("signature_header_malformed")
def _(sealer):
    sealer.write = lambda header: header.replace('"', '\\"')


@script("coverage_wrong")
def _(sealer):
    sealer.method, sealer.body = "GET", b""
    sealer.listed = FULL
    sealer.fields |= {"Content-Type": "application/json", "Digest": "SHA-256=" + sha256(b"")}


@script("signing_string_wrong")
def _(sealer):
    sealer.change = lambda text: text + "\n"


@script("wrong_algorithm")
def _(sealer):
    sealer.algorithm = "rsa-sha512"


@script("digest_wrong")
def _(sealer):
    sealer.fields["Digest"] = "SHA-256=" + hashlib.sha256(sealer.body).hexdigest()


@script("date_malformed")
def _(sealer):
    sealer.fields["X-Nordea-Originating-Date"] = "Mon, 14 Aug 2023 06:25:45 EEST"


@script("another_key_signed")
def _(sealer):
    sealer.key = rsa.generate_private_key(65537, 2048)


@script("wrong_host")
def _(sealer):
    sealer.fields["X-Nordea-Originating-Host"] = "api.nordeaopenbanking.com"


@script("content_type_changed")
def _(sealer):
    sealer.change = lambda text: text.replace("application/json", "application/json; charset=utf-8")


@script("signature_missing")
def _(sealer):
    sealer.named = "X-Signature"


@script("client_credentials_shape")
def _(sealer):
    sealer.fields["X-IBM-Client-Secret"] = '"' + base64.b64encode(b"a secret").decode() + '"'


@script("token_missing")
def _(sealer):
    del sealer.fields["Authorization"]
