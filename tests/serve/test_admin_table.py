"""The admin port answers exactly what its table says, to exactly those it says it for."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from proxy.core.message import Request
from proxy.core.secret import Secret
from proxy.errors import PROBLEMS, KeyUnusable, Refused
from proxy.serve.admin import Admin, Page, answer, json_answer
from proxy.serve.gate import Gate

TOKENS = (Secret(b"first-token"), Secret(b"second-token"))


def told(request: Request):
    return answer(200, b"text/plain", request.method + b" " + request.target)


TABLE = {(b"GET", b"/page"): Page(told), (b"POST", b"/act"): Page(told, "token"),
         (b"GET", b"/here"): Page(told, "local"), (b"GET", b"/below/"): Page(told, "token"),
         (b"GET", b"/below/special"): Page(told),
         (b"POST", b"/both"): Page(told, "token"), (b"GET", b"/both"): Page(told)}


class Caller:
    """A connection, as far as the application looks at one."""

    listener, local = "admin", ("127.0.0.1", 9)

    def __init__(self, peer: str = "192.0.2.1") -> None:
        self.peer = peer
        self.answers: list = []
        self.answer = self.answers.append


def asking(method: bytes, target: bytes, *authorization: bytes, **fields: bytes) -> Request:
    given = [(b"authorization", b"Authorization", value) for value in authorization]
    given += [(name.replace("_", "-").encode(), name.encode(), value) for name, value in fields.items()]
    return Request(method, target, given, authority=b"localhost")


def make(tokens=TOKENS, table=TABLE) -> Admin:
    return Admin({"admin": Gate([b"localhost"])}, table, local=lambda peer: peer == "127.0.0.1", tokens=lambda: tokens)


def outcome(request: Request, *, tokens=TOKENS, peer: str = "192.0.2.1") -> str:
    """-> the refusal's code, or what the page said."""
    admin, caller = make(tokens), Caller(peer)
    try:
        admin.admit(caller, request)
    except Refused as refused:
        return refused.code
    admin.handle(caller, request)
    return caller.answers[0].body.decode()


@pytest.mark.parametrize(("method", "target", "found"), [
    (b"GET", b"/page", "GET /page"), (b"HEAD", b"/page", "HEAD /page"), (b"GET", b"/page?a=b", "GET /page?a=b"),
    (b"POST", b"/page", "admin_method"), (b"DELETE", b"/act", "admin_method"), (b"GET", b"/act", "admin_method"),
    (b"HEAD", b"/act", "admin_method"), (b"OPTIONS", b"/page", "admin_method"), (b"GET", b"/page/", "route_unknown"),
    (b"POST", b"/nowhere", "route_unknown"), (b"GET", b"/below", "route_unknown"), (b"GET", b"/both", "GET /both"),
    (b"GET", b"/below/special", "GET /below/special"), (b"GET", b"/below/", "admin_unauthenticated"),
    (b"GET", b"/below/a/b", "admin_unauthenticated"), (b"GET", b"//act", "route_unknown"),
    (b"GET", b"/below/special/", "admin_unauthenticated"), (b"POST", b"/below/special", "admin_method"),
    (b"GET", b"/here", "route_denied")])
def test_what_a_method_and_path_lead_to(method, target, found):
    assert outcome(asking(method, target)) == found


def test_what_is_for_this_machine_answers_it():
    assert outcome(asking(b"GET", b"/here"), peer="127.0.0.1") == "GET /here"


@pytest.mark.parametrize("given", [b"Bearer first-token", b"bearer second-token", b"BEARER  second-token "])
def test_a_token_that_counts_opens(given):
    assert outcome(asking(b"POST", b"/act", given)) == "POST /act"
    assert outcome(asking(b"GET", b"/below/a", given)) == "GET /below/a"


@pytest.mark.parametrize("given", [
    (), (b"",), (b"Bearer",), (b"Bearer ",), (b"Bearer first-toke",), (b"Bearer first-token1",), (b"first-token",),
    (b"Basic first-token",), (b"Basic YTpmaXJzdC10b2tlbg==",), (b"Bearer first-token", b"Bearer first-token"),
    (b"Bearer first-token,second-token",)])
def test_nothing_else_does(given):
    assert outcome(asking(b"POST", b"/act", *given)) == "admin_unauthenticated"


