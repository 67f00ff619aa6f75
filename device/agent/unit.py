"""A provisioned unit: what the local pages may ask of it, and the tasks that keep it up to date.

Rules:
1. Before set-up the pages are the only task; updates start when the owner's credential is stored (PW-02).
2. What anyone may read is public_info() and the statement; everything else is behind a session (SE-06).
3. Nothing here decides: life cycle, throttle, support period and updates have modules of their own.
"""

import asyncio

from device.agent import indicator, status
from device.agent.apps import Application, AppSet, Context
from device.agent.sources import load_sources
from device.agent.updater import Updater
from device.compat import const
from device.crypto import backend, der
from device.errors import FirstbootError, RecordDamagedError
from device.limits import BUTTON_POLL_MS
from device.owner import lifecycle
from device.owner.onboarding import Owner
from device.owner.settings import Consent
from device.records import contact, identity, store, support
from device.records.events import Events
from device.records.store import Store
from device.records.timekeeper import TimeKeeper
from device.trust import anchors as trust_anchors
from device.trust import keyset
from device.trust.verify import verify_record
from device.update import trial_state
from device.update.appset import AppSets
from device.update.service import UpdateService
from device.update.trial import Trials
from device.version import version_text
from device.web.app import create_app
from device.web.server import create_handler

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator

    from device.agent.agent import Ports
    from device.trust.anchors import Anchors
    from device.update.papers import Seen
    from device.update.slots import BootState

HTTPS_PORT = 443
STATEMENT_TYP = "application/vnd.firstboot.statement+json"
_LAST_WORDS_S = 1  # lets the page that says so go out before the restart


