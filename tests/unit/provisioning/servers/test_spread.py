"""The units that run an affected release, and the time until 95 % of them have the fix (UP-08)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from device.suit import report
from provisioning.servers.spread import SHARE, Spread, spread

BAD, GOOD = "1.0.0+1", "1.0.1+2"
CONFIRMED = {1: BAD, 2: GOOD}
SIGNED_S = 1_000_000


@dataclass
class Made:
    """A unit of the registry."""

    number: int
    version: str | None = BAD
    batch: str = "B1"
    passed_s: int | None = 5
    shipped_s: int | None = 6
    device_id: bytes = field(init=False)
    serial: str = field(init=False)

    def __post_init__(self) -> None:
        self.device_id = self.number.to_bytes(16, "big")
        self.serial = f"SN-{self.number}"


def line(unit: Made, after_s: int, version: str, sequence: int = 0) -> dict[str, Any]:
    data = report.encode(report.Report(report.NO_REFERENCE, None, bytes(32), version, sequence, 0, False, {}))
    return {"time": SIGNED_S + after_s, "device": unit.device_id.hex(), "report": data.hex()}


def run(units: list[Made], *reports: dict[str, Any], fixed_s: int | None = SIGNED_S) -> Spread:
    return spread(units, reports, affected={BAD}, fixed={GOOD}, fixed_s=fixed_s, confirmed=CONFIRMED)


def test_a_unit_that_never_reported_runs_what_it_was_made_with() -> None:
    found = run([Made(1), Made(2, GOOD, "B2"), Made(3, BAD, "B2")])
    assert (found.serials, found.needing, found.fixed, found.silent) == (["SN-1", "SN-3"], 2, 0, 2)
    assert dict(found.batches) == {"B1": 1, "B2": 1}


def test_a_unit_that_did_not_pass_does_not_count() -> None:
    assert run([Made(1, passed_s=None)]).needing == 0


def test_up_08_a_unit_in_stock_does_not_need_the_release_and_is_counted_apart() -> None:
    sold, stock, new = Made(1), Made(2, batch="B2", shipped_s=None), Made(3, GOOD, shipped_s=None)
    found = run([sold, stock, new], line(sold, 100, GOOD, 2))
    assert (found.needing, found.fixed, found.silent, found.serials) == (1, 1, 0, [])
    assert dict(found.stock) == {"B2": 1}
    assert found.time_to(SHARE) == 100


def test_up_08_a_unit_that_reports_is_in_the_field_though_nobody_shipped_it() -> None:
    unit = Made(1, shipped_s=None)
    found = run([unit], line(unit, 10, BAD, 1))
    assert (found.needing, found.serials, dict(found.stock)) == (1, ["SN-1"], {})


def test_up_08_the_time_to_95_percent_ends_with_the_report_that_reaches_it() -> None:
    units = [Made(number) for number in range(20)]
    reports = [line(unit, 100 * (unit.number + 1), GOOD, 2) for unit in units]
    assert run(units, *reports).time_to(SHARE) == 1900  # 19 of 20
    assert run(units, *reports[:18]).time_to(SHARE) is None


def test_up_08_a_silent_unit_keeps_the_time_open() -> None:
    units = [Made(1), Made(2)]
    found = run(units, line(units[0], 100, GOOD, 2))
    assert (found.fixed, found.silent, found.time_to(SHARE), found.time_to(0.5)) == (1, 1, None, 100)


def test_the_first_report_of_the_fix_counts_not_the_last() -> None:
    unit = Made(1)
    assert run([unit], line(unit, 50, GOOD, 2), line(unit, 900, GOOD, 2)).seconds == [50]


def test_a_unit_that_went_back_does_not_have_the_fix_until_it_reports_it_again() -> None:
    unit = Made(1)
    back = run([unit], line(unit, 50, GOOD, 2), line(unit, 60, BAD, 1))
    assert (back.fixed, back.serials) == (0, ["SN-1"])
    again = run([unit], line(unit, 50, GOOD, 2), line(unit, 60, BAD, 1), line(unit, 70, GOOD, 2))
    assert again.seconds == [70]


def test_a_trial_of_the_fix_is_not_the_fix() -> None:
    unit = Made(1)
    assert (
        run([unit], line(unit, 50, GOOD, 1)).fixed == 0
    )  # it runs the new version; the old one is confirmed


def test_a_unit_that_was_updated_to_an_affected_version_needs_the_fix() -> None:
    unit = Made(1, "0.9.0+0")
    assert run([unit], line(unit, 10, BAD, 1)).needing == 1
    assert run([unit]).needing == 0


def test_damaged_reports_and_foreign_units_are_skipped() -> None:
    unit = Made(1)
    found = run(
        [unit],
        {},
        {"time": "x", "device": unit.device_id.hex(), "report": "00"},
        {"time": 1, "device": [], "report": None},
        {"time": 1, "device": unit.device_id.hex(), "report": "zz"},
        line(Made(9), 10, GOOD, 2),
    )
    assert (found.needing, found.silent, found.fixed) == (1, 1, 0)


def test_without_a_fix_no_unit_has_it() -> None:
    unit = Made(1)
    assert run([unit], line(unit, 50, GOOD, 2), fixed_s=None).fixed == 0


def test_the_curve_grows_to_the_share_of_the_fixed_units() -> None:
    units = [Made(1), Made(2)]
    found = run(units, line(units[0], 30, GOOD, 2), line(units[1], 10, GOOD, 2))
    assert found.curve() == [{"seconds": 10, "share": 0.5}, {"seconds": 30, "share": 1.0}]


def test_the_newest_report_of_any_unit_ends_the_measurement() -> None:
    units = [Made(1), Made(2)]
    found = run(units, line(units[0], 30, GOOD, 2), line(units[1], 500, BAD, 1))
    assert found.until_s == 500
    assert run(units).until_s is None
