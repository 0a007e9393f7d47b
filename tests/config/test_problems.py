"""Every problem has its exact place and one sentence what is wrong, one what to do; none hides another."""

from __future__ import annotations

import pytest

ROUTE = "routes: nordea\n"
NO_SECRET_HERE = "is never written here itself. Put it in a file and name that with"

TOP_LEVEL = [
    ("port: x", "port", "This is not a whole number from 0 to 65535. Write such a number, without quotes."),
    ("port: '8080'", "port", "This is not a whole number from 0 to 65535. Write such a number, without quotes."),
    ("port: 65536", "port", "This is not a whole number from 0 to 65535. Write such a number, without quotes."),
    ("port: -1", "port", "This is not a whole number from 0 to 65535. Write such a number, without quotes."),
    ("shaping: {share: 2}", "shaping.share",
     "This is not a number greater than 0 and at most 1. Write such a number, without quotes."),
    ("date_correction: {largest: 3601}", "date_correction.largest",
     "This is not a number greater than 5 and at most 3600. Write such a number, without quotes."),
    ("port: true", "port", "This is not a whole number from 0 to 65535. Write such a number, without quotes."),
    ("quiet: 1", "quiet", "This is neither true nor false. Write true or false."),
    ("log_paths: ful", "log_paths", "This is not one of the choices. Write full or template."),
    ("timed_reload: -1", "timed_reload", "This is not a number of at least 0. Write such a number, without quotes."),
    ("timed_reload: .inf", "timed_reload", "This is not a finite number. Write a number."),
    ("client_token_file: [a]", "client_token_file", "This is not text. Write a single value."),
    ("client_token_file: 12", "client_token_file", "This is not text. Put the value in quotes."),
    ("client_token_file: ''", "client_token_file", "This is empty. Give a value or remove the key."),
    ('client_token_file: "a\\nb"', "client_token_file",
     "This holds a control character. Write the value on one line."),
    ("limits: 3", "limits", "This is not a mapping. Write lines of the form key: value."),
    ("limits: {body: 12}", "limits.body",
     "This is not a whole number of at least 1024. Write such a number, without quotes."),
    ("limits: {body: 2000000, buffered: 1048576}", "limits.buffered",
     "This is less than limits.body allows a single request. Raise it or lower limits.body."),
    ("timeouts: {read: 0}", "timeouts.read",
     "This is not a number greater than 0. Write such a number, without quotes."),
    ("min_sigterm_delay: 30", "min_sigterm_delay",
     "This is longer than max_sigterm_delay, which ends everything. Lower it or raise max_sigterm_delay."),
    ("prot: 1", "prot", "There is no such key. Did you mean port?"),
    ("zzz: 1", "zzz", "There is no such key. Remove it, or look it up in docs/configuration.md."),
    ("'a\\e b': 1", "'a\\\\e b'", "There is no such key. Remove it, or look it up in docs/configuration.md."),
    ("client_token: x", "client_token", f"client_token {NO_SECRET_HERE} client_token_file."),
    ("port: 1\nport: 2", "port", "Line 8 gives this key again. Keep one of the two."),
    ("admin-port: 1\nadmin_port: 2", "admin_port",
     "This key is given with hyphens and with underscores. Keep one of the two."),
    ("limits: {[a]: 1}", "limits", "Line 7 has a key that is not a word. Write name: value."),
    ("allowed_hosts: {a: b}", "allowed_hosts", "This is not a list. Write one item per line, each after a hyphen."),
    ("allowed_hosts: [a, 'https://a']", "allowed_hosts[1]",
     "This is not a host name. Write name or name:port, without https:// or a path."),
    ("allowed_hosts: [a, '*']", "allowed_hosts[1]",
     "This is not a host name. Write name or name:port, without https:// or a path."),
]

STRANGERS = ("Whoever reaches this address could have requests signed. Set client_token_file or tls.client_ca_file, or "
             "unsafe_listen if something else keeps strangers out.")
