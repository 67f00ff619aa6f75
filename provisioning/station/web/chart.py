"""Time per phase as a drawing: horizontal bars in SVG, with the numbers as text for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from provisioning.station.web.floor import PhaseTime

ROW, NAME, BARS, NUMBER = 26, 130, 330, 180
WIDTH: Final = NAME + BARS + NUMBER


def phase_chart(times: Sequence[PhaseTime]) -> str:
    """Return an SVG element: a dark bar to the median, a pale one to the slowest run. "" without times."""
    if not times:
        return ""
    longest = max(0.001, *(time.slowest_s for time in times))
    height = ROW * len(times) + 4
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="chart-title">']
    words = "; ".join(f"{time.name} {time.median_s:.2f} s" for time in times)
    parts.append(f'<title id="chart-title">Median seconds of each phase: {escape(words)}</title>')
    for number, time in enumerate(times):
        y = ROW * number
        slowest, median = (round(BARS * value / longest, 1) for value in (time.slowest_s, time.median_s))
        parts += [
            f'<text x="{NAME - 10}" y="{y + 18}" text-anchor="end">{escape(time.name)}</text>',
            f'<rect class="slowest" x="{NAME}" y="{y + 5}" width="{slowest}" height="{ROW - 8}"/>',
            f'<rect class="median" x="{NAME}" y="{y + 5}" width="{median}" height="{ROW - 8}"/>',
            f'<text x="{NAME + BARS + 8}" y="{y + 18}">{time.median_s:.2f} s (max {time.slowest_s:.2f})</text>',
        ]
    return "".join([*parts, "</svg>"])
