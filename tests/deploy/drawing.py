"""Line charts as SVG, for a picture in the documents."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

COLOURS = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#e02f44", "#b8860b", "#1b9e9e", "#7a7a7a")
WIDTH, HEIGHT, COLUMNS, GAP = 460, 210, 2, 14
_LEFT, _TOP, _RIGHT, _BOTTOM = 62, 34, 12, 52
_UNITS = {"reqps": "/s", "s": "s", "short": "", "Bps": " B/s"}


@dataclass(frozen=True)
class Panel:
    """lines: legend -> (second, value) pairs.  seconds: the width of the picture."""

    title: str
    unit: str
    lines: dict[str, list[tuple[float, float]]]
    seconds: float

    @property
    def highest(self) -> float:
        return max((value for points in self.lines.values() for _, value in points), default=0.0) or 1.0


def drawn(panels: list[Panel], caption: str) -> str:
    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP + 24
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             f'font-size="11"><rect width="{width}" height="{height}" fill="#f4f5f5"/>']
    for number, panel in enumerate(panels):
        x, y = GAP + number % COLUMNS * (WIDTH + GAP), GAP + number // COLUMNS * (HEIGHT + GAP)
        parts.append(f'<g transform="translate({x} {y})">{"".join(chart(panel))}</g>')
    parts.append(f'<text x="{GAP}" y="{height - 12}" fill="#555">{escape(caption)}</text></svg>\n')
    return "\n".join(parts)


def chart(panel: Panel) -> list[str]:
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" rx="3" fill="#fff" stroke="#ddd"/>',
             f'<text x="12" y="20" font-weight="bold" fill="#222">{escape(panel.title)}</text>']
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    for step in range(3):
        y = _TOP + high - high * step / 2
        parts += [f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.0f}" y2="{y:.0f}" stroke="#eee"/>',
                  f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end" fill="#666">'
                  f'{shown(panel.highest * step / 2, panel.unit)}</text>']
    for second in range(0, int(panel.seconds) + 1, 30):
        x = _LEFT + wide * second / panel.seconds
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - _BOTTOM + 14}" text-anchor="middle" fill="#666">'
                     f'{second} s</text>')
    x, y = 12.0, HEIGHT - 23
    for (legend, points), colour in zip(panel.lines.items(), COLOURS * 3, strict=False):
        path = " ".join(f"{_LEFT + wide * at / panel.seconds:.1f},{_TOP + high - high * value / panel.highest:.1f}"
                        for at, value in points)
        parts += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>',
                  f'<text x="{x:.0f}" y="{y}" fill="{colour}">{escape(legend)}</text>']
        x += 6.2 * len(legend) + 14
        if x > WIDTH * 0.7:
            x, y = 12.0, y + 14
    return parts


def shown(value: float, unit: str) -> str:
    if unit == "s" and 0 < value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g}{_UNITS.get(unit, '')}"
