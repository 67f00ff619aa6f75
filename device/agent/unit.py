"""A provisioned unit: its start, and the tasks that serve the pages and keep it up to date.

Rules:
1. Before set-up the pages and the button are the only tasks that work. Updates and the application start when the
   owner's credential is stored (PW-02).
2. Only start() repairs, migrates and reconciles stored data. Building a unit (assembly.py) writes nothing.
"""

import asyncio

from device.agent import indicator
from device.agent.restart import restart
from device.agent.sources import Sources, load_sources
from device.agent.steady import steady
from device.agent.updater import Updater
from device.compat import const
from device.crypto import backend, der
from device.errors import FirstbootError, LinkError
from device.layout import RESET_POWER_ON
from device.limits import BUTTON_POLL_MS, CHECK_INTERVAL_S
from device.owner import lifecycle
from device.records import counters
from device.update import releases, trial_state
from device.web.app import create_app
from device.web.server import create_handler

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.agent.assembly import Parts, Stores
    from device.web.facade import Device

HTTPS_PORT = 443


class Unit:
    """One unit. Call start() once, then run all of tasks()."""

    def __init__(self, parts: "Parts", pages: "Device") -> None:
        self._parts = parts
        self._pages = pages
        self._ports = parts.ports
        self._updates = parts.updates
        self._signals = parts.signals

    def start(self) -> None:
        """Complete what a power cut or an update left open, and choose the application set.

        Raises StorageError, FlashError; what can be reported instead becomes an event.
        """
        parts = self._parts
        errors: "list[FirstbootError]" = list(counters.lost(parts.stores.device, parts.stores.user))
        errors += releases.start(self._updates.releases)
        errors += self._updates.trusted.start()
        parts.owner.repair()  # after the records that it vouches for
        if parts.stores.is_confirmed:
            migrate(parts.stores, self._ports.say)
        for error in errors:
            self._updates.journal.note(error)
            self._ports.say(error.describe())
        is_owned = parts.owner.state() == lifecycle.INITIALISED
        parts.host.start(self._updates, is_owned)
        if is_owned:
            self._signals.owned.set()

    def light(self) -> "tuple[int, ...]":
        """Return the light's pattern for the present state (SP-08)."""
        return indicator.pattern(self._parts.owner.state(), self._updates.trusted.support_state())

    def tasks(self) -> "list[Any]":
        """Return the coroutines of this unit. Each runs until the unit restarts or its work is done."""
        begins = [
            self._serve_pages,
            self._parts.presence.run,
            self._keep_updated,
            self._restart_for_reset,
            self._run_application,
            self._keep_home,
        ]
        if self._ports.board.HAS_BUTTON:
            begins.append(self._watch_button)
        if self._parts.wifi is not None:
            begins.append(self._keep_network)
            if self._ports.improv is not None:
                begins.append(self._answer_improv)
            if self._ports.wifi.bluetooth is not None:
                begins.append(self._answer_bluetooth)
        return [steady(begin, self._ports.say) for begin in begins]

    async def _serve_pages(self) -> None:
        try:
            private = self._parts.stores.device.require("web.key")
        except FirstbootError as error:  # a restart would not repair the record: updates go on without pages
            self._updates.journal.note(error)
            self._ports.say("no pages: " + error.describe())
            return
        key = der.ec_private_key(private, backend.p256_public(private))
        listener = await self._ports.network.serve_tls(
            HTTPS_PORT, self._parts.factory.web_certificate, key, create_handler(create_app(self._pages))
        )
        try:
            await asyncio.Event().wait()
        finally:
            await listener.close()

    async def _keep_updated(self) -> None:
        await self._signals.owned.wait()
        factory = self._parts.factory
        try:
            sources = load_sources(
                self._parts.stores.device, self._ports, factory.identity.device_id, factory.anchors.class_id
            )
        except (
            FirstbootError
        ) as error:  # a restart would not repair the record: the pages keep running and show the error
            self._updates.journal.note(error)
            self._ports.say("no sources: " + error.describe())
            sources = Sources([], CHECK_INTERVAL_S[1])
        updater = Updater(self._updates, sources, self._ports, self._signals.wake, self._parts.home)
        begins = (updater.run, updater.watch_trial, updater.watch_silence)
        await asyncio.gather(*[steady(begin, self._ports.say) for begin in begins])

    async def _run_application(self) -> None:
        """Run the application once there is an owner. If it fails on trial, the trial is over (UP-04)."""
        await self._signals.owned.wait()
        pending = self._updates.releases.pending
        is_well = await self._parts.host.run(lambda: bool(pending.is_trial))
        if not is_well and pending.is_trial:
            pending.record_outcome(trial_state.APP_FAILED)
            await restart(self._ports, "the application failed on trial")

    async def _restart_for_reset(self) -> None:
        await self._signals.reset.wait()
        pending = self._updates.releases.pending
        if pending.is_trial:
            pending.record_outcome(trial_state.INTERRUPTED)  # the restart says nothing about the release
        await self._parts.home.farewell()
        await restart(self._ports, "factory reset")

    async def _keep_home(self) -> None:
        """Keep the link to the owner's home, once there is an owner (home_link.py, rule 1)."""
        await self._signals.owned.wait()
        await self._parts.home.run()

    async def _keep_network(self) -> None:
        """Keep the unit on the owner's network. Without a button, switching it on takes the place of a press."""
        wifi = self._parts.wifi
        if not self._ports.board.HAS_BUTTON and self._ports.boot.reset_reason == RESET_POWER_ON:
            wifi.switched_on()
        await wifi.run()

    async def _answer_improv(self) -> None:
        """Answer Improv Wi-Fi on the serial port that the board has for it. A line that ends is not opened again."""
        from device.agent import improv  # only here: a board without a radio has no such module

        try:
            await improv.answer(self._parts, self._ports.improv)
        except LinkError as error:
            self._ports.say("improv: " + error.describe())

    async def _answer_bluetooth(self) -> None:
        """Answer Improv Wi-Fi over Bluetooth, in factory default. After an error it stays off until the next start."""
        if self._parts.owner.state() != lifecycle.FACTORY_DEFAULT:
            return
        from device.agent import improv_ble  # only here: as above

        try:
            await improv_ble.answer(self._parts, self._ports.wifi.bluetooth)
        except LinkError as error:
            self._ports.say("improv: " + error.describe())

    async def _watch_button(self) -> None:
        """Report each press of the button to the owner's part (PW-14, PW-18).

        A button that was already down at the start does not count as pressed.
        """
        was_pressed = self._ports.boot.is_button_pressed()
        while True:
            await asyncio.sleep(BUTTON_POLL_MS / 1000)
            is_pressed = self._ports.boot.is_button_pressed()
            if is_pressed and not was_pressed:
                self._parts.owner.pressed()
                if self._parts.wifi is not None:
                    self._parts.wifi.pressed()
            was_pressed = is_pressed


def migrate(stores: "Stores", say: "Callable[[str], None]") -> None:
    """Rewrite the records in this release's form, once it is confirmed. A record that fails keeps its form."""
    try:
        done = stores.device.migrate() + stores.user.migrate()
    except FirstbootError as error:
        say("records keep their form: " + error.describe())
        return
    if done:
        say("records brought to this release's form: {}".format(done))
