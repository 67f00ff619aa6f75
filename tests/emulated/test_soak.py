"""The work of 72 hours on the emulated board's own heap: a check each hour, and every page of the owner.

The hours between the checks are left out: the board's clock cannot jump while real servers answer it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.story.inputs import Inputs
from tests.running import PASSWORD, FactoryUnit, unit_of

pytestmark = [pytest.mark.emulated, pytest.mark.nightly]

HOURS = 72
SETTLED = 8  # rounds after which what is loaded once is loaded
READS = 6  # of the status in each round: the most that is free of them has little garbage beside it
PAGES = ("/status", "/updates", "/support", "/statement", "/licences", "/home", "/password", "/reset")
GROWTH_BYTES = 1024


@pytest.fixture(scope="module")
def unit() -> Iterator[FactoryUnit]:
    """A unit on the emulated board with both transports that checks when its owner asks."""
    yield from unit_of("qemu", transports=("mqtt", "coap"), inputs=Inputs(check_interval_s=3600))


def one_hour(unit: FactoryUnit) -> tuple[int, int]:
    """Check, read every page, sign in again. Return the most free bytes, and the smallest largest free block."""
    owner = unit.world.owner
    before = owner.status()["update"]["up_to_date"]
    assert owner.request("POST", "/updates", {"action": "check"}).status == 303
    for path in PAGES:
        unit.wait(path, lambda path=path: owner.request("GET", path).status == 200 or None)

    def is_checked() -> bool | None:
        update = owner.status()["update"]
        return (update["up_to_date"] != before and update["next_check_s"] is not None) or None

    unit.wait("the end of the check", is_checked)
    assert owner.sign_in(PASSWORD)
    memory = [owner.status()["memory"] for _ in range(READS)]
    return max(one["heap_free_bytes"] for one in memory), memory[-1]["heap_least_block_bytes"]


def test_the_work_of_72_hours_leaves_as_much_of_the_heap_free_as_before(unit: FactoryUnit) -> None:
    unit.owned()
    assert unit.world.owner.sign_in(PASSWORD)
    unit.wait("the first check", lambda: unit.world.owner.status()["update"]["up_to_date"])
    starts = unit.world.machine.console.text.count("firmware: version")
    rounds = [one_hour(unit) for _ in range(HOURS)]
    print(
        "\n".join(
            f"hour {hour}: {free} free, least block {block}" for hour, (free, block) in enumerate(rounds)
        )
    )
    first = max(free for free, _ in rounds[SETTLED : 2 * SETTLED])
    last = max(free for free, _ in rounds[-SETTLED:])
    assert first - last <= GROWTH_BYTES
    assert unit.world.machine.console.text.count("firmware: version") == starts
    assert "MemoryShortError" not in unit.world.machine.console.text
