"""Plots of growing costs: the figures `trend.SERIES.X` of the board (board/bench_trend.py), in instructions.

`make bench ARGS="--only board --trends"` draws them into docs/assets/trends.svg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tests.benchmarks.rows import TICK, TREND

# Series: title, unit of X.
TITLES = {
    "envelope": ("Decision, fixed form", "bytes of the envelope"),
    "general": ("Decision, general machine", "bytes of the envelope"),
    "keys": ("Decision", "authors in the anchors"),
    "chunks": ("Transfer over MQTT", "chunks of 4 KiB"),
    "log": ("One more event", "events in the log"),
}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 300, 190, 58, 30, 14, 38
Points = list[tuple[int, int]]


def series(measured: Mapping[str, float]) -> dict[str, Points]:
    """Return (x, instructions) of each series, in order of x."""
    found: dict[str, Points] = {}
    for name, ticks in measured.items():
        if name.startswith(TREND):
            kind, x = name[len(TREND) :].split(".")
            found.setdefault(kind, []).append((int(x), int(ticks) * TICK))
    return {kind: sorted(found[kind]) for kind in TITLES if kind in found}


def table(found: Mapping[str, Points]) -> str:
    """Return the series as a Markdown table: first and last value, and what one more x costs on average."""
    lines = ["| what | from | to | for one more |", "|---|---:|---:|---:|"]
    for kind, points in found.items():
        (low, least), (high, most) = points[0], points[-1]
        title, unit = TITLES[kind]
        each = (most - least) / (high - low) if high > low else 0
        lines.append(
            f"| {title}: {unit} | {low}: {_spaced(least)} | {high}: {_spaced(most)} | {_spaced(round(each))} |"
        )
    return "\n".join(lines)


def drawing(found: Mapping[str, Points]) -> str:
    """Return one plot for each series as an SVG document; both axes begin at zero."""
    plots = [_plot(kind, points, number) for number, (kind, points) in enumerate(found.items())]
    width, height = 2 * WIDTH, HEIGHT * -(-len(plots) // 2)
    style = "text{font:11px sans-serif;fill:#333}.title{font-weight:bold}.axis{stroke:#888}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>How costs grow, in instructions</title><style>{style}</style>"
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(plots)}</svg>\n'
    )


def _plot(kind: str, points: Sequence[tuple[int, int]], number: int) -> str:
    title, unit = TITLES[kind]
    most_x, most_y = max(1, points[-1][0]), max(1, *[y for _, y in points])
    inner_x, inner_y = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    places = [(LEFT + inner_x * x / most_x, TOP + inner_y * (1 - y / most_y)) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#1a5fb4"/>' for x, y in places)
    low = TOP + inner_y
    return (
        f'<g transform="translate({number % 2 * WIDTH} {number // 2 * HEIGHT})">'
        f'<text class="title" x="{LEFT}" y="18">{escape(title)}</text>'
        f'<path class="axis" fill="none" d="M{LEFT} {TOP}V{low}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 4}" text-anchor="end">{_short(most_y)}</text>'
        f'<text x="{LEFT - 6}" y="{low}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{low + 15}">0</text>'
        f'<text x="{WIDTH - RIGHT}" y="{low + 15}" text-anchor="end">{most_x}</text>'
        f'<text x="{LEFT + inner_x / 2}" y="{low + 29}" text-anchor="middle">{escape(unit)}</text>'
        f'<polyline fill="none" stroke="#1a5fb4" stroke-width="2" points="{line}"/>{dots}</g>'
    )


def _short(value: int) -> str:
    return f"{value / 1e6:.1f} M" if value >= 1_000_000 else f"{value / 1000:.0f} k"


def _spaced(value: int) -> str:
    return f"{value:,}".replace(",", " ")
