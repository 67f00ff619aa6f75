"""The board on QEMU with a recorder: every run can be replayed exactly (renode/qemu_replay.py).

QEMU counts instructions. Guest time is that count, and an idle guest skips to its next timer. Everything that reaches
the board from outside (a byte on a line, a reset, the button, an ordered cut) is done by this module while the board
stands still, and is noted with the count. Servers and owner live in real time, so an idle board waits (renode/pace.py).
docs/adr/0027-recordings-are-instruction-exact.md has the reasons.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from renode import rings
from renode.errors import EmulatorError
from renode.machine import HostLines
from renode.pace import Pace
from renode.qemu import LINES, QemuBoard, find_program
from renode.qtest import Qtest
from renode.recorded_lines import RecordedLine, Relay
from renode.recording import INPUT_MAX_BYTES, Action, Recording, RecordingError, Run, digest_of

EMULATOR: Final = "qemu"
SHIFT: Final = 3  # an instruction takes 8 ns of guest time
_TIMEOUT_S: Final = 60


@dataclass
class _Open:
    """The run that is being recorded."""

    folder: Path
    page: bytes
    rom: Path
    nvm: Path | None
    actions: list[Action] = field(default_factory=list)


class LoggedQemuBoard(QemuBoard):
    """A board whose QEMU keeps or repeats a log. It has pipes for its lines and a connection to its memory."""

    def __init__(self, directory: Path, *, has_network: bool = True, has_seed: bool = True) -> None:
        super().__init__(directory, has_network=has_network, has_seed=has_seed)
        self.lines: list[RecordedLine] = []
        self._memory: Qtest | None = None
        self._pipes: tempfile.TemporaryDirectory[str] | None = None

    def _launch_logged(self, page: bytes, *, has_sockets: bool) -> None:
        """Start QEMU with this power-on page and open its lines."""
        self._pipes = tempfile.TemporaryDirectory(prefix="fb-lines-")
        self.lines = [RecordedLine(Path(self._pipes.name), name) for name in self._line_names]
        ours, theirs = socket.socketpair()
        self._memory = Qtest(ours)
        with theirs:
            chardevs = {line.name: line.make() for line in self.lines}
            chardevs["qtest"] = f"socket,id=qtest,fd={theirs.fileno()}"
            self._launch(page, chardevs, (theirs.fileno(),))
        for line in self.lines:
            line.open(has_socket=has_sockets)

    def _close_logged(self) -> None:
        """Close everything of a QEMU that has ended."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        if self._pipes is not None:
            self._pipes.cleanup()
            self._pipes = None

    def _outputs(self) -> dict[str, str]:
        """Return the outputs of the run that has ended, as Run.outputs."""
        found = dict.fromkeys(LINES, digest_of(b""))
        found |= {line.name: line.digest.hexdigest() for line in self.lines}
        return found | {"nvm": digest_of(self.nvm.path)}

    def _log_arguments(self, mode: str, log: Path, shift: int) -> list[str]:
        options = f"shift={shift},sleep=off,rr={mode},rrfile={str(log).replace(',', ',,')}"
        return ["-icount", options, "-object", "qtest,id=memory,chardev=qtest,log=/dev/null"]

    @property
    def memory(self) -> Qtest:
        """The memory of the running board. Raises EmulatorError if it is off."""
        if self._memory is None:
            raise EmulatorError("the board is off")
        return self._memory


