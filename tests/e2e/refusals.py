"""How each cause comes about, told with real parts: what the bank, the portal and this machine do before a call fails.

SCENES has one scene for each cause of core.diagnosis that a call through the proxy can have; what only somebody's own
script gets wrong is in tests/cli/test_explain.py.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.core import signing
from proxy.emulator import Authority, Emulator, Pair, Policy, Seal
from proxy.emulator.authority import write_private
from tests.e2e.line import Answer, get, post, request
from tests.e2e.standing import Files, Lines, Proxy

ACCOUNTS = "/personal/v5/accounts"
PAYMENTS = "/personal/v4/payments/domestic"
DAY = 86400.0
LATIN = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Pairs:
    """Certificates besides the shop's own: another company's, and one with the role PSP_IC alone."""

    other: Pair
    alone: Pair

    @classmethod
    def make(cls) -> Pairs:
        authority = Authority()
        return cls(authority.seal(), authority.seal(holder=Seal(roles=("PSP_IC",))))


class Stage:
    """One bank and one proxy, both still to be started."""

    def __init__(self, files: Files, pairs: Pairs, directory: Path, start_bank: Any, start_proxy: Any, lines: Lines,
                 monkeypatch: Any) -> None:
        self.pairs = pairs
        self.directory = directory / "shop"
        shutil.copytree(files.shop.key.parent, self.directory)
        self._files, self._start_bank, self._start_proxy = files, start_bank, start_proxy
        self.lines = lines
        self.monkeypatch = monkeypatch
        self.certificate = files.shop.pair.certificate_pem
        self.client_id = files.shop.client_id
        self.bank: Emulator
        self.proxy: Proxy
        self.answers: list[Answer] = []

    async def open(self, bank: dict[str, Any] | None = None, route: dict[str, Any] | None = None,
                   **application: Any) -> None:
        own = {"key_file": str(self.directory / "seal.key"), "certificate_file": str(self.directory / "seal.crt"),
               "client_secret_file": str(self.directory / "secret"), **application}
        self.bank = await self._start_bank(**(bank or {}))
        self.proxy = await self._start_proxy(self.bank, applications={"shop": self._files.shop.application(**own)},
                                             route=route or {}, self_verify=False)

    async def call(self, raw: bytes | None = None) -> Answer:
        answer = await self.proxy.ask(get(ACCOUNTS) if raw is None else raw)
        self.answers.append(answer)
        return answer

    async def works(self, raw: bytes | None = None) -> None:
        assert (await self.call(raw)).status < 400

    async def refused(self, raw: bytes | None = None) -> None:
        assert (await self.call(raw)).status >= 400

    def upload(self, state: str = "registered", certificate: bytes | None = None, **how: Any) -> None:
        """In the bank's portal."""
        self.bank.register(certificate or self.certificate, state=state, **how)  # type: ignore[arg-type]

    async def put(self, *, key: Pair | None = None, certificate: Pair | None = None, secret: bytes = b"") -> None:
        """In our files, followed by SIGHUP."""
        if key is not None:
            write_private(self.directory / "seal.key", key.key_pem)
        if certificate is not None:
            (self.directory / "seal.crt").write_bytes(certificate.certificate_pem)
        if secret:
            write_private(self.directory / "secret", secret)
        await self.proxy.running.reload()

    def write_secret(self, content: bytes) -> None:
        write_private(self.directory / "secret", content)

    async def diagnosis(self) -> dict[str, Any]:
        """The last one, as /status has it."""
        count = len(self.answers)
        await self.lines.until(lambda: len(self.lines.records) == count)
        (told,) = (await self.proxy.admin("/status")).json["diagnoses"].values()
        return told


Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Scene:
    """tells: what must stand in the text.  first: whether it is the likeliest cause, or only among them."""

    play: Play
    certainty: str
    tells: tuple[str, ...] = ()
    first: bool = True


SCENES: dict[str, Scene] = {}


def _sending(kind: str, target: str, body: bytes) -> bytes:
    return request("POST", target, "Authorization: Bearer token", f"Content-Type: {kind}", body=body)


def scene(cause: str, certainty: str, *tells: str, first: bool = True) -> Callable[[Play], Play]:
    def keep(play: Play) -> Play:
        SCENES[cause] = Scene(play, certainty, tells, first)
        return play
    return keep


# --- error.signature.invalid

@scene("outgoing_message_wrong", "certain", "Our own verification fails")
async def _(stage: Stage) -> None:
    right = signing.signature_base
    stage.monkeypatch.setattr(signing, "signature_base", lambda covered, values: right(covered, values) + b"\n")
    await stage.open()
    await stage.refused()


@scene("signature_missing", "certain", "signature: skip")
async def _(stage: Stage) -> None:
    await stage.open(route={"signature": "skip"})
    await stage.refused()


