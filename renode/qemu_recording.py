"""The board on QEMU with a recorder: every run can be replayed exactly (renode/qemu_replay.py).

QEMU counts instructions and logs everything that came in over the lines with the count at which the guest saw it. What
the machine itself does (reset, button, ordered cut) is done while the board stands still, and is noted with the count.
docs/adr/0027-recordings-are-qemus-own.md has the reasons.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from renode.errors import EmulatorError, ToolMissingError
from renode.fifo_lines import FifoLine, Relay
from renode.machine import HostLines
from renode.qemu import LINES, PROGRAM, QemuBoard
from renode.recording import Action, Recording, RecordingError, Run, digest_of

EMULATOR: Final = "qemu"
SHIFT: Final = 3  # an instruction takes 8 ns of guest time
_VERSION_TIMEOUT_S: Final = 60


@dataclass
class _Open:
    """The run that is being recorded."""

    folder: Path
    page: bytes
    rom: Path
    nvm: Path | None
    actions: list[Action] = field(default_factory=list)


class RecordedQemuBoard(QemuBoard):
    """A board on QEMU 7.2 or later that records its runs. `save_recording` writes them to one file."""

    def __init__(self, directory: Path, *, has_network: bool = True, has_seed: bool = True) -> None:
        super().__init__(directory, has_network=has_network, has_seed=has_seed)
        self._folder = directory / "recording"
        self._runs: list[Run] = []
        self._contents: dict[str, Path | bytes] = {}
        self._open: _Open | None = None
        self._lost = ""  # why the recording cannot be replayed
        self._lines: list[FifoLine] = []
        self._relay: Relay | None = None
        self._pipes: tempfile.TemporaryDirectory[str] | None = None

    # -- recording ------------------------------------------------------------------------------------

    def recording(self, title: str) -> Recording:
        """Return the finished runs. Raises RecordingError if there is none, or if QEMU ended by itself."""
        if self._lost:
            raise RecordingError(self._lost)
        if not self._runs:
            raise RecordingError("the board had no power yet, so there is nothing to record")
        return Recording(
            title, EMULATOR, emulator_version(), 1 << SHIFT, tuple(self._runs), dict(self._contents)
        )

    def discard_recording(self) -> None:
        """Remove the files of the recorder. The power must be off."""
        self._check_off()
        self._runs.clear()
        self._contents.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- the emulator -----------------------------------------------------------------------------------

    def _start(self, page: bytes) -> HostLines:
        self._finish_run()  # of an emulator that ended by itself
        with contextlib.ExitStack() as on_error:
            on_error.callback(self._stop)
            self._begin_run(page)
            self._pipes = tempfile.TemporaryDirectory(prefix="fb-lines-")
            self._lines = [FifoLine(Path(self._pipes.name), name) for name in self._line_names]
            self._launch(page, {line.name: line.make() for line in self._lines})
            for line in self._lines:
                line.open(has_socket=True)
            self._relay = Relay(self._lines)
            on_error.pop_all()
        ours = {line.name: line.ours for line in self._lines}
        console, factory = ours["console"], ours["factory"]
        assert console is not None and factory is not None  # noqa: S101 (open() made them)
        return HostLines(console, factory, ours.get("network"), is_mux=True)

    def _begin_run(self, page: bytes) -> None:
        folder = self._folder / str(len(self._runs) + 1)
        folder.mkdir(parents=True, exist_ok=True)
        rom = self._keep(self.rom_path, folder / "rom.elf")
        before = self._runs[-1].outputs["nvm"] if self._runs else None
        is_changed = digest_of(self.nvm.path) != before
        nvm = self._keep(self.nvm.path, folder / "nvm.bin") if is_changed else None
        self._open = _Open(folder, page, rom, nvm)

    def _keep(self, path: Path, kept: Path) -> Path:
        shutil.copyfile(path, kept)
        return kept

    def _stop(self) -> None:
        """As QemuBoard._stop. The guest does nothing more once it stands still, so the cut is as sharp as a kill."""
        count = None
        if self._qmp is not None and self.is_powered and self._open is not None:
            with contextlib.suppress(EmulatorError):
                count = self._pause()
                self._qmp.execute("quit")
                if self._process is not None:
                    self._process.wait(_VERSION_TIMEOUT_S)
        super()._stop()
        self._finish_run(count)

    def _finish_run(self, count: int | None = None) -> None:
        run, self._open = self._open, None
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.end()
        if self._pipes is not None:
            self._pipes.cleanup()
            self._pipes = None
        if run is None or relay is None:
            return
        log = run.folder / "log"
        if count is None or not log.is_file():
            self._lost = self._lost or "QEMU ended by itself, so its log has no end and cannot be replayed"
            return
        outputs = {name: digest_of(b"") for name in LINES}
        outputs |= {line.name: line.digest.hexdigest() for line in self._lines}
        outputs["nvm"] = digest_of(self.nvm.path)
        self._runs.append(
            Run(
                rom=self._content(run.rom),
                nvm=None if run.nvm is None else self._content(run.nvm),
                page=run.page,
                has_network=self._gateway is not None,
                log=self._content(log),
                instructions=count,
                actions=tuple(run.actions),
                outputs=outputs,
            )
        )

    def _content(self, path: Path) -> str:
        digest = digest_of(path)
        if digest in self._contents:
            path.unlink()
        else:
            self._contents[digest] = path
        return digest

    # -- what is done to the running board ------------------------------------------------------------------

    def _pause(self) -> int:
        """Let the board stand still; return the number of instructions since power-on."""
        self._command("stop")
        if self._qmp is None:
            raise EmulatorError("the board is off")
        return int(self._qmp.execute("query-replay")["icount"])

    def _note(self, kind: str, address: int = 0, data: bytes = b"") -> None:
        count = self._pause()
        if self._open is not None:
            self._open.actions.append(Action(count, kind, address, data))

    def _reset(self) -> None:
        self._note("reset")
        super()._reset()
        self._command("cont")

    def _write_memory(self, address: int, data: bytes) -> None:
        self._note("write", address, data)
        super()._write_memory(address, data)  # the debug stub's detach lets the board run again

    def _time_arguments(self) -> list[str]:
        assert self._open is not None  # noqa: S101 (_begin_run made it)
        log = str(self._open.folder / "log").replace(",", ",,")
        return [*recorded_lines(self._line_names), "-icount", f"shift={SHIFT},rr=record,rrfile={log}"]


def recorded_lines(names: list[str]) -> list[str]:
    """Return the arguments that let QEMU's log have each line's own backend too.

    A UART that is read through a multiplexer (mux=on) is fast, but QEMU then logs the multiplexer, which passes bytes on
    unlogged. A sixth serial line exists on no UART of this board; naming the backend there puts it into the log.
    """
    arguments = []
    for _ in range(UARTS - len(LINES)):
        arguments += ["-serial", "null"]
    for name in names:
        arguments += ["-serial", f"chardev:{name}-base"]
    return arguments


UARTS: Final = 5  # of mps2-an385


def emulator_version() -> str:
    """Return the first line of QEMU's version. Raises ToolMissingError."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise ToolMissingError(PROGRAM, "Debian package qemu-system-arm")
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True
    )
    return done.stdout.splitlines()[0] if done.stdout else "unknown"
