"""A rollout beside a clock that jumped, and beside a second file of rollouts: nothing is decided by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.release.folder_store import ROLLOUT
from provisioning.servers.rollout import RUNNING, Plan, RolloutError, State
from provisioning.servers.rollout_clock import Moment, begun, doubt, moment
from tests.unit.provisioning.servers.test_rollout_store import CLASS_ID, HOUR, KEY, OTHER, PLAN, Bench

MONTH = 30 * 24 * HOUR


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.store.begin(made.published, PLAN)
    return made


def test_a_clock_that_jumped_ahead_begins_no_stage_until_it_is_right(bench: Bench) -> None:
    bench.units(range(3))
    bench.ahead_s = MONTH
    with pytest.raises(RolloutError, match=r"jumped by \+2592000 s"):
        bench.step()
    assert bench.share() == 100
    bench.ahead_s = 0
    assert bench.step() is None
    bench.now_s += HOUR
    assert bench.step() == "stage 2 of 3: 10 % of the fleet"


def test_a_clock_that_jumped_ahead_makes_no_unit_silent(bench: Bench) -> None:
    for unit in range(3):
        bench.report(unit, restarts=True)
    bench.step()
    bench.ahead_s = MONTH
    with pytest.raises(RolloutError, match="nothing is decided"):
        bench.step()
    bench.ahead_s = 0
    assert bench.step() is None
    assert bench.store.latest(CLASS_ID).rollout.state.state == RUNNING


def test_a_rollout_that_began_in_a_jump_goes_on_when_a_person_confirmed_the_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ahead_s = MONTH
    bench.store.begin(bench.published, PLAN)
    bench.ahead_s = 0
    with pytest.raises(RolloutError, match="jumped by -2592000 s"):
        bench.step()
    bench.store.pause(bench.published, "the clock was ahead")
    bench.store.resume(bench.published)
    bench.units(range(3))
    bench.now_s += HOUR
    assert bench.step() == "stage 2 of 3: 10 % of the fleet"


def test_a_slewed_clock_and_a_leap_second_are_no_jump(bench: Bench) -> None:
    bench.units(range(3))
    bench.now_s += 14 * 24 * HOUR
    bench.ahead_s = 600
    assert bench.step() == "stage 2 of 3: 10 % of the fleet"


def test_after_a_restart_of_the_machine_only_a_clock_before_the_stage_is_refused(bench: Bench) -> None:
    bench.boot, bench.ahead_s = "second", -MONTH
    with pytest.raises(RolloutError, match="before the beginning of this stage"):
        bench.step()
    bench.ahead_s = 0
    bench.units(range(3))
    bench.now_s += HOUR
    assert bench.step() == "stage 2 of 3: 10 % of the fleet"


def test_each_stage_keeps_its_own_beginning_on_both_clocks(bench: Bench) -> None:
    bench.units(range(3))
    bench.now_s += HOUR
    bench.boot = "second"
    bench.step()
    assert bench.store.latest(CLASS_ID).rollout.state == State(
        RUNNING, 1, int(bench.now_s), "", bench.now_s, "second"
    )


def test_a_lost_file_is_published_again_while_the_clock_is_wrong(bench: Bench) -> None:
    (bench.published.directory / ROLLOUT).unlink()
    bench.ahead_s = MONTH
    with pytest.raises(RolloutError):
        bench.step()
    assert bench.share() == 100


def test_a_unit_whose_server_was_ahead_falls_silent_after_the_usual_time(bench: Bench) -> None:
    for unit in range(3):
        bench.ahead_s = MONTH
        bench.report(unit, restarts=True)
    bench.ahead_s = 0
    bench.step()
    bench.now_s += PLAN.limits.silence_s
    assert bench.step() == "paused: 3 units silent, 100.0%"


def test_a_machine_without_a_known_steady_clock_decides_by_its_system_clock() -> None:
    state = begun(State(RUNNING, 0, 0), Moment(1000))
    assert doubt(state, Moment(1000 + MONTH)) == ""
    assert "before the beginning" in doubt(state, Moment(0))


def test_this_machine_agrees_with_itself() -> None:
    now = moment()
    assert doubt(begun(State(RUNNING, 0, 0), now), moment()) == ""


def test_a_second_file_does_not_replace_the_rollout_of_the_first(bench: Bench, tmp_path: Path) -> None:
    second = Bench(tmp_path)
    second.path = tmp_path / "mistyped.db"
    with pytest.raises(RolloutError, match=r"mistyped\.db does not have"):
        second.store.begin(second.published, Plan(8, OTHER, KEY, PLAN.stages))
    assert second.signed() == bench.signed()


def test_a_file_whose_rollout_ended_does_not_remove_one_of_another_file(bench: Bench, tmp_path: Path) -> None:
    bench.store.end(bench.published)
    second = Bench(tmp_path)
    second.path = tmp_path / "second.db"
    second.store.begin(second.published, Plan(8, OTHER, KEY, PLAN.stages))
    bench.step()
    assert bench.share() == 100