@scene("not_the_demo_key", "certain", "the sandbox knows 747328e27be81cd5…")
async def _(stage: Stage) -> None:
    await stage.open(bank={"certificate": None, "policy": Policy(sandbox=True)},
                     route={"profile": "nordea-sandbox", "host": "api.nordeaopenbanking.com"})
    await stage.refused()


@scene("wrong_host", "certain", "api.nordeaopenbanking.com was signed")
async def _(stage: Stage) -> None:
    await stage.open(bank={"policy": Policy(hosts=frozenset({"open.nordea.com"}))},
                     route={"host": "api.nordeaopenbanking.com"})
    await stage.refused()


@scene("key_id_differs", "likely", "key_id")
async def _(stage: Stage) -> None:
    await stage.open(route={"key_id": "another"})
    await stage.refused()


@scene("key_not_replaced_here", "certain", "cannot be loaded since", "key_pair_mismatch", "Our own verification")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    stage.upload(certificate=stage.pairs.other.certificate_pem)
    await stage.put(certificate=stage.pairs.other)
    await stage.refused()


@scene("bank_settling", "likely", "was replaced here at", "were accepted after that")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    await stage.put(key=stage.pairs.other, certificate=stage.pairs.other)
    stage.upload(certificate=stage.pairs.other.certificate_pem, half=True)
    statuses = []
    while statuses[-2:] != [200, 401]:          # every other connection reaches a machine that has not learnt of it
        statuses.append((await stage.call()).status)
        await stage.bank.until(lambda: stage.bank.close_idle() == 1)
        await stage.bank.until(lambda: stage.bank.open_connections == 0)


@scene("key_replaced_here", "certain", "was replaced at", "instead of", "verification of the outgoing message passes",
       "accepted calls with the former key until", "have been refused so since")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    await stage.put(key=stage.pairs.other, certificate=stage.pairs.other)
    await stage.refused()
    await stage.refused()


@scene("bank_certificate_replaced", "likely", "was accepted until", "has not changed here since",
       "verification of the outgoing message passes")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    stage.upload(certificate=stage.pairs.other.certificate_pem)
    await stage.refused()
    await stage.refused(get("/personal/v5/accounts/FI6593857450293470-EUR"))


@scene("bank_holds_another_certificate", "likely", "Our own verification of the outgoing message passes",
       "none has been accepted since the proxy started")
async def _(stage: Stage) -> None:
    await stage.open(bank={"certificate": stage.pairs.other.certificate_pem})
    await stage.refused()


@scene("certificate_wrong_field", "possible", first=False)
async def _(stage: Stage) -> None:
    await stage.open()
    stage.upload("wrong_field")
    await stage.refused()


@scene("authorize_parameters", "likely", "redirect_uri, state")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.refused(post("/personal/v5/authorize", b'{"scope":["ACCOUNTS_BASIC"]}'))


@scene("content_type_changed", "likely", "Calls without a body are accepted", LATIN)
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    stage.bank.faults.add("content_type_stripped")
    await stage.refused(_sending(LATIN, PAYMENTS, b'{"amount":"1.00"}'))


@scene("changed_on_the_way", "likely", "holds escapes", "Other calls with the same key were accepted")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    stage.bank.faults.add("target_decoded")
    await stage.refused(get(f"{ACCOUNTS}?q=a%20b"))


# --- error.certificate.invalid

@scene("certificate_armoured", "likely", "Ours is valid until")
async def _(stage: Stage) -> None:
    await stage.open()
    stage.upload("armoured")
    await stage.refused()


@scene("certificate_expired", "certain", "It ended on")
async def _(stage: Stage) -> None:
    await _at_another_time(stage, 100 * DAY)


@scene("certificate_not_yet_valid", "certain", "first day is still to come")
async def _(stage: Stage) -> None:
    await _at_another_time(stage, -2 * DAY)


async def _at_another_time(stage: Stage, shift: float) -> None:
    await stage.open(bank={"clock": lambda: time.time() + shift})
    stage.proxy.running.diagnoses.clock = lambda: time.time() + shift
    await stage.refused()


@scene("certificate_revoked", "likely", "It was accepted before")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    stage.upload("revoked")
    await stage.refused()


@scene("only_psp_ic", "certain", "PSP_IC and no other")
async def _(stage: Stage) -> None:
    alone = stage.pairs.alone
    alone.write(stage.directory, "seal.key", "seal.crt")
    await stage.open()
    stage.upload(certificate=alone.certificate_pem, check_roles=False)
    await stage.refused()


# --- error.digest.invalid, error.date.invalid

@scene("body_changed_on_the_way", "likely", "Our own verification of the outgoing message passes")
async def _(stage: Stage) -> None:
    await stage.open()
    stage.bank.faults.add("body_rewritten")
    await stage.refused(post("/echo", b'{"a": 1}'))


