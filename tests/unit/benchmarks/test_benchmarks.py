"""The benchmark's own rules: reached figures, derived figures, and the page that it updates."""

import re

import pytest

from tests.benchmarks import links, rows, run, trends


def row(reach, *, is_floor=False):
    return rows.Row(0, "thing", rows.BYTES, reach, "-", is_floor)


@pytest.mark.parametrize(
    ("one", "value", "verdict"),
    [
        (row(10), 10, "reached"),
        (row(10), 11, "NOT REACHED"),
        (row(0), 0, "reached"),
        (row(10, is_floor=True), 10, "reached"),
        (row(10, is_floor=True), 9, "NOT REACHED"),
        (row(None), 5, "-"),
        (row(10), None, "not measured"),
    ],
)
def test_a_figure_is_reached_not_reached_or_not_measured(one, value, verdict):
    assert rows.Result(one, value).verdict == verdict


def test_a_measurement_without_a_row_is_not_lost_in_silence():
    with pytest.raises(ValueError, match="no row for speed"):
        rows.results({"speed": 1.0})


def test_every_row_of_the_performance_page_from_1_to_9_is_there():
    assert {one.number for one in rows.ROWS} == set(range(1, 10))


def test_a_row_that_nothing_measured_stays_in_the_table():
    text = rows.table(rows.results({}))
    assert text.count("not measured") == len(rows.ROWS)


def test_figures_for_a_byte_and_a_kib_come_from_the_boards_counts():
    found = {
        one.row.name: one.value
        for one in rows.results(
            {"slot-digest": 6000, "slot-digest.bytes": 100, "coap.ticks": 10, "transfer.bytes": 2048}
        )
    }
    assert found["slot-digest"] == 60
    assert found["coap"] == 10 * rows.TICK / 2


def test_the_boards_lines_become_instructions_and_bytes():
    text = "rom: x\nBENCH a 10 20\nFIGURE b.growth -16\nfirmware: y\n"
    assert run.figures_of(text) == {"a": 400, "a.heap": 20, "b.growth": -16}


def test_the_summary_counts_what_is_reached_and_names_the_rest():
    found = [rows.Result(row(10), 9), rows.Result(row(10), 11), rows.Result(row(None), 3)]
    text = rows.summary(found, {"cuts-qemu": "no emulator"})
    assert "1 of 2 figures reached" in text
    assert "not reached: thing" in text
    assert "cuts-qemu: no emulator" in text


def test_the_page_keeps_the_text_around_the_table(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{run.MARKS[0]}\nold\n{run.MARKS[1]}\nafter\n")
    run.write_page(page, rows.results({}), "the end")
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "old" not in text and "| 1 | lms-w4-python |" in text and "the end" in text


def test_a_page_without_its_marks_is_left_as_it_was(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("no place\n")
    with pytest.raises(SystemExit, match="no place for the table"):
        run.write_page(page, [], "")
    assert page.read_text() == "no place\n"


def test_the_kept_page_has_a_place_for_the_table():
    text = run.PAGE.read_text()
    assert all(text.count(mark) == 1 for mark in run.MARKS)


def test_transfers_reach_their_share_of_the_link():
    """The figures are in virtual time, so every run gives the same."""
    figures = links.figures()
    found = [one for one in rows.results(figures) if one.row.name in figures]
    assert [one.row.name for one in found if one.verdict != "reached"] == []


MEASURED = {"trend.keys.8": 30.0, "trend.keys.2": 10.0, "trend.log.0": 5.0, "manifest": 7.0}


def test_the_figures_of_a_trend_are_in_the_order_of_x_and_in_instructions():
    assert trends.series(MEASURED) == {"keys": [(2, 400), (8, 1200)], "log": [(0, 200)]}


def test_a_trend_says_what_one_more_costs():
    lines = trends.table(trends.series(MEASURED)).splitlines()
    assert lines[2] == "| Decision: authors in the anchors | 2: 400 | 8: 1 200 | 133 |"
    assert lines[3].endswith("| 0: 200 | 0: 200 | 0 |")


def test_trends_are_drawn_with_a_point_for_each_figure():
    drawn = trends.drawing(trends.series(MEASURED))
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert len(circles) == 3
    assert (
        float(circles[1][0]) == trends.WIDTH - trends.RIGHT
    )  # the largest values are at the right and at the top
    assert float(circles[1][1]) == trends.TOP


def test_the_figures_of_trends_are_no_rows():
    assert all(one.value is None for one in rows.results({"trend.keys.8": 1.0}))
