"""The emulated board with its connections: power, reset, console, factory port, network, NVM.

`Machine` is the interface of every emulator (QEMU, Renode); `Board` is the code that they share. Rules:
1. A board is a folder: NVM, the ROM, its hardware id and console log. Boards share nothing, so any number can run.
2. Each power-on generates a seed with the host's CSPRNG, and never writes it to the board's folder. A test can give a
   fixed seed; the firmware then prints that on the console.
3. A power cut ends the emulator at once: the board finishes nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol, Self

from device.boards.mps2_an385.memory_map import (
    CUT_ORDER_MAGIC,
    POWER_ON_BUTTON_HELD,
    POWER_ON_MAGIC,
    POWER_ON_SEED_FIXED,
    POWER_ON_SEED_PRESENT,
    RINGS_MAGIC,
)
from device.layout import MPS2
from provisioning import fair_time
from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from renode.errors import MachineError, PowerStateError
from renode.gateway import Gateway
from renode.lines import Console, FactoryLine
from renode.nvm import NvmFile

WEB_PORT: Final = 443
SEED_BYTES: Final = 32
HARDWARE_ID_BYTES: Final = 16
_ELF_MAGIC: Final = b"\x7fELF"
_CLOCK_LOOK_S: Final = 0.02
_CLOCK_LIMIT_S: Final = 30.0  # beside the time that is asked for
CUTS: Final = ("before", "torn", "after")


class CutOrder(NamedTuple):
    """A power cut that firmware of the variant `cut` causes itself (port/nvm_cut.h)."""

    operation: int  # counted from power-on, the first program or erase is 1
    when: str  # one of CUTS
    tear: int  # which random bits a torn one leaves

    def page(self) -> bytes:
        """Return the 16 bytes that follow the power-on page. Raises MachineError for an impossible order."""
        if self.operation < 1 or self.when not in CUTS:
            raise MachineError(f"a cut is {', '.join(CUTS)} operation 1 or later")
        fields = (CUT_ORDER_MAGIC, self.operation, CUTS.index(self.when), self.tear)
        return b"".join((field & 0xFFFFFFFF).to_bytes(4, "little") for field in fields)


class Machine(Protocol):
    """One emulated board on any emulator. Every method may raise MachineError."""

    console: Console
    nvm: NvmFile  # only while powered off

    def program(self, rom_elf: Path, signed_image: Path) -> None:
        """Write the ROM, release 1 confirmed in slot 0, and erase the rest of NVM. The power must be off."""

    def power_on(self, *, button_held: bool = False, fixed_seed: bytes | None = None) -> None:
        """Start; return when the emulator runs. `fixed_seed` (32 bytes) is for tests only."""

    def cut_power(self) -> None:
        """Power off at once. Does nothing if the power is off."""

    def reset(self) -> None:
        """Pull the reset line."""

    def factory_port(self) -> FactoryLine:
        """Return UART2: read(timeout_s) -> bytes, write(bytes). Always the same object."""

    @property
    def web_address(self) -> tuple[str, int]:
        """Return (host, port) on loopback that leads to the board's port 443. Raises ToolMissingError."""

    @property
    def is_powered(self) -> bool: ...

    def close(self) -> None:
        """Cut the power and close every line of this board."""


def power_on_page(
    hardware_id: bytes, seed: bytes | None, *, is_seed_fixed: bool = False, is_button_held: bool = False
) -> bytes:
    """Return the 64 bytes that the machine writes at power-on (docs/reference/memory-map.md, Power-on page)."""
    if len(hardware_id) != HARDWARE_ID_BYTES or (seed is not None and len(seed) != SEED_BYTES):
        raise MachineError(f"hardware id is {HARDWARE_ID_BYTES} bytes long, a seed {SEED_BYTES}")
    flags = (POWER_ON_SEED_PRESENT if seed is not None else 0) | (
        POWER_ON_BUTTON_HELD if is_button_held else 0
    )
    flags |= POWER_ON_SEED_FIXED if seed is not None and is_seed_fixed else 0
    page = POWER_ON_MAGIC.to_bytes(4, "little") + flags.to_bytes(4, "little")
    return page + (seed or bytes(SEED_BYTES)) + hardware_id + bytes(8)


@dataclass
class HostLines:
    """Connected sockets of a board that was just started; `network` is None if the board has no network."""

    console: socket.socket
    factory: socket.socket
    network: socket.socket | None
    is_mux: bool

    def close(self) -> None:
        for line in (self.console, self.factory, self.network):
            if line is not None:
                line.close()


