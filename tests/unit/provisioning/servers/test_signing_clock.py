"""The clock of a tracker: signatures, refusals, and the state that survives a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.records import freshness
from provisioning.keys.file_signer import FileSigner
from provisioning.servers.signing_clock import (
    DAY_S,
    JUMP_S,
    PAUSE_S,
    REBASE_S,
    RESERVE_S,
    ClockError,
    SigningClock,
)
from provisioning.servers.tracker import Newest, Tracker
from tests.unit.provisioning.servers.bench import p256

START_S = 1_900_000_000


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.steady_s = 1000.0
        self.offset_s = START_S - 1000
        self.is_synchronised = True
        self.boot_id = "first"

    def clock(self, state: Path | None = None) -> SigningClock:
        return SigningClock(
            state,
            now=lambda: int(self.steady_s) + self.offset_s,
            steady=lambda: self.steady_s,
            is_synchronised=lambda: self.is_synchronised,
            boot_id=lambda: self.boot_id,
        )


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("jump_s", [30 * DAY_S, -30 * DAY_S, 2 * JUMP_S, -2 * JUMP_S])
def test_a_clock_that_jumped_is_not_signed_until_it_is_back(machine: Machine, jump_s: int) -> None:
    clock = machine.clock()
    clock()
    machine.offset_s += jump_s
    with pytest.raises(ClockError, match="jumped"):
        clock()
    machine.offset_s -= jump_s
    assert clock() == START_S


def test_a_tracker_answers_nothing_while_its_clock_is_30_days_ahead(machine: Machine) -> None:
    tracker = Tracker(FileSigner(p256()), {bytes(16): Newest()}, now=machine.clock())
    request = freshness.encode_request(freshness.challenge(bytes(16), bytes(16), 0))
    assert tracker.answer(request)
    machine.offset_s += 30 * DAY_S
    with pytest.raises(ClockError):
        tracker.answer(request)


def test_a_clock_that_is_slewed_is_signed_for_days(machine: Machine) -> None:
    clock = machine.clock()
    for _ in range(72):
        machine.steady_s += REBASE_S + 1
        machine.offset_s += 2
        clock()


def test_a_clock_that_is_not_synchronised_is_not_signed(machine: Machine) -> None:
    machine.is_synchronised = False
    clock = machine.clock()
    with pytest.raises(ClockError, match="not synchronised"):
        clock()
    machine.is_synchronised = True
    assert clock() == START_S


@pytest.mark.parametrize("jump_s", [30 * DAY_S, -DAY_S, PAUSE_S + 2 * RESERVE_S])
def test_a_clock_that_jumped_while_the_machine_was_off_is_not_signed(
    machine: Machine, tmp_path: Path, jump_s: int
) -> None:
    state = tmp_path / "signed"
    machine.clock(state)()
    machine.offset_s += jump_s
    machine.boot_id = "second"
    with pytest.raises(ClockError, match=r"days (after|before) the latest time"):
        machine.clock(state)()


@pytest.mark.parametrize("jump_s", [10 * DAY_S, 2 * JUMP_S, -2 * JUMP_S])
def test_a_restart_of_the_tracker_does_not_lift_the_refusal_of_a_jump(
    machine: Machine, tmp_path: Path, jump_s: int
) -> None:
    state = tmp_path / "signed"
    machine.clock(state)()
    machine.offset_s += jump_s
    machine.steady_s += 5
    for _ in range(3):
        with pytest.raises(ClockError, match="jumped by"):
            machine.clock(state)()
    SigningClock.accept(state, START_S + jump_s + 5)
    assert machine.clock(state)() == START_S + jump_s + 5


def test_a_damaged_file_of_the_compared_moment_is_a_typed_error(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "signed"
    machine.clock(state)()
    state.with_name("signed.base").write_text("first now")
    with pytest.raises(ClockError, match="damaged"):
        machine.clock(state)


def test_a_person_confirms_the_time_after_a_long_pause(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "signed"
    machine.clock(state)()
    machine.steady_s += 60 * DAY_S
    SigningClock.accept(state, START_S + 60 * DAY_S)
    assert machine.clock(state)() == START_S + 60 * DAY_S


def test_a_tracker_that_was_restarted_signs_at_once(machine: Machine, tmp_path: Path) -> None:
    for _ in range(3):
        machine.clock(tmp_path / "signed")()
        machine.steady_s += DAY_S


def test_the_latest_time_is_durable_before_it_is_signed(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "signed"
    clock = machine.clock(state)
    for _ in range(4):
        assert clock() <= int(state.read_text())
        machine.steady_s += RESERVE_S // 2


def test_a_latest_time_that_was_lost_is_no_first_start(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "signed"
    machine.clock(state)()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["signed", "signed.base"]
    state.unlink()
    with pytest.raises(ClockError, match="is lost: check the clock, then confirm it: firstboot serve accept"):
        machine.clock(state)
    SigningClock.accept(state, START_S)
    assert machine.clock(state)() == START_S


def test_a_kill_at_the_first_signature_leaves_no_file_that_refuses_the_next_start(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, written = tmp_path / "signed", []

    def killed(path: Path, data: bytes) -> None:
        written.append(path.name)
        raise KeyboardInterrupt

    monkeypatch.setattr("provisioning.servers.signing_clock.write_durably", killed)
    with pytest.raises(KeyboardInterrupt):
        machine.clock(state)()
    assert written == ["signed"]


def test_a_damaged_file_of_the_latest_time_is_a_typed_error(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "signed").write_bytes(b"\xff")
    with pytest.raises(ClockError, match="damaged"):
        machine.clock(tmp_path / "signed")
