"""interfaces.Bluetooth on MicroPython's module `bluetooth`, with a fake of it."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from device.errors import LinkError
from device.net import improv, improv_ble

STATE, ERROR, COMMAND, RESULT, CAPABILITIES = 11, 12, 13, 14, 15  # handles
CONNECTED, DISCONNECTED, WRITTEN = 1, 2, 3
CLIENT = 64


class FakeBle:
    """bluetooth.BLE; `calls` is a log, `values` what the characteristics have."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.values: dict[int, bytes] = {}
        self.handler: Callable[[int, Any], None] = lambda event, data: None
        self.fails_on = ""

    def _log(self, *call: Any) -> None:
        self.calls.append(call)
        if self.fails_on == call[0]:
            raise OSError(19)

    def active(self, value: bool) -> None:
        self._log("active", value)

    def config(self, **values: int) -> None:
        self._log("config", values)

    def irq(self, handler: Callable[[int, Any], None]) -> None:
        self.handler = handler

    def gatts_register_services(self, services: Any) -> Any:
        self._log("register", services)
        return ((STATE, ERROR, COMMAND, RESULT, CAPABILITIES),)

    def gatts_set_buffer(self, handle: int, length: int) -> None:
        self._log("buffer", handle, length)

    def gatts_write(self, handle: int, data: bytes, send_update: bool = False) -> None:
        self._log("write", handle, data, send_update)
        self.values[handle] = data

    def gatts_read(self, handle: int) -> bytes:
        return self.values[handle]

    def gatts_notify(self, client: int, handle: int, data: bytes) -> None:
        self._log("notify", client, handle, data)

    def gap_advertise(self, interval_us: int | None, adv_data: bytes = b"") -> None:
        self._log("advertise", interval_us, adv_data)

    def gap_disconnect(self, client: int) -> None:
        self._log("disconnect", client)

    # what a client does
    def write(self, data: bytes, client: int = CLIENT) -> None:
        self.values[COMMAND] = data
        self.handler(WRITTEN, (client, COMMAND))

    def advertised(self) -> list[bytes]:
        return [call[2] for call in self.calls if call[0] == "advertise" and call[1] is not None]


def forget_port() -> None:
    """Remove the module under test: from sys.modules, and from its package, where an import looks first."""
    sys.modules.pop("device.ports.ble", None)
    vars(importlib.import_module("device.ports")).pop("ble", None)


@pytest.fixture
def fake() -> FakeBle:
    return FakeBle()


@pytest.fixture
def line(fake: FakeBle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module: Any = types.ModuleType("bluetooth")
    module.BLE, module.UUID = lambda: fake, lambda value: value
    monkeypatch.setitem(sys.modules, "bluetooth", module)
    forget_port()
    yield importlib.import_module("device.ports.ble").BleLine()
    forget_port()


def test_it_offers_the_service_and_the_characteristics_of_improv(fake: FakeBle, line: Any) -> None:
    line.open(improv.AWAITING)
    ((service, members),) = next(call[1] for call in fake.calls if call[0] == "register")
    assert service == "00467768-6228-2272-4663-277478268000"
    read, write, notify = 0x02, 0x08 | 0x04, 0x10
    assert members == tuple(
        (f"00467768-6228-2272-4663-27747826800{digit}", flags)
        for digit, flags in enumerate([read | notify, read | notify, write, read | notify, read], 1)
    )
    assert fake.values[STATE] == b"\x01" and fake.values[ERROR] == b"\x00"
    assert fake.values[CAPABILITIES] == improv_ble.CAPABILITIES


def test_the_advertisement_has_31_bytes_with_the_service_and_the_state(fake: FakeBle, line: Any) -> None:
    line.open(improv.AWAITING)
    expected = bytes.fromhex("02010611070080267874276346722228626877460009167746010600000000")
    assert fake.advertised() == [expected] and len(expected) == 31
    line.advertise(improv.PROVISIONED)
    assert fake.advertised()[1][25:26] == b"\x04"
    assert ("write", STATE, b"\x04", True) in fake.calls


def test_a_client_is_told_by_a_notification_and_its_writes_are_taken_in_order(
    fake: FakeBle, line: Any
) -> None:
    line.open(improv.AWAITING)
    assert line.take() is None
    fake.handler(CONNECTED, (CLIENT, 0, b"address"))
    assert line.take() == b""
    fake.write(b"one")
    fake.write(b"two")
    fake.write(b"of a stranger", 65)
    assert [line.take(), line.take(), line.take()] == [b"one", b"two", None]
    line.send(improv.RPC_RESULT, b"\x03\x00")
    assert ("notify", CLIENT, RESULT, b"\x03\x00\x03") in fake.calls
    line.send(improv.ERROR_STATE, b"\x04")
    assert ("notify", CLIENT, ERROR, b"\x04") in fake.calls


def test_while_a_client_is_connected_the_unit_does_not_advertise(fake: FakeBle, line: Any) -> None:
    line.open(improv.AWAITING)
    fake.handler(CONNECTED, (CLIENT, 0, b"address"))
    line.take()
    line.advertise(improv.AUTHORISED)
    assert len(fake.advertised()) == 1
    fake.handler(DISCONNECTED, (CLIENT, 0, b"address"))
    assert line.take() == b""
    assert len(fake.advertised()) == 2 and fake.advertised()[1][25:26] == b"\x02"


def test_what_a_client_wrote_before_it_went_is_dropped(fake: FakeBle, line: Any) -> None:
    line.open(improv.AWAITING)
    fake.handler(CONNECTED, (CLIENT, 0, b"address"))
    fake.write(b"one")
    fake.handler(DISCONNECTED, (CLIENT, 0, b"address"))
    assert [line.take(), line.take()] == [b"", None]


def test_a_client_that_floods_is_disconnected(fake: FakeBle, line: Any) -> None:
    line.open(improv.AWAITING)
    fake.handler(CONNECTED, (CLIENT, 0, b"address"))
    line.take()
    for _ in range(17):
        fake.write(b"x" * 258)
    assert line.take() is None
    assert ("disconnect", CLIENT) in fake.calls and line.take() is None


def test_a_client_that_has_gone_is_no_error(fake: FakeBle, line: Any) -> None:
    line.open(improv.AWAITING)
    fake.handler(CONNECTED, (CLIENT, 0, b"address"))
    fake.fails_on = "notify"
    line.send(improv.ERROR_STATE, b"\x04")
    fake.fails_on = "disconnect"
    line.hang_up()


@pytest.mark.parametrize("step", ["active", "config", "register", "buffer", "write", "advertise"])
def test_a_failure_of_the_controller_is_a_typed_error(fake: FakeBle, line: Any, step: str) -> None:
    fake.fails_on = step
    with pytest.raises(LinkError, match="bluetooth"):
        line.open(improv.AWAITING)


def test_closed_it_is_off(fake: FakeBle, line: Any) -> None:
    line.open(improv.AWAITING)
    line.close()
    assert fake.calls[-2:] == [("advertise", None, b""), ("active", False)]
