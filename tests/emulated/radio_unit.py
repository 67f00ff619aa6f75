"""A unit on the emulated board with a model of a radio: how a test puts it into its box, and what its owner does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from device.net import wifi
from provisioning.station.passphrase import access_point_passphrase
from simulator.ports.air import Air, Router
from simulator.story.inputs import Inputs
from simulator.story.runner import wait_until
from tests.running import PASSWORD, FactoryUnit, unit_of

HOME, HOME_KEY, NEW_KEY = "Home", "correct horse 7", "battery staple 8"
WAIT_S = 180.0


class RadioUnit(FactoryUnit):
    """A unit on the emulated board with a model of a radio, in the air of the test."""

    @property
    def air(self) -> Air:
        found = self.world.inputs.air
        assert found is not None
        return found

    def boxed(self, *routers: Router) -> RadioUnit:
        """Put the unit back into factory default and switch it on among these routers."""
        self.machine.cut_power()
        self.air.routers[:] = routers
        self.machine.console.skip()
        self.fresh()
        self.own_name = self.machine.radio_model.radio.own_name
        self.own_key = access_point_passphrase(self.world.unit.setup_code, self.own_name)
        return self

    def set_up(self) -> None:
        assert self.world.owner.set_up(self.world.unit.setup_code, PASSWORD).status == 303
        assert self.world.owner.sign_in(PASSWORD)

    def until(self, what: str, probe: Callable[[], Any]) -> Any:
        return wait_until(what, probe, WAIT_S, 0.1)

    def network(self) -> dict[str, Any]:
        """Return the page about the network as data."""
        reply = self.world.owner.request("GET", "/network", accept="application/json")
        assert reply.status == 200
        return dict(reply.json())

    def page(self) -> str:
        return self.world.owner.request("GET", "/network").text

    def choose(self, name: str, passphrase: str) -> None:
        form = {"action": "join", "network": "other", "name": name, "passphrase": passphrase}
        assert self.world.owner.request("POST", "/network", form).status == 303

    def result(self) -> str | None:
        """Return how the owner's last choice went, None while it is tried."""
        attempt = self.network()["attempt"]
        return None if attempt is None or attempt["result"] == wifi.JOINING else str(attempt["result"])

    def joined(self, router: Router, passphrase: str = HOME_KEY) -> None:
        """Set the unit up and let its owner choose the network of `router`."""
        self.set_up()
        self.choose(router.ssid.decode(), passphrase)
        assert self.until("the result", self.result) == wifi.JOINED
        assert self.machine.radio_model.radio.router is router

    def is_open(self) -> bool:
        return self.own_name in self.air.units


@pytest.fixture(scope="module")
def radio_unit() -> Iterator[RadioUnit]:
    inputs = Inputs(air=Air(), check_interval_s=3600)
    for unit in unit_of("qemu", transports=("mqtt",), inputs=inputs):
        yield RadioUnit(unit.world)
