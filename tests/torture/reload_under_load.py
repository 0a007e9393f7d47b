"""A thousand reloads while callers go on: no call fails, and no key ever signs beside another one's certificate.

The files lie as Kubernetes lays them: `seal.key` leads through `..data` into a directory, and a swap turns that link.
The bank takes either of two certificates; what is torn or mismatched brings a third key, or half a file, which the bank
would refuse.  Some swaps happen in the middle of a reload, which then has either outcome, and never half of each.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from cryptography import x509

from proxy.emulator import Authority, Emulator, Pair
from proxy.emulator.authority import write_private
from proxy.emulator.options import CLIENT_ID
from proxy.keys.keyring import Identity
from proxy.keys.rsa_signer import spki_sha256
from tests.e2e.line import Cut, get, post
from tests.e2e.standing import Proxy
from tests.torture.figures import Figure, none_of, scaled
from tests.torture.ground import Ground

PROMISE = "reload under load"
RELOADS, CALLERS, SEED = 1000, 4, 20261121
BROKEN, ROUND, RACES = 5, 10, (1, 3)
"""Every fifth reload finds something torn or mismatched; two of ten have their files swapped in the middle, one from a
torn version and one from a whole one."""
_NAMES = ("seal.key", "seal.crt", "secret")
_RACE_S = 0.003

Spoil = Callable[[Path, Pair], None]


def _half(name: str) -> Spoil:
    def spoil(directory: Path, other: Pair) -> None:
        content = (directory / name).read_bytes()
        (directory / name).write_bytes(content[:len(content) // 2])

    return spoil


def _foreign_key(directory: Path, other: Pair) -> None:
    write_private(directory / "seal.key", other.key_pem)


def _foreign_certificate(directory: Path, other: Pair) -> None:
    (directory / "seal.crt").write_bytes(other.certificate_pem)


def _emptied(directory: Path, other: Pair) -> None:
    (directory / "seal.key").write_bytes(b"")


def _missing(directory: Path, other: Pair) -> None:
    (directory / "secret").unlink()


SPOILS: dict[str, tuple[Spoil, str]] = {
    "half a key": (_half("seal.key"), "key_format"), "half a certificate": (_half("seal.crt"), "certificate_format"),
    "another key": (_foreign_key, "key_pair_mismatch"), "another certificate": (_foreign_certificate,
                                                                               "key_pair_mismatch"),
    "an empty file": (_emptied, "key_format"), "a missing file": (_missing, "key_unreadable")}
"""What may be found, and the code with which that is refused."""


class Mount:
    """A directory as the kubelet makes it.  good: the two whole versions; broken: by name of the spoil."""

    def __init__(self, directory: Path, pairs: tuple[Pair, Pair], stranger: Pair, secret: str) -> None:
        self.directory = directory
        directory.mkdir()
        self.good = [self._version(f"..whole-{number}", pair, secret) for number, pair in enumerate(pairs)]
        self.broken = {}
        for number, (name, (spoil, _)) in enumerate(SPOILS.items()):
            version = self._version(f"..broken-{number}", pairs[number % 2], secret)
            spoil(directory / version, stranger)
            self.broken[name] = version
        self.turn(self.good[0])
        for name in _NAMES:
            (directory / name).symlink_to(f"..data/{name}")

    def _version(self, name: str, pair: Pair, secret: str) -> str:
        (self.directory / name).mkdir()
        pair.write(self.directory / name, "seal.key", "seal.crt")
        write_private(self.directory / name / "secret", secret.encode())
        return name

    def turn(self, version: str) -> None:
        """At once for who opens a file after it."""
        fresh = self.directory / "..data_tmp"
        fresh.symlink_to(version)
        os.replace(fresh, self.directory / "..data")


@dataclass(slots=True)
class Tally:
    """wrong: reloads with another outcome than theirs.  mixed: identities whose key is not the certificate's."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    mixed: int = 0
    seen: set[int] = field(default_factory=set)
    failed: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    def look(self, identity: Identity | None) -> None:
        """At what is in service now."""
        if identity is None or identity.revision in self.seen:
            self.mixed += identity is None
            return
        self.seen.add(identity.revision)
        assert identity.key is not None
        assert identity.key.certificate is not None
        public = x509.load_der_x509_certificate(identity.key.certificate.der).public_key()
        self.mixed += spki_sha256(public) != identity.key.signer.spki_sha256  # type: ignore[arg-type]


