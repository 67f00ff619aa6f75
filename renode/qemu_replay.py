"""Replays a recording on QEMU. No server, no owner and no clock of the host takes part."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning import fair_time
from renode import rings
from renode.errors import EmulatorError, MachineError
from renode.machine import HostLines
from renode.qemu import LINES
from renode.qemu_recording import EMULATOR, LoggedQemuBoard, emulator_version
from renode.qmp import Qmp
from renode.recorded_lines import Relay
from renode.recording import OUTPUTS, Action, Recording, Run, fingerprint_of

STUCK_S: Final = 30.0  # without one instruction more
LOOK_S: Final = 2.0  # how often a replay is looked at; each look slows it down


class ReplayError(MachineError):
    """The replay left the recording, or this machine cannot replay it. The text says where."""


@dataclass(frozen=True)
class Replayed:
    """The outputs of a replay, by run, as in Run.outputs."""

    outputs: list[dict[str, str]]

    @property
    def fingerprint(self) -> str:
        """The SHA-256 over all of them, as Recording.fingerprint."""
        return fingerprint_of(self.outputs)

    def differences(self, recording: Recording) -> list[str]:
        """Return a sentence for each output that is not the recorded one."""
        found = []
        for number, (run, outputs) in enumerate(zip(recording.runs, self.outputs, strict=True), 1):
            wrong = [name for name in OUTPUTS if outputs[name] != run.outputs[name]]
            found += [f"run {number}: {name} differs" for name in wrong]
        return found


def replay(recording: Recording, folder: Path, note: Callable[[str], None] = lambda text: None) -> Replayed:
    """Replay all runs in `folder`, which keeps each run's lines (NUMBER/console.out and so on) and `nvm.bin`.

    Raises ReplayError, also for a recording of another emulator or version, and ToolMissingError.
    """
    if recording.emulator != EMULATOR:
        raise ReplayError(
            f"this is a recording of {recording.emulator}; only those of {EMULATOR} can be replayed"
        )
    here = emulator_version()
    if here != recording.emulator_version:
        raise ReplayError(
            f"the recording is of {recording.emulator_version!r}, this machine has {here!r}. Use the same version: "
            "another one can count instructions in another way"
        )
    folder.mkdir(parents=True, exist_ok=True)
    outputs = []
    for number, run in enumerate(recording.runs, 1):
        note(
            f"run {number} of {len(recording.runs)}: {run.instructions} instructions, {len(run.actions)} inputs"
        )
        with _ReplayBoard(folder, recording, run, number) as board:
            outputs.append(board.replay())
    return Replayed(outputs)


class _Progress:
    """The progress of a replay."""

    def __init__(self) -> None:
        self._at, self._since_s = -1, fair_time.now()

    def is_stuck(self, at: int) -> bool:
        if at != self._at:
            self._at, self._since_s = at, fair_time.now()
        return fair_time.now() - self._since_s > STUCK_S


class _ReplayBoard(LoggedQemuBoard):
    """A board that repeats one run."""

    def __init__(self, folder: Path, recording: Recording, run: Run, number: int) -> None:
        super().__init__(folder, has_network=False)
        self._run = run
        self._number = number
        self._shift = recording.instruction_ns.bit_length() - 1
        self._out = folder / str(number)
        shutil.rmtree(self._out, ignore_errors=True)
        self._out.mkdir()
        self._log = self._out / "log"
        self._log.write_bytes(recording.content(run.log))
        self.rom_path.write_bytes(recording.content(run.rom))
        if run.nvm is not None:
            self.nvm.path.write_bytes(recording.content(run.nvm))

    @property
    def _line_names(self) -> list[str]:
        return [name for name in LINES if name != "network" or self._run.has_network]

    def replay(self) -> dict[str, str]:
        """Repeat the run; return its outputs. Raises ReplayError."""
        relay = None
        try:
            self._launch_logged(self._run.page, has_sockets=False)
            relay = Relay(self.lines, folder=self._out)
            self._repeat()
        finally:
            self._stop()
            if relay is not None:
                relay.end()
            self._close_logged()
        return self._outputs()

    def _repeat(self) -> None:
        if self._qmp is None:
            raise ReplayError("QEMU did not start")
        at = -1
        for action in self._run.actions:
            if action.at > at:
                self._run_to(self._qmp, action.at)
            self._act(self._qmp, action)
            at = action.at
        self._run_out(self._qmp)

    def _run_to(self, qmp: Qmp, count: int) -> None:
        """Let the board run until it has executed `count` instructions. Raises ReplayError."""
        qmp.execute("replay-break", icount=count)
        qmp.execute("cont")
        progress = _Progress()
        while True:
            qmp.wait_for_event("STOP", LOOK_S)
            is_running = qmp.execute("query-status")["running"]
            at = int(qmp.execute("query-replay")["icount"])
            if not is_running and at == count:
                return
            if progress.is_stuck(at):
                raise ReplayError(
                    f"run {self._number} stands still at instruction {at} on the way to {count}"
                )

    def _run_out(self, qmp: Qmp) -> None:
        """Let the board run until the end of the log, where QEMU ends by itself. Raises ReplayError."""
        qmp.execute("cont")
        progress = _Progress()
        while (code := self._exit_code(LOOK_S)) is None:
            with contextlib.suppress(EmulatorError):  # it ends now
                at = int(qmp.execute("query-replay")["icount"])
                if progress.is_stuck(at):
                    end = self._run.instructions
                    raise ReplayError(f"run {self._number} stands still at instruction {at} of {end}")
        if code != 0:
            raise ReplayError(f"QEMU ended with {code}: {self._last_output()}")

    def _act(self, qmp: Qmp, action: Action) -> None:
        if action.kind == "reset":
            qmp.execute("system_reset")
        elif action.kind == "write":
            self.memory.write(action.address, action.data)
        elif rings.put(self.memory, action.line, action.data) != len(action.data):
            raise ReplayError(
                f"run {self._number}: at instruction {action.at} the board refused recorded input"
            )

    def _time_arguments(self) -> list[str]:
        return ["-S", *self._log_arguments("replay", self._log, self._shift)]

    def _start(self, page: bytes) -> HostLines:
        raise ReplayError("a replay is not switched on by hand")
