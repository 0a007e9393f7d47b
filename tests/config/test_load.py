"""Flags over environment over file; the common cases are one line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.config.key_sources import key_source
from proxy.config.load import load
from proxy.config.model import Config
from proxy.config.routes import resolve
from proxy.errors import ConfigInvalid, KeyUnusable, ProxyError

SANDBOX = "api.nordeaopenbanking.com"


@pytest.mark.parametrize("routes", [
    "routes: nordea",
    "routes: [nordea]",
    "routes: {profile: nordea}",
    "routes: [{profile: nordea}]",
    "routes:\n- nordea",
    "routes:\n- profile: nordea",
])
def test_one_line_is_a_route_for_the_only_application(read, application, routes):
    (route,) = resolve(read(application + routes))
    assert (route.name, route.application, route.listener, route.prefix) == ("nordea", "acme", "main", b"/")
    assert (route.upstream.host, route.upstream.port, route.signs) == ("open.nordea.com", 443, True)


def test_flags_win_over_environment_over_file_over_defaults(read, application):
    text = application + "routes: nordea\nport: 1001\nadmin_port: 1002\nquiet: true\ntimed_reload: 5"
    config = read(text, {"SIGNING_PROXY_PORT": "2001", "SIGNING_PROXY_ADMIN_PORT": "2002"}, {"port": 3001})
    assert (config.port, config.admin_port, config.timed_reload, config.quiet) == (3001, 2002, 5.0, True)
    assert config.max_sigterm_delay == 25.0


@pytest.mark.parametrize(("variable", "text", "key", "value"), [
    ("SIGNING_PROXY_PORT", "8443", "port", 8443),
    ("SIGNING_PROXY_QUIET", "true", "quiet", True),
    ("SIGNING_PROXY_QUIET", "0", "quiet", False),
    ("SIGNING_PROXY_TIMED_RELOAD", "1.5", "timed_reload", 1.5),
    ("SIGNING_PROXY_LOG_PATHS", "full", "log_paths", "full"),
    ("SIGNING_PROXY_PORT", "", "port", 8080),
    ("SIGNING_PROXY_PORT", "tcp://10.0.0.7:8080", "port", 8080),
])
def test_variables_are_text_and_become_what_the_key_wants(read, application, variable, text, key, value):
    assert getattr(read(application + "routes: nordea", {variable: text}), key) == value


def test_what_kubernetes_tells_about_a_service_called_signing_proxy_is_ignored(read, application):
    told = {"SIGNING_PROXY_SERVICE_HOST": "10.0.0.7", "SIGNING_PROXY_SERVICE_PORT": "80",
            "SIGNING_PROXY_SERVICE_PORT_HTTP": "80", "SIGNING_PROXY_PORT": "tcp://10.0.0.7:80",
            "SIGNING_PROXY_PORT_80_TCP": "tcp://10.0.0.7:80", "SIGNING_PROXY_PORT_80_TCP_PROTO": "tcp",
            "SIGNING_PROXY_PORT_80_TCP_PORT": "80", "SIGNING_PROXY_PORT_80_TCP_ADDR": "10.0.0.7",
            "SIGNING_PROXY_ADMIN_PORT": "tcp://10.0.0.8:80", "SIGNING_PROXY_ADMIN_SERVICE_HOST": "10.0.0.8"}
    assert read(application + "routes: nordea", told) == read(application + "routes: nordea")


def test_hyphens_and_underscores_are_the_same(read, application):
    assert read(application.replace("_", "-") + "routes: {profile: nordea, strip-prefix: true}") == read(
        application + "routes: {profile: nordea, strip_prefix: true}")


def test_paths_in_the_file_are_relative_to_it_and_others_stay(read, tmp_path, application):
    text = application.replace("key.pem", "/keys/key.pem") + "routes: nordea\nupstream_ca_directory: authorities\n"
    config = read(text, {"SIGNING_PROXY_UPSTREAM_CA_FILE": "ca.pem"}, {"client_token_file": Path("token")})
    acme = config.applications["acme"]
    assert (acme.client_secret_file, acme.key_file) == (str(tmp_path / "secret"), "/keys/key.pem")
    assert config.upstream_ca_directory == str(tmp_path / "authorities")
    assert (config.upstream_ca_file, config.client_token_file) == ("ca.pem", "token")


def test_the_environment_names_the_file(tmp_path, application):
    file = tmp_path / "proxy.yaml"
    file.write_text(application + "routes: nordea\nport: 1001")
    assert load(None, {"SIGNING_PROXY_CONFIG_FILE": str(file)}, {}).port == 1001


def test_variables_that_the_file_names_are_not_misspelled_keys(read, application):
    text = application.replace("client_secret_file: secret", "client_secret_env: SIGNING_PROXY_ACME")
    assert read(text + "routes: nordea", {"SIGNING_PROXY_ACME": "x"}).applications["acme"].client_secret_file is None


def test_keys_without_a_value_are_not_given(read, application):
    assert read(application + "routes: nordea\nport:\nlimits:\nallowed_hosts:\n") == read(
        application + "routes: nordea")


def test_an_egress_proxy_may_be_its_url(read, application):
    config = read(application + "routes: nordea\negress_proxy: http://proxy.example:3128")
    assert config.egress_proxy is not None
    assert config.egress_proxy.url == "http://proxy.example:3128"


def test_a_byte_order_mark_is_no_part_of_the_text(read, application):
    assert isinstance(read(b"\xef\xbb\xbf" + (application + "routes: nordea").encode()), Config)


def test_dates_and_words_stay_text_where_text_belongs(read, application):
    assert read(application.replace("id-1", "2024-01-01") + "routes: nordea").applications["acme"].client_id == (
        "2024-01-01")


def test_an_application_without_key_serves_where_nothing_is_signed(read, application):
    text = application.replace("    key_file: key.pem\n", "") + "routes: {profile: nordea-sandbox, signature: skip}"
    config = read(text)
    (route,) = resolve(config)
    assert not route.signs
    assert key_source(config.applications["acme"], {}) is None


def test_an_application_tells_the_key_sources_what_they_need(read, tmp_path, application):
    acme = read(application + "    certificate_file: c\n    key_password_env: P\n    allow_group_read: true\n"
                              "routes: nordea").applications["acme"]
    source = key_source(acme, {})
    assert source is not None
    assert source.watched() == (str(tmp_path / "key.pem"), str(tmp_path / "c"))
    with pytest.raises(KeyUnusable, match="the environment variable P is not set"):
        source.load(datetime.now(UTC))
    (tmp_path / "key.pem").write_bytes(b"no key")
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(KeyUnusable) as caught:
        key_source(acme, {"P": "password"}).load(datetime.now(UTC))
    assert caught.value.code == "key_format"        # its group may read it
    assert (acme.credentials.client_id, acme.credentials.client_secret_file) == ("id-1", str(tmp_path / "secret"))
    assert acme.credentials.allow_group_read


def test_listeners_have_names_and_the_main_one_comes_first(read, application):
    config = read(application + "routes: nordea\nlisteners: {more: {port: 8081}}")
    assert [(name, listener.address, listener.port) for name, listener in config.all_listeners().items()] == [
        ("main", "127.0.0.1", 8080), ("more", "127.0.0.1", 8081)]


def test_a_listener_takes_the_main_ones_tokens_unless_it_has_its_own(read, application):
    config = read(application + "routes: nordea\nclient_token_file: /a\n"
                  "listeners: {one: {port: 1}, two: {port: 2, client_token_file: /b}}")
    assert [listener.client_token_file for listener in config.all_listeners().values()] == ["/a", "/a", "/b"]


@pytest.mark.parametrize(("name", "reason"), [("missing.yaml", "No such file or directory"), ("", "Is a directory"),
                                              ("\0", "this is not a path")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, reason):
    with pytest.raises(ProxyError) as caught:
        load(f"{tmp_path}/{name}", {}, {})
    assert caught.value.code == "config_unreadable"
    assert caught.value.detail.endswith(f", {reason}")


def test_the_error_names_the_file(tmp_path):
    file = tmp_path / "proxy.yaml"
    file.write_text("port: x")
    with pytest.raises(ConfigInvalid) as caught:
        load(file, {}, {})
    assert str(caught.value) == f"The configuration is not usable: {file}. Correct the listed places."


@pytest.mark.parametrize("value", ["1" + ":59" * 200 + ".5", "1" + ":59" * 200_000, "190:20:30", "0x" + "f" * 5000])
def test_a_number_that_nobody_means_is_a_problem_and_no_error(tmp_path, value):
    (tmp_path / "proxy.yaml").write_text(f"port: {value}\n")
    with pytest.raises(ConfigInvalid) as caught:
        load(tmp_path / "proxy.yaml", {}, {})
    assert ("port", "This is not a whole number from 0 to 65535. Write such a number, without quotes."
            ) in caught.value.problems


def test_another_file_than_the_one_that_was_meant_is_not_told_at_length(tmp_path):
    (tmp_path / "proxy.yaml").write_text("".join(f"key{number}: 1\n" for number in range(50_000)))
    for read in (lambda: load(tmp_path / "proxy.yaml", {}, {}),
                 lambda: load(tmp_path / "proxy.yaml", {"SIGNING_PROXY_PORT": "x"}, {})):
        with pytest.raises(ConfigInvalid) as caught:
            read()
        assert len(caught.value.problems) == 101
        assert caught.value.problems[-1] == ("", "There are more problems than these. Correct them first.")
