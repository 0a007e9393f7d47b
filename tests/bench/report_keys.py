"""The tables for keys, against their limits."""

from __future__ import annotations

from . import keys
from .samples import RSA, Samples, difference
from .table import Line, Table
from .token_operation import SIZES

ADDED_MS, HELD_MS, OVERLAP, TOKEN_MS = 5.0, 5.0, 0.8, 0.3


def tables(samples: Samples) -> list[Table]:
    return [_reloads(samples), _held(samples), _transit(samples), _token(samples)]


def _reloads(samples: Samples) -> Table:
    table = Table(f"{keys.PACE} requests a second while the key is reloaded {keys.RELOADS} times a second (ms)")
    for kind in keys.KINDS:
        quiet, reloading = (samples.of(f"p99 {way}", kind) for way in (keys.QUIET, keys.RELOADING))
        table.lines += [Line(f"{kind}: p99 without reloads", quiet, digits=1),
                        Line(f"{kind}: p99 with reloads", reloading, digits=1),
                        Line(f"{kind}: p99, with above without", difference(reloading, quiet), ADDED_MS, 1),
                        Line(f"{kind}: reloads a second", samples.of("reloads a second", kind), digits=1)]
    return table


def _held(samples: Samples) -> Table:
    table = Table("How long a reload keeps the event loop from running at a stretch, median of 20 reloads (ms)")
    for kind in keys.KINDS:
        table.lines += [Line(kind, samples.of("held", kind), HELD_MS, 2),
                        Line(f"{kind}: most of all", samples.of("held at most", kind), digits=2)]
    table.lines.append(Line(keys.LIBRARY, samples.of("held", keys.LIBRARY), digits=2))
    return table


def _transit(samples: Samples) -> Table:
    ideal = keys.CROWD / keys.LATENCY
    table = Table(f"{keys.CROWD} clients, Transit that answers after {keys.LATENCY * 1000:.0f} ms")
    rate = samples.of("crowd", keys.TRANSIT)
    table.lines = [Line("requests a second", rate), Line(f"of {keys.CROWD}/{keys.LATENCY * 1000:.0f} ms",
                                                         [one / ideal for one in rate], OVERLAP, 2, at_least=True)]
    table.lines.append(Line(f"{RSA}: CPU µs", samples.of("crowd cpu", RSA)))
    for who in (keys.TRANSIT, keys.IN_PROCESS):
        table.lines += [Line(f"{who}: CPU µs a request", samples.of("crowd cpu", who)),
                        Line(f"{who}: CPUs that the proxy had", samples.of("crowd share", who), digits=2)]
    return table


def _token(samples: Samples) -> Table:
    table = Table("A signature on a SoftHSM token (ms)")
    for bits in SIZES:
        variant = f"RSA-{bits}"
        table.lines += [Line(f"{variant}: {what}", samples.of("token", what, variant),
                             TOKEN_MS if what == keys.ADDED else None, 3) for what in keys.TOKEN]
    return table
