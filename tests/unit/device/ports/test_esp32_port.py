"""The part of the ESP32 port that runs without the chip: the order of boot loader calls and trailer marks."""

import importlib
import sys
import types

import pytest
import test_esp_image  # tests/dual is on the path

from device.errors import FirstbootError, FlashError, ImageFormatError
from device.layout import MARK_CONFIRMED, MARK_STAGED, MARK_TRIED, UNIT_STAGED
from device.update.slots import BootState, confirmed_unit
from tests.unit.device.ports.memory_blocks import MemoryBlocks


def esp_image(version: bytes = b"1.2.3+4") -> bytes:
    """Return an image as tests/dual/test_esp_image.py builds it."""
    made: bytes = test_esp_image.esp_image(version)
    return made


# Boot on the ESP32 --------------------------------------------------------------------------------------------
class Reset(BaseException):
    """Raised by the fake machine.reset(): the real one does not return."""


def fake_machine() -> types.ModuleType:
    """Return MicroPython's `machine` after a watchdog reset, with a button that is not pressed."""
    machine = types.ModuleType("machine")

    def reset() -> None:
        raise Reset

    pin = type("Pin", (), {"IN": 0, "PULL_UP": 1, "__init__": lambda self, *a: None, "value": lambda self: 1})
    names = {
        "PWRON_RESET": 1,
        "HARD_RESET": 2,
        "WDT_RESET": 3,
        "SOFT_RESET": 5,
        "Pin": pin,
        "reset": reset,
    }
    names |= {"reset_cause": lambda: 3, "unique_id": lambda: b"\x01\x02\x03\x04\x05\x06"}
    names |= {"WDT": type("WDT", (), {"__init__": lambda self, timeout: None, "feed": lambda self: None})}
    vars(machine).update(names)
    return machine


class Chip:
    """Fake `esp32` and `machine`: five partitions and a log of calls to the boot loader."""

    def __init__(self) -> None:
        self.sizes = {"fb_facts": 16, "ota_0": 8, "ota_1": 8, "fb_device": 4, "fb_user": 4}
        self.blocks = {label: MemoryBlocks(count, 32) for label, count in self.sizes.items()}
        self.running = "ota_0"
        self.told: list[str] = []
        self.refuses = False

    def modules(self) -> dict[str, types.ModuleType]:
        chip = self

        class Partition(MemoryBlocks):
            TYPE_APP, TYPE_DATA, BOOT, RUNNING = 0, 1, 0, 1

            def __init__(self, which: int | str) -> None:
                self.label = chip.running if which == self.RUNNING else str(which)
                self.data = chip.blocks[self.label].data
                self.page_bytes = 32

            @staticmethod
            def find(kind: int, subtype: int, label: str) -> list["Partition"]:
                return [Partition(label)] if (kind == 0) == label.startswith("ota") else []

            def info(self) -> tuple[int, int, int, int, str, bool]:
                return 0, 0, 0, len(self.data), self.label, False

            def set_boot(self) -> None:
                if chip.refuses:
                    raise OSError(-5379)
                chip.told.append("boot " + self.label)

            @staticmethod
            def mark_app_valid_cancel_rollback() -> None:
                if chip.refuses:
                    raise OSError(-261)
                chip.told.append("valid " + chip.running)

        esp32 = types.ModuleType("esp32")
        esp32.Partition = Partition  # type: ignore[attr-defined]
        return {"esp32": esp32, "machine": fake_machine()}

    def put_image(self, label: str) -> bytes:
        image = esp_image()
        self.blocks[label].data[: len(image)] = image
        return image


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    chip = Chip()
    for name, module in chip.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "device.ports.esp32", raising=False)
    chip.put_image("ota_0")
    return chip


def esp32_port(chip: Chip) -> tuple:
    """Return flash, boot and boot state of a fresh start of `chip`."""
    port = importlib.import_module("device.ports.esp32")
    flash = port.Esp32Flash()
    boot = port.Esp32Boot(flash)
    boot.start()
    return flash, boot, BootState(flash, flash.layout)


