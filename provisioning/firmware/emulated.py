"""The emulated boards, one row each: everything that the build and the emulators must know about a board.

The C code of the port and of the boot ROM is the same for all of them (device/boards/mps2_an385/port and rom). What
differs reaches it as generated files (provisioning.firmware.header).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from device.boards.mps2_an385 import memory_map as an385
from device.boards.mps2_an505 import memory_map as an505


@dataclass(frozen=True)
class EmulatedBoard:
    """One board. `name`: its folder in device/boards, which is also the name that its units give.

    `machine`: QEMU's name. `cpu_flags`: for the compiler and the linker. `memory_map`: the module with its addresses.
    `uart_interrupt`: of UART 0, receive; transmit is the next one, and UART n has the two that are 2 * n further on.
    `rom_parts`: C files of the boot ROM beside those that every board has.
    """

    name: str
    title: str
    machine: str
    cpu: str
    cpu_flags: str
    memory_map: ModuleType
    uart_interrupt: int
    rom_parts: tuple[str, ...] = ()
    is_on_renode: bool = False

    def address(self, name: str) -> int:
        """Return a number of the memory map by its name."""
        number: int = getattr(self.memory_map, name)
        return number


AN385: Final = EmulatedBoard(
    name="mps2_an385",
    title="MPS2 AN385 (emulated)",
    machine="mps2-an385",
    cpu="Cortex-M3",
    cpu_flags="-mcpu=cortex-m3 -mthumb",
    memory_map=an385,
    uart_interrupt=0,
    is_on_renode=True,
)
AN505: Final = EmulatedBoard(
    name="mps2_an505",
    title="MPS2 AN505 (emulated)",
    machine="mps2-an505",
    cpu="Cortex-M33",
    cpu_flags="-mcpu=cortex-m33+nodsp -mthumb -mfloat-abi=soft",  # the image has no DSP and no FPU (Arm DAI0505B)
    memory_map=an505,
    uart_interrupt=32,
    rom_parts=("trustzone",),
)
DEFAULT: Final = AN385
EMULATED: Final = {board.name: board for board in (AN385, AN505)}


def canonical(name: str) -> str:
    """Return the name of a board as units give it; QEMU's spelling has hyphens."""
    return name.replace("-", "_")


def c_folder(root: Path) -> Path:
    """Return the folder with the C code of all emulated boards: `port`, `rom`, `include` and `variants`."""
    return root / "device" / "boards" / AN385.name
