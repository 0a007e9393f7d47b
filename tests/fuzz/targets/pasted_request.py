"""Whatever is pasted into `verify --explain` (curl, PowerShell, HAR, Postman, raw HTTP) gives requests or
Unreadable with one clause, and no request that it gives can break what is printed of it.
"""

from __future__ import annotations

import json
from functools import cache
from types import FunctionType
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from proxy.cli.output import printable
from proxy.cli.pasted import FORMATS, Pasted, read
from proxy.cli.veil import Veil
from proxy.cli.verification import Unreadable, Verdict, explain
from proxy.cli.verify_explained import _as_facts
from tests.cli import pasted_forms
from tests.cli.sealed_by_hand import SECRET, Sealer

TOKENS = (
    b"curl ",
    b" -H ",
    b" --data-raw ",
    b" -d @file ",
    b" --json ",
    b" -G",
    b" --next ",
    b" -u a:b",
    b"$'",
    b"\\u",
    b"`",
    b"^\n",
    b"\\\n",
    b"$([char]010)",
    b"$([char]0x41)",
    b"@'\n",
    b"\n'@",
    b"Invoke-WebRequest ",
    b" -Headers @{",
    b"{{variable}}",
    b"$VAR",
    b"\\ud800",
    b'"bodySize":',
    b'"encoding":"base64"',
    b"Content-Length: ",
    b"HTTP/1.1",
    b"> GET / HTTP/1.1\n",
    b"```",
    b"Transfer-Encoding: chunked\n\n",
    b'"postData":{"params":[{"name":"',
    b"#",
    b"-",
    b"Request Headers\n",
    b'"method":"GET","url":"https://open.nordea.com/"',
    b"\xe2\x80\x9c",
    b"PS C:\\> ",
)
FULL = 8_000


@cache
def seeds() -> tuple[bytes, ...]:
    sealer = Sealer(generate_private_key(public_exponent=65537, key_size=1024))
    forms = [
        form
        for name, form in vars(pasted_forms).items()
        if isinstance(form, FunctionType)
        and form.__code__.co_varnames[:2] == ("sealer", "headers")
        and form.__code__.co_argcount == 2
    ]
    made = [form(sealer, sealer.headers()) for form in forms]
    return tuple(one if isinstance(one, bytes) else str(one).encode() for one in made)


def check(data: bytes) -> None:
    with patch("proxy.cli.pasted.curl.read_named", _no_file):
        for kind in FORMATS:
            try:
                found = read(data, kind)
            except Unreadable as error:
                _clause(str(error))
                continue
            for one in found[:3]:
                _shown(one, explain(one.message, ()))


def _no_file(_: str) -> bytes:
    raise Unreadable("files are not read here")


def _clause(text: str) -> None:
    assert text and text[0].islower() and "\n" not in text and text.isprintable(), text


def _shown(one: Pasted, verdict: Verdict) -> None:
    shown = json.dumps(Veil(one.message).over(_as_facts(verdict, one, (), [])))
    assert printable(shown) == shown
    if any(name.lower() == "x-ibm-client-secret" and SECRET in value for name, value in one.message.fields):
        covered = SECRET in one.message.target or SECRET.encode() in one.message.body
        assert covered or SECRET not in shown, "the secret is not printed"
