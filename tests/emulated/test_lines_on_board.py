"""The lines of device/ that run on the emulated board under the dual tests, as data for `make coverage`."""

import pytest
from coverage.data import CoverageData
from coverage.python import PythonParser

from tests.dual_results import check_summary, lines_of, results_of
from tests.emulated.firmware_support import CHECKOUT, kit

__all__ = ["kit"]

pytestmark = [pytest.mark.emulated, pytest.mark.nightly]

RUN_TIMEOUT_S = 1500  # a traced line costs several untraced ones
DATA = CHECKOUT / "build" / "coverage" / ".coverage.board"


@pytest.fixture(scope="module")
def output(kit, tmp_path_factory) -> str:
    """Return what the board printed."""
    with kit.board(tmp_path_factory.mktemp("lines"), "lines", has_network=False, icount_shift=0) as board:
        board.power_on()
        board.console.wait_for(r"^lines: \d+ files$", RUN_TIMEOUT_S)
        return board.console.log_path.read_text()


@pytest.fixture(scope="module")
def ran(output) -> dict[str, set[int]]:
    """Return {file: first lines of the statements that ran}, and keep them for `make coverage`."""
    found = {}
    for name, lines in lines_of(output).items():
        parser = PythonParser(filename=str(CHECKOUT / name))
        parser.parse_source()
        found[name] = parser.translate_lines(lines)
    DATA.parent.mkdir(parents=True, exist_ok=True)
    DATA.unlink(missing_ok=True)
    data = CoverageData(str(DATA))
    data.set_context("board")
    data.add_lines({str(CHECKOUT / name): lines for name, lines in found.items()})
    data.write()
    return found


def test_the_dual_tests_pass_while_the_board_counts_lines(output):
    check_summary(results_of(output[: output.index("LINES ")]))


def test_each_line_that_ran_on_the_board_is_a_statement(ran):
    for name, lines in ran.items():
        parser = PythonParser(filename=str(CHECKOUT / name))
        parser.parse_source()
        if parser.statements:  # MicroPython counts line 1 of an empty file
            assert lines <= parser.statements | parser.raw_docstrings, (name, lines - parser.statements)


def test_most_of_what_decides_about_trust_runs_on_the_board(ran):
    for package in ("codec", "suit", "trust", "update"):
        wanted = have = 0
        for path in (CHECKOUT / "device" / package).glob("*.py"):
            parser = PythonParser(filename=str(path))
            parser.parse_source()
            wanted += len(parser.statements)
            have += len(parser.statements & ran.get(path.relative_to(CHECKOUT).as_posix(), set()))
        assert have > 0.8 * wanted, package