async def run(ground: Ground, size: float) -> list[Figure]:
    reloads = scaled(RELOADS, size, least=BROKEN * len(SPOILS))
    first, second, stranger = ground.files.shop.pair, Authority().seal(), Authority().seal()
    place = ground.directory / f"mount-{time.monotonic_ns()}"
    mount = await asyncio.to_thread(Mount, place, (first, second), stranger, ground.files.shop.secret)
    application = ground.files.shop.application(
        key_file=str(place / "seal.key"), certificate_file=str(place / "seal.crt"),
        client_secret_file=str(place / "secret"))
    async with ground.bank(keep=200_000) as bank, ground.proxy(bank, applications={"shop": application}) as proxy, \
            _quiet():
        _takes_either(bank, first, second)
        tally, stop = Tally(), asyncio.Event()
        callers = [asyncio.create_task(_caller(proxy, tally, stop, name)) for name in range(CALLERS)]
        await _reload_again_and_again(proxy, mount, tally, reloads)
        stop.set()
        await asyncio.gather(*callers)
        return await _figures(bank, proxy, tally, reloads)


@asynccontextmanager
async def _quiet() -> AsyncIterator[None]:
    """Each torn reload is logged as an error, and there are hundreds."""
    log = logging.getLogger("proxy")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _takes_either(bank: Emulator, *pairs: Pair) -> None:
    """A bank that is patient, so that the proxy alone decides whether a call fails."""
    judge, known = bank.verifier.judge, []
    for pair in pairs:
        bank.register(pair.certificate_pem)
        known.append(bank.applications[CLIENT_ID])

    def patient(*request):  # type: ignore[no-untyped-def]
        for application in known:
            bank.applications[CLIENT_ID] = replace(application)
            verdict = judge(*request)
            if verdict.accepted:
                break
        return verdict

    bank.verifier.judge = patient


async def _caller(proxy: Proxy, tally: Tally, stop: asyncio.Event, name: int) -> None:
    number = 0
    while not stop.is_set():
        try:
            async with proxy.connect() as line:
                while not stop.is_set():
                    number += 1
                    target = f"/echo/reload/{name}/{number}"
                    answer = await line.ask(post(target) if number % 2 else get(target))
                    tally.calls += 1
                    tally.look(proxy.running.rings["shop"].current)
                    if answer.status != 200:
                        tally.failed[str(answer.status)] += 1
        except Cut:
            tally.calls += 1
            tally.failed["cut"] += 1


async def _reload_again_and_again(proxy: Proxy, mount: Mount, tally: Tally, reloads: int) -> None:
    random, spoils = Random(SEED), list(SPOILS)
    for number in range(1, reloads + 1):
        whole = mount.good[number % 2]
        if number % BROKEN == 0:
            name = spoils[number // BROKEN % len(spoils)]
            mount.turn(mount.broken[name])
            await _expect(proxy, tally, name, SPOILS[name][1])
        elif number % ROUND in RACES:
            swap = asyncio.create_task(asyncio.to_thread(_late, mount, whole, random.random() * _RACE_S))
            await _expect(proxy, tally, "a race", None)
            await swap
        else:
            mount.turn(whole)
            await _expect(proxy, tally, "whole files", "")


def _late(mount: Mount, version: str, seconds: float) -> None:
    time.sleep(seconds)
    mount.turn(version)


async def _expect(proxy: Proxy, tally: Tally, what: str, code: str | None) -> None:
    """code: with which the reload fails, "" for none; None: nobody can say."""
    before = proxy.running.rings["shop"].current
    found = await proxy.running.reload()
    row = found.applications["shop"]["current"]
    after = proxy.running.rings["shop"].current
    tally.look(after)
    refused = str(row.get("code", ""))
    tally.outcomes["failed" if refused else "ok"] += 1
    tally.codes[refused or "ok"] += 1
    kept = (after is before) == bool(refused)
    if not kept or (code is not None and refused != code):
        tally.wrong.append(f"{what}: {refused or 'reloaded'}")


async def _figures(bank: Emulator, proxy: Proxy, tally: Tally, reloads: int) -> list[Figure]:
    counted = {outcome: await proxy.metric("signing_proxy_key_reloads_total", application="shop", outcome=outcome)
               for outcome in ("ok", "failed")}
    off = sum(abs(counted[outcome] - tally.outcomes[outcome]) for outcome in counted)
    refused = sum(not one.verdict.accepted for one in bank.received)
    torn = reloads // BROKEN
    codes = ", ".join(f"{code} {count}" for code, count in sorted(tally.codes.items()))
    return [
        none_of(PROMISE, f"calls that failed through {reloads} reloads, {torn} of them torn or mismatched",
                tally.failed.total(), tally.calls, f"{CALLERS} callers"),
        none_of(PROMISE, "requests that the bank refused", refused, bank.received.total),
        none_of(PROMISE, "answered without having been executed once", abs(bank.executions.total - tally.calls),
                tally.calls),
        none_of(PROMISE, "keys in service beside another one's certificate", tally.mixed, len(tally.seen)),
        none_of(PROMISE, "reloads with another outcome than theirs", len(tally.wrong), reloads, codes),
        none_of(PROMISE, "reloads that the metric has not counted as they were", round(off), reloads)]
