"""The machine that a story runs on: the simulator, or an emulated board."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from simulator.ports.air import Air
from simulator.story.errors import WorldError
from simulator.story.images import Images

# How a unit on this machine reaches the servers, which listen on this host.
HOST_ADDRESSES: Final = {"sim": "127.0.0.1", "qemu": "10.0.2.2", "renode": "10.0.2.2"}

PLAIN_PORT: Final = 80  # of the page inside the access point (device/agent/portal.py)
FLASH_FILE: Final = "nvm.bin"  # in a machine's folder; a simulated one writes it when it ends


def make_machine(
    on: str,
    folder: Path,
    images: Images,
    *,
    is_recorded: bool = False,
    board: EmulatedBoard = DEFAULT,
    air: Air | None = None,
) -> Any:
    """Return the machine named `on` (sim, qemu or renode), powered off and unprogrammed; a context manager.

    `is_recorded`: a board on QEMU can be replayed afterwards (renode.qemu_recording). Other machines record nothing.
    `board`: which board an emulator emulates. `air`: what is around a unit with a radio. An emulated board's radio is a
    model (radio_model.py); only the first board on QEMU has it, and only without a recording. Raises WorldError if the
    emulator does not emulate that.
    """
    if on == "sim":
        from simulator.device import SimulatedMachine

        machine = SimulatedMachine(folder, images.key_hashes)
        machine.air = air
        return machine
    if air is not None:
        return _board_with_radio(on, folder, air, is_recorded=is_recorded)
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


def _board_with_radio(on: str, folder: Path, air: Air, *, is_recorded: bool) -> Any:
    if on != "qemu" or is_recorded:
        raise WorldError("The model of a radio runs with the simulator and, without a recording, with QEMU.")
    from renode.gateway import Gateway
    from renode.lines import FactoryLine
    from renode.qemu import QemuBoard
    from simulator.story.radio_model import RadioModel

    gateway = Gateway(forwards=(443, PLAIN_PORT), udp_forwards=(53,))
    model = RadioModel(air)
    gateway.passes = model.passes
    improv = FactoryLine()
    board: Any = QemuBoard(folder, gateway=gateway, more_lines={"radio": model, "improv": improv})
    board.radio_model, board.improv_line = model, improv
    return board


def radio_of(machine: Any) -> Any:
    """Return the radio (simulator.ports.radio.SimWifi) of a running machine; None without one."""
    model = getattr(machine, "radio_model", None)
    return getattr(machine, "radio", None) if model is None else model.radio


def plain_port(machine: Any) -> int:
    """Return the port on loopback of the plain page inside the access point of a machine with a radio."""
    model = getattr(machine, "radio_model", None)
    return int(machine.radio.page_port if model is None else machine.gateway.host_port(PLAIN_PORT))
