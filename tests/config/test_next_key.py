"""A second key is named completely, and a moment is one everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from proxy.config.key_sources import next_key_source
from proxy.config.load import load
from proxy.config.reference import schema
from proxy.errors import ConfigInvalid

KEYS = Path(__file__).parents[2] / "docs/keys.md"
ROUTE = "routes: nordea\n"
PLACE = "applications.acme"


def test_a_next_key_and_when_it_takes_over(read, application, tmp_path):
    config = read(application + "    next: {key_file: new.key, certificate_file: new.crt, key_password_env: P}\n"
                  "    rotation: {retry: all, at: 2027-03-01T06:00:00+02:00}\n" + ROUTE)
    acme = config.applications["acme"]
    source = next_key_source(acme, {})
    assert source is not None
    assert source.watched() == (str(tmp_path / "new.key"), str(tmp_path / "new.crt"))
    assert acme.rotation.retry == "all"
    assert acme.rotation.moment() == datetime(2027, 3, 1, 4, tzinfo=UTC)
    assert acme.rotation.moment().utcoffset() == timedelta(hours=2)


def test_without_one_nothing_changes(read, application):
    acme = read(application + ROUTE).applications["acme"]
    assert next_key_source(acme, {}) is None
    assert (acme.rotation.retry, acme.rotation.moment()) == ("safe", None)


@pytest.mark.parametrize(("lines", "place", "sentence"), [
    ("next: {certificate_file: c}", ".next.key_file",
     "The key is missing. Give key_file, key_pkcs11, key_vault or key_transit."),
    ("next: {key_file: n, key_transit: {key: k}}", ".next.key_transit",
     "Both key_file and key_transit are given. Keep one of them."),
    ("next: {key_file: key.pem}", ".next.key_file", "This is the current key. Name the new one."),
    ("next: {key_vault: {path: data/x}}", ".next.key_vault.path",
     "In KV version 2, data/ belongs to the API and not to the path. Remove it."),
    ("next: {key_transit: {key: a b}}", ".next.key_transit.key",
     "This is not a path in Vault. Write names separated by '/', without one at either end."),
    ("next: {key_transit: {key: k}, certificate_file: c}", ".next.certificate_file",
     "This belongs to key_file, and the key comes from key_transit. Move it into key_transit, or remove it."),
    ("next: {key_pkcs11: {module: m.so, token_label: t, key_label: k, pin_file: p}}", ".next.key_pkcs11.module",
     "This is not a whole path, and libraries are not searched for. "
     "Write one such as /usr/lib/softhsm/libsofthsm2.so."),
    ("next: {key_pkcs11: {module: /m.so, token_label: t, key_label: k}}", ".next.key_pkcs11.pin_file",
     "The pin is missing. Give pin_file or pin_env."),
    ("next: {key_file: n, key_password_file: a, key_password_env: B}", ".next.key_password_env",
     "Both key_password_file and key_password_env are given. Keep one of them."),
    ("next: {key_file: n, key_password_env: 's3cret!'}", ".next.key_password_env",
     "This is not the name of an environment variable. Give the variable's name, not its value."),
    ("rotation: {at: '2027-03-01T06:00:00Z'}", ".rotation.at",
     "There is no next key for that moment. Give next, or remove this."),
    ("next: {key_file: n}\n    rotation: {at: '2027-03-01T06:00:00'}", ".rotation.at",
     "This is not a time with an offset. Write one such as 2027-03-01T06:00:00+02:00."),
    ("next: {key_file: n}\n    rotation: {at: soon}", ".rotation.at",
     "This is not a time with an offset. Write one such as 2027-03-01T06:00:00+02:00."),
])
def test_what_does_not_fit_is_said(problems, application, lines, place, sentence):
    assert (PLACE + place, sentence) in [(found[0], found[1]) for found in problems(
        application + f"    {lines}\n" + ROUTE)]


@pytest.mark.parametrize(("current", "following", "same"), [
    ("key_vault: {path: a}", "key_vault: {path: a}", True), ("key_vault: {path: a}", "key_vault: {path: b}", False),
    ("key_vault: {path: a, version: 1}", "key_vault: {path: a, version: 2}", False),
    ("key_transit: {key: k, certificate_file: a}", "key_transit: {key: k, certificate_file: b}", False),
    ("key_transit: {key: k, version: 2}", "key_transit: {key: k, version: 2}", True),
    ("key_file: key.pem", "key_vault: {path: a}", False)])
def test_the_next_key_is_another_one(tmp_path, application, current, following, same):
    text = (application.replace("key_file: key.pem", current) + f"    next: {{{following}}}\n" + ROUTE
            + "vault: {address: https://vault.example:8200, token_env: T}\n")
    (tmp_path / "proxy.yaml").write_text(text)
    if not same:
        config = load(tmp_path / "proxy.yaml", {}, {})
        assert config.needs_vault
        return
    with pytest.raises(ConfigInvalid) as caught:
        load(tmp_path / "proxy.yaml", {}, {})
    assert {sentence for _, sentence in caught.value.problems} == {"This is the current key. Name the new one."}


def test_a_next_key_in_vault_needs_one(problems, application):
    found = problems(application + "    next: {key_vault: {path: a}}\n" + ROUTE)
    assert "vault.address" in [one[0] for one in found]


def test_a_variable_that_only_the_next_key_names_is_no_misspelling(tmp_path, application):
    text = application + "    next: {key_file: n, key_password_env: SIGNING_PROXY_NEXT_PASSWORD}\n" + ROUTE
    (tmp_path / "proxy.yaml").write_text(text)
    assert load(tmp_path / "proxy.yaml", {"SIGNING_PROXY_NEXT_PASSWORD": "x"}, {})


def test_a_next_key_follows_one(problems, application):
    found = problems(application.replace("    key_file: key.pem\n", "    next: {key_file: n}\n")
                     + "routes: {profile: nordea-sandbox, signature: skip}\n")
    assert [one[0] for one in found] == [f"{PLACE}.next"]


def test_the_example_of_the_document(tmp_path):
    blocks = [part.partition("```")[0] for part in KEYS.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    texts = [block for block in blocks if "next:" in block]
    sources = []
    for text in texts:
        jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(text))
        (tmp_path / "proxy.yaml").write_text(text)
        shop = load(tmp_path / "proxy.yaml", {"VAULT_TOKEN": "t"}, {}).applications["shop"]
        assert shop.rotation.retry == "all"
        sources.append(next(name for name in ("key_file", "key_vault", "key_transit", "key_pkcs11")
                            if getattr(shop.next, name) is not None))
    assert sources == ["key_file", "key_vault", "key_transit", "key_pkcs11"]