def test_without_a_token_nobody_may_act_from_this_machine_either():
    for given in ((), (b"Bearer first-token",), (b"Bearer ",), (b"Bearer",)):
        assert outcome(asking(b"POST", b"/act", *given), tokens=(), peer="127.0.0.1") == "admin_token_unset"
    assert outcome(asking(b"GET", b"/page"), tokens=()) == "GET /page"


@pytest.mark.parametrize(("name", "value"), [("origin", b"http://localhost"), ("sec_fetch_site", b"cross-site"),
                                             ("sec_fetch_site", b"same-site")])
def test_a_web_page_acts_with_no_token(name, value):
    request = asking(b"POST", b"/act", b"Bearer first-token", **{name: value})
    assert outcome(request) == "browser_origin"


def test_another_host_name_is_refused_before_anything_else():
    request = asking(b"POST", b"/act", b"Bearer first-token")
    request.authority = b"attacker.example"
    assert outcome(request) == "host_not_allowed"


@pytest.mark.parametrize(("code", "status", "hint"), [
    ("admin_token_unset", 403, "admin_token_file"), ("admin_unauthenticated", 401, "Authorization: Bearer"),
    ("admin_method", 405, "POST")])
def test_a_refusal_says_what_to_do(code, status, hint):
    request = asking(b"GET", b"/act")
    made = make().refuse(Caller(), request, Refused(code))
    document = json.loads(made.body)
    assert made.line.startswith(b"%d " % status)
    assert (document["code"], document["status"], document["upstream_sent"]) == (code, status, "no")
    assert hint in document["hint"]
    assert document["hint"] == PROBLEMS[code].hint
    assert (b"WWW-Authenticate: Bearer" in made.fields) == (status == 401)


@pytest.mark.parametrize(("target", "allowed"), [
    (b"/page", b"GET, HEAD"), (b"/act", b"POST"), (b"/both", b"GET, HEAD, POST"), (b"/below/x", b"GET, HEAD")])
def test_a_wrong_method_is_told_the_right_ones(target, allowed):
    made = make().refuse(Caller(), asking(b"PUT", target), Refused("admin_method"))
    assert [row for row in made.fields.split(b"\r\n") if row.startswith(b"Allow")] == [b"Allow: " + allowed]


def test_the_index_lists_every_row():
    listed = outcome(asking(b"GET", b"/")).splitlines()
    assert listed == ["/page", "POST /act", "/here", "/below/", "/below/special", "POST /both", "/both"]


def failing(_: Request):
    raise KeyUnusable("key_unavailable", "this time")


async def late(_: Request):
    await asyncio.sleep(0)
    return json_answer(200, {"done": True})


async def late_failing(request: Request):
    await asyncio.sleep(0)
    return failing(request)


async def broken(_: Request):
    raise RuntimeError("secret in a foreign text")


@pytest.mark.parametrize(("handler", "line", "said"), [
    (failing, b"503 Service Unavailable", "key_unavailable"), (late, b"200 OK", "done"),
    (late_failing, b"503 Service Unavailable", "key_unavailable"),
    (broken, b"500 Internal Server Error", "internal_error")])
async def test_an_answer_may_come_later_and_may_be_an_error(handler, line, said):
    admin, caller = make(table={(b"POST", b"/act"): Page(handler)}), Caller()
    admin.handle(caller, asking(b"POST", b"/act"))
    async with asyncio.timeout(10):
        while not caller.answers:
            await asyncio.sleep(0)
    (made,) = caller.answers
    assert made.line == line
    assert said in made.body.decode()
    assert "secret" not in made.body.decode()
    await admin.close()


async def test_what_is_under_way_ends_with_the_port():
    cancelled = asyncio.Event()

    async def waiting(_: Request):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    admin = make(table={(b"POST", b"/act"): Page(waiting)})
    admin.handle(SimpleNamespace(), asking(b"POST", b"/act"))
    await asyncio.sleep(0)
    await admin.close()
    assert cancelled.is_set()


async def test_who_asks_while_the_port_ends_is_told_so():
    """Whoever waits for an answer then, and whoever comes with a request after it."""
    async def never(_: Request):
        await asyncio.Event().wait()

    admin = make(table={(b"POST", b"/slow"): Page(never)})
    waits, late = Caller(), Caller()
    admin.handle(waits, asking(b"POST", b"/slow"))
    await asyncio.sleep(0)
    await admin.close()
    admin.handle(late, asking(b"POST", b"/slow"))
    for caller in (waits, late):
        assert json.loads(caller.answers[0].body)["code"] == "proxy_ending"
