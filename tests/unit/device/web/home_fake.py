"""A fake link to the owner's home for the local pages, and the smallest certificate that can be pasted."""

from __future__ import annotations

from typing import Any

from device.errors import HomeError
from device.owner import home

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAkwAgUAMAADAQA=\n-----END CERTIFICATE-----\n"


class FakeHome:
    """Implements device.web.facade.Home over the real rules of a choice; `calls` is a log."""

    def __init__(self) -> None:
        self.broker: home.Broker | None = None
        self.link_state = "connecting"
        self.state_off = "off"
        self.reason: str | None = None
        self.was_tested = False
        self.calls: list[tuple[object, ...]] = []

    def status(self) -> dict[str, Any] | None:
        broker = self.broker
        if broker is None:
            return None
        return {
            "is_on": broker.is_on,
            "state": self.link_state if broker.is_on else self.state_off,
            "reason": self.reason,
            "was_tested": self.was_tested,
            "address": broker.address,
            "port": broker.port,
            "name": broker.name,
            "user": broker.user,
            "authority": "00" * 32,
            "may_install": broker.may_install,
        }

    def save(self, wanted: home.Broker) -> None:
        self.broker = home.changed(self.broker, wanted)
        self.calls.append(("save", self.broker))

    def switch(self, is_on: bool) -> None:
        self.broker = home.altered(self._saved(), is_on=is_on)
        self.calls.append(("switch", is_on))

    def forget(self) -> None:
        self._saved()
        self.broker = None
        self.calls.append(("forget",))

    def test(self) -> None:
        self._saved()
        self.calls.append(("test",))

    def _saved(self) -> home.Broker:
        if self.broker is None:
            raise HomeError(reason="nothing")
        return self.broker
