"""A live fleet: units with the whole firmware, real sockets and TLS, against mosquitto."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from device import limits
from device.ports import host
from provisioning.servers.mosquitto import find_mosquitto
from simulator.fleet import base as bases
from simulator.fleet import live
from simulator.fleet.base import Base
from simulator.fleet.live import LiveFleet, Tally
from simulator.fleet.live_maker import LiveMaker

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]
UNITS = 4
_STATES = re.compile(r"New client connected from \S+ as ([0-9a-f]{32})|Client ([0-9a-f]{32}) disconnected")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return bases.make(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def maker(base: Base, tally: Tally, tmp_path: Path) -> Iterator[LiveMaker]:
    """The running servers of a live fleet."""
    with LiveMaker(base, tmp_path, tally.reported) as running:
        running.publish()
        yield running


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not make a unit give up a connection that is being opened."""
    for name in ("CONNECT_TIMEOUT_S", "REPLY_TIMEOUT_S"):
        monkeypatch.setattr(limits, name, 600)
    monkeypatch.setattr(host, "CONNECT_TIMEOUT_S", 600)


@pytest.mark.usefixtures("long_waits")
def test_each_unit_holds_a_connection_of_its_own_at_the_same_time(
    base: Base, maker: LiveMaker, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They are opened one after the other, and none is closed meanwhile.
    monkeypatch.setattr(live, "AT_ONCE", 1)
    found = asyncio.run(LiveFleet(base, maker, tally, UNITS, 20).connections())
    log = maker.broker.log_path.read_text()
    states = [(bool(one[1]), one[1] or one[2]) for one in _STATES.finditer(log)]
    held: set[str] = set()
    most = 0
    for is_connected, device in states:
        held = held | {device} if is_connected else held - {device}
        most = max(most, len(held))
    assert (found.count, most) == (UNITS, UNITS)


def test_every_unit_reports_again_after_an_outage(base: Base, maker: LiveMaker, tally: Tally) -> None:
    found = asyncio.run(LiveFleet(base, maker, tally, UNITS, check_interval_s=1).storm(outage_s=2))
    assert set(found.returned) == set(range(UNITS))
    assert len(found.connects) >= UNITS and min(found.connects) >= 0
