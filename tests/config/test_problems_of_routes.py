"""What is wrong with a route or an application is told at its place, before anything is signed."""

from __future__ import annotations

import pytest

ROUTE = "routes: nordea\n"
SKIP = "routes:\n- profile: nordea-sandbox\n  signature: skip\n"
NO_SECRET_HERE = "is never written here itself. Put it in a file and name that with"
TWO = "    client_id: id-2\n    client_secret_file: s\n    key_file: k\n"

ROUTES = [
    ("routes: []", "routes", "No route is configured. Write at least `routes: nordea`."),
    ("routes: 3", "routes", "This is not a list. Write one item per line, each after a hyphen."),
    ("routes: [3]", "routes[0]", "This is not a mapping. Write lines of the form key: value."),
    ("routes: [{}]", "routes[0].profile", "This key is missing. Add it."),
    ("routes: nordae", "routes[0].profile", "There is no such profile. Did you mean nordea?"),
    ("routes: [zzz]", "routes[0].profile", "There is no such profile. Write nordea or nordea-sandbox."),
    ("routes: [{profile: nordea, upsteam: x}]", "routes[0].upsteam", "There is no such key. Did you mean upstream?"),
    ("routes: [{profile: nordea, upstream: 'http://bank.example'}]", "routes[0].upstream",
     "Requests would travel in clear. Write https:// instead of http://."),
    ("routes: [{profile: nordea, upstream: 'https://u:p@bank.example'}]", "routes[0].upstream",
     "An upstream carries no user name or password. Remove the part before '@'."),
    ("routes: [{profile: nordea, upstream: 'https://bank.example/?a=b'}]", "routes[0].upstream",
     "An upstream has no query or fragment. Remove everything from the '?' or '#' on."),
    ("routes: [{profile: nordea, upstream: bank.example}]", "routes[0].upstream",
     "This is not an address of a bank. Write https://host[:port][/base]."),
    ("routes: [{profile: nordea, upstream: 'https://bank.example:0'}]", "routes[0].upstream",
     "This is not an address of a bank. Write https://host[:port][/base]."),
    ("routes: [{profile: nordea, upstream: 'https://bank.example/a/../b'}]", "routes[0].upstream",
     "This path cannot be part of a request: a '.' or '..' path segment. Write it as it is sent, such as /corporate."),
    ("routes: [{profile: nordea, host: 'bank.example:443'}]", "routes[0].host",
     "This is not a host name. Write the name alone, without https://, port or path."),
    ("routes: [{profile: nordea, prefix: corporate}]", "routes[0].prefix",
     "A prefix begins with '/'. Write one such as /corporate."),
    ("routes: [{profile: nordea, prefix: /a//b}]", "routes[0].prefix",
     "This path cannot be part of a request: a double slash ('//') in the path, which the bank refuses to verify. "
     "Write it as it is sent, such as /corporate."),
    ("routes: [{profile: nordea, prefix: '/a?b'}]", "routes[0].prefix",
     "A path has no query. Remove everything from the '?' on."),
    ("routes: [{profile: nordea, prefix: /ä}]", "routes[0].prefix",
     "This path cannot be part of a request: raw non-ASCII bytes; percent-encode them as UTF-8. Write it as it is "
     "sent, such as /corporate."),
    ("routes: [{profile: nordea, allow: [GET /a, TRACE /a]}]", "routes[0].allow[1]",
     "This rule cannot be read: TRACE is not a method that is signed. Write one such as GET,POST /personal/v5/*."),
    ("routes: [{profile: nordea, allow: [3]}]", "routes[0].allow[0]", "This is not text. Put the value in quotes."),
    ("routes: [{profile: nordea, listener: extra}]", "routes[0].listener", "There is no such listener. Write main."),
    ("routes: [{profile: nordea, application: acne}]", "routes[0].application",
     "There is no such application. Did you mean acme?"),
    ("routes: [{profile: nordea, name: 'a b'}]", "routes[0].name",
     "This is not a name. Use letters, digits and any of _ - . : @ /, 128 at most."),
    ("routes: [{profile: nordea, key_id: 'a\"b'}]", "routes[0].key_id",
     "This holds a quotation mark, a backslash or a character outside ASCII, which no header can carry. Copy it again "
     "from the bank's portal."),
    ("routes: [{profile: nordea, default_content_type: json}]", "routes[0].default_content_type",
     "This is not a media type. Write one such as application/json."),
    ("routes: [{profile: nordea, empty_body: no}]", "routes[0].empty_body",
     "This is not one of the choices. Write digest or omit."),
    ("routes: [nordea, nordea-sandbox]", "routes[1].prefix",
     "routes[0] has the same prefix on the same listener. Give one of them another prefix or listener."),
    ("routes: [{profile: nordea, prefix: /a}, {profile: nordea, prefix: /a/}]", "routes[1].prefix",
     "routes[0] has the same prefix on the same listener. Give one of them another prefix or listener."),
    ("routes: [{profile: nordea, name: x}, {profile: nordea, prefix: /a, name: x}]", "routes[1].name",
     "routes[0] has the same name. Give one of them another name."),
    ("routes: [{profile: nordea, signature: skip}]", "routes[0].signature",
     "Profile nordea takes no unsigned requests. Write sign, or use the sandbox's profile."),
    ("routes: [{profile: nordea-sandbox, signature: skip, upstream: 'https://open.nordea.com'}]", "routes[0].signature",
     "Unsigned requests go only to the sandbox or to this machine. Write sign, or remove upstream and host."),
    ("routes: [{profile: nordea-sandbox, signature: skip, host: open.nordea.com}]", "routes[0].signature",
     "Unsigned requests go only to the sandbox or to this machine. Write sign, or remove upstream and host."),
]

