"""The board on Renode: the same ROM, firmware and NVM file as on QEMU.

Renode keeps NVM in memory: it is loaded at power-on and saved at the cut, after the processor stopped. If Renode
crashes, all writes since power-on are lost.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from device.layout import MPS2
from renode import install
from renode.errors import EmulatorError, ToolMissingError
from renode.host_line import AwaitedLine
from renode.machine import Board, HostLines
from renode.monitor import Monitor

REMEDY: Final = (
    "run `firstboot emulator install`, or install Renode 1.15.3 or later (a release archive or package, Homebrew's "
    "renode or conda-forge's renode-cli) and put `renode` on PATH"
)
HERE: Final = Path(__file__).parent
_OPTIONS: Final = ("--disable-xwt", "--console", "--plain", "--hide-analyzers")
_LINES: Final = ("console", "network", "factory")
_START_TIMEOUT_S: Final = 120.0  # Renode compiles the peripherals at each start
_COMMAND_TIMEOUT_S: Final = 30.0
_END_TIMEOUT_S: Final = 20.0
_HEX_LINE: Final = re.compile(r"^0x([0-9A-Fa-f]+)\s*$", re.MULTILINE)


class RenodeBoard(Board):
    """A board on Renode 1.15.3 or later."""

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
        program = install.find()
        if program is None:
            raise ToolMissingError(install.PROGRAM, REMEDY)
        try:
            return self._start_once(str(program), page)
        except BaseException:
            self._abandon()
            raise

    def _start_once(self, program: str, page: bytes) -> HostLines:
        # Short names without blanks for Renode's scripts; only this user can read the folder. The name must not begin
        # with "renode-": Renode deletes such folders when it starts, unless they are named after a running process.
        self._work = tempfile.TemporaryDirectory(prefix="fb-renode-")
        work = Path(self._work.name)
        for part in ("peripherals", "platforms", "scripts"):
            shutil.copytree(HERE / part, work / part)
        shutil.copyfile(self.rom_path, work / "rom.elf")
        (work / "nvm.bin").symlink_to(self.nvm.path.absolute())
        (work / "power-on.bin").write_bytes(page)
        self._log = (self.directory / "renode.log").open("wb")
        command = [program, *_OPTIONS]
        (self.directory / "command-line.txt").write_text(shlex.join(command) + "\n")
        self._process = _spawn(command, work)
        self._monitor = Monitor(self._process, self._log)
        for name, file in (("rom", "rom.elf"), ("page", "power-on.bin"), ("nvm", "nvm.bin")):
            self._monitor.execute(f"${name}=@{work / file}", _START_TIMEOUT_S)
        lines = self._connect(self._monitor, work / "scripts" / "mps2_an385.resc")
        self._monitor.execute("start", _COMMAND_TIMEOUT_S)
        return lines

    def _connect(self, monitor: Monitor, script: Path) -> HostLines:
        """Let the script make the board, whose lines connect to this process."""
        with contextlib.ExitStack() as always, contextlib.ExitStack() as on_error:
            awaited = [always.enter_context(AwaitedLine(name)) for name in _LINES]
            for line in awaited:
                monitor.execute(f"${line.name}={line.port}", _COMMAND_TIMEOUT_S)
                monitor.execute(f'${line.name}_word="{line.word}"', _COMMAND_TIMEOUT_S)
            monitor.execute(f"include @{script}", _START_TIMEOUT_S)
            console, network, factory = (
                on_error.enter_context(line.accept(_COMMAND_TIMEOUT_S)) for line in awaited
            )
            on_error.pop_all()
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
        address = self.kind.address("NVM_ADDRESS")
        monitor.execute(f'dump_file {address:#x} {MPS2.size_bytes:#x} "{saved}"', _START_TIMEOUT_S)
        if not saved.is_file() or saved.stat().st_size != MPS2.size_bytes:
            raise EmulatorError("Renode did not save NVM")
        draft = self.nvm.path.with_name("nvm.new")
        shutil.copyfile(saved, draft)
        draft.replace(self.nvm.path)

    def _reset(self) -> None:
        if self._monitor is not None:
            self._monitor.execute("machine Reset", _COMMAND_TIMEOUT_S)

    def read_word(self, address: int) -> int:
        """As Board.read_word."""
        printed = self._command(f"sysbus ReadDoubleWord {address:#x}")
        found = _HEX_LINE.findall(printed)
        if not found:
            raise EmulatorError(f"Renode printed no word: {printed.strip()!r}")
        return int(found[-1], 16)

    def _write(self, address: int, data: bytes) -> None:
        for offset in range(0, len(data), 4):
            word = int.from_bytes(data[offset : offset + 4], "little")
            self._command(f"sysbus WriteDoubleWord {address + offset:#x} {word:#x}")

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        self._command("pause")
        try:
            yield
        finally:
            self._command("start")

    def _command(self, line: str) -> str:
        if self._monitor is None:
            raise EmulatorError("the board is off")
        return self._monitor.execute(line, _COMMAND_TIMEOUT_S)

    def _abandon(self) -> None:
        """End the process in any state, and remove its folder, which contains the seed."""
        process, self._process = self._process, None
        monitor, self._monitor = self._monitor, None
        if process is not None:
            _kill(process)
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


def _spawn(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start Renode in a session of its own. Packages start it from a shell script, so it can be two processes."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started. One that has ended by itself is left: its number may be another's."""
    if process.poll() is not None:
        return  # the end of its input ends what it started
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
