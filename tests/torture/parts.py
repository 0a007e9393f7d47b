"""The parts in the order in which they run: the last one searches what the others have said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.torture import (
    a_kill_leaves_nothing,
    callers_send_ahead_and_leave,
    nobody_signs_who_should_not,
    nothing_hostile_breaks_a_reader,
    nothing_is_sent_twice,
    nothing_malformed_is_signed,
    reload_under_load,
    reload_while_it_ends,
    secrets_stay,
    signed_is_sent,
    slow_clients_hold_up_nobody,
    stop_loses_nothing,
    the_clock_changes_only_the_date,
    the_keep_alive_race,
)
from tests.torture.figures import Figure
from tests.torture.ground import Ground

Part = Callable[[Ground, float], Awaitable[list[Figure]]]

PARTS: dict[str, Part] = {
    "framing": nothing_malformed_is_signed.run,
    "who-may-call": nobody_signs_who_should_not.run,
    "signed-is-sent": signed_is_sent.run,
    "nothing-is-sent-twice": nothing_is_sent_twice.run,
    "callers-that-send-ahead": callers_send_ahead_and_leave.run,
    "keep-alive-race": the_keep_alive_race.run,
    "reload-under-load": reload_under_load.run,
    "stop-loses-nothing": stop_loses_nothing.run,
    "reload-and-drain": reload_while_it_ends.run,
    "slow-clients": slow_clients_hold_up_nobody.run,
    "kill-leaves-nothing": a_kill_leaves_nothing.run,
    "fuzz": nothing_hostile_breaks_a_reader.run,
    "clock": the_clock_changes_only_the_date.run,
    "secrets": secrets_stay.run,
}
