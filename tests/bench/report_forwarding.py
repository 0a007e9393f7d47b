"""The tables for clients that have HTTP_PROXY and HTTPS_PROXY set, against their limits."""

from __future__ import annotations

from .caller import ABSOLUTE, FORMS, INTERCEPTED, OVER_TLS, REVERSE
from .forwarding import FULL, LISTENER, OURS, PEER, RESUMED, SLOW_READERS, SPLICED, STREAMS, TUNNEL
from .rounds import MANY, METHODS
from .samples import RSA, Samples, difference, ratio
from .table import Line, Table

ABOVE_REVERSE, HANDSHAKE_RATIO, RELAY_RATIO, RISE_MB = 25.0, 1.5, 0.5, 4.0
HAPROXY = "HAProxy"


def tables(samples: Samples) -> list[Table]:
    return [_calls(samples), _handshakes(samples), _relays(samples), _memory(samples)]


def _calls(samples: Samples) -> Table:
    table = Table(f"Signed calls on {MANY} kept connections by form, RSA-2048 (CPU µs a request)",
                  [Line(RSA, samples.of("call", RSA), digits=1)])
    for method in METHODS:
        reverse = samples.of("call", REVERSE, method)
        table.lines += [Line(f"{method}: {form}", samples.of("call", form, method), digits=1) for form in FORMS]
        table.lines += [Line(f"{method}: {form} above reverse", difference(samples.of("call", form, method), reverse),
                             ABOVE_REVERSE if form == INTERCEPTED else None, 1)
                        for form in (ABSOLUTE, OVER_TLS, INTERCEPTED)]
    return table


def _handshakes(samples: Samples) -> Table:
    table = Table("A new TLS 1.3 connection, ECDSA P-256, closed again without a request (CPU µs)")
    for kind in (FULL, RESUMED):
        peer = samples.of("handshake", PEER, kind)
        table.lines += [Line(f"{kind}: {who}", samples.of("handshake", who, kind), digits=0)
                        for who in (TUNNEL, LISTENER, PEER)]
        table.lines += [Line(f"{kind}: {who} / {PEER}", ratio(samples.of("handshake", who, kind), peer),
                             HANDSHAKE_RATIO if (who, kind) == (TUNNEL, FULL) else None, 2)
                        for who in (TUNNEL, LISTENER)]
    return table


def _relays(samples: Samples) -> Table:
    table = Table("Plain tunnels, one way (GB of 10^9 bytes a CPU second)")
    for streams in map(str, STREAMS):
        mine = samples.of("relay", OURS, streams)
        table.lines += [Line(f"{streams} at a time: {who}", values, digits=2) for who in (OURS, HAPROXY, SPLICED)
                        if (values := samples.of("relay", who, streams))]
        table.lines.append(Line(f"{streams} at a time: {OURS} / {HAPROXY}",
                                ratio(mine, samples.of("relay", HAPROXY, streams)), RELAY_RATIO, 2, at_least=True))
        table.lines += [Line(f"{streams} at a time: {who}, GB a second", values, digits=2)
                        for who in (OURS, HAPROXY) if (values := samples.of("relay rate", who, streams))]
    return table


def _memory(samples: Samples) -> Table:
    before, rise, kept = (samples.of("memory", moment) for moment in ("before", "rise", "kept"))
    return Table(f"Memory with {SLOW_READERS} slow readers of plain tunnels (MB, RSS)", [
        Line("before", before, digits=1), Line("most above that", rise, RISE_MB, 1),
        Line("above that afterwards", kept, digits=1)])
