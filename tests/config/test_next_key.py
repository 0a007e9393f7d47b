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
    ("next: {certificate_file: c}", ".next.key_file", "This key is missing. Add it."),
    ("next: {key_file: key.pem}", ".next.key_file", "This is the current key's file. Name the file of the new key."),
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


def test_a_next_key_follows_one(problems, application):
    found = problems(application.replace("    key_file: key.pem\n", "    next: {key_file: n}\n")
                     + "routes: {profile: nordea-sandbox, signature: skip}\n")
    assert [one[0] for one in found] == [f"{PLACE}.next"]


def test_the_example_of_the_document(tmp_path):
    blocks = [part.partition("```")[0] for part in KEYS.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    (text,) = [block for block in blocks if "next:" in block]
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(text))
    (tmp_path / "proxy.yaml").write_text(text)
    assert load(tmp_path / "proxy.yaml", {}, {}).applications["shop"].rotation.retry == "all"
