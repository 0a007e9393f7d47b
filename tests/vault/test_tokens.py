"""A token is renewed before it expires, and replaced by a login where renewing no longer helps."""

from __future__ import annotations

import pytest

from proxy.keys.vault.client import Vault
from proxy.keys.vault.settings import VaultAppRole, VaultSettings


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asked(local, clock):
    """As an AppRole whose tokens live 300 seconds."""
    name, role_id = local.role(ttl="300s")
    vault = Vault(VaultSettings(address=local.address, retries=0, approle=VaultAppRole(
        role_id=role_id, secret_id_env="SECRET_ID")), {"SECRET_ID": local.secret_id(name)}, now=clock)
    yield vault
    vault.close()


def counts(vault: Vault) -> tuple[float, float]:
    """Logins and renewals that went well."""
    found = vault.tally.requests()
    return found.get(("login", "ok"), 0), found.get(("renew", "ok"), 0)


def test_the_life_of_a_token(asked, clock):
    first = asked.tokens.current(asked.budget())
    assert asked.tokens.pause() == 200.0
    clock.now += 199
    asked.tokens.tend()
    assert counts(asked) == (1, 0)
    clock.now += 2
    asked.tokens.tend()
    assert counts(asked) == (1, 1)
    assert asked.tokens.current(asked.budget()).matches(first.reveal())
    assert asked.tokens.pause() == 200.0


def test_a_login_where_a_renewal_is_refused(asked, clock, standin):
    first = asked.tokens.current(asked.budget())
    standin.access.expire()
    clock.now += 201
    asked.tokens.tend()
    assert counts(asked) == (2, 0)
    assert not asked.tokens.current(asked.budget()).matches(first.reveal())


def test_a_login_near_the_longest_life(asked, clock, standin):
    """Vault renews, but for less than is left."""
    asked.tokens.current(asked.budget())
    for token in standin.access.tokens.values():
        token.ttl = min(token.ttl, 50)
    clock.now += 201
    asked.tokens.tend()
    assert counts(asked) == (2, 1)
    assert asked.tokens.pause() == 200.0


def test_an_outage_is_waited_out_with_the_token_there_is(asked, clock, standin, caplog):
    first = asked.tokens.current(asked.budget())
    standin.sealed = True
    clock.now += 201
    for _ in range(3):
        asked.tokens.tend()
        assert asked.tokens.pause() == 5.0
        clock.now += 5
    assert asked.tokens.current(asked.budget()) is first
    assert len([record for record in caplog.records if "vault token" in record.getMessage()]) == 1
    standin.sealed = False
    clock.now += 5
    asked.tokens.tend()
    assert counts(asked) == (1, 1)


def test_an_expired_token_is_not_sent(asked, clock):
    first = asked.tokens.current(asked.budget())
    clock.now += 301
    assert asked.tokens.current(asked.budget()) is not first
    assert counts(asked) == (2, 0)


def test_its_expiry_is_known_and_nothing_shows_it(asked):
    assert asked.tokens.expiry is None
    token = asked.tokens.current(asked.budget())
    assert asked.tokens.expiry is not None
    assert token.reveal().decode() not in repr(asked) + repr(asked.tokens._held)


def test_a_keeper_ends_with_the_vault(asked):
    asked.start()
    keeper = asked._keeper
    asked.close()
    keeper.join(30)
    assert not keeper.is_alive()
