"""End-to-end tests need a bank that acts, so this one has accounts, payments and consents.

Paths, envelopes and codes are Nordea's; the table `_ROUTES` is the whole API.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from proxy.emulator import probes
from proxy.emulator.access import Access, TokenRule, json_object
from proxy.emulator.answers import Answer, failure, gateway, standing_fields, success
from proxy.emulator.payments import Payments
from proxy.emulator.verify import GATEWAY_CREDENTIALS, GATEWAY_SUBSCRIPTION, Verdict
from proxy.emulator.wire import Head

ACCOUNTS = ("FI6593857450293470-EUR", "FI6816603001007528-EUR")
CONTINUATION_KEY = "a+b=="


class Call(NamedTuple):
    """One request that may be answered; `id` is the variable part of its path."""

    head: Head
    body: bytes
    id: str
    now: float


class Bank:
    """The API behind the gateway.  Nothing here knows of sockets or faults."""

    def __init__(self, clock: Callable[[], float], tokens: TokenRule = "any") -> None:
        self._clock = clock
        self.access = Access(tokens)
        self.payments = Payments()
        self.served = 0

    def refuse(self, head: Head, verdict: Verdict) -> Answer:
        """The answer to a request whose verdict is not good."""
        if verdict.code == GATEWAY_CREDENTIALS:
            return gateway(401, "Invalid client id or secret.", head.one("accept"))
        if verdict.code == GATEWAY_SUBSCRIPTION:
            return gateway(403, "Application is not subscribed to this API.", head.one("accept"))
        return failure(verdict.code, head.path, self._clock())

    def token_problem(self, head: Head) -> str:
        """Error code of a missing or bad access token on the endpoints that need one."""
        route, _ = _find(head)
        return self.access.problem(head) if route is not None and route.needs_token else ""

    def act(self, head: Head, body: bytes) -> Answer:
        route, identity = _find(head)
        if route is None:
            return failure("error.resource.notfound", head.path, self._clock(), 404)
        return route.action(self, Call(head, body, identity, self._clock()))

    def standing_fields(self, fault: str = "") -> tuple[tuple[bytes, bytes], ...]:
        """fault: the kind that answers; of a limit that is used up nothing is left."""
        self.served += 1
        return standing_fields(self.served, self._clock(), used_up=fault)


def _accounts(_: Bank, call: Call) -> Answer:
    return success({"accounts": [_account(identity) for identity in ACCOUNTS]}, call.now)


def _account_details(_: Bank, call: Call) -> Answer:
    return success(_account(call.id), call.now) if call.id in ACCOUNTS else _not_found(call)


def _transactions(_: Bank, call: Call) -> Answer:
    """Two pages; the key between them needs percent-encoding, which is where proxies break a signature."""
    if call.id not in ACCOUNTS:
        return _not_found(call)
    key = parse_qs(call.head.query).get("continuation_key", [""])[-1]
    if key not in ("", CONTINUATION_KEY):
        return failure("error.validation", call.head.path, call.now, 400)
    first = 1 if key else 0
    page: dict[str, Any] = {"transactions": [_transaction(number) for number in range(first * 2, first * 2 + 2)]}
    if not key:
        page["continuation_key"] = CONTINUATION_KEY
    return success(page, call.now)


def _create_payment(bank: Bank, call: Call) -> Answer:
    instruction = json_object(call.body)
    if instruction is None:
        return failure("error.validation", call.head.path, call.now, 400)
    return success(bank.payments.create(instruction, call.head.path), call.now, 201)


def _get_payment(bank: Bank, call: Call) -> Answer:
    payment = bank.payments.get(call.id)
    return success(payment, call.now) if payment else _not_found(call)


def _moves_payment(status: str) -> Callable[[Bank, Call], Answer]:
    def act(bank: Bank, call: Call) -> Answer:
        payment = bank.payments.move(call.id, status)
        return success(payment, call.now) if payment else _not_found(call)

    return act


def _delete_payment(bank: Bank, call: Call) -> Answer:
    return Answer(204) if bank.payments.delete(call.id) else _not_found(call)


def _many_bytes(_: Bank, call: Call) -> Answer:
    return probes.many_bytes(call.head, int(call.id))


def _status(_: Bank, call: Call) -> Answer:
    code = int(call.id)
    return probes.status(code) if 200 <= code <= 599 else _not_found(call)


def _not_found(call: Call) -> Answer:
    return failure("error.resource.notfound", call.head.path, call.now, 404)


def _account(identity: str) -> dict[str, Any]:
    number, _, currency = identity.partition("-")
    return {"_id": identity, "account_numbers": [{"value": number, "_type": "IBAN"}], "currency": currency,
            "account_name": "Käyttötili", "product": "CURRENT", "status": "OPEN", "available_balance": "1234.56"}


def _transaction(number: int) -> dict[str, Any]:
    return {"transaction_id": f"T{number:04d}", "booking_date": "2023-08-14", "amount": f"-{number + 1}.00",
            "currency": "EUR", "narrative": "Kahvila Ääkkönen"}


class _Route(NamedTuple):
    methods: str
    path: re.Pattern[str]
    needs_token: bool
    action: Callable[[Bank, Call], Answer]


def _route(methods: str, path: str, action: Callable[[Bank, Call], Answer], *, token: bool = False) -> _Route:
    return _Route(methods, re.compile(path), token, action)


_ANY = "GET HEAD POST PUT PATCH DELETE OPTIONS"
_AIS = r"/(?:personal/v5|corporate/premium/v4|corporate/v2)/accounts"
_PIS = r"/(?:personal/v4/payments/[a-z-]+|corporate/premium/v2/payments)"
_AUTH = r"/(?:personal/v5|corporate/v2|corporate/premium/v4)/authorize"

_ROUTES = (
    _route("GET HEAD", _AIS, _accounts, token=True),
    _route("GET HEAD", rf"{_AIS}/([^/]+)", _account_details, token=True),
    _route("GET HEAD", rf"{_AIS}/([^/]+)/transactions", _transactions, token=True),
    _route("POST", _PIS, _create_payment, token=True),
    _route("GET HEAD", rf"{_PIS}/([^/]+)", _get_payment, token=True),
    _route("PUT", rf"{_PIS}/([^/]+)", _moves_payment("Confirmed"), token=True),
    _route("PATCH", rf"{_PIS}/([^/]+)/sign", _moves_payment("Signed"), token=True),
    _route("DELETE", rf"{_PIS}/([^/]+)", _delete_payment, token=True),
    _route("POST", _AUTH, lambda bank, call: bank.access.authorize(call.head, call.body, call.now)),
    _route("POST", rf"{_AUTH}/token", lambda bank, call: bank.access.token(call.head, call.body, call.now)),
    _route(_ANY, r"/echo(?:/.*)?", lambda _, call: probes.echo(call.head, call.body)),
    _route(_ANY, r"/bytes/(\d{1,10})", _many_bytes),
    _route(_ANY, r"/status/(\d{3})", _status),
    _route(_ANY, r"/gzip", lambda _, __: probes.gzipped()),
    _route(_ANY, r"/cookies", lambda _, __: probes.cookies()),
)


def _find(head: Head) -> tuple[_Route | None, str]:
    for route in _ROUTES:
        found = route.path.fullmatch(head.path)
        if found and head.method in route.methods.split():
            return route, found[1] if found.re.groups else ""
    return None, ""
