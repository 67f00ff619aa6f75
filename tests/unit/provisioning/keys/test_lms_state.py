"""State of a tree: no index is used twice after a kill, a copy or a restored backup."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from provisioning.keys import lms_state
from provisioning.keys.lms_state import (
    LmsState,
    LmsStateError,
    StateBusyError,
    StateCopiedError,
    StateDamagedError,
    StateOlderError,
    TreeUsedUpError,
)

KEY_ID = bytes(range(8))
LEAVES = 32


def _open(tmp_path: Path, folder: str = "tree", leaves: int = LEAVES) -> LmsState:
    return LmsState(tmp_path / folder, KEY_ID, leaves, tmp_path / "witness")


@pytest.fixture
def state(tmp_path: Path) -> LmsState:
    (tmp_path / "tree").mkdir()
    made = _open(tmp_path)
    made.create()
    return made


def test_indices_are_given_out_in_turn_and_each_once(state: LmsState, tmp_path: Path) -> None:
    assert [_open(tmp_path).burn() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert state.left() == LEAVES - 5


def test_a_used_up_tree_refuses(state: LmsState) -> None:
    for _ in range(LEAVES):
        state.burn()
    assert state.left() == 0
    with pytest.raises(TreeUsedUpError):
        state.burn()


def test_a_second_state_is_never_made_over_the_first(state: LmsState) -> None:
    with pytest.raises(StateDamagedError):
        state.create()


def test_a_copy_of_the_folder_refuses_on_the_same_machine(state: LmsState, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "tree", tmp_path / "copy")
    with pytest.raises(StateCopiedError):
        _open(tmp_path, "copy").burn()
    assert state.burn() == 0


def test_a_folder_that_moved_still_signs(state: LmsState, tmp_path: Path) -> None:
    os.replace(tmp_path / "tree", tmp_path / "moved")
    assert _open(tmp_path, "moved").burn() == 0


def test_another_machine_refuses_for_want_of_a_witness(state: LmsState, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "witness")
    with pytest.raises(StateCopiedError):
        state.burn()


def test_another_machine_refuses_even_with_the_witness(
    state: LmsState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "machine-id"
    other.write_text("another machine\n")
    monkeypatch.setattr(lms_state, "MACHINE_ID", other)
    with pytest.raises(StateCopiedError):
        state.burn()


def test_an_older_state_that_was_put_back_refuses(state: LmsState, tmp_path: Path) -> None:
    kept = (tmp_path / "tree" / "state.json").read_bytes()
    state.burn()
    (tmp_path / "tree" / "state.json").write_bytes(kept)
    with pytest.raises(StateOlderError):
        state.burn()


def test_an_older_witness_that_was_put_back_refuses(state: LmsState, tmp_path: Path) -> None:
    witness = next((tmp_path / "witness").glob("*.json"))
    kept = witness.read_bytes()
    state.burn()
    state.burn()
    witness.write_bytes(kept)
    with pytest.raises(StateOlderError):
        state.burn()


def test_an_index_that_the_release_log_holds_refuses(state: LmsState) -> None:
    state.burn()
    with pytest.raises(StateOlderError):
        state.burn(logged=1)
    assert state.burn(logged=0) == 1


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"\xff", b'{"version": 1, "next": true, "key_id": "", "binding": ""}']
)
def test_a_damaged_state_refuses_and_is_not_guessed_at(
    state: LmsState, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "tree" / "state.json").write_bytes(content)
    with pytest.raises(StateDamagedError):
        state.burn()


@pytest.mark.parametrize("index", [-1, LEAVES + 1, 1.5, "3", None])
def test_an_impossible_index_refuses(state: LmsState, tmp_path: Path, index: object) -> None:
    content = json.loads((tmp_path / "tree" / "state.json").read_text())
    content["next"] = index
    (tmp_path / "tree" / "state.json").write_text(json.dumps(content))
    with pytest.raises(StateDamagedError):
        state.burn()


def test_a_state_of_another_tree_refuses(state: LmsState, tmp_path: Path) -> None:
    other = LmsState(tmp_path / "tree", bytes(8), LEAVES, tmp_path / "witness")
    with pytest.raises(LmsStateError):
        other.burn()


def test_two_processes_do_not_sign_at_once(state: LmsState, tmp_path: Path) -> None:
    with state._locked(), pytest.raises(StateBusyError):
        _open(tmp_path).burn()
    assert _open(tmp_path).burn() == 0


def test_files_are_readable_by_their_owner_only(state: LmsState, tmp_path: Path) -> None:
    files = [tmp_path / "tree" / "state.json", next((tmp_path / "witness").glob("*.json"))]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]


class _Cut(BaseException):
    """The power is cut."""


STEPS = ("open", "fsync", "replace")


def _burn_cut_at(step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Burn, and cut at the system call `step` of those that make the state durable. Returns the index if it came."""
    done = 0
    real = {name: getattr(os, name) for name in STEPS}

    def cutting(name: str):
        def call(*arguments, **options):
            nonlocal done
            done += 1
            if done > step:
                raise _Cut
            return real[name](*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(lms_state.os, name, cutting(name))
        try:
            return [_open(tmp_path).burn()]
        except _Cut:
            return []


@pytest.mark.parametrize("step", range(12))
def test_a_cut_before_any_durable_step_wastes_at_most_the_index(
    state: LmsState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each system call that makes the state durable is cut in turn; later signatures never repeat an index."""
    given = [state.burn(), state.burn(), *_burn_cut_at(step, tmp_path, monkeypatch)]
    given += [_open(tmp_path).burn(), _open(tmp_path).burn()]
    assert given == sorted(set(given))
    assert given[-1] <= 5


@pytest.mark.parametrize("step", range(12))
def test_a_row_of_cuts_at_any_durable_steps_never_ends_in_a_refusal(
    state: LmsState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    given = [state.burn()]
    for second in range(16):
        for third in (step, second):
            given += _burn_cut_at(third, tmp_path, monkeypatch)
    given += [_open(tmp_path).burn(), _open(tmp_path).burn()]
    assert given == sorted(set(given))


MANY = 1 << 20


def _sign_until_killed(tmp_path: Path) -> None:
    with open(tmp_path / "given", "a", buffering=1) as out:
        while True:
            out.write(f"{_open(tmp_path, leaves=MANY).burn()}\n")


def _given(tmp_path: Path) -> list[int]:
    if not (tmp_path / "given").exists():
        return []
    return [int(line) for line in (tmp_path / "given").read_text().splitlines()]


def test_a_signer_that_is_killed_again_and_again_never_repeats_an_index(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    _open(tmp_path, leaves=MANY).create()
    context = multiprocessing.get_context("fork")
    for turn in range(6):
        process = context.Process(target=_sign_until_killed, args=(tmp_path,))
        process.start()
        while len(_given(tmp_path)) < 5 * (turn + 1):
            assert process.is_alive()
            time.sleep(0.01)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    given = _given(tmp_path)
    assert len(set(given)) == len(given)
    assert _open(tmp_path, leaves=MANY).burn() > max(given)
