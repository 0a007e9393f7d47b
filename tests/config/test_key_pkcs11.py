"""A key on a token is named completely and once, or its operator is told where not."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from proxy.config.key_sources import key_source
from proxy.config.load import load
from proxy.config.reference import schema
from proxy.keys.files import FileSource
from proxy.keys.pkcs11 import Pkcs11Source

KEYS = Path(__file__).parents[2] / "docs/keys.md"
ROUTE = "routes: nordea\n"
PLACE = "applications.acme"
COMPLETE = "{module: /m.so, token_label: t, key_label: k, pin_file: pin}"


@pytest.fixture
def text(application):
    """text(key_pkcs11, more lines): a configuration with that token instead of key_file."""
    def made(token: str, *more: str) -> str:
        lines = "".join(f"    {line}\n" for line in (f"key_pkcs11: {token}", *more))
        return application.replace("    key_file: key.pem\n", lines) + ROUTE

    return made


def test_a_token_is_a_key_source(read, text, tmp_path, application):
    config = read(text(COMPLETE, "certificate_file: c.pem"))
    (shop,) = config.applications.values()
    source = key_source(shop, {})
    assert isinstance(source, Pkcs11Source)
    assert source.watched() == (str(tmp_path / "pin"), str(tmp_path / "c.pem"))
    assert source.describe() == "PKCS#11 token t, key with label k"
    (filed,) = read(application + ROUTE).applications.values()
    assert isinstance(key_source(filed, {}), FileSource)


def test_a_source_describes_itself_by_what_it_was_given(read, text):
    config = read(text("{module: /m.so, slot: 7, key_id: '0aFF', pin_env: SIGNING_PROXY_PIN}"),
                  {"SIGNING_PROXY_PIN": "1"})
    assert key_source(config.applications["acme"], {}).describe() == "PKCS#11 slot 7, key with id 0aff"


@pytest.mark.parametrize(("token", "more", "place", "sentence"), [
    (COMPLETE, "key_file: key.pem", ".key_pkcs11", "Both key_file and key_pkcs11 are given. Keep one of them."),
    (COMPLETE, "key_password_env: P", ".key_password_env",
     "A key on a token has a PIN and no password. Name it with pin_file or pin_env of key_pkcs11."),
    (COMPLETE.replace("/m.so", "m.so"), "", ".key_pkcs11.module",
     "This is not a whole path, and libraries are not searched for. Write one such as "
     "/usr/lib/softhsm/libsofthsm2.so."),
    (COMPLETE.replace("module: /m.so, ", ""), "", ".key_pkcs11.module", "This key is missing. Add it."),
    (COMPLETE.replace("token_label: t, ", ""), "", ".key_pkcs11.token_label",
     "The token label is missing. Give token_label, slot or serial."),
    (COMPLETE.replace("token_label: t", "token_label: t, slot: 1"), "", ".key_pkcs11.slot",
     "Both token_label and slot are given. Keep one of them."),
    (COMPLETE.replace("token_label: t", "slot: -1"), "", ".key_pkcs11.slot",
     "This is not a whole number of at least 0. Write such a number, without quotes."),
    (COMPLETE.replace("key_label: k, ", ""), "", ".key_pkcs11.key_label",
     "The key label is missing. Give key_label or key_id."),
    (COMPLETE.replace("key_label: k", "key_id: abc"), "", ".key_pkcs11.key_id",
     "This is not an id in hex. Write pairs of the digits 0-9 and a-f."),
    (COMPLETE.replace("key_label: k", "key_id: 12"), "", ".key_pkcs11.key_id",
     "This is not text. Put the value in quotes."),
    (COMPLETE.replace("pin_file: pin", "pin_env: 12-34"), "", ".key_pkcs11.pin_env",
     "This is not the name of an environment variable. Give the variable's name, not its value."),
    (COMPLETE.replace(", pin_file: pin", ""), "", ".key_pkcs11.pin_file",
     "The pin is missing. Give pin_file or pin_env."),
    (COMPLETE.replace("pin_file: pin", "pin: '1234'"), "", ".key_pkcs11.pin",
     "pin is never written here itself. Put it in a file and name that with pin_file, or a variable with pin_env."),
    (COMPLETE.replace("}", ", certificate_label: c, certificate_id: '01'}"), "", ".key_pkcs11.certificate_id",
     "Both certificate_label and certificate_id are given. Keep one of them."),
    (COMPLETE.replace("}", ", certificate_label: c}"), "certificate_file: c.pem", ".certificate_file",
     "The certificate is named on the token as well. Keep one of them."),
    (COMPLETE.replace("}", ", certificate_id: x}"), "", ".key_pkcs11.certificate_id",
     "This is not an id in hex. Write pairs of the digits 0-9 and a-f."),
    ("softhsm", "", ".key_pkcs11", "This is not a mapping. Write lines of the form key: value."),
])
def test_problems_have_their_place(problems, text, token, more, place, sentence):
    assert problems(text(token, *filter(None, [more]))) == [(PLACE + place, sentence)]


def test_the_documents_configuration_loads(tmp_path):
    blocks = [part.partition("```")[0] for part in KEYS.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    (text,) = [block for block in blocks if "key_pkcs11" in block and "next:" not in block]
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(text))
    (tmp_path / "proxy.yaml").write_text(text)
    config = load(tmp_path / "proxy.yaml", {}, {})
    token = config.applications["payments"].key_pkcs11
    assert (token.token_label, token.pin_file) == ("company-seals", str(tmp_path / "secrets/token-pin"))
