"""The entry point of the firmware: it takes a board's ports and runs the unit.

Order at a start: durable facts -> life-cycle state -> only the tasks that this state allows
(docs/design.md, Life cycle). A failed unit runs no port and no network; the console prints the reason.
"""

import asyncio
from collections import namedtuple

from device.agent import assembly, indicator
from device.agent.steady import steady
from device.agent.uptime import Uptime
from device.compat import const
from device.errors import FirstbootError
from device.layout import RESET_POWER_ON
from device.owner import lifecycle, reset
from device.records import store
from device.records.store import Store
from device.update.slots import BootState
from device.version import version_text

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.agent.unit import Unit

# What a board provides (device/ports, simulator/ports). Every member is an object of device.interfaces, except:
#   layout: layout.NvmLayout
#   factory_stream: Stream of the factory port
#   mount: callable(region "device" | "user") -> Records; raises StorageError if the region does not mount
#   format: callable(region) -> Records; called only by an unlocked unit or a factory reset
#   say: callable(text), prints one line on the console; never a secret
#   memory: callable() -> {name: number}, the member "memory" of the status page (device/web/facade.py)
#   key_store: KeyStore, None on a board without one
#   load_app: callable(apps.AppSet) -> module `app` of that set; raises what the import raises
#   wifi: Wifi, None on a board without a radio
#   improv: Stream of a serial port on which Improv Wi-Fi is answered (device/net/improv.py), None without one
#   board: constants of the board (board.py): NAME, PBKDF2_ITERATIONS, IS_DEVELOPMENT, HAS_BUTTON, and HOST_NAMES,
#     the names under which a gateway publishes the unit
Ports = namedtuple(
    "Ports",
    (
        "flash",
        "layout",
        "boot",
        "clock",
        "entropy",
        "network",
        "factory_stream",
        "mount",
        "format",
        "say",
        "memory",
        "indicator",
        "key_store",
        "load_app",
        "wifi",
        "improv",
        "board",
    ),
)

_FEED_INTERVAL_S = const(1)  # the watchdog expires after 10 s


class _Factory:
    """The services that the factory port needs from a unit (device.factory.factory_port.FactoryServices)."""

    def __init__(self, ports: "Ports", boot_state: "BootState") -> None:
        self._ports = ports
        self._boot_state = boot_state
        self.board = ports.board.NAME
        self.hardware_id = ports.boot.hardware_id
        self.version = version_text(ports.boot.version)
        self.image_digest = ports.boot.image_digest
        self.is_development = bool(ports.board.IS_DEVELOPMENT or ports.boot.is_test_seed)
        self.entropy = ports.entropy
        if boot_state.is_locked():
            self.store = Store(ports.mount(store.DEVICE), store.DEVICE)

    def is_locked(self) -> bool:
        return self._boot_state.is_locked()

    def format_if_needed(self) -> None:
        """Format each region that does not mount. Only the factory port of an unlocked unit calls this."""
        for region in (store.DEVICE, store.USER):
            try:
                self._ports.mount(region)
            except FirstbootError:
                self._ports.format(region)
        self.store = Store(self._ports.mount(store.DEVICE), store.DEVICE)

    def lock(self) -> None:
        self._boot_state.lock()

    def restart(self) -> None:
        self._ports.boot.reset()


def state_facts(ports: "Ports", boot_state: "BootState") -> "lifecycle.Facts":
    """Return the facts that decide the life-cycle state. A region that does not mount counts as damaged."""
    if not boot_state.is_locked():
        return lifecycle.Facts(False, lifecycle.ABSENT, lifecycle.ABSENT, False, False)
    try:
        device = Store(ports.mount(store.DEVICE), store.DEVICE)
    except FirstbootError:
        return lifecycle.Facts(True, lifecycle.DAMAGED, lifecycle.ABSENT, False, False)
    try:
        user: "Store | None" = Store(ports.mount(store.USER), store.USER)
    except FirstbootError:
        user = None
    return lifecycle.gather(True, device, user)


