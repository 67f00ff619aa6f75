"""The memory map is written once: Renode's files and the documented tables equal it; no other file repeats it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.boards.mps2_an385 import memory_map
from device.boards.mps2_an505 import memory_map as an505
from device.layout import MPS2
from provisioning.firmware.emulated import EMULATED
from provisioning.firmware.header import addresses

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "reference" / "memory-map.md"
SOURCES = {ROOT / f"device/boards/{name}/memory_map.py" for name in EMULATED} | {ROOT / "device/layout.py"}
COMPARED = {
    ROOT / "renode/platforms/mps2_an385.repl",
    ROOT / "renode/scripts/mps2_an385.resc",
}
FOLDERS = ("device", "renode", "provisioning", "simulator", "tests/emulated/stub", "tests/benchmarks")
KINDS = {".py", ".c", ".h", ".ld", ".repl", ".resc"}
MEBIBYTE, KIBIBYTE = 1 << 20, 1 << 10


def spaced(address: int) -> str:
    """Return an address as the documentation writes it: 0x2100_0000."""
    return f"0x{address >> 16:04X}_{address & 0xFFFF:04X}"


def table_below(heading: str) -> dict[str, str]:
    """Return the first two columns of the table under a heading of docs/reference/memory-map.md."""
    text = PAGE.read_text()
    section = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return {row[0].strip(): row[1].strip() for row in rows[2:]}


def shared_rows(m):
    """Return the rows that the tables of both boards have, of the numbers in memory map `m`."""
    return {
        "boot ROM": f"{spaced(m.ROM_ADDRESS)} .. {spaced(m.ROM_ADDRESS + m.ROM_BYTES - 1)}",
        "code RAM": f"{spaced(m.CODE_RAM_ADDRESS)} .. {spaced(m.CODE_RAM_END - 1)}",
        "RAM": f"{spaced(m.RAM_ADDRESS)} .. {spaced(m.RAM_END - 1)}",
        "handover page": spaced(m.HANDOVER_ADDRESS),
        "power-on page": spaced(m.POWER_ON_ADDRESS),
        "NVM": f"{spaced(m.NVM_ADDRESS)}, {MPS2.size_bytes // MEBIBYTE} MiB",
        "watchdog": spaced(m.WATCHDOG_ADDRESS),
        "light": spaced(m.FPGAIO_ADDRESS),
        "SysTick": f"{m.CPU_HZ // 1_000_000} MHz",
    }


def test_the_documented_memory_map_is_the_boards():
    m = memory_map
    # The watchdog lies between UART 3 and 4 (memory_map.h).
    uarts = [m.UART_BASE_ADDRESS + (index + index // 4) * m.UART_STRIDE_BYTES for index in range(5)]
    assert m.UART_BASE_ADDRESS + 4 * m.UART_STRIDE_BYTES == m.WATCHDOG_ADDRESS
    assert table_below("Addresses") == shared_rows(m) | {
        "UART0, 1, 2": f"{spaced(uarts[0])}, _{uarts[1] & 0xFFFF:04X}, _{uarts[2] & 0xFFFF:04X}",
        "UART3, 4": f"{spaced(uarts[3])}, _{uarts[4] & 0xFFFF:04X}",
    }


def test_the_documented_memory_map_of_the_an505_is_the_boards():
    m = an505
    uarts = [m.UART_BASE_ADDRESS + index * m.UART_STRIDE_BYTES for index in range(3)]
    mpcs = [m.MPC_SSRAM_1_ADDRESS, m.MPC_SSRAM_2_ADDRESS, m.MPC_SSRAM_3_ADDRESS]
    assert table_below("Addresses of the AN505") == shared_rows(m) | {
        "UART0, 1, 2": f"{spaced(uarts[0])}, _{uarts[1] & 0xFFFF:04X}, _{uarts[2] & 0xFFFF:04X}",
        "security control": spaced(m.SECURITY_CONTROL_ADDRESS),
        "memory protection": f"{spaced(mpcs[0])}, _{mpcs[1] & 0xFFFF:04X}, _{mpcs[2] & 0xFFFF:04X}",
    }


def test_the_documented_nvm_map_is_the_layouts():
    def both(offsets: tuple[int, int]) -> str:
        return ", ".join(f"0x{offset:06x}" for offset in offsets)

    assert table_below("NVM map") == {
        both(MPS2.lock_offsets): "1 sector each",
        f"0x{MPS2.counter_offset:06x}": f"{MPS2.counter_sectors} sectors",
        f"0x{MPS2.revocation_offset:06x}": "1 sector",
        f"0x{MPS2.entropy_offset:06x}": "2 sectors",
        f"0x{MPS2.slot_offsets[0]:06x}": f"{MPS2.slot_bytes // MEBIBYTE} MiB",
        f"0x{MPS2.slot_offsets[1]:06x}": f"{MPS2.slot_bytes // MEBIBYTE} MiB",
        f"0x{MPS2.device_offset:06x}": f"{MPS2.device_bytes // MEBIBYTE} MiB",
        f"0x{MPS2.user_offset:06x}": f"{MPS2.user_bytes // MEBIBYTE} MiB",
        both(MPS2.set_offsets): f"{MPS2.set_bytes // KIBIBYTE} KiB each",
    }


def test_the_documented_pages_have_the_boards_magic_numbers():
    text = PAGE.read_text()
    for name in ("POWER_ON_MAGIC", "CUT_ORDER_MAGIC", "HANDOVER_MAGIC", "RINGS_MAGIC"):
        number = getattr(memory_map, name)
        assert f'0x{number:08X} ("{number.to_bytes(4, "little").decode()}")' in text, name
    for name in ("RUN_MARK_RUNNING", "RUN_MARK_SOFTWARE", "RUN_MARK_WATCHDOG"):
        number = getattr(memory_map, name)
        assert re.search(rf'"{number.to_bytes(4, "little").decode()}"\s\(0x{number:08X}\)', text), name
    assert spaced(memory_map.CUT_COUNT_ADDRESS) in text
    assert f"At +0x{memory_map.RINGS_ADDRESS - memory_map.HANDOVER_ADDRESS:x} lies the table" in text
    assert f"structure version, {memory_map.HANDOVER_VERSION} |" in text


def test_renodes_platform_has_the_boards_addresses_and_sizes():
    text = (ROOT / "renode/platforms/mps2_an385.repl").read_text()
    found = {
        name: int(address, 16) for name, address in re.findall(r"^(\w+): .* @ sysbus (0x\w+)$", text, re.M)
    }
    sizes = {
        name: int(size, 16)
        for name, size in re.findall(r"^(\w+): Memory.MappedMemory @ .*\n    size: (0x\w+)$", text, re.M)
    }
    m = memory_map
    assert found == {
        "code": m.ROM_ADDRESS,
        "ram": m.RAM_ADDRESS,
        "nvm": m.NVM_ADDRESS,
        "nvic": 0xE000E000,
        "uart0": m.UART_BASE_ADDRESS,
        "uart1": m.UART_BASE_ADDRESS + m.UART_STRIDE_BYTES,
        "uart2": m.UART_BASE_ADDRESS + 2 * m.UART_STRIDE_BYTES,
        "watchdog": m.WATCHDOG_ADDRESS,
        "fpgaio": m.FPGAIO_ADDRESS,
    }
    assert sizes["code"] == m.CODE_RAM_END and sizes["nvm"] == MPS2.size_bytes
    assert m.RAM_ADDRESS + sizes["ram"] > m.POWER_ON_ADDRESS
    assert {int(rate) for rate in re.findall(r"requency: (\d+)", text)} == {m.CPU_HZ}


def test_renodes_script_loads_page_and_nvm_where_the_board_has_them():
    text = (ROOT / "renode/scripts/mps2_an385.resc").read_text()
    loads = {name: int(address, 16) for name, address in re.findall(r"LoadBinary \$(\w+) (0x\w+)", text)}
    assert loads == {"page": memory_map.POWER_ON_ADDRESS, "nvm": memory_map.NVM_ADDRESS}


def numbers_in(path: Path) -> Iterator[int]:
    for text in re.findall(r"0[xX][0-9a-fA-F][0-9a-fA-F_]*", path.read_text()):
        yield int(text, 16)


def files_of(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*") if path.suffix in KINDS and path.is_file()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_other_file_repeats_an_address(folder):
    once = {
        number
        for board in EMULATED.values()
        for number in addresses(board).values()
        if number > 0xFFFFF  # smaller ones mean other things as well
    }
    once -= {an505.ROM_ADDRESS, an505.NVM_ADDRESS}  # one bit each, which means other things as well
    assert {memory_map.NVM_ADDRESS, memory_map.POWER_ON_MAGIC, memory_map.FIRMWARE_ADDRESS} <= once
    repeated = {
        f"{path.relative_to(ROOT)}: {number:#x}"
        for path in files_of(folder)
        if path not in SOURCES | COMPARED
        for number in numbers_in(path)
        if number in once
    }
    assert repeated == set()
