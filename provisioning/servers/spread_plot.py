"""The curve of a spread (UP-08) as an SVG picture: the share of the units that have a release, over time.

Rules:
1. The picture shows what the reports say and nothing else: a curve of steps from the signed release to the newest
   report, a line at 95 %, and the day at which the curve reached it.
2. A curve of many units is drawn with at most MOST_STEPS steps; the last step of each share that is left out counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from provisioning.servers.spread import SHARE, Spread

if TYPE_CHECKING:
    from reportlab.graphics.shapes import Drawing

MOST_STEPS: Final = 1000
LONGEST_TITLE: Final = 75  # characters that fit above the picture
_DAY_S: Final = 86400
_SHORTEST: Final = 0.01  # days: the shortest axis
_WIDTH, _HEIGHT = 720, 420
_LEFT, _BOTTOM, _RIGHT, _TOP = 64, 60, 24, 66
_INK, _GREY, _GRID, _LINE, _GOAL = "#1b1b1b", "#5a5a5a", "#d9d9d9", "#0b5cad", "#b3541e"
SIGNED: Final = "the release was signed"
_GOAL_TEXT: Final = f"{SHARE * 100:.0f} %"


def steps(found: Spread) -> list[tuple[float, float]]:
    """Return the corners of the curve as (days, percent), from (0, 0) to the newest report (rule 1)."""
    corners = [(0.0, 0.0)]
    share = 0.0
    for days, percent in _thinned(found):
        corners += [(days, share), (days, percent)]
        share = percent
    end = max(corners[-1][0], (found.until_s or 0) / _DAY_S)
    return [*corners, (end, share)]


def _thinned(found: Spread) -> list[tuple[float, float]]:
    """Return the points of the curve in days and percent, at most MOST_STEPS (rule 2)."""
    points = [(one["seconds"] / _DAY_S, 100 * one["share"]) for one in found.curve()]
    stride = math.ceil(len(points) / MOST_STEPS) or 1
    return points[::-1][::stride][::-1]


def day_ticks(end: float) -> list[float]:
    """Return the days of the axis: a few round numbers from 0 to the first one at or after `end`."""
    shown = max(end, _SHORTEST)
    size = 10.0 ** math.floor(math.log10(shown / 4))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if shown / (size * factor) <= 7)
    return [round(step * number, 6) for number in range(math.ceil(round(shown / step, 6)) + 1)]


def svg(found: Spread, title: str, since: str = SIGNED) -> str:
    """Return the picture as SVG text.

    `title`: one line, which is also the picture's name for a screen reader. `since`: the beginning of the axis.
    """
    from reportlab.graphics.renderSVG import SVGCanvas, draw

    picture = _drawing(found, title, since)
    canvas: Any = SVGCanvas((picture.width, picture.height), svgAttrs={"role": "img"})
    draw(picture, canvas)
    named: Sequence[tuple[str, str]] = (("title", title), ("desc", caption(found)))
    for tag, text in named:
        (node,) = canvas.svg.getElementsByTagName(tag)
        node.firstChild.data = text
    return str(canvas.doc.toprettyxml(indent=" "))


def caption(found: Spread) -> str:
    """Return one sentence with the figures of the picture."""
    after_s = found.time_to(SHARE)
    reached = "not reached" if after_s is None else f"reached after {after_s / _DAY_S:.1f} days"
    return f"{found.fixed} of {found.needing} units have it, {found.silent} never reported; {_GOAL_TEXT} {reached}."


class _Picture:
    """The shapes of reportlab in the places of days and percent."""

    def __init__(self, ticks: Sequence[float]) -> None:
        from reportlab.graphics.shapes import Drawing

        self.drawing: Drawing = Drawing(_WIDTH, _HEIGHT)
        self.end = ticks[-1]

    def x(self, days: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * days / self.end

    def y(self, percent: float) -> float:
        return _BOTTOM + (_HEIGHT - _BOTTOM - _TOP) * percent / 100

    def line(self, ends: tuple[float, float, float, float], color: str, **more: Any) -> None:
        from reportlab.graphics.shapes import Line
        from reportlab.lib.colors import HexColor

        self.drawing.add(Line(*ends, strokeColor=HexColor(color), **more))

    def text(self, x: float, y: float, words: str, **more: Any) -> None:
        from reportlab.graphics.shapes import String
        from reportlab.lib.colors import HexColor

        color = HexColor(more.pop("color", _GREY))
        self.drawing.add(String(x, y, words, **{"fontSize": 12, "fillColor": color, **more}))

    def background(self) -> None:
        from reportlab.graphics.shapes import Rect
        from reportlab.lib.colors import white

        self.drawing.add(Rect(0, 0, _WIDTH, _HEIGHT, fillColor=white, strokeColor=None))

    def curve(self, corners: Sequence[tuple[float, float]]) -> None:
        from reportlab.graphics.shapes import PolyLine
        from reportlab.lib.colors import HexColor

        points = [place for days, percent in corners for place in (self.x(days), self.y(percent))]
        self.drawing.add(PolyLine(points, strokeColor=HexColor(_LINE), strokeWidth=2.5))


def _drawing(found: Spread, title: str, since: str) -> Drawing:
    """Return the picture as shapes of reportlab."""
    corners = steps(found)
    ticks = day_ticks(corners[-1][0])
    picture = _Picture(ticks)
    picture.background()
    left, right, bottom = picture.x(0), picture.x(picture.end), picture.y(0)
    for percent in range(0, 101, 20):
        height = picture.y(percent)
        picture.line((left, height, right, height), _GRID, strokeWidth=1)
        picture.text(left - 8, height - 4, f"{percent} %", textAnchor="end")
    for day in ticks:
        picture.line((picture.x(day), bottom, picture.x(day), bottom - 5), _GREY, strokeWidth=1)
        picture.text(picture.x(day), bottom - 20, f"{day:g}", textAnchor="middle")
    picture.text((left + right) / 2, 14, f"days since {since}", textAnchor="middle")
    picture.text(left, _HEIGHT - 24, title[:LONGEST_TITLE], color=_INK, fontSize=16)
    picture.text(left, _HEIGHT - 44, caption(found))
    goal, dashed = picture.y(100 * SHARE), {"strokeWidth": 1.5, "strokeDashArray": [6, 4]}
    picture.line((left, goal, right, goal), _GOAL, **dashed)
    picture.text(left + 6, goal - 14, _GOAL_TEXT, color=_GOAL)
    if (after_s := found.time_to(SHARE)) is not None:
        day = picture.x(after_s / _DAY_S)
        picture.line((day, bottom, day, goal), _GOAL, **dashed)
    picture.curve(corners)
    return picture.drawing
