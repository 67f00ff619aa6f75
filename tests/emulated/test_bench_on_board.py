"""The benchmark's short form: every quick row of the board is measured and has the right order of magnitude.

Instructions under `-icount` are the same in every run. The bounds allow 1.5 times the measured figures; the figures to
reach are those of `make bench`.
"""

import shutil

import pytest

from provisioning.firmware.errors import FirmwareError
from tests.benchmarks import rows, run

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"),
]

MOST = {
    "lms-w4-python": 5e6,
    "lms-w8-python": 32e6,
    "lms-w4-c": 3e6,
    "lms-w8-c": 20e6,
    "p256-c": 30e6,
    "p256-python": 75e6,
    "ed25519-python": 120e6,
    "slot-digest": 66.5,
    "slot-digest.growth": 0,
    "lms-w4-python.heap": 6 * 1024,
    "lms-w8-python.heap": 6 * 1024,
    "manifest": 400e3,
    "manifest.heap": 1536,
    "manifest-general": 1.5e6,
    "malformed": 80e3,
    "coap": 650e3,
    "mqtt": 280e3,  # 6e3 of it to count the free bytes of this firmware's heap of 2 MiB, once
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return {row: value} for all rows of the short form."""
    try:
        measured = run.board_figures(tmp_path_factory.mktemp("bench"), run.SHORT_OF_THE_BOARD)
    except FirmwareError as error:
        pytest.skip(f"firmware: {error}")
    return {one.row.name: one.value for one in rows.results(measured)}


@pytest.mark.parametrize("name", MOST)
def test_a_row_is_measured_and_of_the_right_order(found, name):
    assert found[name] is not None, "not measured"
    assert 0 <= found[name] <= MOST[name]


def test_the_c_module_is_faster_than_python(found):
    assert found["lms-w4-c"] < found["lms-w4-python"]
    assert found["p256-c"] < found["p256-python"]
