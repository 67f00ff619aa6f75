"""The machine that a story runs on: the simulator, or an emulated board."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from simulator.story.errors import WorldError
from simulator.story.images import Images

# How a unit on this machine reaches the servers, which listen on this host.
HOST_ADDRESSES: Final = {"sim": "127.0.0.1", "qemu": "10.0.2.2", "renode": "10.0.2.2"}

FLASH_FILE: Final = "nvm.bin"  # in a machine's folder; a simulated one writes it when it ends


def make_machine(
    on: str, folder: Path, images: Images, *, is_recorded: bool = False, board: EmulatedBoard = DEFAULT
) -> Any:
    """Return the machine named `on` (sim, qemu or renode), powered off and unprogrammed; a context manager.

    `is_recorded`: a board on QEMU can be replayed afterwards (renode.qemu_recording). Other machines record nothing.
    `board`: which board an emulator emulates. Raises WorldError if it does not emulate it.
    """
    if on == "sim":
        from simulator.device import SimulatedMachine

        return SimulatedMachine(folder, images.key_hashes)
    if on == "renode":
        if not board.is_on_renode:
            raise WorldError(f"Renode does not emulate {board.name} here. Use QEMU.")
        from renode.renode import RenodeBoard

        return RenodeBoard(folder)
    if is_recorded:
        if board is not DEFAULT:
            raise WorldError(f"Runs of {board.name} are not recorded.")
        from renode.qemu_recording import RecordedQemuBoard

        return RecordedQemuBoard(folder)
    from renode.qemu import QemuBoard

    return QemuBoard(folder, kind=board)
