"""Turns samples into tables: what was measured, the limit, met or missed."""

from __future__ import annotations

from . import report_forwarding, report_keys, safeguards, workers
from .peers import ALL, FLOOR, OURS, RIVAL
from .rounds import MANY, METHODS, Plan
from .samples import DIRECT, RSA, RSA_OF_RIVAL, Samples, difference, plain, ratio, signed, spread
from .table import Line, Table

CPU_RATIO, ABOVE_RSA, ADDED_RATIO, IDLE_MB, START_SECONDS = 1.25, 120.0, 2.0, 48.0, 0.4


def tables(samples: Samples, plan: Plan, part: str) -> list[Table]:
    """part: "reverse", "forward", "safeguards", "inspector", "keys", "workers" or "all"."""
    made = _reverse(samples, plan) if part in ("reverse", "all") else []
    made += report_forwarding.tables(samples) if part in ("forward", "all") else []
    made += safeguards.tables(samples, plan.sizes[0]) if part in ("safeguards", "all") else []
    if part in ("inspector", "all"):
        made += safeguards.tables(samples, plan.sizes[0], safeguards.INSPECTOR, what="Inspector",
                                  limit=safeguards.ABOVE_OFF)
    made += report_keys.tables(samples) if part in ("keys", "all") else []
    made += workers.tables(samples) if part in ("workers", "all") else []
    return [table for table in made if table.lines]


def _reverse(samples: Samples, plan: Plan) -> list[Table]:
    made = [_cpu(samples, plan), _added(samples, plan)]
    for connections in (1, MANY):
        for share in ("p50", "p99"):
            title = f"Latency at {connections} connection{'s'[:connections - 1]}, {share} (µs)"
            made.append(Table(title, _everybody(samples, plan, f"{share} at {connections}")))
    title = f"Throughput at {MANY} connections (requests a second)"
    made.append(Table(title, _everybody(samples, plan, "requests per second")))
    return [*made, _memory(samples), _start(samples), _loop(samples, plan)]


def _cpu(samples: Samples, plan: Plan) -> Table:
    table = Table(f"CPU time per request, {MANY} connections (µs, user + system of all its processes)")
    table.lines += [Line(f"{who}, RSA-{bits}", values, digits=1) for bits in plan.sizes for who in (RSA, RSA_OF_RIVAL)
                    if (values := samples.of("cpu", who, f"RSA-{bits}"))]
    table.lines += _everybody(samples, plan, "cpu", digits=1)
    for method, bits in _variants(plan):
        variant = signed(method, bits)
        mine, theirs = (samples.of("cpu", peer.name, variant) for peer in (OURS, RIVAL))
        rsa, rsa_of_rival = (samples.of("cpu", who, f"RSA-{bits}") for who in (RSA, RSA_OF_RIVAL))
        rival_with_our_rsa = [a - b + c for a, b, c in zip(theirs, rsa_of_rival, rsa, strict=False)]
        table.lines += [
            Line(f"{variant}: ours / {RIVAL.name}", ratio(mine, theirs), CPU_RATIO, 2),
            Line(f"{variant}: the same, were both libraries ours", ratio(mine, rival_with_our_rsa), None, 2),
            Line(f"{variant}: ours above its RSA operation", difference(mine, rsa), ABOVE_RSA, 1),
            Line(f"{variant}: {RIVAL.name} above its RSA operation", difference(theirs, rsa_of_rival), None, 1)]
    return table


def _added(samples: Samples, plan: Plan) -> Table:
    table = Table("Latency added to the upstream's own at 1 connection, p50 (µs)")
    for method, bits in _variants(plan):
        variant, direct = signed(method, bits), samples.of("p50 at 1", DIRECT, plain(method))
        mine = difference(samples.of("p50 at 1", OURS.name, variant), direct)
        theirs = difference(samples.of("p50 at 1", RIVAL.name, variant), direct)
        table.lines += [Line(f"{variant}: {RIVAL.name}", theirs), Line(f"{variant}: ours", mine),
                        Line(f"{variant}: ours / {RIVAL.name}", ratio(mine, theirs), ADDED_RATIO, 2)]
    return table


def _everybody(samples: Samples, plan: Plan, figure: str, digits: int = 0) -> list[Line]:
    names = [(DIRECT, plain(method)) for method in METHODS] + [(FLOOR.name, plain(method)) for method in METHODS]
    names += [(peer.name, signed(method, bits)) for method, bits in _variants(plan) for peer in ALL if peer.signs]
    return [Line(f"{variant}: {who}", values, digits=digits) for who, variant in names
            if (values := samples.of(figure, who, variant))]


def _memory(samples: Samples) -> Table:
    table = Table("Idle memory (MB of 10^6 bytes, all its processes)")
    for moment in ("after start", "after load"):
        for kind in ("rss", "pss"):
            for peer in ALL:
                limit = IDLE_MB if (peer is OURS and kind == "rss") else None
                values = samples.of(f"{kind} {moment}", peer.name)
                if values or limit:
                    table.lines.append(Line(f"{kind.upper()} {moment}: {peer.name}", values, limit, 1))
    return table


def _start(samples: Samples) -> Table:
    rival = samples.of("start", RIVAL.name)
    lines = [Line(RIVAL.name, rival, digits=3)] if rival else []
    lines.append(Line(OURS.name, samples.of("start", OURS.name), START_SECONDS, 3))
    return Table("From start to the first signed answer (s)", lines)


def _loop(samples: Samples, plan: Plan) -> Table:
    """The lateness that ours itself saw; it includes the time in which others had the CPU."""
    lines = [Line(f"{variant}: {OURS.name}", values, digits=1) for bits in plan.sizes
             if (values := samples.of("loop", OURS.name, variant := f"RSA-{bits}"))]
    return Table("Longest delay of the event loop in a round (ms)", lines)


def _variants(plan: Plan) -> list[tuple[str, int]]:
    return [(method, bits) for method in METHODS for bits in plan.sizes]


def text(made: list[Table]) -> str:
    rows = [line.cells() for table in made for line in table.lines]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
    out = []
    for table in made:
        out += ["", table.title]
        for line in table.lines:
            label, measured, limit, verdict = line.cells()
            out.append(f"  {label:<{widths[0]}}  {measured:>{widths[1]}}  {limit:<{widths[2]}}  {verdict}".rstrip())
    return "\n".join(out)


def unmeasured(made: list[Table]) -> int:
    return sum(line.limit is not None and not line.values for table in made for line in table.lines)


def document(made: list[Table], samples: Samples, facts: dict[str, str]) -> dict[str, object]:
    def entry(line: Line) -> dict[str, object]:
        keys = dict(zip(("median", "min", "max"), spread(line.values), strict=True)) if line.values else {}
        return {"label": line.label, **keys, "samples": line.values, "limit": line.limit, "verdict": line.verdict}

    return {"facts": facts, "problems": samples.problems,
            "tables": [{"title": table.title, "lines": [entry(line) for line in table.lines]} for table in made]}
