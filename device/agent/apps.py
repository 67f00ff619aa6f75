"""The application: the verified set of the running image, as a task that cannot stop the rest of the unit.

Rules:
1. It starts once the unit has an owner, never before (PW-02), and only from a verified set (SE-09).
2. It is the package `app` with `async def run(context)`. Python finds it after everything that is frozen. No file of a
   set can be imported under another name, so none can replace a module of the firmware.
3. An exception in it becomes an event. It is started again after a pause that doubles, limits.APP_RESTARTS times in a
   row. A run of at least APP_STEADY_S resets the row. On trial the first exception ends the trial.
4. A trial confirms after the application ran for limits.APP_PROOF_S or returned (device/update/service.py).
5. It is trusted like the firmware: authors signed it, and it runs in the same interpreter. If it never yields, nobody
   feeds the watchdog: the unit restarts, and a trial is over. One that hangs again and again after its confirm is held
   back (device/agent/brake.py).
"""

import asyncio

from device.agent.brake import Brake, running_id
from device.compat import clip_utf8, const
from device.errors import AppFailedError, AppHeldError, AppSetError, FirstbootError, SettingsError
from device.limits import APP_PAUSE_S, APP_PROOF_S, APP_REPORT_CHARS, APP_RESTARTS, APP_STEADY_S

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

    from device.agent.agent import Ports
    from device.agent.app_page import Action, AppPage, Reading, Setting
    from device.interfaces import Clock
    from device.records.store import Store
    from device.update.app_choice import Running
    from device.update.appset import AppSets
    from device.update.pending import PendingRelease
    from device.update.releases import Releases
    from device.update.service import UpdateService

PACKAGE = "app"
_KIND_CHARS = const(60)

# States of the application.
WAITING = "waiting"  # for an owner
RUNNING = "running"
ENDED = "ended"  # run() returned
PAUSING = "pausing"  # after an exception
STOPPED = "stopped"  # after too many of them
HELD = "held back"  # after too many restarts by the watchdog


def _printable(text: str, limit: int) -> str:
    """Return at most `limit` characters of an application's text; a lone surrogate, which no page can carry, is "?"."""
    return clip_utf8(text[:limit], 4 * limit)


class AppSet:
    """The files of a verified set, read only. A port imports from it, and the application reads its assets from it."""

    def __init__(self, sets: "AppSets", running: "Running") -> None:
        self._sets = sets
        self._slot = running.slot
        self._files = {file.name: file for file in running.files}
        self.sequence: int = running.binding.sequence

    def names(self) -> "list[str]":
        """Return the names of all files, sorted."""
        return sorted(self._files)

    def size(self, name: str) -> "int | None":
        """Return the size of a file in bytes, None if there is no file of this name."""
        file = self._files.get(name)
        return None if file is None else int(file.size)

    def has_folder(self, name: str) -> bool:
        """Return whether the set has a file below this folder; "" is the whole set."""
        return not name or any([one.startswith(name + "/") for one in self._files])

    def read(self, name: str) -> bytes:
        """Return a file's content, at most limits.APP_FILE_BYTES, checked as it is read.

        Raises AppSetError (reason "no such file"), DigestMismatchError if it changed after the start, FlashError.
        """
        file = self._files.get(name)
        if file is None:
            raise AppSetError(reason="no such file", file=name)
        return self._sets.content(self._slot, file)


class Context:
    """The services that an application may use. None of them changes the unit, but what the owner set is remembered."""

    def __init__(
        self, files: "AppSet", version: str, support_state: "Callable[[], str]", page: "AppPage", parts: "Any"
    ) -> None:
        self._files = files
        self._page = page
        self.parts = parts  # the module device.agent.app_page: number, switch, choice, Reading, Action
        self.version = version  # of the firmware
        self.release = files.sequence  # manifest sequence number of this application
        self._support_state = support_state
        self.reported = ""

    def names(self) -> "list[str]":
        """Return the names of the application's files, sorted."""
        return self._files.names()

    def read(self, name: str) -> bytes:
        """Return a file of the application, at most 64 KiB. Raises what AppSet.read does."""
        return self._files.read(name)

    def support_state(self) -> str:
        """Return one of support.STATES. An application may show it in its own way (SP-08)."""
        return self._support_state()

    def report(self, text: str) -> None:
        """Show `text` on the owner's status page, its first limits.APP_REPORT_CHARS characters. Raises TypeError."""
        if not isinstance(text, str):
            raise TypeError("text")
        self.reported = _printable(text, APP_REPORT_CHARS)

    def page(
        self,
        title: str,
        settings: "Sequence[Setting]" = (),
        readings: "Sequence[Reading]" = (),
        actions: "Sequence[Action]" = (),
    ) -> None:
        """Declare the page for the signed-in owner, from `parts` (device/agent/app_page.py has the bounds).

        Raises ValueError, TypeError for a declaration past the bounds.
        """
        self._page.declare(title, settings, readings, actions)

    def setting(self, name: str) -> "Any":
        """Return what the owner set, or the default. Raises KeyError for a setting that was not declared."""
        return self._page.value(name)

    def measure(self, name: str, value: "Any") -> None:
        """Show a text, number or bool for a declared reading, on the page and in the status.

        Raises KeyError for one that was not declared, TypeError.
        """
        self._page.measure(name, value)

    def shown(self) -> "dict[str, Any] | None":
        """Return the page as data, None if the application declared none."""
        return self._page.status()

    async def action(self, timeout_s: float) -> "str | None":
        """Return the name of the next action that the owner asks for.

        None after `timeout_s`, or as soon as a setting changed.
        """
        return await self._page.next_action(timeout_s)


