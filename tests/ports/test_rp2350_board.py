"""The RP2350 board folders: partitions, frozen code, and the whole build.

The build runs with --nightly only; it takes minutes. Nothing here runs on a chip.
"""

import json
import re
from pathlib import Path

import pytest

from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.frozen import RADIO_MODULES
from provisioning.firmware.rp2350 import BOARDS, SLOT_BYTES, Rp2Firmware, build_rp2350
from provisioning.firmware.sources import source_tree
from tests.ports.manifests import frozen_by_manifest, micropython, policy_files

__all__ = ["micropython"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "device" / "boards" / "rp2350"
FLASH_BYTES = 4 << 20  # of a Pico 2


# Partitions ----------------------------------------------------------------------------------------------------
def partitions() -> list[dict]:
    return json.loads((FOLDER / "partitions.json").read_text())["partitions"]


def kibibytes(text: str) -> int:
    return int(text.removesuffix("K")) * 1024


def test_the_partitions_follow_each_other_inside_the_flash() -> None:
    at = 2 * 4096  # both places of the table itself
    for one in partitions():
        assert kibibytes(one["start"]) == at and kibibytes(one["size"]) % 4096 == 0, one["name"]
        at += kibibytes(one["size"])
    assert at <= FLASH_BYTES


def test_the_slots_are_equal_and_the_second_one_belongs_to_the_first() -> None:
    first, second = partitions()[:2]
    assert kibibytes(first["size"]) == kibibytes(second["size"]) == SLOT_BYTES
    assert second["link"] == ["a", 0] and "link" not in first
    assert first["families"] == second["families"] == ["rp2350-arm-s"]


def test_the_port_finds_its_partitions_by_number_and_id() -> None:
    port = (ROOT / "device/ports/rp2.py").read_text()
    numbers = dict(
        zip(("slot 0", "slot 1", "facts", "device", "user"), range(5), strict=True),
    )
    assert re.search(r"^SLOT_0, SLOT_1, FACTS, DEVICE, USER = 0, 1, 2, 3, 4 ", port, re.MULTILINE)
    code = (FOLDER / "mod_fbrp2.c").read_text()
    low, high = (int(value, 16) for value in re.findall(r"#define ID_(?:LOW|HIGH) \((0x\w+)u\)", code))
    assert {one["name"]: int(one["id"], 16) for one in partitions()} == {
        name: high << 32 | low + number for name, number in numbers.items()
    }


def test_neither_the_boot_loaders_usb_nor_non_secure_code_reads_the_records() -> None:
    for one in partitions()[2:]:
        assert one["permissions"] == {"secure": "rw", "nonsecure": "", "bootloader": ""}
    assert all(one["permissions"]["nonsecure"] == "" for one in partitions())


def test_the_rows_of_lock_and_counter_are_the_same_in_c_and_in_python() -> None:
    code = (FOLDER / "mod_fbrp2.c").read_text()
    values = {name: int(value, 0) for name, value in re.findall(r"#define (\w+_ROWS?) \((\w+)\)", code)}
    allowed = {
        *range(values["COUNTER_ROW"], values["COUNTER_ROW"] + values["COUNTER_ROWS"]),
        *range(values["LOCK_ROW"], values["LOCK_ROW"] + values["LOCK_ROWS"]),
    }
    otp = (ROOT / "device/ports/rp2_otp.py").read_text()
    counter = [
        int(text, 16) for text in re.findall(r"0x\w+", re.search(r"^COUNTER_ROWS = (.*)", otp, re.M)[1])
    ]
    lock = [int(text, 16) for text in re.findall(r"0x\w+", re.search(r"^LOCK_ROWS = (.*)", otp, re.M)[1])]
    assert allowed == {row + copy for row in counter for copy in range(3)} | set(lock)
    assert (
        f"COUNTER_ROWS = ({', '.join(f'0x{row:03X}' for row in counter)})"
        in (ROOT / "device/ports/rp2.py").read_text()
    )


# Frozen code ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("board", BOARDS)
def test_the_build_freezes_what_the_boards_manifest_names(
    board: str, micropython: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = frozen_by_manifest(board, "rp2", micropython, monkeypatch)
    by_manifest = found - {"uasyncio.py"}  # an old name of asyncio

    tree = source_tree(ROOT, lambda text: None)
    built = {file.name for file in Rp2Firmware(ROOT, tree, BOARDS[board], "release", FOLDER).files}
    # MicroPython's own build has the pages of a radio on every board, where nothing imports them.
    unused = frozenset() if BOARDS[board].has_radio else RADIO_MODULES
    assert by_manifest - unused == built
    assert policy_files() - unused <= built and f"device/boards/{board}/board.py" in built
    assert not [name for name in built if any(word in name for word in ("mps2", "host", "esp32_fuses"))]


def test_a_product_has_no_console() -> None:
    off = (FOLDER / "board.h").read_text().split("#if FIRSTBOOT_PRODUCT")[1].split("#endif")[0]
    for name in ("UART_REPL", "USBDEV"):
        assert f"MICROPY_HW_ENABLE_{name} (0)" in off


@pytest.mark.parametrize("function", ["mbedtls_hardware_poll", "mbedtls_x509_time_cmp"])
def test_the_linker_replaces_the_ring_oscillator_and_the_check_of_dates(function: str) -> None:
    assert f"-Wl,--wrap={function}\n" in (FOLDER / "micropython.cmake").read_text()
    assert f"int __wrap_{function}(" in (FOLDER / "rp2350.c").read_text()


# The build --------------------------------------------------------------------------------------------------------
@pytest.mark.nightly
@pytest.mark.parametrize("variant", ["release", "development"])
def test_the_firmware_is_built_and_fits_into_a_slot(variant: str) -> None:
    try:
        made = build_rp2350("rp2350", variant, root=ROOT, progress=lambda text: None)
    except FirmwareError as error:
        if "not in the cache" in str(error) or "is not installed" in str(error):
            pytest.skip(f"the sources of an RP2350 firmware: {error}")
        raise
    image = made.image.read_bytes()
    assert b"\xd3\xde\xff\xff" in image[:4096]  # the boot ROM's first block
    assert len(made.uf2.read_bytes()) == 512 * (1 + -(-len(image) // 256))
    assert abs(sum(made.sizes.values()) - len(image)) < 1024
    assert made.ram["python heap"] > 256 * 1024
    assert b"_fbrp2" in image and b"_fbcrypto" in image
