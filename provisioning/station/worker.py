"""One port of a line: which board is on it, when it runs, what it shows. Only the worker's thread changes its view."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from device.errors import LinkError
from device.limits import NONCE_BYTES
from provisioning.station.advice import advice
from provisioning.station.aftermath import claimed_device_id
from provisioning.station.link import FactoryLink
from provisioning.station.phases import PhaseResult
from provisioning.station.port_state import PortEvent, PortState, step
from provisioning.station.ports import Port, PortStream
from provisioning.station.presence import Presence, Verdict
from provisioning.station.station import Station, UnitFailedError, UnitRefusedError, UnitResult
from provisioning.station.steps import FIRST_PHASES, OPEN_PHASES

PHASES: Final = len(FIRST_PHASES) + len(OPEN_PHASES)
UNKNOWN: Final = "unknown"  # a board that answers, even with nonsense; its run reports why


@dataclass(frozen=True)
class Timing:
    """Seconds between questions to a board, and seconds to wait for the first answer.

    `misses`: how many questions in a row must stay unanswered before a board counts as removed.
    """

    poll_s: float = 0.5
    probe_s: float = 1.0
    misses: int = 3


@dataclass(frozen=True)
class PortView:
    """The present view of a port. `board`: hardware id or device id in hex. Times are seconds."""

    name: str
    state: PortState = PortState.STOPPED
    board: str = ""
    serial: str = ""
    phase: str = ""
    phases_done: int = 0
    phases: int = PHASES
    message: str = ""
    advice: str = ""
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    is_for_sale: bool = True
    results: tuple[PhaseResult, ...] = ()


class LineOfWorker(Protocol):
    """The part of a line that a worker needs."""

    @property
    def station(self) -> Station: ...
    @property
    def timing(self) -> Timing: ...
    @property
    def start_on_scan(self) -> bool: ...
    @property
    def stopping(self) -> threading.Event: ...

    def report(self, view: PortView) -> None: ...


class Worker:
    """One port, served by its own thread until the line stops."""

    def __init__(self, line: LineOfWorker, port: Port, view: PortView) -> None:
        self.view = view
        self.is_scanned = threading.Event()
        self.is_retried = threading.Event()
        self._line = line
        self._port = port
        timing = line.timing
        self._presence = Presence(timing.poll_s, timing.probe_s, timing.misses)
        self._names: set[str] = (
            set()
        )  # the name with which the shown board answers: hardware id, or its device id once it is locked
        self._gone: PortView | None = None  # what was shown before the board counted as removed
        self.thread = threading.Thread(target=self._main, name=port.name, daemon=True)

    def _main(self) -> None:
        stop, timing = self._line.stopping, self._line.timing
        while not stop.is_set():
            try:
                stream = self._port.open()
            except LinkError as error:
                self._lost(error)
                stop.wait(timing.poll_s)
                continue
            self._happened(PortEvent.FOUND, message="")
            try:
                self._serve(stream)
            except LinkError as error:
                self._lost(error)
            finally:
                stream.close()
        self._happened(PortEvent.STOPPED, board="", phase="")

    def _lost(self, error: LinkError) -> None:
        self._names, self._gone = set(), None
        self._happened(PortEvent.LOST, board="", message=error.describe())

    def _serve(self, stream: PortStream) -> None:
        """Look for boards on an open port until the line stops. Raises LinkError if the port is lost."""
        stop = self._line.stopping
        link = self._new_link(stream)
        while not stop.is_set():
            self._look_for_board(link)
            if self._should_run():
                self._run(stream)
                link = self._new_link(stream)

    def _new_link(self, stream: PortStream) -> FactoryLink:
        """Return a new link. Answers to earlier questions no longer count; the board is asked again."""
        self._presence.begin_anew()
        return FactoryLink(stream)

    def _look_for_board(self, link: FactoryLink) -> None:
        """Ask when a question is due, and take answers until the next thing is due."""
        presence, poll_s = self._presence, self._line.timing.poll_s
        if presence.is_due(time.monotonic()):
            number = link.ask("hello", {"nonce": secrets.token_bytes(NONCE_BYTES)})
            presence.asked(number, time.monotonic())
        if presence.verdict is Verdict.ABSENT and self.view.board:
            self._gone = self.view
            self._happened(PortEvent.SILENT, board="", serial="", message="", advice="", phase="")
        wait_s = min(poll_s, presence.wait_s(time.monotonic()))
        if not presence.is_open:
            self._line.stopping.wait(wait_s)
            return
        for number, code, results in link.answers(wait_s):
            is_taken_back = presence.answered(number, time.monotonic())
            if is_taken_back is not None:
                self._answered(_name(code, results), is_taken_back=is_taken_back)

    def _answered(self, board: str, *, is_taken_back: bool) -> None:
        if is_taken_back and self._gone is not None and board in self._names:
            self._show(self._gone)  # the board was there all the time: its answer was late
        elif board not in self._names or not self.view.board:
            self.is_scanned.clear()
            self._names = {board}
            self._happened(PortEvent.ANSWERED, board=board, serial="", message="", advice="", phase="")
        self._gone = None

    def _should_run(self) -> bool:
        if self.is_retried.is_set():
            self.is_retried.clear()
            self._happened(PortEvent.RETRIED)
            return self.view.state is PortState.READY
        is_started = not self._line.start_on_scan or self.is_scanned.is_set()
        return self.view.state is PortState.READY and is_started

    def _run(self, stream: PortStream) -> None:
        self.is_scanned.clear()
        started = time.monotonic()
        self._happened(
            PortEvent.STARTED, phases_done=0, message="", advice="", serial="", results=(), seconds=0.0
        )
        try:
            result = self._line.station.provision(stream, self._progress)
        except UnitFailedError as failure:
            self._failed(failure, time.monotonic() - started)
            return
        except Exception as error:  # a worker must not end; the text of a foreign error may hold anything
            self._happened(
                PortEvent.FAILED,
                message=f"the station failed: {type(error).__name__}",
                advice=advice(None),
                seconds=time.monotonic() - started,
                failed=self.view.failed + 1,
            )
            return
        self._passed(result, time.monotonic() - started)

    def _passed(self, result: UnitResult, seconds: float) -> None:
        self._names |= _names(result.phases) | {result.device_id.hex()}
        self._happened(
            PortEvent.PASSED,
            board=result.device_id.hex(),
            serial=result.serial,
            seconds=seconds,
            passed=self.view.passed + 1,
            is_for_sale=not result.is_development,
            results=result.phases,
            phase="",
        )

    def _failed(self, failure: UnitFailedError, seconds: float) -> None:
        is_refused = isinstance(failure, UnitRefusedError)
        self._names |= _names(failure.phases)
        self._happened(
            PortEvent.REFUSED if is_refused else PortEvent.FAILED,
            message=str(failure),
            advice=advice(failure.result),
            seconds=seconds,
            failed=self.view.failed + (0 if is_refused else 1),
            results=failure.phases,
        )

    def _progress(self, name: str, result: PhaseResult | None) -> None:
        done = self.view.phases_done + (0 if result is None else 1)
        serial = self.view.serial
        if result is not None and name == "reserve":
            serial = str(result.measurements.get("serial", ""))
        self._show(replace(self.view, phase=name, phases_done=done, serial=serial))

    def _happened(self, event: PortEvent, **changes: object) -> None:
        self._show(replace(self.view, state=step(self.view.state, event), **changes))  # type: ignore[arg-type]

    def _show(self, view: PortView) -> None:
        if view != self.view:
            self.view = view
            self._line.report(view)


def _name(code: int, facts: dict[str, Any]) -> str:
    """Return the hardware id, or the device id of a locked unit, in hex."""
    if code:
        return UNKNOWN
    if "hello" in facts:
        return (claimed_device_id(facts["hello"]) or b"").hex() or UNKNOWN
    found = facts.get("hardware_id")
    return found.hex() if isinstance(found, bytes) else UNKNOWN


def _names(phases: Sequence[PhaseResult]) -> set[str]:
    """Return the names under which a run's board may answer now: it may have been locked meanwhile."""
    found = (phase.measurements.get(name) for phase in phases for name in ("hardware_id", "device_id"))
    return {str(name) for name in found if name}
