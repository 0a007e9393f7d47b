"""A certificate's end is said at 30, 14 and 7 days and when it is there, once each, and anew for another one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from proxy.app.expiry import Expiry

END = datetime(2027, 1, 31, 12, tzinfo=UTC)


def ring(end: datetime):
    certificate = SimpleNamespace(not_after=end)
    return SimpleNamespace(current=SimpleNamespace(key=SimpleNamespace(certificate=certificate)))


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING, logger="proxy")

    def take() -> list[str]:
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return lines

    return take


def test_each_step_once(said):
    expiry = Expiry({"shop": ring(END)}, None)
    told = {}
    for day in range(40, -3, -1):
        expiry.look(END - timedelta(days=day))
        expiry.look(END - timedelta(days=day) + timedelta(hours=1))
        lines = said()
        if lines:
            (told[day],) = lines
    assert sorted(told) == [0, 7, 14, 30]
    assert told[14].startswith("application shop: the certificate expires in 14 days, on 2027-01-31; order a new one")


def test_another_certificate_is_another_matter(said):
    rings = {"shop": ring(END)}
    expiry = Expiry(rings, None)
    expiry.look(END - timedelta(days=6))
    assert len(said()) == 1
    rings["shop"] = ring(END + timedelta(days=365))
    expiry.look(END - timedelta(days=5))
    assert said() == []
    rings["shop"] = ring(END + timedelta(days=1))
    expiry.look(END - timedelta(days=5))
    assert len(said()) == 1


def test_what_has_no_certificate_and_what_is_said_elsewhere(said):
    none = SimpleNamespace(current=None)
    expiry = Expiry({"shop": ring(END), "none": none}, SimpleNamespace(not_after=END))
    expiry.look(END - timedelta(days=20), aloud=False)
    expiry.look(END - timedelta(days=19))
    assert said() == []
    expiry.look(END + timedelta(days=1))
    lines = said()
    assert [line.partition(": ")[0] for line in lines] == ["application shop", "certificate authority"]
    assert all("expire" in line for line in lines)
