"""The story that `firstboot demo` shows, as a test: every step on every available machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from device.boards.mps2_an385.board import HEAP_BYTES, TLS_ARENA_BYTES
from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from simulator.story.inputs import Inputs
from simulator.story.runner import FAILED, PASSED, SKIPPED, Step, StepResult, report, run_story, write_report
from simulator.story.steps import STEPS
from simulator.story.world import World

NAMES = [
    "build",
    "provision",
    "locked_before_setup",
    "weak_password_refused",
    "setup",
    "setup_code_dead",
    "login",
    "support_period",
    "update_mqtt",
    "tampered_update_refused",
    "downgrade_refused",
    "update_coap",
    "bad_release_reverts",
    "end_of_support",
]


class Quiet:
    def begin(self, step: Step, number: int, total: int) -> None:
        """Nothing is shown."""

    def note(self, text: str) -> None:
        """Nothing is shown."""

    def end(self, result: StepResult) -> None:
        """Nothing is shown."""


def tell(
    on: str,
    transports: tuple[str, ...],
    folder: Path,
    facts: dict[str, int] | None = None,
    board: EmulatedBoard = DEFAULT,
) -> list[StepResult]:
    with World(on, transports, folder, lambda _: None, inputs=Inputs(board=board)) as world:
        results = run_story(world, STEPS, set(transports), Quiet())
        if facts is not None:
            facts |= world.facts()
    failed = [f"{result.name}: {result.detail}" for result in results if result.status == FAILED]
    assert not failed, "\n".join([*failed, console_tail(folder)])
    return results


def console_tail(folder: Path) -> str:
    log = folder / "board" / "console.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""


@pytest.mark.interop
def test_the_whole_story_passes_on_the_simulator(tmp_path: Path) -> None:
    results = tell("sim", ("mqtt", "coap"), tmp_path)
    assert [result.name for result in results] == NAMES
    assert {result.status for result in results} == {PASSED}


@pytest.mark.interop
@pytest.mark.parametrize("transport", ["mqtt", "coap"])
def test_the_story_passes_with_one_transport_and_skips_the_others_step(
    tmp_path: Path, transport: str
) -> None:
    results = tell("sim", (transport,), tmp_path)
    skipped = [result.name for result in results if result.status == SKIPPED]
    assert skipped == ["update_coap" if transport == "mqtt" else "update_mqtt"]


@pytest.mark.emulated
def test_the_whole_story_passes_on_the_emulated_board(tmp_path: Path) -> None:
    if shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("qemu-system-arm or arm-none-eabi-gcc is not installed")
    facts: dict[str, int] = {}
    results = tell("qemu", ("mqtt", "coap"), tmp_path, facts)
    assert [result.name for result in results] == NAMES
    assert {result.status for result in results} == {PASSED}
    # The story has the memory that board.py declares, and what it used was measured.
    assert (facts["heap_bytes"], facts["tls_bytes"]) == (HEAP_BYTES, TLS_ARENA_BYTES)
    assert 0 < facts["heap_peak_bytes"] < HEAP_BYTES and 0 < facts["tls_peak_bytes"] < TLS_ARENA_BYTES
    assert 0 < facts["stack_peak_bytes"] < facts["stack_bytes"]
    assert facts["tls_refused"] == 0


def test_a_step_that_fails_ends_the_story_and_says_what_was_expected_and_seen(tmp_path: Path) -> None:
    class Nothing:
        pass

    def broken(world: object) -> str:
        from simulator.story.runner import expect

        expect(False, "the moon", "the sun")
        return ""

    steps = (Step("first", "", broken), Step("second", "", broken))
    results = run_story(Nothing(), steps, set(), Quiet())
    assert [(result.name, result.status) for result in results] == [("first", FAILED)]
    assert results[0].detail == "expected the moon; saw the sun"
    write_report(tmp_path / "report.json", report("sim", results))
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["result"] == FAILED
    assert set(found["steps"][0]) == {"name", "status", "seconds", "detail", "requirements"}