class RecordedQemuBoard(LoggedQemuBoard):
    """A board on QEMU 7.2 or later that records its runs. `recording` returns them."""

    def __init__(self, directory: Path, *, has_network: bool = True, has_seed: bool = True) -> None:
        super().__init__(directory, has_network=has_network, has_seed=has_seed)
        self._folder = directory / "recording"
        self._runs: list[Run] = []
        self._contents: dict[str, Path | bytes] = {}
        self._open: _Open | None = None
        self._lost = ""  # why the recording cannot be replayed
        self._relay: Relay | None = None
        self._pace = Pace()
        self._still = (
            threading.RLock()
        )  # held while the board stands still; the relay's thread uses it as well

    def recording(self, title: str) -> Recording:
        """Return the finished runs. Raises RecordingError without one, or if QEMU ended by itself."""
        if self._lost:
            raise RecordingError(self._lost)
        if not self._runs:
            raise RecordingError("the board had no power yet, so there is nothing to record")
        return Recording(
            title, EMULATOR, emulator_version(), 1 << SHIFT, tuple(self._runs), dict(self._contents)
        )

    def forget_runs(self) -> None:
        """Let the recording begin at the next power-on. Raises PowerStateError if the power is on."""
        self._check_off()
        self._runs.clear()
        self._contents.clear()
        self._lost = ""
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- the emulator -----------------------------------------------------------------------------------

    def _start(self, page: bytes) -> HostLines:
        self._finish_run()  # of an emulator that ended by itself
        with contextlib.ExitStack() as on_error:
            on_error.callback(self._stop)
            self._begin_run(page)
            self._launch_logged(page, has_sockets=True)
            self._pace = Pace()
            self._relay = Relay(self.lines, self._attend)
            on_error.pop_all()
        ours: dict[str, Any] = {line.name: line.ours for line in self.lines}
        return HostLines(ours["console"], ours["factory"], ours.get("network"), is_mux=False)

    def _begin_run(self, page: bytes) -> None:
        folder = self._folder / str(len(self._runs) + 1)
        folder.mkdir(parents=True, exist_ok=True)
        before = self._runs[-1].outputs["nvm"] if self._runs else None
        nvm = None
        if digest_of(self.nvm.path) != before:
            nvm = folder / "nvm.bin"
            shutil.copyfile(self.nvm.path, nvm)
        rom = folder / "rom.elf"
        shutil.copyfile(self.rom_path, rom)
        self._open = _Open(folder, page, rom, nvm)

    def _stop(self) -> None:
        """As QemuBoard._stop. The guest does nothing more once it stands still, so the cut is as sharp as a kill."""
        count = None
        with self._still:
            if self._qmp is not None and self.is_powered and self._open is not None:
                with contextlib.suppress(EmulatorError, subprocess.TimeoutExpired):
                    count = self._pause()
                    self._qmp.execute("quit")
                    if self._process is not None:
                        self._process.wait(_TIMEOUT_S)
            super()._stop()
        self._finish_run(count)

    def _finish_run(self, count: int | None = None) -> None:
        run, self._open = self._open, None
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.end()
        self._close_logged()
        if run is None or relay is None:
            return
        log = run.folder / "log"
        if count is None or not log.is_file():
            self._lost = self._lost or "QEMU ended by itself, so its log has no end and cannot be replayed"
            return
        self._runs.append(
            Run(
                rom=self._content(run.rom),
                nvm=None if run.nvm is None else self._content(run.nvm),
                page=run.page,
                has_network=self._gateway is not None,
                log=self._content(log),
                instructions=count,
                actions=tuple(run.actions),
                outputs=self._outputs(),
            )
        )

    def _content(self, path: Path) -> str:
        digest = digest_of(path)
        if digest in self._contents:
            path.unlink()
        else:
            self._contents[digest] = path
        return digest

    def _time_arguments(self) -> list[str]:
        if self._open is None:
            raise EmulatorError("nothing is being recorded")
        return self._log_arguments("record", self._open.folder / "log", SHIFT)

    # -- what is done to the running board ------------------------------------------------------------------

    def _pause(self) -> int:
        """Pause the board; return the number of instructions since power-on."""
        if self._qmp is None:
            raise EmulatorError("the board is off")
        self._qmp.execute("stop")
        return int(self._qmp.execute("query-replay")["icount"])

    def _note(self, action: Action) -> None:
        if self._open is not None:
            self._open.actions.append(action)

    def _attend(self, lines: list[RecordedLine]) -> float | None:
        """Move what waits on these lines into the board, and hold it while it is ahead. For the relay's thread."""
        with self._still:
            try:
                count = self._pause()
                is_given = any([self._give(count, line) for line in lines])
                hold_s = self._pace.hold_s(rings.clock_ms(self.memory), count << SHIFT)
                if is_given or hold_s <= 0:
                    hold_s = 0.0
                    self._continue()
            except EmulatorError:  # the board lost its power
                return None
        return hold_s if hold_s > 0 else self._pace.look_s

    def _give(self, count: int, line: RecordedLine) -> bool:
        data = bytes(line.to_board[:INPUT_MAX_BYTES])
        taken = rings.put(self.memory, line.name, data) if data else 0
        if taken:
            self._note(Action(count, "input", line=line.name, data=data[:taken]))
            del line.to_board[:taken]
        return taken > 0

    def _continue(self) -> None:
        if self._qmp is not None:
            self._qmp.execute("cont")

    def _reset(self) -> None:
        with self._still:
            self._note(Action(self._pause(), "reset"))
            super()._reset()
            self._continue()

    def _write(self, address: int, data: bytes) -> None:
        with self._still:
            self._note(Action(self._pause(), "write", address=address, data=data))
            self.memory.write(address, data)
            self._continue()

    def _command(self, line: str) -> str:
        with self._still:
            return super()._command(line)

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        with self._still, super()._paused():
            yield

    def read_memory(self, address: int, length: int) -> bytes:
        """As QemuBoard.read_memory."""
        with self._still:
            return super().read_memory(address, length)


def emulator_version() -> str:
    """Return the first line of QEMU's version. Raises ToolMissingError."""
    done = subprocess.run(
        [find_program(), "--version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    return done.stdout.splitlines()[0] if done.stdout else "unknown"