def test_the_running_image_names_its_digest_and_version(chip: Chip) -> None:
    image = chip.put_image("ota_0")
    _, boot, _ = esp32_port(chip)
    assert (boot.image_digest, boot.version, boot.slot) == (image[-32:], (1, 2, 3, 4), 0)
    assert boot.hardware_id == b"\x01\x02\x03\x04\x05\x06" + bytes(10)


def test_a_slot_without_an_image_stops_the_start(chip: Chip) -> None:
    chip.blocks["ota_0"].ioctl(6, 0)
    with pytest.raises(FirstbootError):
        esp32_port(chip)


def test_a_staged_slot_is_named_to_the_boot_loader_at_the_reset(chip: Chip) -> None:
    _, boot, state = esp32_port(chip)
    state.stage(1)
    with pytest.raises(Reset):
        boot.reset()
    assert chip.told == ["boot ota_1"]
    assert not state.marks(1).is_tried


def test_a_reset_without_a_staged_slot_names_none(chip: Chip) -> None:
    _, boot, _ = esp32_port(chip)
    with pytest.raises(Reset):
        boot.reset()
    assert chip.told == []


def test_an_image_that_the_boot_loader_refuses_counts_as_tried(chip: Chip) -> None:
    _, boot, state = esp32_port(chip)
    state.stage(1)
    chip.refuses = True
    with pytest.raises(Reset):
        boot.reset()
    assert state.marks(1).is_tried


def test_the_first_start_of_a_staged_slot_is_a_trial_and_marks_it_tried(chip: Chip) -> None:
    _, _, state = esp32_port(chip)
    state.stage(1)
    chip.running = "ota_1"
    chip.put_image("ota_1")
    _, boot, state = esp32_port(chip)
    assert boot.is_trial
    assert state.marks(1) == (True, True, False, 0)


def test_a_confirm_goes_to_the_boot_loader_before_it_is_marked(chip: Chip) -> None:
    _, _, state = esp32_port(chip)
    state.stage(0)
    flash, _, state = esp32_port(chip)
    chip.refuses = True
    with pytest.raises(FlashError, match="refused the confirm"):
        state.confirm(0)
    assert flash.read(flash.trailer(0) + MARK_CONFIRMED, 32) == b"\xff" * 32
    chip.refuses = False
    state.confirm(0)
    assert chip.told == ["valid ota_0"]
    assert state.marks(0).is_confirmed


def test_a_cut_between_the_boot_loaders_word_and_the_mark_leaves_a_trial(chip: Chip) -> None:
    _, _, state = esp32_port(chip)
    state.stage(0)
    chip.told.append("valid ota_0")
    _, boot, _ = esp32_port(chip)
    assert boot.is_trial


def test_a_confirmed_slot_is_no_trial(chip: Chip) -> None:
    _, _, state = esp32_port(chip)
    state.stage(0)
    state.confirm(0)
    _, boot, _ = esp32_port(chip)
    assert not boot.is_trial


def test_a_payload_sector_that_looks_like_a_confirm_tells_the_boot_loader_nothing(chip: Chip) -> None:
    flash, _, _ = esp32_port(chip)
    flash.write(flash.layout.slot_offsets[1], confirmed_unit(1))
    flash.write(flash.trailer(1) + MARK_STAGED, UNIT_STAGED)
    flash.write(flash.trailer(1) + MARK_TRIED, b"x" * 32)
    assert chip.told == []


def test_an_image_for_another_chip_than_the_running_one_is_refused(chip: Chip) -> None:
    _, boot, _ = esp32_port(chip)
    other = test_esp_image.esp_image(chip=9).ljust(4096, b"\xff")
    with pytest.raises(ImageFormatError, match="chip"):
        boot.parse_image(lambda offset, length: other[offset : offset + length], len(other))


def test_a_board_with_secure_boot_starts_no_agent_from_an_unsigned_image(chip: Chip) -> None:
    port = importlib.import_module("device.ports.esp32")
    with pytest.raises(ImageFormatError, match="no signature"):
        port.Esp32Boot(port.Esp32Flash(), is_signed=True).start()
