"""The agent gives its parts a clock that does not wrap, and keeps it going."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from device.agent import agent
from simulator import virtual


class CountingClock(virtual.LoopClock):
    """A board's clock that counts its readings."""

    asked = 0

    def ticks_ms(self) -> int:
        self.asked += 1
        return super().ticks_ms()


def run(days: int) -> tuple[int, int]:
    """Run the agent's heartbeat for `days` of virtual time; return the age in ms of a mark set at the start."""

    async def main() -> tuple[int, int]:
        members: dict[str, Any] = dict.fromkeys(agent.Ports._fields)
        raw = CountingClock((1 << 30) - 5)
        members.update(clock=raw, boot=SimpleNamespace(watchdog_feed=lambda: None))
        ports = agent._with_uptime(agent.Ports(**members))
        since_ms = ports.clock.ticks_ms()
        heart = asyncio.ensure_future(agent._feed(ports))
        await asyncio.sleep(days * 86400)
        asked = raw.asked
        heart.cancel()
        return ports.clock.ticks_diff(ports.clock.ticks_ms(), since_ms), asked

    return virtual.run(main())


def test_an_age_of_two_weeks_is_right_although_only_the_heartbeat_asked_the_clock(monkeypatch: Any) -> None:
    monkeypatch.setattr(agent, "_FEED_INTERVAL_S", 60)  # the watchdog of a host test does not expire
    age_ms, asked = run(14)
    assert age_ms == 14 * 86400 * 1000
    assert asked > 14 * 86400 // 60