class Application:
    """One set, run as a task. `load(set)` is the port's import of the package; `note(error)` keeps an event."""

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
        """Run the application until it returns; after an exception, start it again.

        Returns True after it returned. Returns False if it failed too often, or once on trial.
        """
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
        """Return the class name of the exception that ended the application, None if it returned."""
        self._started_ms = self._clock.ticks_ms()
        self.state = RUNNING
        try:
            await self._load(self._files).run(self._context)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # rule 3 covers every exception
            return _printable(type(error).__name__, _KIND_CHARS)
        return None

    def _ran_s(self) -> int:
        passed_ms: int = self._clock.ticks_diff(self._clock.ticks_ms(), self._started_ms)
        return passed_ms // 1000

    def is_proven(self) -> bool:
        """Return whether the application ran long enough to confirm a trial (rule 4)."""
        return self.state == ENDED or (self.state == RUNNING and self._ran_s() >= APP_PROOF_S)

    def status(self) -> "dict[str, Any]":
        """Return what the owner's status page shows about this application."""
        return {
            "release": self._files.sequence,
            "state": self.state,
            "failures": self.failures,
            "says": self._context.reported,
            "page": self._context.shown(),
        }


class ApplicationHost:
    """The application of one unit, if it has one. start() finds it."""

    def __init__(self, ports: "Ports", releases: "Releases", store: "Store", user: "Store") -> None:
        self._ports = ports
        self._user = user
        self._page: "AppPage | None" = None
        self._choice = releases.application
        self._application: "Application | None" = None
        self._brake = Brake(store, ports.boot)
        self._steady: "Any" = None  # kept: asyncio forgets a task that nobody holds

    def start(self, updates: "UpdateService", is_owned: bool) -> None:
        """Prepare the set that was chosen at this start (device/update/app_choice.py); nothing of it runs yet.

        `is_owned`: the application ran before this start.
        """
        sets, running = self._choice.sets, self._choice.running
        pending = updates.releases.pending
        if sets is None or running is None:
            if pending.is_trial:
                self._may_run(b"", pending)  # if this trial hangs, the application before it is not to blame
            return
        files = AppSet(sets, running)
        self._ports.say("application of release {}".format(files.sequence))
        # Imported here: a unit without an application has no heap for it.
        from device.agent import app_page

        self._page = app_page.AppPage(self._user)
        context = Context(
            files,
            updates.profile.version,
            lambda: str(updates.trusted.support_status().state),
            self._page,
            app_page,
        )

        def note(error: "FirstbootError") -> None:
            updates.journal.note(error)
            self._ports.say("application: " + error.describe())

        self._application = Application(files, context, self._ports.load_app, self._ports.clock, note)
        if is_owned and not self._may_run(running.binding.digest, pending):
            self._application.state = HELD
            note(AppHeldError(restarts=self._brake.restarts))

    def _may_run(self, set_digest: bytes, pending: "PendingRelease") -> bool:
        """Count this start. A count that cannot be stored holds no application back."""
        which = running_id(self._ports.boot.image_digest, set_digest)
        try:
            return self._brake.start(which, pending.is_trial, not pending.is_refused)
        except FirstbootError as error:
            self._ports.say("application: " + error.describe())
            return True

    async def run(self, is_trial: "Callable[[], bool]") -> bool:
        """Run the application. Returns False if it failed, or if its set is broken and nothing could run."""
        if self._application is None:
            return not self._choice.is_broken
        if self._application.state == HELD:
            return True
        self._steady = asyncio.create_task(self._watch_steady())
        return await self._application.run(is_trial)

    async def _watch_steady(self) -> None:
        await asyncio.sleep(APP_STEADY_S)
        try:
            self._brake.steady()
        except FirstbootError as error:  # the count stays; the next start tries again
            self._ports.say("application: " + error.describe())

    def is_proven(self) -> bool:
        """Return whether a trial may confirm. An image whose set cannot run never confirms."""
        if self._application is None:
            return not self._choice.is_broken
        return self._application.is_proven()

    def page(self) -> "AppPage":
        """Return the page of the running application. Raises SettingsError (reason "app stopped") if none runs."""
        if self._page is None or self._application is None or self._application.state != RUNNING:
            raise SettingsError(reason="app stopped")
        return self._page

    def status(self) -> "dict[str, Any] | None":
        """Return what the owner's status page shows about the application, None without one."""
        return None if self._application is None else self._application.status()
