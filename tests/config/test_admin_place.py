"""Commands that read four keys find what the whole configuration says, and refuse what it would refuse."""

from __future__ import annotations

import pytest

from proxy.config.admin_place import KEYS, AdminPlace, admin_place
from proxy.config.load import load
from proxy.config.model import Config
from proxy.errors import ConfigInvalid, ProxyError

REST = """
applications:
  shop: {client_id: a, client_secret_file: secret, key_file: key}
routes: nordea
"""


def write(folder, text: str) -> str:
    (folder / "config.yaml").write_text(text + REST)
    return str(folder / "config.yaml")


def test_the_defaults_are_the_configurations():
    config = Config()
    assert {key: getattr(AdminPlace(), key) for key in KEYS} == {key: getattr(config, key) for key in KEYS}


@pytest.mark.parametrize("text", [
    "", "admin_port: 9191", "admin-port: 9191\nadmin-address: '::1'", "admin: false", "admin: 'false'",
    "admin_token_file: secrets/token", "admin_token_file: /run/token", "admin_token_env: TOKEN", "admin_port:",
    "admin_address: 0.0.0.0"])
@pytest.mark.parametrize("environ", [
    {}, {"SIGNING_PROXY_ADMIN_PORT": "9292", "SIGNING_PROXY_ADMIN_TOKEN_FILE": "token"},
    {"SIGNING_PROXY_ADMIN_PORT": "tcp://10.0.0.1:9090", "SIGNING_PROXY_ADMIN_ADDRESS": ""},
    {"SIGNING_PROXY_ADMIN": "0"}])
@pytest.mark.parametrize("flags", [{}, {"admin_port": 9393, "admin_address": None}])
def test_both_find_the_same(tmp_path, text, environ, flags):
    path = write(tmp_path, text)
    try:
        config = load(path, environ, flags)
    except ConfigInvalid:               # text in the place of a truth value; a token in two places
        assert "'false'" in text or ("TOKEN" in text and "SIGNING_PROXY_ADMIN_TOKEN_FILE" in environ)
        return
    place = admin_place(path, environ, flags)
    assert {key: getattr(place, key) for key in KEYS} == {key: getattr(config, key) for key in KEYS}


def test_the_file_may_be_named_by_the_environment(tmp_path):
    path = write(tmp_path, "admin_port: 9191")
    assert admin_place(None, {"SIGNING_PROXY_CONFIG_FILE": path}, {}).admin_port == 9191
    assert admin_place(None, {}, {}) == AdminPlace()


def test_what_is_wrong_elsewhere_is_no_business_of_these_commands(tmp_path):
    (tmp_path / "config.yaml").write_text("admin_port: 9191\nroutes: nonsense\nother: 1\n")
    assert admin_place(str(tmp_path / "config.yaml"), {}, {}).admin_port == 9191


@pytest.mark.parametrize(("text", "place"), [
    ("admin_port: many", "admin_port"), ("admin_port: 70000", "admin_port"), ("admin_port: -1", "admin_port"),
    ("admin_port: true", "admin_port"), ("admin_address: [a]", "admin_address"), ("admin: maybe", "admin"),
    ("admin_token_file: {a: b}", "admin_token_file"), ("a: &b c", ""), ("- a", ""), ("word", ""),
    ("admin_port: 1\nadmin_port: 2", "admin_port")])
def test_what_does_not_fit_is_told_with_its_place(tmp_path, text, place):
    with pytest.raises(ConfigInvalid) as caught:
        admin_place(write(tmp_path, text), {}, {})
    assert [where for where, _ in caught.value.problems] == [place]


def test_a_place_is_told_as_it_was_spelled(tmp_path):
    with pytest.raises(ConfigInvalid) as caught:
        admin_place(write(tmp_path, "admin_port: many"), {"SIGNING_PROXY_ADMIN": "maybe"}, {"admin_port": 70000})
    assert [where for where, _ in caught.value.problems] == ["SIGNING_PROXY_ADMIN", "--admin-port"]


def test_a_file_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "missing", "a\0b"):
        with pytest.raises(ProxyError) as caught:
            admin_place(str(path), {}, {})
        assert caught.value.code == "config_unreadable"