LISTENERS = [
    ("address: unix:run/x", "address",
     "A Unix socket is named by its whole path. Write unix:/path/to/socket."),
    (f"address: unix:/{'x' * 107}", "address",
     "The path of a Unix socket has at most 107 bytes. Choose a shorter one."),
    ("address: unix:/run/x\nlisteners: {a: {address: 'unix:/run/x'}}", "listeners.a.address",
     "address is the same socket. Choose another path."),
    ("socket_mode: rw", "socket_mode", "This is not a mode. Write one such as '0660', in quotes."),
    ("listeners: {a: {address: 'unix:/run/x', socket_mode: '0888'}}", "listeners.a.socket_mode",
     "This is not a mode. Write one such as '0660', in quotes."),
    ("tls: {certificate_file: a, key_file: b, client_names: [c]}", "tls.client_ca_file",
     "client_names says who may call, but no authority says who is who. Name the file of the authorities."),
    ("tls: {certificate_file: a}", "tls.key_file", "This key is missing. Add it."),
    ("listeners: {a: {port: 1, address: 10.0.0.1, tls: {certificate_file: a, key_file: b}}}", "listeners.a.address",
     STRANGERS),
    ("address: host.example", "address",
     "This is not an IP address. Give one, such as 127.0.0.1, or localhost, or unix:/path."),
    ("admin_address: x.example", "admin_address",
     "This is not an IP address. Give one, such as 127.0.0.1, or localhost, or unix:/path."),
    ("admin_address: unix:/run/x", "admin_address",
     "Probes and scrapes need a port. Give an IP address, such as 127.0.0.1."),
    ("admin: false\nquitquitquit: true", "quitquitquit",
     "There is no admin port to ask for it (admin: false). Remove one of the two."),
    ("admin_token_file: a\nadmin_token_env: B", "admin_token_env",
     "Both admin_token_file and admin_token_env are given. Keep one of them."),
    ("admin_token_env: 's3cret!'", "admin_token_env",
     "This is not the name of an environment variable. Give the variable's name, not its value."),
    ("address: 0.0.0.0", "address", STRANGERS),
    ("listeners: {a: {port: 1, address: 10.0.0.1}}", "listeners.a.address", STRANGERS),
    ("listeners: {main: {port: 1}}", "listeners.main",
     "The name main is taken by address and port. Give this another name."),
    ("listeners: {a b: {port: 1}}", "listeners.'a b'",
     "This is not a name. Use letters, digits, hyphens and underscores."),
    ("listeners: {a: {}}", "listeners.a.port", "This key is missing. Add it."),
    ("listeners: [a]", "listeners",
     "This is not a mapping. Write a name, a colon, and the settings below it."),
    ("listeners: {a: 1}", "listeners.a", "This is not a mapping. Write lines of the form key: value."),
    ("listeners: {a: {port: 8080}}", "listeners.a.port",
     "port has the same port on the same address. Choose another port."),
    ("listeners: {a: {port: 8081}, b: {port: 8081, address: localhost}}", "listeners.b.port",
     "listeners.a.port has the same port on the same address. Choose another port."),
    ("admin_port: 8080", "admin_port", "port has the same port on the same address. Choose another port."),
    ("admin_port: 8080\nadmin_address: '::'", "admin_port",
     "port has the same port on the same address. Choose another port."),
]

EGRESS = [
    ("egress_proxy: {}", "egress_proxy.url", "This key is missing. Add it."),
    ("egress_proxy: http://user:pw@proxy.example:3128", "egress_proxy.url",
     "A user name or password does not belong here. Write username and password_file."),
    ("egress_proxy: https://proxy.example:3128", "egress_proxy.url",
     "An egress proxy is spoken to by plain HTTP. Write http://host:port."),
    ("egress_proxy: http://proxy.example", "egress_proxy.url",
     "This is not the address of a proxy. Write http://host:port."),
    ("egress_proxy: http://proxy.example:3128/x", "egress_proxy.url",
     "This is not the address of a proxy. Write http://host:port."),
    ("egress_proxy: {url: 'http://p:1', password: hunter2}", "egress_proxy.password",
     f"password {NO_SECRET_HERE} password_file, or a variable with password_env."),
    ("egress_proxy: {url: 'http://p:1', password_file: a}", "egress_proxy.username",
     "There is a password but no user name. Add it."),
    ("egress_proxy: {url: 'http://p:1', username: a}", "egress_proxy.password_file",
     "There is a user name but no password. Give password_file or password_env."),
    ("egress_proxy: {url: 'http://p:1', username: 'a:b', password_file: a}", "egress_proxy.username",
     "This holds a colon, a space or a character outside ASCII, which Basic authentication cannot carry. Use another "
     "user."),
    ("egress_proxy: {url: 'http://p:1', username: a, password_file: a, password_env: B}", "egress_proxy.password_env",
     "Both password_file and password_env are given. Keep one of them."),
    ("egress_proxy: {url: 'http://p:1', username: a, password_env: 'hunter 2'}", "egress_proxy.password_env",
     "This is not the name of an environment variable. Give the variable's name, not its value."),
]

WHOLE_FILE = [
    (b"\xff\xfe", "The file is not UTF-8 text. Save it as UTF-8."),
    (b"#" * (1024 * 1024 + 1), "The file is larger than 1 MiB. Give the configuration file, not something else."),
    (b"a: \x01", "The file holds a character that YAML does not allow. Save it as plain text."),
    (b"port: 1\nroutes: &a nordea", "Line 2 has an anchor or alias. Write the value out."),
    (b"port: !!int 1", "Line 1 has a tag. Remove the word that begins with '!'."),
    (b"port: !!python/object/apply:os.system [x]", "Line 1 has a tag. Remove the word that begins with '!'."),
    (b"[" * 100000, "Line 1 is nested too deeply. Close the brackets or indent less."),
    (b"- nordea", "This is not a mapping. Write lines of the form key: value."),
    (b"nordea", "This is not a mapping. Write lines of the form key: value."),
    (b"a: b: c", "This is not YAML: mapping values are not allowed in this context, line 1, column 5. Correct it "
                 "there."),
    (b"port: 1\n---\nport: 2", "This is not YAML: but found another document, line 2, column 1. Correct it there."),
]