async def _reset_if_asked(ports: "Ports", boot_state: "BootState") -> None:
    """Begin a factory reset if the button was held at power-on, and finish one that is under way (PW-03).

    This runs before any other part opens the user region. If the reset cannot be finished, its mark keeps the unit
    closed.
    """
    is_asked = is_due = ports.boot.is_button_held and ports.boot.reset_reason == RESET_POWER_ON
    try:
        is_confirmed = bool(boot_state.marks(ports.boot.slot).is_confirmed)
        device = Store(ports.mount(store.DEVICE), store.DEVICE, is_confirmed)
        is_due = is_asked or lifecycle.gather(True, device, None).is_resetting
        if not is_due:
            return
        ports.say("factory reset: erasing the owner's data")
        if is_asked:
            reset.begin(device)
        has_button = bool(ports.board.HAS_BUTTON)
        for _ in reset.finish(
            ports.flash, ports.layout, device, lambda: ports.format(store.USER), has_button
        ):
            ports.boot.watchdog_feed()
            await asyncio.sleep(0)
        ports.say("factory reset: done")
    except FirstbootError as error:
        # Without readable device records nothing is reset. If no reset was due, state_facts reports the damage.
        if is_due:
            ports.say("factory reset not possible: " + error.describe())


async def _feed(ports: "Ports") -> None:
    while True:
        ports.boot.watchdog_feed()
        ports.clock.ticks_ms()  # uptime.py, rule 2
        await asyncio.sleep(_FEED_INTERVAL_S)


def _with_uptime(ports: "Ports") -> "Ports":
    """Return the ports with a clock whose ticks do not wrap."""
    found = list(ports)
    found[found.index(ports.clock)] = Uptime(ports.clock)
    return Ports(*found)


async def run_async(ports: "Ports") -> None:
    """Run the unit until it resets itself or loses power."""
    ports = _with_uptime(ports)
    boot_state = BootState(ports.flash, ports.layout, ports.boot.parse_image)
    if boot_state.is_locked():
        await _reset_if_asked(ports, boot_state)
    facts = state_facts(ports, boot_state)
    state = lifecycle.derive(facts)
    ports.say("firstboot {} on {}: {}".format(version_text(ports.boot.version), ports.board.NAME, state))
    unit: "Unit | None" = None
    if state == lifecycle.FAILED:
        ports.say("failed: " + lifecycle.reason(facts))
    elif lifecycle.ACCESS[state].web:
        try:
            unit = assembly.assemble(ports, boot_state)
            unit.start()
        except FirstbootError as error:  # a record that the unit needs cannot be read: it stays closed
            unit = None
            state = lifecycle.step(state, lifecycle.FAULT)
            ports.say("failed: " + error.describe())
    tasks = [steady(lambda: _feed(ports), ports.say)]
    access = lifecycle.ACCESS[state]
    if access.factory_port:
        from device.factory.factory_port import FactoryPort  # not on a locked unit: its modules take heap

        port = FactoryPort(_Factory(ports, boot_state))
        tasks.append(steady(lambda: port.serve(ports.factory_stream), ports.say))
    light = indicator.pattern(state, "")
    choose = lambda: light  # noqa: E731  only a running unit changes its light
    if unit is not None:
        tasks.extend(unit.tasks())
        choose = unit.light
    tasks.append(steady(lambda: indicator.play(ports.indicator, choose, _sleep_ms), ports.say))
    await _run_all(ports, tasks)


async def _sleep_ms(length_ms: int) -> None:
    await asyncio.sleep(length_ms / 1000)


async def _run_all(ports: "Ports", tasks: "list[Any]") -> None:
    """Run all tasks. They are meant to run forever: if one fails, or all of them end, the unit restarts."""
    try:
        await asyncio.gather(*tasks)
        ports.say("agent: every task ended")
    except FirstbootError as error:
        ports.say("agent: " + error.describe())
    ports.boot.reset()


def run(ports: "Ports") -> None:
    """Run the unit on a board. Returns only if the port's reset does (a test double)."""
    asyncio.run(run_async(ports))
