"""Many ports at once: one worker for each, boards that come and go, a start by scan or by plugging in.

Rules:
1. Workers share nothing but the station, whose registry settles who gets which identity.
2. A board runs once: what it came to stays on show until the board is taken away, another is there, or a person asks
   for a retry.
3. With `start_on_scan` a board waits for its scan: its hardware id, its device id, or the name of its port.
4. `stop` lets runs that are under way end; whoever cannot wait kills the process, and the next run goes on.
5. Views hold no set-up code (PR-02).
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from device.errors import FirstbootError, LinkError, LinkTimeoutError, ProtocolError
from device.limits import NONCE_BYTES
from provisioning.factory.advice import advice
from provisioning.factory.aftermath import claimed_device_id
from provisioning.factory.link import FactoryLink
from provisioning.factory.phases import PhaseResult
from provisioning.factory.port_state import PortEvent, PortState, step
from provisioning.factory.ports import Finder, Port, PortStream
from provisioning.factory.station import Station, UnitFailedError, UnitRefusedError, UnitResult
from provisioning.factory.steps import FIRST_PHASES, OPEN_PHASES

PHASES: Final = len(FIRST_PHASES) + len(OPEN_PHASES)
SCAN_CHARS: Final = 200


@dataclass(frozen=True)
class Timing:
    """Seconds: between looks at ports, for the answer of a board that is looked for, and answers missed in a row
    before a board counts as taken away.
    """

    poll_s: float = 0.5
    probe_s: float = 1.0
    misses: int = 3


@dataclass(frozen=True)
class PortView:
    """What a port shows now. `board`: hardware id or device id in hex. Times are seconds."""

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


@dataclass(frozen=True)
class Totals:
    """What the line came to since it was started. `seconds`: how long it has been running."""

    passed: int
    failed: int
    refused: int
    seconds: float

    @property
    def units_per_hour(self) -> float:
        return self.passed * 3600 / self.seconds if self.seconds > 0 else 0.0

    @property
    def yield_percent(self) -> float:
        done = self.passed + self.failed
        return 100 * self.passed / done if done else 0.0


Listener = Callable[[PortView], None]


class Line:
    """A station with many ports. `listener` is called from workers' threads with every change of a view."""

    def __init__(
        self,
        station: Station,
        finder: Finder,
        *,
        start_on_scan: bool = False,
        listener: Listener | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.station = station
        self.start_on_scan = start_on_scan
        self.timing = timing or Timing()
        self._finder = finder
        self._listener = listener
        self._workers: dict[str, _Worker] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None
        self._started = 0.0
        self._ended: float | None = None
        self._refused = 0

    @property
    def is_running(self) -> bool:
        return self._watch is not None

    def start(self) -> None:
        """Begin to look for ports and boards. Counts begin anew."""
        if self._watch is not None:
            return
        self._stopping.clear()
        with self._lock:
            self._workers.clear()
        self._started, self._ended, self._refused = time.monotonic(), None, 0
        self._watch = threading.Thread(target=self._look, name="line", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """End after the runs that are under way; returns when every worker has ended."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        self._stopping.set()
        watch.join()
        for worker in self._all():
            worker.thread.join()
        self._ended = time.monotonic()

    def __enter__(self) -> Line:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def views(self) -> list[PortView]:
        """Every port that was seen since the start, in the order of their names."""
        return sorted((worker.view for worker in self._all()), key=lambda view: view.name)

    def totals(self) -> Totals:
        """Counts since the start."""
        views = self.views()
        until = self._ended if self._ended is not None else time.monotonic()
        seconds = until - self._started if self._started else 0.0
        return Totals(
            sum(view.passed for view in views), sum(view.failed for view in views), self._refused, seconds
        )

    def scan(self, text: str) -> str:
        """Start the waiting board that a scanned or typed text names (rule 3); the port's name. Raises ValueError."""
        wanted = text.strip()[:SCAN_CHARS]
        waiting = [worker for worker in self._all() if worker.view.state is PortState.READY]
        for worker in waiting:
            if wanted.lower() == worker.view.board or wanted == worker.view.name:
                worker.is_scanned.set()
                return worker.view.name
        raise ValueError(f"no waiting board is {wanted!r}" if waiting else "no board is waiting for a scan")

    def retry(self, name: str) -> None:
        """Let the failed board on a port run again. Raises ValueError where none failed there."""
        worker = self._workers.get(name)
        if worker is None or worker.view.state is not PortState.FAILED:
            raise ValueError(f"no failed board is on {name}")
        worker.is_retried.set()

    # inside --------------------------------------------------------------------------------------------------

    def _all(self) -> list[_Worker]:
        with self._lock:
            return list(self._workers.values())

    def _look(self) -> None:
        while not self._stopping.is_set():
            # A finder that fails (no right to list devices) leaves the ports that are known.
            with contextlib.suppress(OSError):
                for name, port in self._finder().items():
                    known = self._workers.get(name)
                    if known is None or not known.thread.is_alive():
                        self._add(port, known)
            self._stopping.wait(self.timing.poll_s)

    def _add(self, port: Port, known: _Worker | None) -> None:
        worker = _Worker(self, port, known.view if known is not None else PortView(port.name))
        with self._lock:
            self._workers[port.name] = worker
        worker.thread.start()

    def tell(self, view: PortView) -> None:
        """Hand a view to the listener; one that fails must not stop a worker."""
        if view.state is PortState.REFUSED:
            self._refused += 1
        if self._listener is not None:
            with contextlib.suppress(Exception):
                self._listener(view)

    @property
    def stopping(self) -> threading.Event:
        return self._stopping


class _Worker:
    """One port. Only its own thread changes `view`."""

    def __init__(self, line: Line, port: Port, view: PortView) -> None:
        self.view = view
        self.is_scanned = threading.Event()
        self.is_retried = threading.Event()
        self._line = line
        self._port = port
        self._misses = 0
        self.thread = threading.Thread(target=self._main, name=port.name, daemon=True)

    def _main(self) -> None:
        stop, timing = self._line.stopping, self._line.timing
        while not stop.is_set():
            try:
                stream = self._port.open()
            except LinkError as error:
                self._happened(PortEvent.LOST, board="", message=error.describe())
                stop.wait(timing.poll_s)
                continue
            self._happened(PortEvent.FOUND, message="")
            try:
                self._serve(stream)
            except LinkError as error:
                self._happened(PortEvent.LOST, board="", message=error.describe())
            finally:
                stream.close()
        self._happened(PortEvent.STOPPED, board="", phase="")

    def _serve(self, stream: PortStream) -> None:
        """Look for boards on an open port until the line stops. Raises LinkError when the port is lost."""
        stop = self._line.stopping
        while not stop.is_set():
            self._look_for_board(stream)
            if self._should_run():
                self._run(stream)
            stop.wait(self._line.timing.poll_s)

    def _look_for_board(self, stream: PortStream) -> None:
        board = self._board(stream)
        if board is None:
            self._misses += 1
            if self._misses >= self._line.timing.misses and self.view.board:
                self._happened(PortEvent.SILENT, board="", serial="", message="", advice="", phase="")
            return
        self._misses = 0
        if board != self.view.board:
            self.is_scanned.clear()
            self._happened(PortEvent.ANSWERED, board=board, serial="", message="", advice="", phase="")

    def _should_run(self) -> bool:
        if self.is_retried.is_set():
            self.is_retried.clear()
            self._happened(PortEvent.RETRIED)
            return self.view.state is PortState.READY
        is_started = not self._line.start_on_scan or self.is_scanned.is_set()
        return self.view.state is PortState.READY and is_started

    def _board(self, stream: PortStream) -> str | None:
        """Hardware id, or device id of a locked unit, in hex; None without an answer."""
        link = FactoryLink(stream, timeout_s=self._line.timing.probe_s, attempts=1)
        try:
            facts = link.hello(secrets.token_bytes(NONCE_BYTES))
        except LinkTimeoutError:
            return None
        except ProtocolError:  # it answers, if only nonsense; the run will say why
            return "unknown"
        except LinkError:
            raise
        except FirstbootError:
            return "unknown"
        if "hello" in facts:
            return (claimed_device_id(facts["hello"]) or b"").hex() or "unknown"
        found = facts.get("hardware_id")
        return found.hex() if isinstance(found, bytes) else "unknown"

    def _run(self, stream: PortStream) -> None:
        self.is_scanned.clear()
        started = time.monotonic()
        self._happened(
            PortEvent.STARTED, phases_done=0, message="", advice="", serial="", results=(), seconds=0.0
        )
        try:
            result = self._line.station.provision(stream, self._progress)
        except UnitFailedError as failure:
            self._failed(failure, time.monotonic() - started, self._board_now(stream))
            return
        except Exception as error:  # a worker lives on; the text of a foreign error may hold anything
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
        self._happened(
            PortEvent.PASSED,
            board=result.device_id.hex(),  # what a locked unit answers with
            serial=result.serial,
            seconds=seconds,
            passed=self.view.passed + 1,
            is_for_sale=not result.is_development,
            results=result.phases,
            phase="",
        )

    def _board_now(self, stream: PortStream) -> str:
        """Who answers behind a failed run: a unit that was locked meanwhile has another name than before."""
        with contextlib.suppress(LinkError):
            return self._board(stream) or self.view.board
        return self.view.board

    def _failed(self, failure: UnitFailedError, seconds: float, board: str) -> None:
        is_refused = isinstance(failure, UnitRefusedError)
        self._happened(
            PortEvent.REFUSED if is_refused else PortEvent.FAILED,
            board=board,
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
            self._line.tell(view)