APPLICATIONS = [
    ("client_id: id-1", "client_id: 12", "client_id", "This is not text. Put the value in quotes."),
    ("    client_id: id-1\n", "", "client_id",
     "The client id is missing. Give client_id, client_id_file, client_id_env or client_id_vault."),
    ("client_id: id-1", "client_id: 'a\"b'", "client_id",
     "This holds a quotation mark, a backslash or a character outside ASCII, which no header can carry. Copy it again "
     "from the bank's portal."),
    ("client_id: id-1", "client_id: a\n    client_id_env: B", "client_id_env",
     "Both client_id and client_id_env are given. Keep one of them."),
    ("    client_secret_file: secret\n", "", "client_secret_file",
     "The client secret is missing. Give client_secret_file, client_secret_env or client_secret_vault."),
    ("client_secret_file: secret", "client_secret: hunter2", "client_secret",
     f"client_secret {NO_SECRET_HERE} client_secret_file, or a variable with client_secret_env."),
    ("client_secret_file: secret", "client_secret_file: a\n    client_secret_env: B", "client_secret_env",
     "Both client_secret_file and client_secret_env are given. Keep one of them."),
    ("client_secret_file: secret", "client_secret_env: hunter-2", "client_secret_env",
     "This is not the name of an environment variable. Give the variable's name, not its value."),
    ("    key_file: key.pem\n", "", "key_file",
     "The key is missing, and a route to nordea signs with it. Name the file that holds the QSealC's private key."),
    ("key_file: key.pem", "key_fiel: key.pem", "key_fiel", "There is no such key. Did you mean key_file?"),
    ("key_file: key.pem", "key: |\n      hunter2", "key", f"key {NO_SECRET_HERE} key_file."),
    ("key_file: key.pem", "key_file: k\n    key_password: hunter2", "key_password",
     f"key_password {NO_SECRET_HERE} key_password_file, or a variable with key_password_env."),
    ("key_file: key.pem", "key_file: k\n    key_password_file: a\n    key_password_env: B", "key_password_env",
     "Both key_password_file and key_password_env are given. Keep one of them."),
]


@pytest.mark.parametrize(("text", "place", "sentence"), ROUTES)
def test_routes(problems, application, text, place, sentence):
    assert problems(application + text) == [(place, sentence)]


@pytest.mark.parametrize(("old", "new", "place", "sentence"), APPLICATIONS)
def test_applications(problems, application, old, new, place, sentence):
    assert old in application
    assert problems(application.replace(old, new) + ROUTE) == [(f"applications.acme.{place}", sentence)]


def test_no_application_at_all(problems):
    assert problems(ROUTE) == [("applications", "No application is configured. Add one with its client_id, "
                                                "client_secret_file and key_file.")]


def test_several_applications_and_a_route_that_names_none(problems, application):
    assert problems(application + "  other:\n" + TWO + ROUTE) == [
        ("routes[0].application", "There are several applications. Write acme or another one's name here.")]


@pytest.mark.parametrize("more", ["", "  upstream: https://127.0.0.1:9443\n",
                                  "  upstream: https://localhost:9443\n  host: open.nordea.com\n",
                                  "  upstream: https://emulator:9443\n  host: api.nordeaopenbanking.com\n"])
def test_the_signature_may_be_skipped_where_the_peer_proves_to_be_the_sandbox_or_is_this_machine(
        problems, application, more):
    assert problems(application + SKIP + more) == []
