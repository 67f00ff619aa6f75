"""The rollouts on disk: what a step takes from the reports, what it publishes, and what a kill or a restart leaves."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from device.errors import KnownBadError, LinkError
from device.limits import ROLLOUT_KEY_BYTES
from device.records.freshness import Rollout as Record
from device.suit import report
from provisioning.release.folder_store import ROLLOUT, FolderStore
from provisioning.servers import published_rollout
from provisioning.servers.report_log import ReportLog
from provisioning.servers.rollout import ENDED, PAUSED, RUNNING, Limits, Plan, RolloutError, Stage
from provisioning.servers.rollout_clock import Moment
from provisioning.servers.rollout_store import RolloutStore
from tests.unit.provisioning.servers.test_serve_parts import CLASS_ID

DIGEST, OTHER = b"d" * 32, b"e" * 32
KEY = b"k" * ROLLOUT_KEY_BYTES
HOUR = 3600
PLAN = Plan(
    7, DIGEST, KEY, (Stage(100, HOUR), Stage(1000, HOUR), Stage(10_000, 0)), Limits(failed=0.1, least=3)
)


class Bench:
    """A rollout store, a release store and a report log in one virtual time."""

    def __init__(self, folder: Path, largest_bytes: int = 100_000) -> None:
        self.now_s = 1000.0
        self.ahead_s = 0  # of the system clock
        self.boot = "first"
        self.published = FolderStore(folder / "published", CLASS_ID)
        self.log = ReportLog(
            folder / "reports.jsonl", largest_bytes=largest_bytes, now=lambda: self.now_s + self.ahead_s
        )
        self.path = folder / "rollouts.db"

    @property
    def store(self) -> RolloutStore:
        """The store as a new process opens it."""
        return RolloutStore(
            self.path, clock=lambda: Moment(int(self.now_s) + self.ahead_s, self.now_s, self.boot)
        )

    def report(
        self,
        unit: int,
        *,
        sequence: int = 6,
        error: int = 0,
        digest: bytes = DIGEST,
        restarts: bool = False,
        is_stale: bool = False,
        version: str = "1.0.0",
    ) -> None:
        about, more = report.Reference("", digest), {report.IS_STALE: is_stale}
        found = report.Report(about, None, bytes(32), version, sequence, error, restarts, more)
        self.log.append(f"{unit:032x}", "mqtt", report.encode(found))

    def units(self, numbers: range, *, fails: bool = False) -> None:
        for unit in numbers:
            self.report(unit, restarts=True)
            self.report(unit, **({"error": KnownBadError.code} if fails else {"sequence": 7}))

    def step(self, newest: int = 7) -> str | None:
        _, change = self.store.step(self.published, [self.log], newest)
        return None if change is None else change.what

    def signed(self) -> Record | None:
        data = self.published.rollout()
        return None if data is None else published_rollout.decode(data)

    def share(self) -> int | None:
        record = self.signed()
        return None if record is None else record.share


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.store.begin(made.published, PLAN)
    return made


def test_a_rollout_begins_with_its_first_stage_published(bench: Bench) -> None:
    assert bench.signed() == Record(7, KEY, 100)
    assert bench.store.latest(CLASS_ID).rollout.state.state == RUNNING
    assert bench.path.stat().st_mode & 0o777 == 0o600


def test_confirmed_units_of_several_processes_and_files_bring_the_next_stage(tmp_path: Path) -> None:
    bench = Bench(tmp_path, largest_bytes=700)
    bench.store.begin(bench.published, PLAN)
    for unit in range(3):
        bench.units(range(unit, unit + 1))
        assert bench.step() is None
    assert bench.log.older.exists(), "the log began a new file in between"
    bench.now_s += HOUR
    assert bench.step() == "stage 2 of 3: 10 % of the fleet"
    assert bench.share() == 1000
    found = bench.store.latest(CLASS_ID)
    assert len(found.rollout.counts.confirmed) == 3
    assert [one.what for one in found.changes] == [
        "began: stage 1 of 3: 1 % of the fleet",
        "stage 2 of 3: 10 % of the fleet",
    ]


def test_failures_pause_the_rollout_and_no_further_unit_begins(bench: Bench) -> None:
    bench.units(range(3), fails=True)
    assert bench.step() == "paused: 3 units failed, 100.0%"
    assert bench.share() == 0
    assert bench.store.latest(CLASS_ID).errors == {KnownBadError.code: 3}


def test_people_see_when_each_unit_confirmed_what_units_run_and_which_are_stale(bench: Bench) -> None:
    bench.units(range(2))
    bench.step()
    bench.now_s += 60
    bench.units(range(1, 3))
    bench.report(3)
    bench.now_s += 60
    bench.report(0, sequence=7, is_stale=True)
    bench.step()
    found = bench.store.latest(CLASS_ID)
    assert (found.began_s, found.confirmed_s, found.newest_s) == (1000, [1000, 1000, 1060], 1120)
    assert (found.units, found.versions, found.stale) == (4, {"1.0.0": 4}, 1)


def test_an_error_of_a_unit_that_did_not_begin_is_counted_and_pauses_nothing(bench: Bench) -> None:
    for unit in range(5):
        bench.report(unit, error=LinkError.code)
    assert bench.step() is None
    found = bench.store.latest(CLASS_ID)
    assert (found.errors, found.rollout.counts.began) == ({LinkError.code: 5}, {})


def test_units_of_another_class_that_the_same_tracker_serves_count_for_nothing(bench: Bench) -> None:
    for unit in range(9):
        bench.report(unit, sequence=90, digest=OTHER)
    bench.now_s += HOUR
    assert bench.step() is None
    assert not bench.store.latest(CLASS_ID).rollout.counts.confirmed


def test_a_resumed_rollout_forgets_failures_even_if_all_logs_are_read_again(bench: Bench) -> None:
    bench.units(range(3), fails=True)
    bench.step()
    bench.now_s += 60
    bench.store.resume(bench.published)
    with sqlite3.connect(bench.path) as database:
        database.execute("DELETE FROM mark")
    assert bench.step() is None
    assert (bench.share(), bench.store.latest(CLASS_ID).rollout.counts.failed) == (100, set())


def test_a_pause_by_hand_lasts_until_it_is_resumed(bench: Bench) -> None:
    bench.store.pause(bench.published, "the lamp flickers")
    bench.units(range(5))
    bench.now_s += HOUR
    assert (bench.step(), bench.share()) == (None, 0)
    bench.store.resume(bench.published)
    assert bench.share() == 100


def test_after_the_end_the_tracker_signs_no_rollout_and_another_can_begin(bench: Bench) -> None:
    bench.store.end(bench.published)
    assert bench.signed() is None
    assert bench.store.step(bench.published, [], 7)[1] is None
    later = Plan(8, OTHER, KEY, PLAN.stages)
    assert bench.store.begin(bench.published, later).state.state == RUNNING
    assert bench.signed() == Record(8, KEY, 100)


def test_a_newer_release_ends_the_rollout_of_the_one_before(bench: Bench) -> None:
    assert bench.step(newest=8) == "ended: release 8 was published"
    assert bench.signed() is None


def test_a_second_rollout_at_once_and_a_second_one_of_a_release_are_refused(bench: Bench) -> None:
    with pytest.raises(RolloutError, match="release 7 is running: end it first"):
        bench.store.begin(bench.published, Plan(8, OTHER, KEY, PLAN.stages))
    bench.store.end(bench.published)
    with pytest.raises(RolloutError, match="release 7 had its rollout"):
        bench.store.begin(bench.published, PLAN)
    assert bench.signed() is None


def test_a_published_file_that_was_lost_or_changed_is_written_again_by_the_next_step(bench: Bench) -> None:
    (bench.published.directory / ROLLOUT).unlink()
    bench.step()
    assert bench.share() == 100
    bench.published.put_rollout(b"damaged")
    bench.step()
    assert bench.share() == 100


def test_a_step_that_cannot_publish_changes_nothing_and_the_next_one_decides_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.units(range(3), fails=True)

    def full(data: bytes | None) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(bench.published, "put_rollout", full)
        bench.store.step(bench.published, [bench.log], 7)
    assert bench.store.latest(CLASS_ID).rollout.state.state == RUNNING
    assert bench.step() == "paused: 3 units failed, 100.0%"


def test_a_kill_after_the_empty_file_was_made_leaves_one_that_the_next_begin_uses(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.path.touch(mode=0o600)
    with pytest.raises(RolloutError, match="no rollouts"):
        bench.store.latest(CLASS_ID)
    bench.store.begin(bench.published, PLAN)
    assert bench.share() == 100


@pytest.mark.parametrize("content", [b"text", b"SQLite format 3\0" + bytes(100), b"\xff" * 4096])
def test_another_file_is_refused_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    bench = Bench(tmp_path)
    bench.path.write_bytes(content)
    for use in (lambda: bench.store.begin(bench.published, PLAN), lambda: bench.store.latest(CLASS_ID)):
        with pytest.raises(RolloutError):
            use()
    assert bench.path.read_bytes() == content
    assert bench.signed() is None


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with sqlite3.connect(bench.path) as database:
        database.execute("CREATE TABLE rollout (class TEXT)")
    with pytest.raises(RolloutError, match="no rollouts in a form that this version reads"):
        bench.store.begin(bench.published, PLAN)


def test_a_product_without_a_rollout_says_so(bench: Bench) -> None:
    with pytest.raises(RolloutError, match="no rollout of this product"):
        bench.store.latest(bytes(16))


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"time": "1", "device": "aa", "report": ""},
        {"time": 2000, "device": "AA", "report": "a0"},
        {"time": 2000, "device": 7, "report": "a0"},
        {"time": 2000, "device": "aa", "report": "zz"},
        {"time": 2000, "device": "aa", "report": 1},
        {"time": 2000, "device": "aa", "report": "9fff"},
        {"time": True, "device": "aa", "report": "a0"},
    ],
)
def test_a_line_that_is_no_report_is_left_out(bench: Bench, line: object) -> None:
    bench.log.path.write_text(json.dumps(line) + "\n")
    bench.units(range(3), fails=True)
    bench.step()
    assert bench.store.latest(CLASS_ID).rollout.state.state == PAUSED


def test_the_last_stage_ends_the_rollout(bench: Bench) -> None:
    bench.units(range(3))
    for _ in range(2):
        bench.now_s += HOUR
        bench.step()
    assert bench.step() == "ended: every unit may install the release"
    assert (bench.store.latest(CLASS_ID).rollout.state.state, bench.signed()) == (ENDED, None)
