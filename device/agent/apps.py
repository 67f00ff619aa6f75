"""The application: the verified set of the running image as a task that cannot take the unit with it.

Rules:
1. It begins when the unit has an owner, never before (PW-02), and never from a set that did not verify (SE-09).
2. It is the package `app` with `async def run(context)`, found behind everything that is frozen. No file of a set can
   be imported under another name, so none stands in for a module of the firmware.
3. An exception in it is an event. It is started again after a pause that doubles, limits.APP_RESTARTS times in a row;
   one that ran for APP_STEADY_S counts as healthy again. On trial the first exception ends the trial.
4. A trial confirms after the application ran for limits.APP_PROOF_S, or came to its end (device/update/service.py).
5. It is trusted as the firmware is: authors signed it, and it runs in the same interpreter. One that never yields stops
   the watchdog from being fed; the unit restarts, and a trial is over.
"""

import asyncio

from device.compat import const
from device.errors import AppFailedError, AppSetError
from device.limits import APP_PAUSE_S, APP_PROOF_S, APP_REPORT_CHARS, APP_RESTARTS, APP_STEADY_S

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.errors import FirstbootError
    from device.interfaces import Clock
    from device.update.appset import AppSets
    from device.update.trial import Running

PACKAGE = "app"

# Where the application is.
WAITING = "waiting"  # for an owner
RUNNING = "running"
ENDED = "ended"  # run() returned
PAUSING = "pausing"  # after an exception
STOPPED = "stopped"  # after too many of them


class AppSet:
    """The files of a verified set, read only: what a port imports from and the application reads its assets by."""

    def __init__(self, sets: "AppSets", running: "Running") -> None:
        self._sets = sets
        self._slot = running.slot
        self._files = {file.name: file for file in running.files}
        self.sequence: int = running.binding.sequence

    def names(self) -> "list[str]":
        """Every file, sorted."""
        return sorted(self._files)

    def size(self, name: str) -> "int | None":
        """Bytes of a file, None where there is none of this name."""
        file = self._files.get(name)
        return None if file is None else int(file.size)

    def has_folder(self, name: str) -> bool:
        """Whether a file lies below this folder; "" is the set itself."""
        return not name or any([one.startswith(name + "/") for one in self._files])

    def read(self, name: str) -> bytes:
        """A file's content, at most limits.APP_FILE_BYTES, checked as it is read.

        Raises AppSetError (reason "no such file"), DigestMismatchError where it changed since the start, FlashError.
        """
        file = self._files.get(name)
        if file is None:
            raise AppSetError(reason="no such file", file=name)
        return self._sets.content(self._slot, file)


class Context:
    """What an application is given: little, and nothing that changes the unit."""

    def __init__(self, files: "AppSet", version: str, support_state: "Callable[[], str]") -> None:
        self._files = files
        self.version = version  # of the firmware
        self.release = files.sequence  # manifest sequence number of this application
        self._support_state = support_state
        self.said = ""

    def names(self) -> "list[str]":
        """Every file of the application, sorted."""
        return self._files.names()

    def read(self, name: str) -> bytes:
        """A file of the application, at most 64 KiB. Raises what AppSet.read does."""
        return self._files.read(name)

    def support_state(self) -> str:
        """One of support.STATES: an application may show it in its own way (SP-08)."""
        return self._support_state()

    def report(self, text: str) -> None:
        """Show `text` on the owner's status page, its first limits.APP_REPORT_CHARS characters. Raises TypeError."""
        if not isinstance(text, str):
            raise TypeError("text")
        self.said = text[:APP_REPORT_CHARS]


class Application:
    """Runs the set of one unit. `load(set)` is the port's import of the package; `note(error)` keeps an event."""

    def __init__(
        self,
        files: "AppSet",
        context: "Context",
        load: "Callable[[AppSet], Any]",
        clock: "Clock",
        note: "Callable[[FirstbootError], None]",
    ) -> None:
        self._files = files
        self._context = context
        self._load = load
        self._clock = clock
        self._note = note
        self._started_ms = 0
        self.state = WAITING
        self.failures = 0  # since the start

    async def run(self, is_trial: "Callable[[], bool]") -> bool:
        """Run it to its end, again after an exception; False where it stays off, or ended the trial by one."""
        row = 0
        while True:
            kind = await self._run_once()
            if kind is None:
                self.state = ENDED
                return True
            if self._ran_s() >= APP_STEADY_S:
                row = 0
            self.failures += 1
            self._note(AppFailedError(kind=kind))
            if is_trial() or row == APP_RESTARTS:
                self.state = STOPPED
                return False
            self.state = PAUSING
            await asyncio.sleep(APP_PAUSE_S << row)
            row += 1

    async def _run_once(self) -> "str | None":
        """The class name of the exception that ended it, None where it returned."""
        self._started_ms = self._clock.ticks_ms()
        self.state = RUNNING
        try:
            await self._load(self._files).run(self._context)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # whatever it is: rule 3
            return type(error).__name__
        return None

    def _ran_s(self) -> int:
        passed_ms: int = self._clock.ticks_diff(self._clock.ticks_ms(), self._started_ms)
        return passed_ms // 1000

    def is_proven(self) -> bool:
        """Whether a trial may confirm as far as the application goes (rule 4)."""
        return self.state == ENDED or (self.state == RUNNING and self._ran_s() >= APP_PROOF_S)

    def status(self) -> "dict[str, Any]":
        """What the owner sees of it."""
        return {
            "release": self._files.sequence,
            "state": self.state,
            "failures": self.failures,
            "says": self._context.said,
        }
