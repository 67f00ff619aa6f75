"""The controller of a rollout: stages, pauses by reports, and its state as JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import cbor, cose
from device.errors import KnownBadError, LinkError
from device.records import freshness
from provisioning.keys.file_signer import FileSigner
from provisioning.servers.rollout import (
    ENDED,
    PAUSED,
    RUNNING,
    Limits,
    Plan,
    Rollout,
    RolloutError,
    Stage,
    State,
)
from provisioning.servers.tracker import Newest, Tracker

DIGEST = b"d" * 32
KEY = b"k" * 16
HOUR = 3600
PLAN = Plan(
    7,
    DIGEST,
    KEY,
    (Stage(100, 2 * HOUR), Stage(1000, HOUR), Stage(10_000, 0)),
    Limits(failed=0.1, silent=0.2, silence_s=6 * HOUR, least=3),
)


def rollout() -> Rollout:
    return Rollout.begin(PLAN, 0)


def note(found: Rollout, unit: int, now_s: int, sequence: int = 6, error: int = 0, **fields: bool) -> None:
    found.note(
        f"unit {unit}",
        now_s,
        sequence=sequence,
        error=error,
        is_restarting=fields.get("restarts", False),
        digest=b"" if fields.get("about_another") else DIGEST,
    )


def confirm(found: Rollout, count: int, now_s: int = 60) -> None:
    for unit in range(count):
        note(found, unit, now_s, restarts=True)
        note(found, unit, now_s, sequence=7)


def share(found: Rollout) -> int | None:
    record = found.record()
    return None if record is None else record.share


def test_stages_follow_each_other_and_the_last_one_ends_the_rollout() -> None:
    found = rollout()
    confirm(found, 3)
    assert not found.advance(2 * HOUR - 1)
    assert share(found) == 100
    assert found.advance(2 * HOUR)
    assert share(found) == 1000
    assert not found.advance(3 * HOUR - 1)
    assert found.advance(3 * HOUR)
    assert share(found) == 10_000
    assert found.advance(3 * HOUR)
    assert (found.state.state, share(found)) == (ENDED, None)


def test_no_stage_begins_before_enough_units_confirmed() -> None:
    found = rollout()
    confirm(found, 2)
    assert not found.advance(100 * HOUR)
    assert share(found) == 100


def test_failures_above_the_limit_pause_it() -> None:
    found = rollout()
    confirm(found, 20)
    for unit in range(100, 103):
        note(found, unit, 60, restarts=True)
        note(found, unit, 120, error=KnownBadError.code)
    assert found.advance(180)
    assert (found.state.state, share(found)) == (PAUSED, 0)
    assert found.state.reason == "3 units failed, 13.0%"
    assert not found.advance(100 * HOUR)


def test_fewer_failures_than_the_least_number_pause_nothing() -> None:
    found = rollout()
    for unit in range(2):
        note(found, unit, 60, error=KnownBadError.code)
    assert not found.advance(180)


def test_failures_below_the_limit_pause_nothing() -> None:
    found = rollout()
    confirm(found, 100)
    for unit in range(100, 103):
        note(found, unit, 60, error=KnownBadError.code)
    assert not found.advance(180)


def test_an_error_about_another_release_or_of_a_link_is_no_failure() -> None:
    found = rollout()
    for unit in range(10):
        note(found, unit, 60, error=KnownBadError.code, about_another=True)
        note(found, unit, 60, error=LinkError.code)
    assert not found.counts.failed


def test_units_that_fall_silent_after_they_began_pause_it() -> None:
    found = rollout()
    confirm(found, 5)
    found.pause("so that no other stage begins")
    for unit in range(100, 104):
        note(found, unit, 60, restarts=True)
    note(found, 103, 2 * HOUR)  # heard again, but it still runs the release before
    assert found.rates(60 + 6 * HOUR - 1)["silent"] == (0, 0.0)
    assert found.rates(60 + 6 * HOUR)["silent"] == (3, 3 / 8)
    found.state = State(RUNNING, 0, 5 * HOUR)
    assert found.advance(60 + 6 * HOUR)
    assert (found.state.state, found.state.reason) == (PAUSED, "3 units silent, 37.5%")


def test_a_unit_that_confirms_after_a_failure_counts_as_confirmed() -> None:
    found = rollout()
    note(found, 1, 60, error=KnownBadError.code)
    note(found, 1, 90, sequence=7)
    assert (found.counts.failed, found.counts.confirmed) == (set(), {"unit 1"})


def test_a_resumed_rollout_is_in_the_same_stage_and_forgets_the_failures() -> None:
    found = rollout()
    found.pause("asked")
    assert share(found) == 0
    found.resume(50)
    assert (found.state.state, share(found), found.state.since_s) == (RUNNING, 100, 50)
    assert not found.counts.failed


def test_a_step_that_the_state_does_not_allow_is_refused() -> None:
    found = rollout()
    with pytest.raises(RolloutError, match="is running"):
        found.resume(1)
    found.end(1)
    with pytest.raises(RolloutError, match="is ended"):
        found.pause("again")
    with pytest.raises(RolloutError, match="is ended"):
        found.end(2)


@pytest.mark.parametrize(
    "stages",
    [
        (),
        (Stage(100, 0),),
        (Stage(0, 0), Stage(10_000, 0)),
        (Stage(200, 0), Stage(100, 0), Stage(10_000, 0)),
        (Stage(100, -1), Stage(10_000, 0)),
        (Stage(100, 0), Stage(10_001, 0)),
    ],
)
def test_stages_that_do_not_grow_to_the_whole_fleet_are_refused(stages: tuple[Stage, ...]) -> None:
    with pytest.raises(RolloutError):
        dataclasses.replace(PLAN, stages=stages)


def test_the_state_comes_back_from_json() -> None:
    found = rollout()
    found.pause("3 units failed")
    again = Rollout.from_json(found.to_json())
    assert (again.plan, again.state) == (PLAN, found.state)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.pop("plan"),
        lambda fields: fields["plan"].update(key="00"),
        lambda fields: fields["plan"].update(stages=[{"share": 1}]),
        lambda fields: fields["plan"].update(other=1),
        lambda fields: fields["state"].update(state="lost"),
        lambda fields: fields["state"].update(stage=3),
        lambda fields: fields["state"].update(stage=True),
        lambda fields: fields["state"].update(stage="1"),
        lambda fields: fields["plan"].update(sequence="7"),
        lambda fields: fields["plan"]["limits"].update(failed="0.1"),
    ],
)
def test_a_damaged_state_is_refused(change: object) -> None:
    fields = json.loads(rollout().to_json())
    change(fields)  # type: ignore[operator]
    with pytest.raises(RolloutError):
        Rollout.from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "[]", "1", '{"plan": 1, "state": 2}', "[" * 100_000])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(RolloutError):
        Rollout.from_json(text)


def test_the_tracker_signs_the_rollout_of_its_class() -> None:
    class_id = bytes(16)
    newest = Newest(manifest=7, rollout=rollout().record())
    tracker = Tracker(FileSigner(ec.generate_private_key(ec.SECP256R1())), {class_id: newest}, now=lambda: 1)
    request = freshness.encode_request(freshness.challenge(b"n" * 16, class_id, 0))
    assert cbor.decode(cose.decode(tracker.answer(request)).payload)[7] == [7, KEY, 100]
    newest.rollout = None
    assert 7 not in cbor.decode(cose.decode(tracker.answer(request)).payload)