class Board(ABC):
    """The code that all emulators share. A subclass starts and stops its emulator; this class does the rest."""

    def __init__(
        self,
        directory: Path,
        *,
        has_network: bool = True,
        has_seed: bool = True,
        kind: EmulatedBoard = DEFAULT,
        gateway: Gateway | None = None,
    ) -> None:
        """Create a board in `directory`, or open the existing one there, which must be of the same kind.

        `has_seed=False` is a board whose machine gives no entropy: its firmware refuses to generate secrets.
        `gateway`: the board's network in place of one that forwards WEB_PORT.
        """
        self.directory, self.kind = directory, kind
        directory.mkdir(parents=True, exist_ok=True)
        self.rom_path = directory / "rom.elf"
        self.nvm = NvmFile(directory / "nvm.bin", self._check_off)
        self.console = Console(directory / "console.log")
        self.hardware_id = _kept_hardware_id(directory / "hardware-id")
        self._has_seed = has_seed
        self._factory = FactoryLine()
        self._gateway = (gateway or Gateway(forwards=(WEB_PORT,))) if has_network else None

    # -- for the subclass -----------------------------------------------------------------------------

    @abstractmethod
    def _start(self, page: bytes) -> HostLines:
        """Start the emulator with `page` at POWER_ON_ADDRESS after every reset. Leaves no process if it raises."""

    @abstractmethod
    def _stop(self) -> None:
        """End the emulator at once; the file keeps NVM."""

    @abstractmethod
    def _reset(self) -> None:
        """Reset the running board: RAM and NVM stay, the ROM and the power-on page are restored."""

    @property
    @abstractmethod
    def is_powered(self) -> bool:
        """Return whether the emulator is running."""

    @abstractmethod
    def read_word(self, address: int) -> int:
        """Return a word of physical memory or of a device register, as the guest reads it. Raises EmulatorError."""

    @abstractmethod
    def _write(self, address: int, data: bytes) -> None:
        """Write whole words to the running board's RAM. Raises EmulatorError."""

    @abstractmethod
    def _paused(self) -> contextlib.AbstractContextManager[None]:
        """Stop the processor while the context is open. Raises EmulatorError."""

    # -- for users ------------------------------------------------------------------------------------

    def program(self, rom_elf: Path, signed_image: Path) -> None:
        self._check_off()
        with rom_elf.open("rb") as rom:
            if rom.read(len(_ELF_MAGIC)) != _ELF_MAGIC:
                raise MachineError(f"{rom_elf} is not an ELF file")
        shutil.copyfile(rom_elf, self.rom_path)
        self.nvm.erase_all()
        self.nvm.install(0, signed_image.read_bytes(), is_tried=True, confirm_sequence=1)

    def power_on(
        self, *, button_held: bool = False, fixed_seed: bytes | None = None, cut: CutOrder | None = None
    ) -> None:
        """As Machine.power_on. `cut` is an order to firmware of the variant `cut`; other firmware ignores it."""
        self._check_off()
        if not self.rom_path.is_file() or not self.nvm.path.is_file():
            raise PowerStateError("the board is empty: call program() first")
        if self.nvm.path.stat().st_size != MPS2.size_bytes:
            raise MachineError(f"{self.nvm.path} must have {MPS2.size_bytes} bytes, the size of the NVM")
        seed = fixed_seed
        if seed is None and self._has_seed:
            seed = secrets.token_bytes(SEED_BYTES)
        page = power_on_page(
            self.hardware_id, seed, is_seed_fixed=fixed_seed is not None, is_button_held=button_held
        )
        if cut is not None:
            page += cut.page()
        if self._gateway is not None:
            self._gateway.start()
        self._detach()  # from an emulator that ended by itself
        lines = self._start(page)
        try:
            if self._gateway is not None and lines.network is not None:
                self._gateway.attach(lines.network, is_mux=lines.is_mux)
            self._factory.attach(lines.factory, is_mux=lines.is_mux)
            self.console.attach(lines.console, is_mux=lines.is_mux)
        except BaseException:
            lines.close()
            self._stop()
            raise

    def cut_power(self) -> None:
        self._stop()
        self._detach()

    def reset(self) -> None:
        if not self.is_powered:
            raise PowerStateError("the board has no power, so it cannot be reset: call power_on() first")
        self._reset()

    def press_button(self, seconds: float = 0.2) -> None:
        """Press the button of the running board for `seconds` of the guest's time, then release it."""
        self._write_button(is_down=True)
        self._let_pass(seconds)
        self.release_button()

    def release_button(self) -> None:
        """Release a button that is down, also one that was held at power-on."""
        self._write_button(is_down=False)

    def is_light_on(self) -> bool:
        """Return whether the owner's light is on, from the LED register. Raises EmulatorError."""
        return bool(self.read_word(self.kind.address("FPGAIO_ADDRESS")) & 1)

    def _write_button(self, *, is_down: bool) -> None:
        address = self.kind.address("POWER_ON_ADDRESS") + 4
        flags = self.read_word(address) & ~POWER_ON_BUTTON_HELD
        flags |= POWER_ON_BUTTON_HELD if is_down else 0
        self._write(address, flags.to_bytes(4, "little"))

    def _let_pass(self, seconds: float) -> None:
        """Wait until the guest's clock has moved by `seconds`; in the host's time if its firmware has no clock."""
        begun_ms, end_s = self._clock_ms(), fair_time.now() + seconds + _CLOCK_LIMIT_S
        if begun_ms is None:
            time.sleep(seconds)
            return
        while ((self._clock_ms() or 0) - begun_ms) % (1 << 32) < seconds * 1000 and fair_time.now() < end_s:
            time.sleep(_CLOCK_LOOK_S)

    def _clock_ms(self) -> int | None:
        """Return the milliseconds since the firmware started, None if there is no firmware with a clock."""
        table = self.kind.address("RINGS_ADDRESS")
        if self.read_word(table) != RINGS_MAGIC:
            return None
        address = self.read_word(table + 8)
        is_inside = self.kind.address("RAM_ADDRESS") <= address <= self.kind.address("RAM_END") - 4
        return self.read_word(address) if is_inside else None

    def operation_count(self) -> int:
        """Return the number of NVM operations since power-on (variant `cut` only). Raises EmulatorError."""
        return self.read_word(self.kind.address("CUT_COUNT_ADDRESS"))

    def plan_cut(self, operation: int, when: str) -> None:
        """Let the power of the running board go at its next flash operation number `operation`; `when` is in CUTS.

        Only firmware of the variant `cut` obeys. Raises MachineError for an impossible cut.
        """
        if operation < 1:
            raise MachineError("The first flash operation that a cut can be planned for is number 1.")
        with self._paused():  # so that the count stays
            order = CutOrder(self.operation_count() + operation, when, operation)
            self._write(self.kind.address("CUT_ORDER_ADDRESS"), order.page())

    def factory_port(self) -> FactoryLine:
        return self._factory

    @property
    def gateway(self) -> Gateway:
        """Return the board's network. Raises PowerStateError if the board was created without one."""
        if self._gateway is None:
            raise PowerStateError("this board was created without a network")
        return self._gateway

    @property
    def web_address(self) -> tuple[str, int]:
        self.gateway.start()
        return "127.0.0.1", self.gateway.host_port(WEB_PORT)

    def close(self) -> None:
        self.cut_power()
        if self._gateway is not None:
            self._gateway.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _detach(self) -> None:
        self.console.detach()
        self._factory.detach()
        if self._gateway is not None:
            self._gateway.detach()

    def _check_off(self) -> None:
        if self.is_powered:
            raise PowerStateError("the board has power: call cut_power() first")


@contextlib.contextmanager
def private_file(data: bytes, name: str) -> Iterator[int]:
    """Yield a descriptor of an anonymous file with `data`; no folder lists it.

    It is for the power-on page, which contains the seed. If the host has no memfd, it is an unlinked temporary file.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name)
    else:
        import tempfile

        descriptor, path = tempfile.mkstemp(prefix=name)
        os.unlink(path)
    try:
        os.write(descriptor, data)
        yield descriptor
    finally:
        os.close(descriptor)


def _kept_hardware_id(path: Path) -> bytes:
    """Return the chip's unique id; it is generated once per board."""
    if path.is_file():
        kept = bytes.fromhex(path.read_text().strip())
        if len(kept) == HARDWARE_ID_BYTES:
            return kept
        raise MachineError(f"{path} must contain {2 * HARDWARE_ID_BYTES} hex digits, the hardware id")
    generated = secrets.token_bytes(HARDWARE_ID_BYTES)
    path.write_text(generated.hex() + "\n")
    return generated
