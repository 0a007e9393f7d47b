"""Mistakes of the date: it is taken twice, in local time, or written in a language's own way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from proxy.cli.verification import rules
from proxy.cli.verification.captured import Captured
from proxy.cli.verification.mistakes import Mistake, changed_value

_SECONDS, _HOURS = range(1, 121), range(1, 15)


def dates(message: Captured) -> Iterator[Mistake]:
    date = message.one(rules.DATE) or ""
    for zone in ("UTC", "EEST", "EET", "CET", "CEST", "+0000", "Z", "+00:00", "GMT+0000"):
        yield changed_value("signed_date_zone", f"with {zone} for GMT", rules.DATE, date.replace("GMT", zone))
    yield changed_value("signed_date_zone", "without GMT", rules.DATE, date.replace(" GMT", ""))
    if (plain := message.one("date")) and plain != date:
        yield changed_value("other_date", "it is that of the Date header", rules.DATE, plain)
    moment = rules.seconds(date)
    if moment is None:
        return
    for what, text in _formats(moment):
        yield changed_value("signed_date_format", what, rules.DATE, text)
    for step, unit, counts in ((1, "second", _SECONDS), (3600, "hour", _HOURS)):
        for count in counts:
            for sign, when in ((1, "later"), (-1, "earlier")):
                shifted = _shifted(moment, sign * count * step)
                what = f"{count} {unit}{'s'[:count > 1]} {when}"
                yield changed_value("other_date", what, rules.DATE, shifted, "content" if count <= 10 else "rare")
    for hours in (1, 2, 3):
        local = _shifted(moment, hours * 3600)
        for zone in ("EET", "EEST", "CET", "CEST", f"+0{hours}00", f"GMT+0{hours}00"):
            yield changed_value("signed_date_zone", f"local time with {zone}", rules.DATE,
                         local.replace("GMT", zone))


def _shifted(moment: datetime, seconds: int) -> str:
    try:
        return rules.fixdate(moment + timedelta(seconds=seconds))
    except OverflowError:
        return ""


def _formats(moment: datetime) -> Iterator[tuple[str, str]]:
    day, month, year = moment.strftime("%a"), moment.strftime("%b"), moment.year
    clock, iso = f"{moment:%H:%M:%S}", f"{moment:%Y-%m-%dT%H:%M:%S}"
    for text in (iso + "Z", iso + ".000Z", iso, iso + "+00:00", iso + "+0000", iso + "[GMT]", iso.replace("T", " ")):
        yield "as ISO 8601", text
    yield "without the leading zero of the day", f"{day}, {moment.day} {month} {year} {clock} GMT"
    yield "as RFC 850", f"{moment:%A}, {moment:%d}-{month}-{moment:%y} {clock} GMT"
    yield "as C's asctime", f"{day} {month} {moment.day:2d} {clock} {year}"
    for zone in ("GMT", "UTC"):
        yield "as Java's Date", f"{day} {month} {moment:%d} {clock} {zone} {year}"
    for end in (" GMT+0000 (Coordinated Universal Time)", " GMT+0000", " GMT+0000 (UTC)"):
        yield "as JavaScript's Date", f"{day} {month} {moment:%d} {year} {clock}{end}"
    epoch = int(moment.replace(tzinfo=UTC).timestamp())
    yield "as seconds since 1970", str(epoch)
    yield "as milliseconds since 1970", f"{epoch}000"
