"""10 000 chunks of a transfer on the board's own heap (tests/benchmarks/rows.py, row 8)."""

from __future__ import annotations

import re

import pytest

from tests.emulated.firmware_support import CHECKOUT, Prompt, kit

__all__ = ["kit"]

pytestmark = pytest.mark.emulated

SOURCE = CHECKOUT / "tests" / "dual" / "test_memory_growth.py"
# The transfer waits for nothing, so nothing else feeds the watchdog.
FED = """
import _mps2
class Fed(Broker):
    def read(self, limit):
        _mps2.watchdog_feed()
        return super().read(limit)
Broker = Fed
"""


@pytest.mark.parametrize(
    ("first", "count"), [(200, 1_000), pytest.param(1_000, 10_000, marks=pytest.mark.nightly)]
)
def test_a_transfer_leaves_no_memory_allocated_on_the_board(kit, tmp_path, first: int, count: int) -> None:
    with kit.board(tmp_path, "development", has_network=False, icount_shift=0) as board:
        board.power_on()
        prompt = Prompt(board).enter()
        prompt.run(SOURCE.read_text())
        prompt.run(FED)
        free = int(prompt.run("gc.collect(); print(gc.mem_free())"))
        found = prompt.run(f"print('grown', grown({first}, {count}), gc.mem_free())", timeout_s=500)
        match = re.search(r"grown (-?\d+) (\d+)", found)
    assert match is not None, found
    print(
        f"{count} chunks: {match[1]} bytes more in use than after {first}; {free} free before, {match[2]} after"
    )
    assert int(match[1]) < 512
