"""The second emulated board, MPS2 AN505 (Cortex-M33 with TrustZone): ROM, firmware, story and power cuts.

`make nightly` also runs the tests of the firmware on it (tools/ci.sh, FIRSTBOOT_TEST_BOARD).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device.boards.mps2_an505 import memory_map
from device.boards.mps2_an505.memory_map import HEAP_BYTES, TLS_ARENA_BYTES
from provisioning.firmware.emulated import AN505
from renode.machine import CUTS
from renode.qemu import QemuBoard
from simulator.powercut.on_board.flows import FLOWS
from simulator.powercut.on_board.sample import run_sample
from simulator.story.runner import PASSED
from tests.emulated.firmware_support import TIMEOUT_S, Kit, make_kit
from tests.emulated.test_story import NAMES, tell

pytestmark = pytest.mark.emulated

SAU_CTRL = 0xE000EDD0
MPC_LOCKED = 1 << 31
# Offsets in the security control block: AHB, then APB inside and outside of the subsystem (Arm DDI 0574).
NON_SECURE_PERIPHERALS = (0x60, 0x64, 0x68, 0x6C, 0x70, 0x74, 0x80, 0x84, 0x88, 0x8C)


@pytest.fixture(scope="module")
def an505(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return make_kit(tmp_path_factory.mktemp("an505"), AN505)


@pytest.fixture(scope="module")
def running(an505: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuBoard]:
    """A board whose release firmware runs and waits for its station."""
    with an505.board(tmp_path_factory.mktemp("board"), "release") as board:
        board.power_on()
        board.console.wait_for(r"^firstboot \S+ on mps2_an505: unprovisioned\n", TIMEOUT_S)
        yield board


def test_the_processor_and_all_controllers_keep_everything_secure(running: QemuBoard) -> None:
    assert running.read_word(SAU_CTRL) == 0
    for mpc in (
        memory_map.MPC_SSRAM_1_ADDRESS,
        memory_map.MPC_SSRAM_2_ADDRESS,
        memory_map.MPC_SSRAM_3_ADDRESS,
    ):
        assert running.read_word(mpc) & MPC_LOCKED, hex(mpc)
    for offset in NON_SECURE_PERIPHERALS:
        assert running.read_word(memory_map.SECURITY_CONTROL_ADDRESS + offset) == 0, hex(offset)


def test_a_reset_of_the_board_starts_the_firmware_again(running: QemuBoard) -> None:
    running.console.skip()
    running.reset()
    running.console.wait_for(r"^firmware: .*reset: external", TIMEOUT_S)
    running.console.wait_for(r"^firstboot \S+ on mps2_an505: unprovisioned\n", TIMEOUT_S)


def test_the_whole_story_passes_with_the_memory_that_the_board_declares(tmp_path: Path, an505: Kit) -> None:
    facts: dict[str, int] = {}
    results = tell("qemu", ("mqtt", "coap"), tmp_path, facts, AN505)
    assert [result.name for result in results] == NAMES
    assert {result.status for result in results} == {PASSED}
    assert (facts["heap_bytes"], facts["tls_bytes"]) == (HEAP_BYTES, TLS_ARENA_BYTES)
    assert facts["tls_refused"] == 0


def test_a_sample_of_power_cuts_leaves_units_that_start_closed_and_remember(
    is_nightly: bool, an505: Kit
) -> None:
    """One cut of each flow, three with --nightly."""
    least = len(CUTS) if is_nightly else 1
    report = run_sample(list(FLOWS), 0, 0, workers=1, least=least, note=print, board=AN505)
    print(report.line())
    assert report.points >= least * len(FLOWS) - 2  # a flow may take an operation less than in its uncut run
    assert not report.findings.texts, "\n".join(report.findings.texts)
