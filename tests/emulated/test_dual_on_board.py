"""The dual tests, run by MicroPython on the emulated board: one test here for each of them."""

import pytest

from tests.dual_results import check, check_summary, dual_tests, results_of
from tests.emulated.firmware_support import kit

__all__ = ["kit"]

pytestmark = pytest.mark.emulated

RUN_TIMEOUT_S = 540  # pure-Python P-256 and LMS take most of it; the machine may be busy


@pytest.fixture(scope="module")
def results(kit, tmp_path_factory):
    """Return the results of the whole run."""
    # A nanosecond for each instruction: pure-Python P-256 alone takes more than a thousand million of them.
    folder = tmp_path_factory.mktemp("dual")
    with kit.board(folder, "test", has_network=False, icount_shift=0) as board:
        board.power_on()
        board.console.wait_for(r"^dual: \d+ passed, \d+ failed$", RUN_TIMEOUT_S)
        return results_of(board.console.log_path.read_text())


@pytest.mark.parametrize("name", list(dual_tests()))
def test_on_the_board(results, name):
    check(results, name)


def test_the_board_counts_no_failure_and_nothing_else_was_run(results):
    check_summary(results)
