"""The picture of a spread (UP-08): its steps, its axis, and an SVG that a browser and a screen reader understand."""

from __future__ import annotations

import pytest
from defusedxml.ElementTree import fromstring

from provisioning.servers.spread import Spread
from provisioning.servers.spread_plot import LONGEST_TITLE, MOST_STEPS, caption, day_ticks, steps, svg

DAY_S = 86400
SVG = "{http://www.w3.org/2000/svg}"


def spread(*seconds: int, needing: int, until_s: int | None = None) -> Spread:
    return Spread(needing=needing, fixed=len(seconds), seconds=sorted(seconds), until_s=until_s)


def texts(picture: str) -> list[str]:
    return [(node.text or "").strip() for node in fromstring(picture).iter(f"{SVG}text")]


def test_the_curve_is_flat_between_two_reports() -> None:
    assert steps(spread(DAY_S, 3 * DAY_S, needing=4)) == [
        (0, 0), (1, 0), (1, 25), (3, 25), (3, 50), (3, 50),
    ]  # fmt: skip


def test_the_curve_ends_at_the_newest_report_of_any_unit() -> None:
    assert steps(spread(DAY_S, needing=2, until_s=9 * DAY_S))[-1] == (9, 50)


def test_a_fix_that_no_unit_reported_is_a_flat_line() -> None:
    assert steps(spread(needing=2, until_s=DAY_S)) == [(0, 0), (1, 0)]
    assert "0 of 2 units" in svg(spread(needing=2), "none")


def test_a_large_fleet_has_few_steps_and_its_last_share() -> None:
    found = steps(spread(*range(100_000), needing=200_000))
    assert len(found) <= 2 * MOST_STEPS + 2 and found[-1][1] == 50


@pytest.mark.parametrize("end", [0, 0.003, 0.14, 1, 6.9, 7, 20, 365, 4000])
def test_the_axis_covers_the_curve_with_a_few_round_days(end: float) -> None:
    ticks = day_ticks(end)
    assert ticks[0] == 0 and ticks[-1] >= end and 2 <= len(ticks) <= 9


def test_the_picture_has_the_figures_as_text_and_as_its_description() -> None:
    found = spread(*[DAY_S] * 19, needing=20)
    picture = svg(found, "Units with release 2")
    assert {"Units with release 2", caption(found), "95 %"} <= set(texts(picture))
    described = fromstring(picture).find(f"{SVG}desc").text
    assert described == "19 of 20 units have it, 0 never reported; 95 % reached after 1.0 days."


def test_a_name_from_outside_is_text_in_the_picture_and_is_cut() -> None:
    title = "<script>alert(1)</script>&" + "x" * 100
    picture = svg(spread(DAY_S, needing=1), title)
    assert "<script>" not in picture
    assert title[:LONGEST_TITLE] in texts(picture)
