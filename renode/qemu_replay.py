"""Replays a recording on QEMU. No host, no network and no clock takes part: the log has everything that came in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning import fair_time
from renode.errors import EmulatorError
from renode.fifo_lines import FifoLine, Relay
from renode.machine import HostLines
from renode.qemu import LINES, QemuBoard
from renode.qemu_recording import EMULATOR, emulator_version, recorded_lines
from renode.qmp import Qmp
from renode.recording import OUTPUTS, Action, Recording, Run, digest_of, fingerprint_of

STUCK_S: Final = 60.0  # without one instruction more
LOOK_S: Final = 2.0  # how often the replay is looked at; each look slows it down


class ReplayError(EmulatorError):
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


def replay(
    recording: Recording, folder: Path, note: Callable[[str], None] = lambda text: None
) -> Replayed:
    """Replay all runs in `folder`, which keeps each run's lines (NUMBER/console.out and so on) and `nvm.bin`.

    Raises ReplayError, also for a recording of another emulator or version, and ToolMissingError.
    """
    if recording.emulator != EMULATOR:
        raise ReplayError(f"this is a recording of {recording.emulator}; only those of {EMULATOR} can be replayed")
    here = emulator_version()
    if here != recording.emulator_version:
        raise ReplayError(
            f"the recording is of {recording.emulator_version!r}, this machine has {here!r}. Use the same version: "
            "another one can execute instructions in another order"
        )
    folder.mkdir(parents=True, exist_ok=True)
    outputs = []
    for number, run in enumerate(recording.runs, 1):
        note(f"run {number} of {len(recording.runs)}: {run.instructions} instructions")
        with _ReplayBoard(folder, recording, run, number) as board:
            outputs.append(board.replay())
    return Replayed(outputs)


class _ReplayBoard(QemuBoard):
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
        with tempfile.TemporaryDirectory(prefix="fb-lines-") as pipes:
            lines = [FifoLine(Path(pipes), name) for name in self._line_names]
            relay = None
            try:
                self._launch(self._run.page, {line.name: line.make() for line in lines})
                for line in lines:
                    line.open(has_socket=False)
                relay = Relay(lines, self._out)
                self._repeat()
            finally:
                self._stop()
                if relay is not None:
                    relay.end()
        outputs = {name: digest_of(b"") for name in LINES}
        outputs |= {line.name: line.digest.hexdigest() for line in lines}
        return outputs | {"nvm": digest_of(self.nvm.path)}

    def _repeat(self) -> None:
        if self._qmp is None:
            raise ReplayError("QEMU did not start")
        stops = [*(action.at for action in self._run.actions), self._run.instructions]
        self._stop_at(self._qmp, stops[0])
        self._qmp.execute("cont")
        self._wait(self._qmp, stops[0])
        for action, stop in zip(self._run.actions, stops[1:], strict=True):
            self._stop_at(self._qmp, stop)  # before the action, which lets the board run
            self._act(self._qmp, action)
            self._wait(self._qmp, stop)

    def _stop_at(self, qmp: Qmp, count: int) -> None:
        """Let the board stop by itself once it has executed `count` instructions."""
        qmp.execute("replay-break", icount=count)

    def _wait(self, qmp: Qmp, count: int) -> None:
        """Wait until the board stopped at `count`. Raises ReplayError."""
        last, since_s = -1, fair_time.now()
        while True:
            qmp.wait_for_event("STOP", LOOK_S)
            is_running = qmp.execute("query-status")["running"]
            at = int(qmp.execute("query-replay")["icount"])
            if not is_running and at == count:
                return
            if at != last:
                last, since_s = at, fair_time.now()
            elif fair_time.now() - since_s > STUCK_S:
                raise ReplayError(f"run {self._number} stands still at instruction {at} on the way to {count}")

    def _act(self, qmp: Qmp, action: Action) -> None:
        if action.kind == "reset":
            qmp.execute("system_reset")
            qmp.execute("cont")
        else:
            self._write_memory(action.address, action.data)

    def _time_arguments(self) -> list[str]:
        log = str(self._log).replace(",", ",,")
        options = f"shift={self._shift},rr=replay,rrfile={log}"
        return [*recorded_lines(self._line_names), "-S", "-icount", options]

    def _start(self, page: bytes) -> HostLines:
        raise ReplayError("a replay is not switched on by hand")