class Unit:
    """Raises StorageError, CodecError, TrustError where a factory record cannot be used."""

    def __init__(self, ports: "Ports", boot_state: "BootState") -> None:
        self._ports = ports
        self.version = version_text(ports.boot.version)
        # A release on trial keeps every record in a form that the one before it can read (store.py, rule 6).
        is_confirmed = bool(boot_state.marks(ports.boot.slot).is_confirmed)
        self._device = Store(ports.mount(store.DEVICE), store.DEVICE, is_confirmed)
        self._user = Store(ports.mount(store.USER), store.USER, is_confirmed)
        self._anchors = trust_anchors.decode(self._device.require("anchors"))
        self._identity = identity.decode(self._device.require("identity"))
        self._contact = contact.decode(self._record("contact", contact.TYP, trust_anchors.ROLE_SUPPORT))
        self._statement = self._record("statement", STATEMENT_TYP, trust_anchors.ROLE_SIGNATORY)
        self._web_certificate = self._device.require("web.crt")
        self._name = der.certificate_facts(self._web_certificate).common_name
        self._owner = Owner(
            self._device,
            self._user,
            ports.clock,
            ports.entropy,
            ports.board.PBKDF2_ITERATIONS,
            self._name,
            ports.key_store,
        )
        self._owner.repair()
        self._owned = asyncio.Event()
        self._wake = asyncio.Event()
        self._reset_wanted = asyncio.Event()
        sets = AppSets(ports.flash, ports.layout)
        trials = Trials(ports.boot, boot_state, self._device, sets, self._migrate)
        self._time = TimeKeeper(
            ports.clock, max(self._anchors.build_time_floor_s, trials.progress.time_floor_s)
        )
        self._updates = UpdateService(
            trials=trials,
            store=self._device,
            events=Events(self._user),
            anchors=self._current_anchors(),
            time=self._time,
            entropy=ports.entropy,
            version=self.version,
            pause=_pause,
            consent=Consent(self._user, self._time, self._wake.set),
            device_id=self._identity.device_id,
            is_proven=self._is_proven,
        )
        found = trials.choose_set()
        reverted = trials.reconcile()
        if is_confirmed:
            self._migrate()
        for error in found if reverted is None else found + [reverted]:
            self._updates.note(error)
            ports.say(error.describe())
        self._application = self._make_application()
        if self._owner.state() == lifecycle.INITIALISED:
            self._owned.set()

    def _migrate(self) -> None:
        """Bring the records to this release's forms, now that it stays; what cannot be written stays readable."""
        try:
            done = self._device.migrate() + self._user.migrate()
        except FirstbootError as error:
            self._ports.say("records keep their form: " + error.describe())
            return
        if done:
            self._ports.say("records brought to this release's form: {}".format(done))

    def _make_application(self) -> "Application | None":
        sets, running = self._updates.trials.sets, self._updates.trials.app
        if sets is None or running is None:
            return None
        files = AppSet(sets, running)
        self._ports.say("application of release {}".format(files.sequence))
        context = Context(files, self.version, lambda: str(self._updates.support_status().state))
        return Application(files, context, self._ports.load_app, self._ports.clock, self._note)

    def _note(self, error: "FirstbootError") -> None:
        self._updates.note(error)
        self._ports.say("application: " + error.describe())

    def _is_proven(self) -> bool:
        """A trial confirms only with its application at work; one whose set cannot be run never does."""
        if self._application is None:
            return not self._updates.trials.is_set_broken
        return self._application.is_proven()

    def _current_anchors(self) -> "Anchors":
        """The keys of the newest key set; of a damaged one the roots alone, who can send it again (UP-11)."""
        try:
            return keyset.effective(self._anchors, self._device.read("keyset"))
        except FirstbootError as error:
            self._ports.say("key set: " + error.describe())
            return keyset.roots_only(self._anchors)

    def _record(self, name: str, typ: str, role: int) -> bytes:
        """A record of the factory, by the keys of the factory: a key that is revoked later takes nothing back."""
        return verify_record(self._device.require(name), typ, role, self._anchors, backend)

    # tasks -----------------------------------------------------------------------------------------------
    def tasks(self) -> "list[Any]":
        """The coroutines that make this unit answer."""
        tasks = [
            self._serve_pages(),
            self._keep_updated(),
            self._restart_for_reset(),
            self._run_application(),
        ]
        if self._ports.board.HAS_BUTTON:
            tasks.append(self._watch_button())
        return tasks

    async def _watch_button(self) -> None:
        """A press opens one attempt, and set-up after a reset (PW-14, PW-18); a button that was down before is none."""
        was_pressed = self._ports.boot.is_button_pressed()
        while True:
            await asyncio.sleep(BUTTON_POLL_MS / 1000)
            is_pressed = self._ports.boot.is_button_pressed()
            if is_pressed and not was_pressed:
                self._owner.pressed()
            was_pressed = is_pressed

    async def _run_application(self) -> None:
        """From when there is an owner; where it fails on trial, the trial is over (UP-04)."""
        await self._owned.wait()
        trials = self._updates.trials
        is_well = not trials.is_set_broken
        if self._application is not None:
            is_well = await self._application.run(lambda: trials.is_trial)
        if not is_well and trials.is_trial:
            trials.window_over(trial_state.APP_FAILED)
            self._ports.say("restart: the application failed on trial")
            await asyncio.sleep(_LAST_WORDS_S)
            self._ports.boot.reset()

    async def _restart_for_reset(self) -> None:
        await self._reset_wanted.wait()
        self._ports.say("restart: factory reset")
        await asyncio.sleep(_LAST_WORDS_S)
        self._ports.boot.reset()

    async def _serve_pages(self) -> None:
        private = self._device.require("web.key")
        key = der.ec_private_key(private, backend.p256_public(private))
        listener = await self._ports.network.serve_tls(
            HTTPS_PORT, self._web_certificate, key, create_handler(create_app(self))
        )
        try:
            await asyncio.Event().wait()
        finally:
            await listener.close()

    async def _keep_updated(self) -> None:
        await self._owned.wait()
        sources, interval_s = load_sources(
            self._device,
            self._ports.network,
            self._ports.clock,
            self._ports.entropy,
            self._identity.device_id,
            self._anchors.class_id,
        )
        updater = Updater(
            self._updates,
            sources,
            interval_s,
            self._ports.boot,
            self._ports.entropy,
            self._ports.say,
            self._wake,
        )
        await asyncio.gather(updater.run(), updater.watch_trial(), updater.watch_silence())

    # the pages' facade (device/web/facade.py) --------------------------------------------------------------
    def state(self) -> str:
        return self._owner.state()

    def random_bytes(self, length: int) -> bytes:
        found: bytes = self._ports.entropy.random_bytes(length)
        return found

    def ticks_ms(self) -> int:
        now_ms: int = self._ports.clock.ticks_ms()
        return now_ms

    def ticks_diff(self, later: int, earlier: int) -> int:
        passed_ms: int = self._ports.clock.ticks_diff(later, earlier)
        return passed_ms

    def statement(self) -> bytes:
        return self._statement

    def public_info(self) -> "dict[str, Any]":
        """Declared public information: no serial, no version, no owner (SE-06)."""
        return status.public_info(
            self._identity,
            self._support_record(),
            self._updates.newest_contact() or self._contact,
            backend.sha256(self._statement),
        )

    def host_names(self) -> "tuple[str, ...]":
        """What this unit is called in a Host header: its addresses and the name in its certificate, lower case."""
        names = list(self._ports.network.addresses()) + list(self._ports.board.HOST_NAMES)
        names += [self._name, self._name + ".local"]
        return tuple([name.lower() for name in names])

    def light(self) -> "tuple[int, ...]":
        """The pattern of the indicator now (SP-08)."""
        try:
            found = support.support_state(
                self._support_record(), self._support_time(self._time.now_s())
            ).state
        except FirstbootError:
            found = support.UNKNOWN
        return indicator.pattern(self.state(), found)

    def status(self) -> "dict[str, Any]":
        """What the owner sees after sign-in."""
        now_s = self._time.now_s()
        peak, free = self._ports.heap()
        contacted = self._updates.last_contact
        return {
            "version": self.version,
            "state": self.state(),
            "slot": self._ports.boot.slot,
            "is_trial": self._updates.trials.is_trial,
            "support": status.support_status(
                self._identity.model, self._support_record(), self._support_time(now_s)
            ),
            "time": now_s,
            "update": status.update_status(self._updates),
            "application": None if self._application is None else self._application.status(),
            "last_contact": {"source": contacted[0], "time": contacted[1]} if contacted else None,
            "heap": {"peak_bytes": peak, "free_bytes": free},
        }

    async def setup(self, code: str, password: str, is_normalised: bool = False) -> None:
        """Make the caller the owner; updates start now. Raises what Owner.set_up raises."""
        await _finish(self._owner.set_up(code, password, is_normalised))
        self._owned.set()

    async def login(self, password: str) -> None:
        """Return when `password` is the owner's. Raises what Owner.sign_in raises."""
        await _finish(self._owner.sign_in(password))

    async def change_password(self, old: str, new: str, is_normalised: bool = False) -> None:
        """Replace the password (PW-12). Raises what Owner.change raises."""
        await _finish(self._owner.change(old, new, is_normalised))

    async def reset(self, password: str) -> None:
        """Begin a factory reset; the unit restarts a second later and erases. Raises what Owner.reset raises."""
        await _finish(self._owner.reset(password))
        self._reset_wanted.set()

    def is_press_needed(self) -> bool:
        """Whether set-up waits for a press of the button."""
        return self._owner.is_press_needed()

    def set_automatic(self, is_automatic: bool) -> None:
        """Switch automatic updates (UP-06). Raises StorageError."""
        self._updates.consent.set_automatic(is_automatic)

    def postpone(self, days: int) -> None:
        """Let nothing install itself for `days` days. Raises SettingsError, StorageError."""
        self._updates.consent.postpone(days)

    def install_now(self) -> None:
        """Install what is on offer. Raises SettingsError."""
        self._updates.consent.install_now()

    # inside ------------------------------------------------------------------------------------------------
    def _support_record(self) -> "support.SupportRecord":
        """The stored record, shown whether or not its key is still believed."""
        found: "support.SupportRecord" = self._support_seen().content
        return found

    def _support_time(self, now_s: "int | None") -> "int | None":
        """Trusted time for the support state; None, so that it is unknown, where its key is believed no more."""
        return now_s if self._support_seen().is_believed else None

    def _support_seen(self) -> "Seen":
        seen = self._updates.support_paper.stored("support", self._updates.anchors)
        if seen is None:
            raise RecordDamagedError(name="support")
        return seen


async def _pause() -> None:
    await asyncio.sleep(0)


async def _finish(steps: "Generator[None, None, None]") -> None:
    """Run a generator to its end; others run between its steps."""
    for _ in steps:
        await asyncio.sleep(0)
