"""The board on Renode: the same ROM, firmware and NVM file as on QEMU.

Renode keeps NVM in memory: it is loaded at power-on and saved at the cut, after the processor stopped. If Renode
crashes, all writes since power-on are lost.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Final

from device.boards.mps2_an385.memory_map import NVM_ADDRESS
from device.layout import MPS2
from provisioning import fair_time
from renode.errors import EmulatorError, ToolMissingError
from renode.machine import Board, HostLines
from renode.monitor import Monitor

PROGRAM: Final = "renode"
REMEDY: Final = (
    "install Renode 1.15.3 or 1.16.0 (a release archive or package, Homebrew's renode or conda-forge's renode-cli) "
    "and put `renode` on PATH"
)
HERE: Final = Path(__file__).parent
_LINES: Final = ("console", "network", "factory")
_START_TIMEOUT_S: Final = 120.0  # Renode compiles the watchdog at each start
_COMMAND_TIMEOUT_S: Final = 30.0
_END_TIMEOUT_S: Final = 20.0
_ATTEMPTS: Final = 3  # another program can take a chosen port before Renode listens


class RenodeBoard(Board):
    """A board on Renode 1.15.3 or 1.16.0; from 1.16.1 on, the watchdog model does not compile."""

    def __init__(self, directory: Path, *, has_network: bool = True, has_seed: bool = True) -> None:
        super().__init__(directory, has_network=has_network, has_seed=has_seed)
        self._process: subprocess.Popen[bytes] | None = None
        self._monitor: Monitor | None = None
        self._work: tempfile.TemporaryDirectory[str] | None = None
        self._log: IO[bytes] | None = None

    @property
    def is_powered(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self, page: bytes) -> HostLines:
        program = shutil.which(PROGRAM)
        if program is None:
            raise ToolMissingError(PROGRAM, REMEDY)
        for attempt in range(_ATTEMPTS):
            try:
                return self._start_once(program, page)
            except EmulatorError as error:
                self._abandon()
                if attempt == _ATTEMPTS - 1 or "in use" not in str(error):
                    raise
        raise EmulatorError("Renode did not start")

    def _start_once(self, program: str, page: bytes) -> HostLines:
        # Short names without blanks for Renode's scripts; only this user can read the folder.
        self._work = tempfile.TemporaryDirectory(prefix="fb-renode-")
        work = Path(self._work.name)
        for part in ("peripherals", "platforms", "scripts"):
            shutil.copytree(HERE / part, work / part)
        shutil.copyfile(self.rom_path, work / "rom.elf")
        (work / "nvm.bin").symlink_to(self.nvm.path.absolute())
        (work / "power-on.bin").write_bytes(page)
        ports = _free_ports(len(_LINES))
        self._log = (self.directory / "renode.log").open("wb")
        self._process = subprocess.Popen(
            [program, "--disable-xwt", "--console", "--plain", "--hide-analyzers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=work,
        )
        self._monitor = Monitor(self._process, self._log)
        for name, file in (("rom", "rom.elf"), ("page", "power-on.bin"), ("nvm", "nvm.bin")):
            self._monitor.execute(f"${name}=@{work / file}", _START_TIMEOUT_S)
        for name, port in zip(_LINES, ports, strict=True):
            self._monitor.execute(f"${name}={port}", _COMMAND_TIMEOUT_S)
        self._monitor.execute(f"include @{work / 'scripts' / 'mps2_an385.resc'}", _START_TIMEOUT_S)
        lines = self._connect(ports)
        self._monitor.execute("start", _COMMAND_TIMEOUT_S)
        return lines

    def _connect(self, ports: list[int]) -> HostLines:
        with contextlib.ExitStack() as on_error:
            sockets = [on_error.enter_context(_connected(port)) for port in ports]
            on_error.pop_all()
        console, network, factory = sockets
        if self._gateway is None:
            network.close()
        return HostLines(console, factory, network if self._gateway is not None else None, is_mux=False)

    def _stop(self) -> None:
        try:
            if self.is_powered and self._monitor is not None:
                self._save_nvm(self._monitor)
        finally:
            self._abandon()

    def _save_nvm(self, monitor: Monitor) -> None:
        """Save NVM to the board's file. The processor is paused first, so nothing is written after the cut."""
        monitor.execute("pause", _COMMAND_TIMEOUT_S)
        work = Path(self._work.name if self._work is not None else self.directory)
        saved = work / "nvm.new"
        monitor.execute(f'dump_file {NVM_ADDRESS:#x} {MPS2.size_bytes:#x} "{saved}"', _START_TIMEOUT_S)
        if not saved.is_file() or saved.stat().st_size != MPS2.size_bytes:
            raise EmulatorError("Renode did not save NVM")
        draft = self.nvm.path.with_name("nvm.new")
        shutil.copyfile(saved, draft)
        draft.replace(self.nvm.path)

    def _reset(self) -> None:
        if self._monitor is not None:
            self._monitor.execute("machine Reset", _COMMAND_TIMEOUT_S)

    def _abandon(self) -> None:
        """End the process in any state, and remove its folder, which contains the seed."""
        process, self._process = self._process, None
        monitor, self._monitor = self._monitor, None
        if process is not None:
            process.kill()
            process.wait(_END_TIMEOUT_S)
        if monitor is not None:
            monitor.close(_END_TIMEOUT_S)
        if process is not None and process.stdout is not None:
            process.stdout.close()
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._work is not None:
            self._work.cleanup()
            self._work = None


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now. All are bound at the same time, so they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _connected(port: int) -> socket.socket:
    deadline = fair_time.now() + _COMMAND_TIMEOUT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), _COMMAND_TIMEOUT_S)
        except OSError as error:
            if fair_time.now() > deadline:
                raise EmulatorError(f"Renode does not listen: {type(error).__name__}") from None
            time.sleep(0.05)
