"""Depth, shards, interrupted runs, bit rot and planted bugs of the power-cut campaign (UP-04, PW-04)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli.main import app, load_commands
from simulator.powercut import rot
from simulator.powercut.bench import Bench
from simulator.powercut.campaign import Campaign
from simulator.powercut.explore import Plan
from simulator.powercut.planted import score
from simulator.powercut.planted.bugs import BUGS
from simulator.powercut.planted.plant import SECOND, planted
from simulator.powercut.remember import remember_answers
from simulator.powercut.sweep import flow_jobs, run_jobs, sweep

FLOW = ("--flow", "key-rotation", "--stride", "7", "--workers", "1")
TIMES = ("cpu_s", "cuts_per_s")
# One of each kind in the ordinary run; the nightly run plants all of them.
ORDINARY_BUGS = (
    "counter-before-confirm", "keys-before-floors", "owned-before-credential", "reset-second-unmarked",
    "half-lock-open", "home-outlives-reset",
    "number-after-use", "credential-in-parts", "digest-not-checked",
)  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    remember_answers()
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def campaign(bench: Bench) -> Campaign:
    return Campaign(bench)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a unit whose power was cut
        yield


@pytest.fixture
def command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Any:
    if not app.registered_groups:
        load_commands(app)
    monkeypatch.setattr("simulator.cli.powercut_runs.default_folder", lambda: bench.folder)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["powercut", *arguments])

    return run


def figures(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return {name: value for name, value in found.items() if name not in TIMES}


def test_shards_together_give_the_report_of_one_run(command: Any, tmp_path: Path) -> None:
    parts = [str(tmp_path / f"part-{part}") for part in (1, 2, 3)]
    for part, file in enumerate(parts, 1):
        assert command("run", *FLOW, "--shard", f"{part}/3", "--resume", file).exit_code == 0
    whole = figures(command("run", *FLOW, "--json"))
    assert figures(command("merge", *parts[::-1], "--json")) == whole
    assert whole["points"] > 5


def test_a_report_of_some_shards_is_refused(command: Any, tmp_path: Path) -> None:
    file = str(tmp_path / "part-1")
    assert command("run", *FLOW, "--shard", "1/2", "--resume", file).exit_code == 0
    result = command("merge", file)
    assert result.exit_code == 2 and "Add the other shards" in result.stderr


def test_an_interrupted_run_goes_on_where_it_stopped(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    whole = figures(command("run", *FLOW, "--resume", str(file), "--json"))
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]) + lines[3][:20])  # killed while it wrote the third outcome
    assert figures(command("run", *FLOW, "--resume", str(file), "--json")) == whole
    assert len(file.read_bytes().splitlines()) == len(lines)


def test_a_journal_of_another_campaign_is_refused(command: Any, tmp_path: Path) -> None:
    file = str(tmp_path / "journal")
    assert command("run", *FLOW, "--resume", file).exit_code == 0
    result = command("run", *FLOW, "--tears", "2", "--resume", file)
    assert result.exit_code == 2 and "different plan" in result.stderr.replace("\n", " ")


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "a/b", "1"])
def test_a_shard_that_is_none_is_refused(command: Any, text: str) -> None:
    assert command("run", *FLOW, "--shard", text).exit_code == 2


def test_what_is_shared_and_what_is_computed_every_time_agree(command: Any) -> None:
    arguments = ("run", *FLOW, "--depth", "2", "--second", "2", "--json")
    assert figures(command(*arguments, "--no-share")) == figures(command(*arguments))


def test_a_second_cut_is_made_in_the_recovery_and_repeats_by_its_seeds(campaign: Campaign) -> None:
    plan = Plan(depth=2, second=3, stride=12)
    report = sweep(campaign, ["set-up"], plan=plan, workers=1)
    assert not report.findings.texts, "\n".join(report.findings.texts)
    assert report.second > 0 and report.points > report.second
    seed = flow_jobs(campaign, ["set-up"], stride=12)[0].seed
    life, words = campaign.life_after("set-up", (seed, 4))
    assert not life.found.texts
    assert "; then torn operation 2 of" in words


def test_a_seed_that_the_recovery_does_not_have_is_refused(campaign: Campaign) -> None:
    with pytest.raises(ValueError, match="no such case"):
        campaign.life_after("set-up", (0, -1))


def test_a_run_stops_in_a_state_that_was_judged_and_finds_the_same(bench: Bench) -> None:
    names, plan = ["update-mqtt"], Plan(stride=3)
    quick, slow = Campaign(bench), Campaign(bench)
    slow.judged.is_used = False
    found = [sweep(one, names, plan=plan, workers=1) for one in (quick, slow)]
    assert found[0].line() == found[1].line() and found[0].visited == found[1].visited
    assert quick.judged.stopped > 0 == slow.judged.stopped


def test_a_life_with_a_finding_lets_no_other_one_stop(bench: Bench) -> None:
    campaign = Campaign(bench)
    campaign.recorded("set-up")
    with planted(BUGS["counter-before-confirm"]):
        report = sweep(campaign, ["update-mqtt"], workers=1)
    both = [one for one in report.details if one.kind == "bricked"]
    assert len({one.seed for one in both}) > 1


def test_one_bit_that_flips_never_gives_a_wrong_state(campaign: Campaign, is_nightly: bool) -> None:
    jobs = rot.rot_jobs(campaign)
    assert len(jobs) > 150
    found = run_jobs(campaign, jobs[:: 1 if is_nightly else 2], workers=1, run_by={rot.NAME: rot.run_rot})
    texts = found[rot.NAME].findings.texts
    assert not texts, "\n".join(texts)


def test_every_record_of_the_unit_is_in_the_sweep(campaign: Campaign) -> None:
    names = {flip.record for flip in rot.flips(campaign)}
    assert {
        "identity",
        "credential",
        "oscore.seq",
        "progress",
        "anchors",
        "owned",
        "attempts",
        "home",
    } <= names


@pytest.mark.parametrize("name", list(BUGS))
def test_the_campaign_finds_a_planted_bug(campaign: Campaign, name: str, is_nightly: bool) -> None:
    if not is_nightly and name not in ORDINARY_BUGS:
        pytest.skip("all bugs are planted with --nightly, and by firstboot powercut bugs")
    result = score.score(campaign, BUGS[name])
    assert result.is_found, result.line()


def test_a_planted_bug_is_taken_back(campaign: Campaign) -> None:
    from device.update.slots import Slots

    before = Slots.confirm
    with planted(BUGS["counter-before-confirm"]):
        assert Slots.confirm is not before
    assert Slots.confirm is before


def test_there_is_a_bug_that_only_a_second_cut_shows() -> None:
    assert len(BUGS) >= 30
    assert sum(bug.by == SECOND for bug in BUGS.values()) >= 1
