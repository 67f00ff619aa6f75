"""The dual tests, run by MicroPython on the emulated board: one test here for each of them."""

import ast
import re

import pytest

from tests.emulated.firmware_support import CHECKOUT, kit

__all__ = ["kit"]

pytestmark = pytest.mark.emulated

DUAL = CHECKOUT / "tests" / "dual"
RUN_TIMEOUT_S = 540  # pure-Python P-256 and LMS take most of it; the machine may be busy


def dual_tests():
    """Return module.function of every dual test, found without importing anything."""
    for path in sorted(DUAL.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.stem}.{node.name}"


@pytest.fixture(scope="module")
def results(kit, tmp_path_factory):
    """Return {name: "PASS" or "FAIL", followed by its traceback} of the whole run, and the board's own summary."""
    # A nanosecond for each instruction: pure-Python P-256 alone takes more than a thousand million of them.
    folder = tmp_path_factory.mktemp("dual")
    with kit.board(folder, "test", has_network=False, icount_shift=0) as board:
        board.power_on()
        board.console.wait_for(r"^dual: \d+ passed, \d+ failed$", RUN_TIMEOUT_S)
        text = board.console.log_path.read_text().replace("\r", "")
    blocks = re.split(r"^(?=PASS |FAIL |dual: )", text, flags=re.MULTILINE)
    found = {block.split()[1]: block for block in blocks if block.startswith(("PASS ", "FAIL "))}
    found["summary"] = next(block for block in blocks if block.startswith("dual: "))
    return found


@pytest.mark.parametrize("name", list(dual_tests()))
def test_on_the_board(results, name):
    module = name.split(".")[0]
    block = results.get(name) or results.get(module, f"{name} did not run")
    assert block.startswith("PASS "), block


def test_the_board_counts_no_failure_and_nothing_else_was_run(results):
    passed = len([name for name in results if name != "summary"])
    assert results["summary"].strip() == f"dual: {passed} passed, 0 failed"
