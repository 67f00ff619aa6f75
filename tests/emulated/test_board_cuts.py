"""A sample of power cuts by the firmware itself, at operations of its NVM driver (UP-04, PW-04, PW-12).

An ordinary run takes two cuts of each flow, the nightly run a thousand cuts. tests/powercut cuts the simulator at every
operation of the same flows.

`firstboot powercut run --on qemu --flow F --seed S` replays any of them; simulator/powercut/on_board describes a case.
"""

from __future__ import annotations

import shutil

import pytest

from firstboot.locations import source_root
from provisioning.firmware.build import build
from renode.errors import MachineError
from renode.machine import CutOrder
from simulator.powercut.on_board.cases import order_of
from simulator.powercut.on_board.flows import FLOWS
from simulator.powercut.on_board.sample import run_sample, select_cases

pytestmark = pytest.mark.emulated

OF_EACH_FLOW = 2
NIGHTLY_SAMPLE = 1000
UNREACHED = 0.05  # share: a flow may take an operation less than in its uncut run
MARK = b"nvm: power cut"


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    missing = [tool for tool in ("qemu-system-arm", "arm-none-eabi-gcc") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")


def test_a_sample_of_cuts_over_all_flows_leaves_units_that_start_closed_and_remember(
    is_nightly: bool,
) -> None:
    """Two cuts of each flow, a thousand in all with --nightly."""
    if is_nightly:
        sample = NIGHTLY_SAMPLE
        report = run_sample(list(FLOWS), sample, 0, workers=2, note=print)
    else:
        # One process makes one unit and counts each flow once; with few cuts that is most of the work.
        sample = OF_EACH_FLOW * len(FLOWS)
        report = run_sample(list(FLOWS), 0, 0, workers=1, least=OF_EACH_FLOW, note=print)
    print(report.line(), f"{report.rate:.2f} cuts a second")
    assert report.points >= sample - max(2, UNREACHED * sample)
    assert not report.findings.texts, "\n".join(report.findings.texts)


def test_firmware_that_is_shipped_cannot_cut_its_power() -> None:
    assert MARK in build("cut", root=source_root()).image.read_bytes()
    assert MARK not in build("release", root=source_root()).image.read_bytes()


def test_a_sample_takes_cuts_of_every_flow_and_is_the_same_each_time() -> None:
    totals = {"short": 4, "long": 400}
    first = select_cases(totals, 300, 7)
    assert first == select_cases(totals, 300, 7) != select_cases(totals, 300, 8)
    assert len(first["short"]) >= 8 and 290 <= len(first["long"]) <= 300
    assert all(seed < 3 * totals[name] for name, seeds in first.items() for seed in seeds)
    assert [len(seeds) for seeds in select_cases(totals, 0, 7, least=2).values()] == [2, 2]


@pytest.mark.parametrize("order", [CutOrder(0, "before", 0), CutOrder(1, "soon", 0)])
def test_an_order_that_cannot_be_is_refused(order: CutOrder) -> None:
    with pytest.raises(MachineError):
        order.page()


def test_a_seed_names_an_operation_and_a_way_to_cut_it() -> None:
    assert [(order_of(seed).operation, order_of(seed).when) for seed in (0, 1, 2, 3)] == [
        (1, "before"),
        (1, "torn"),
        (1, "after"),
        (2, "before"),
    ]
