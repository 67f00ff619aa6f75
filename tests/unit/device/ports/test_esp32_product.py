"""A product's ESP32 board: eFuses, key store, encrypted partitions, Wi-Fi. With fakes of `_fbesp` and MicroPython."""

import hashlib
import hmac
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
import test_esp_image  # tests/dual is on the path

from device.errors import FlashError, ImageFormatError, LinkError, StorageError
from device.layout import UNIT_LOCKED, UNIT_STAGED
from device.update.slots import BootState
from tests.unit.device.ports.memory_blocks import SECTOR
from tests.unit.device.ports.test_esp32_port import Chip

MODULES = (
    "ports.esp32",
    "ports.esp32_fuses",
    "ports.esp32_wifi",
    "ports.sockets",
    "ports.wlan",
    "ports.appfiles",
    "ports.ble",
    "ports.littlefs",
    "ports.rtc",
    "boards.esp32.unit",
)
BLANK = b"\xff" * 32


def scrambled(at: int, unit: bytes) -> bytes:
    """Return a unit as the fake flash encryption stores it. Not a cipher: it only has to change every byte."""
    return bytes(value ^ (0xA5 + at // 32 & 0xFF) for value in unit)


class Product(Chip):
    """A chip whose app and record partitions are encrypted: blank flash reads as garbage through `esp32`."""

    def __init__(self) -> None:
        super().__init__()
        self.efuses: dict[str, Any] = {"locked": False, "counter": 0, "key": b"k" * 32}
        self.protection = (True, True)
        self.is_product = True
        self.is_failing = False
        self.radio = {"active": False, "joined": None, "address": "0.0.0.0"}  # noqa: S104

    def read(self, label: str, offset: int, buffer: bytearray) -> None:
        """As read() of mod_fbesp.c."""
        first = offset - offset % 32
        plain = b""
        for at in range(first, offset + len(buffer), 32):
            raw = bytes(self.blocks[label].data[at : at + 32])
            plain += BLANK if raw == BLANK else scrambled(at, raw)
        buffer[:] = plain[offset - first : offset - first + len(buffer)]

    def lock(self, content: bytes) -> None:
        assert content == UNIT_LOCKED
        self.efuses["locked"] = True

    def hmac(self, block: int, data: bytes) -> bytes:
        if self.is_failing:
            raise OSError(5)
        assert block == 5
        return hmac.digest(self.efuses["key"], data, "sha256")

    def modules(self) -> dict[str, types.ModuleType]:
        made = super().modules()
        partition = made["esp32"].Partition
        chip = self

        class Encrypted(partition):  # type: ignore[misc, valid-type]
            def writeblocks(self, block: int, data: bytes, offset: int) -> None:
                at = block * SECTOR + offset
                if self.label != "fb_facts":
                    pieces = range(0, len(data), 32)
                    data = b"".join(scrambled(at + piece, data[piece : piece + 32]) for piece in pieces)
                super().writeblocks(block, data, offset)

        Encrypted.find = staticmethod(  # type: ignore[method-assign]
            lambda kind, subtype, label: [Encrypted(label)] if (kind == 0) == label.startswith("ota") else []
        )
        radio = self.radio

        class Wlan:
            IF_STA = 0
            IF_AP = 1

            def __init__(self, interface: int) -> None:
                self.is_own = interface == 1

            def active(self, *value: bool) -> bool:
                radio.update({"active": value[0]} if value else {})
                return bool(radio["active"] and not self.is_own)

            def config(self, **values: int) -> None: ...

            def ifconfig(self) -> tuple[Any, ...]:
                return (radio["address"],)

        members: dict[str, dict[str, Any]] = {
            "esp32": {
                "Partition": Encrypted,
                "HEAP_DATA": 4,
                "idf_heap_info": lambda kind: [(90, 40, 30, 1), (10, 5, 4, 1)],
            },
            "bluetooth": {"BLE": types.SimpleNamespace, "UUID": str},
            "network": {"WLAN": Wlan},
            "tls": {},
            "vfs": {},
            "_fbesp": {
                "is_product": lambda: chip.is_product,
                "protection": lambda: chip.protection,
                "is_locked": lambda: chip.efuses["locked"],
                "lock": self.lock,
                "counter": lambda: chip.efuses["counter"],
                "raise_counter": lambda value: chip.efuses.update(counter=value),
                "hmac_block": lambda: None if chip.efuses["key"] is None else 5,
                "hmac": self.hmac,
                "read": self.read,
            },
        }
        for name, values in members.items():
            vars(made.setdefault(name, types.ModuleType(name))).update(values)
        return made

    def put_image(self, label: str) -> bytes:
        image: bytes = test_esp_image.signed(test_esp_image.esp_image(b"1.2.3+4"))
        units = [scrambled(at, image[at : at + 32].ljust(32, b"\xff")) for at in range(0, len(image), 32)]
        self.blocks[label].data[: len(image)] = b"".join(units)[: len(image)]
        return image


def forget_modules() -> None:
    """Remove the modules under test: from sys.modules, and from their packages, where an import looks first."""
    for name in MODULES:
        package, _, leaf = f"device.{name}".rpartition(".")
        sys.modules.pop(f"device.{name}", None)
        vars(importlib.import_module(package)).pop(leaf, None)


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    chip = Product()
    for name, fake in chip.modules().items():
        monkeypatch.setitem(sys.modules, name, fake)
    forget_modules()
    chip.put_image("ota_0")
    yield chip
    forget_modules()


def module(name: str) -> Any:
    return importlib.import_module(f"device.{name}")


def flash_of(chip: Product) -> Any:
    return module("boards.esp32.unit").flash(chip.is_product)


# Flash under encryption ------------------------------------------------------------------------------------------
def test_an_erased_sector_of_an_encrypted_slot_is_blank_and_takes_an_image(chip: Product) -> None:
    flash = flash_of(chip)
    state = BootState(flash, flash.layout)
    state.clear_marks(1)
    assert state.is_blank_trailer(1)
    flash.write(flash.layout.slot_offsets[1], b"i" * 64)
    assert flash.read(flash.layout.slot_offsets[1] + 16, 64) == b"i" * 48 + b"\xff" * 16


def test_the_marks_of_an_encrypted_slot_are_read_back(chip: Product) -> None:
    flash = flash_of(chip)
    BootState(flash, flash.layout).stage(1)
    assert BootState(flash, flash.layout).marks(1).is_staged
    trailer = len(chip.blocks["ota_1"].data) - SECTOR
    assert bytes(chip.blocks["ota_1"].data[trailer : trailer + 32]) not in (UNIT_STAGED, BLANK)


def test_the_running_image_is_read_through_the_encryption(chip: Product) -> None:
    port = module("ports.esp32")
    boot = port.Esp32Boot(flash_of(chip), is_signed=True)
    boot.start()
    assert boot.version == (1, 2, 3, 4)


# eFuses ------------------------------------------------------------------------------------------------------------
def test_lock_and_counter_of_a_product_are_burned(chip: Product) -> None:
    flash = flash_of(chip)
    state = BootState(flash, flash.layout)
    state.lock()
    state.raise_security_counter(2)
    assert (chip.efuses["locked"], chip.efuses["counter"]) == (True, 2)
    assert flash.is_unit_locked()
    assert set(chip.blocks["fb_facts"].data) == {0xFF}


def test_a_development_build_burns_nothing(chip: Product) -> None:
    chip.is_product, chip.protection = False, (False, False)
    flash = flash_of(chip)
    BootState(flash, flash.layout).lock()
    assert not chip.efuses["locked"] and flash.is_unit_locked()


@pytest.mark.parametrize("protection", [(False, True), (True, False), (False, False)])
def test_a_products_build_does_not_start_on_an_unprotected_chip(
    chip: Product, protection: tuple[bool, bool]
) -> None:
    chip.protection = protection
    with pytest.raises(FlashError, match="not protected"):
        flash_of(chip)


@pytest.mark.parametrize(("counter", "is_taken"), [(16, True), (17, False)])
def test_an_image_whose_counter_the_efuses_cannot_reach_is_refused(
    chip: Product, counter: int, is_taken: bool
) -> None:
    boot = module("ports.esp32").Esp32Boot(flash_of(chip), is_signed=True)
    image = test_esp_image.signed(test_esp_image.esp_image(counter=counter))
    read = lambda offset, length: image[offset : offset + length]  # noqa: E731
    if is_taken:
        assert boot.parse_image(read, len(image)).security_counter == counter
        return
    with pytest.raises(ImageFormatError, match="security counter"):
        boot.parse_image(read, len(image))


# Key store ----------------------------------------------------------------------------------------------------------
def test_the_key_store_computes_with_the_chips_key(chip: Product) -> None:
    store = module("ports.esp32_fuses").key_store()
    assert store.keyed_digest(b"data") == hmac.new(b"k" * 32, b"data", hashlib.sha256).digest()


def test_a_chip_without_a_key_has_no_key_store(chip: Product) -> None:
    chip.efuses["key"] = None
    assert module("ports.esp32_fuses").key_store() is None


def test_a_failed_computation_is_a_storage_error(chip: Product) -> None:
    chip.is_failing = True
    with pytest.raises(StorageError):
        module("ports.esp32_fuses").key_store().keyed_digest(b"data")


# Wi-Fi: test_wlan_ports.py
def test_there_is_no_connection_while_the_radio_is_off(chip: Product) -> None:
    wifi = module("ports.esp32_wifi")
    network = wifi.WlanNetwork(wifi.Esp32Wifi())
    with pytest.raises(LinkError):
        network.require_up()
    assert network.addresses() == []
    chip.radio.update(active=True, address="192.0.2.7")
    network.require_up()
    assert network.addresses() == ["192.0.2.7"]


# The whole board --------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["esp32c3", "esp32s3"])
def test_the_board_gives_the_agent_its_ports(
    chip: Product, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = module("boards.esp32.unit")
    opened = []
    fake = sys.modules["machine"]
    monkeypatch.setattr(fake, "UART", lambda number, **pins: opened.append((number, pins)), raising=False)
    monkeypatch.setattr(fake.Pin, "OUT", 2, raising=False)
    monkeypatch.setattr(unit, "SocketStream", lambda reader: "factory")
    monkeypatch.setattr(unit, "asyncio", types.SimpleNamespace(StreamReader=lambda uart: uart))
    monkeypatch.setattr(unit, "Regions", lambda devices, is_locked: types.SimpleNamespace(
        mount=lambda region: {}, format=None, devices=devices, is_locked=is_locked))  # fmt: skip
    ports = unit.ports(module(f"boards.{name}.board"))
    assert ports.board.NAME == name and not ports.board.IS_DEVELOPMENT
    assert ports.boot.version == (1, 2, 3, 4) and ports.entropy.is_ready()
    assert ports.key_store is not None and opened[0][0] == 1