SOURCES = [
    ({"SIGNING_PROXY_PORT": "x"}, {}, "SIGNING_PROXY_PORT",
     "This is not a whole number from 0 to 65535. Write such a number, without quotes."),
    ({"SIGNING_PROXY_PROT": "1"}, {}, "SIGNING_PROXY_PROT",
     "There is no such variable. Did you mean SIGNING_PROXY_PORT?"),
    ({"SIGNING_PROXY_CLIENT_TOKEN": "hunter2"}, {}, "SIGNING_PROXY_CLIENT_TOKEN",
     "A secret is not taken from here. Put it in a file and name that with SIGNING_PROXY_CLIENT_TOKEN_FILE."),
    ({"SIGNING_PROXY_ADDRESS": "x.example"}, {}, "SIGNING_PROXY_ADDRESS",
     "This is not an IP address. Give one, such as 127.0.0.1, or localhost, or unix:/path."),
    ({}, {"port": 70000}, "--port", "This is not a whole number from 0 to 65535. Write such a number, without quotes."),
    ({}, {"admin_port": 8080}, "--admin-port", "port has the same port on the same address. Choose another port."),
    ({"SIGNING_PROXY_MIN_SIGTERM_DELAY": "30"}, {"min_sigterm_delay": 40}, "--min-sigterm-delay",
     "This is longer than max_sigterm_delay, which ends everything. Lower it or raise max_sigterm_delay."),
    ({}, {"colour": "red"}, "--colour", "There is no such key. Remove it, or look it up in docs/configuration.md."),
]


@pytest.mark.parametrize(("text", "place", "sentence"), [*TOP_LEVEL, *LISTENERS, *EGRESS])
def test_settings(problems, application, text, place, sentence):
    assert problems(application + ROUTE + text) == [(place, sentence)]


@pytest.mark.parametrize(("data", "sentence"), WHOLE_FILE, ids=lambda value: repr(value)[:30])
def test_files_that_are_no_configuration(problems, data, sentence):
    assert problems(data) == [("", sentence)]


@pytest.mark.parametrize(("environ", "flags", "place", "sentence"), SOURCES)
def test_variables_and_flags_are_named_as_the_operator_wrote_them(
        problems, application, environ, flags, place, sentence):
    assert problems(application + ROUTE, environ, flags) == [(place, sentence)]


def test_no_problem_hides_another(problems, application):
    text = application.replace("client_id: id-1", "client_id: 12") + """\
routes:
- {profile: nordea, upstream: http://bank.example, prefix: 3, form: row}
- {profile: nordae, prefix: /a}
prot: 1
limits: {body: 1, haed: 2}
address: 0.0.0.0
"""
    found = problems(text, {"SIGNING_PROXY_QUEIT": "1"}, {"admin_port": "x"})
    assert [place for place, _ in found] == [
        "prot", "applications.acme.client_id", "routes[0].prefix", "routes[0].form", "limits.haed", "limits.body",
        "--admin-port", "SIGNING_PROXY_QUEIT", "routes[0].upstream", "routes[1].profile", "address"]


@pytest.mark.parametrize("text", [
    "address: 0.0.0.0\nclient_token_file: token",
    "address: 0.0.0.0\nunsafe_listen: true",
    "port: 0\nadmin_port: 0",
    "admin_port: 8080\nadmin: false",
    "admin_port: 8080\nadmin_address: 127.0.0.2",
    "admin_address: 0.0.0.0",
    "allowed_hosts: [proxy.example, 'proxy.example:8080', '[::1]:8080']",
])
def test_settings_that_fit_together(problems, application, text):
    assert problems(application + ROUTE + text) == []


def test_values_are_never_shown(problems, application):
    text = application.replace("key_file: key.pem", """key_file: [hunter2]
    key_password: hunter2
    client_secret: hunter2
    client_secret_env: hunter-2""")
    more = "egress_proxy: http://a:hunter2@p:1\nclient_token: hunter2\nport: hunter2\nadmin_address: hunter2\n"
    routes = "routes: [{profile: nordea, upstream: 'https://a:hunter2@b', key_id: 'hunter2\"'}]\n"
    found = problems(text + routes + more,
                     {"SIGNING_PROXY_CLIENT_TOKEN": "hunter2", "SIGNING_PROXY_QUIET": "hunter2"})
    assert len(found) >= 10
    assert "hunter" not in repr(found)