@scene("form_not_normalised", "likely", "form: raw")
async def _(stage: Stage) -> None:
    await stage.open(bank={"policy": Policy(form="canonical")}, route={"form": "raw"})
    await stage.refused(_sending(FORM, "/echo", b"b=2&a=1"))


@scene("clock_ahead", "certain", "41 s ahead of the answer's Date")
async def _(stage: Stage) -> None:
    await stage.open(bank={"clock": lambda: time.time() - 41, "policy": Policy(date_window=30)})
    await stage.refused()


@scene("clock_behind", "certain", "41 s behind the answer's Date")
async def _(stage: Stage) -> None:
    await stage.open(bank={"clock": lambda: time.time() + 41, "policy": Policy(date_window=30)})
    await stage.refused()


@scene("date_refused", "possible", "Our clock agrees")
async def _(stage: Stage) -> None:
    await stage.open(bank={"policy": Policy(date_window=-1)})
    await stage.refused()


# --- the gateway: id, secret, subscription

@scene("client_secret_whitespace", "likely", "white space around the client secret, such as a trailing space")
async def _(stage: Stage) -> None:
    stage.write_secret(b"emulated-secre \n")
    await stage.open()
    await stage.refused()


@scene("client_credentials_shape", "likely", "quotation marks around it")
async def _(stage: Stage) -> None:
    stage.write_secret(b'"emulated-secret"\n')
    await stage.open()
    await stage.refused()


@scene("client_id_hyphens", "likely", first=False)
async def _(stage: Stage) -> None:
    bare = stage.client_id
    await stage.open(bank={"client_id": "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))})
    await stage.refused()


@scene("client_credentials_changed", "certain", "They were replaced at", "Calls were accepted until")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    await stage.put(secret=b"another\n")
    await stage.refused()


@scene("client_secret_reset", "likely", "The same credentials were accepted until", "before any signature is looked at")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.works()
    stage.upload(client_secret="new-in-the-portal")
    await stage.refused()


@scene("client_credentials_wrong", "likely", "before any signature is looked at")
async def _(stage: Stage) -> None:
    await stage.open(bank={"client_secret": "something else"})
    await stage.refused(get(ACCOUNTS, "Accept: application/xml"))


@scene("not_subscribed", "likely", "gateway")
async def _(stage: Stage) -> None:
    await stage.open()
    stage.upload("unsubscribed")
    await stage.refused()


# --- the application's token

@scene("token_missing", "certain", "no Authorization header")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.refused(request("GET", ACCOUNTS))


@scene("token_not_bearer", "certain", "does not begin with 'Bearer '")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.refused(request("GET", ACCOUNTS, "Authorization: token"))


@scene("token_expired", "certain", "The bank says so")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.refused(request("GET", ACCOUNTS, "Authorization: Bearer expired"))


@scene("token_invalid", "likely")
async def _(stage: Stage) -> None:
    await stage.open()
    await stage.refused(request("GET", ACCOUNTS, "Authorization: Bearer invalid"))


@scene("consent_invalid", "likely")
async def _(stage: Stage) -> None:
    await stage.open()
    stage.bank.faults.add("answer", status=401,
                          body='{"tppMessages":[{"category":"ERROR","code":"CONSENT_EXPIRED","text":"Expired."}]}')
    await stage.refused()


@scene("grant_invalid", "likely")
async def _(stage: Stage) -> None:
    await stage.open()
    stage.bank.faults.add("answer", status=400, body='{"error":"invalid_grant","error_description":"Used."}')
    await stage.refused(_sending(FORM, "/personal/v5/authorize/token", b"code=1&grant_type=authorization_code"))


# --- limits, and failures at the bank

def _fault(kind: str) -> Play:
    async def play(stage: Stage) -> None:
        await stage.open()
        stage.bank.faults.add(kind, seconds=7)
        await stage.refused()
    return play


scene("burst_limit", "certain", "Nothing is left of burst-limit-1", "Retry-After is 7")(_fault("too_many"))
scene("rate_limit", "certain", "Nothing is left of rate-limit-1", "Retry-After is 7")(_fault("quota"))
scene("path_unknown", "certain", "gateway")(_fault("no_api"))
scene("bank_unavailable", "certain", "The bank answered 503", "Retry-After is 7")(_fault("unavailable"))
scene("bank_failed", "certain", "The bank answered 500")(_fault("gateway_error"))


@scene("unrecognised", "possible", "The status is 403", "The bank says: Computer says no.")
async def _(stage: Stage) -> None:
    await stage.open()
    stage.bank.faults.add("answer", status=403, body='{"moreInformation":"Computer says no."}')
    await stage.refused()
