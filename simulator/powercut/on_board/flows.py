"""The flows of a unit's life on the emulated board: the start of each, and the actions of people and servers.

A script drives the unit until the flow's goal or until the power is cut; then the unit no longer answers. It records
each fact that the unit reported, also from an answer that arrived before the cut and is read after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from device.errors import TrialFailedError
from provisioning.registry.registry import Registry
from provisioning.station.station import Station, StationConfig
from simulator.powercut.home import STEP
from simulator.powercut.home import TRIED as ASKED
from simulator.powercut.home_brokers import ERASED, form_of
from simulator.powercut.on_board.bench import BARE, FACTORY, NEW_RELEASE, OWNED, TRIED, UPDATING, BoardBench
from simulator.story.runner import StepFailed, wait_until

T = TypeVar("T")
NEW_PASSWORD = "orange bicycle under the bridge"  # noqa: S105 - of a unit that exists for a test
FLOW_S = 90.0


@dataclass
class Outside:
    """Facts about the unit that are known outside of it in one case. Implements checks.Outside."""

    bench: BoardBench
    known: dict[str, object] = field(default_factory=dict)
    numbers: dict[int, bytes] = field(default_factory=dict)
    changed_from: int | None = None  # all releases of the board use the same record format
    is_over: bool = False  # the power was cut: scripts that wait for the unit stop

    def until(self, what: str, probe: Callable[[], T | None]) -> T:
        """Return the first result of `probe` that is not None. Raises StepFailed."""

        def asked() -> T | None:
            if self.is_over:
                raise StepFailed(what, "the power was cut")
            return probe()

        return wait_until(what, asked, FLOW_S, 0.05)

    def wait_for_pages(self) -> None:
        """Wait until the unit answers. Raises StepFailed."""
        owner = self.bench.world.owner
        self.until("the pages", lambda: owner.request("GET", "/").status < 500 or None)

    def facts(self) -> dict[str, object]:
        """Return the last value of each fact, by name."""
        return dict(self.known)

    @property
    def passwords(self) -> list[str]:
        """The passwords of which exactly one must open an owned unit."""
        old = self.bench.world.password
        if "password" in self.known:
            return [str(self.known["password"])]
        return [old, NEW_PASSWORD] if "changing" in self.known else [old]


Script = Callable[[Outside], None]


@dataclass(frozen=True)
class BoardFlow:
    """One flow: the NVM image that it begins with, the facts known by then, the published objects, and the script."""

    name: str
    begins_at: str
    script: Script
    facts: tuple[str, ...] = ()
    published: dict[str, int] = field(default_factory=dict)
    is_button_held: bool = False


def provision(outside: Outside) -> None:
    """Provision the unit, from its first hello to the lock, with a registry that is only for this case."""
    bench = outside.bench
    folder = bench.directory / "station"
    folder.mkdir(exist_ok=True)
    registry = Registry.create(folder / "registry.sqlite", exist_ok=True)
    try:
        station = Station(
            StationConfig(
                product=bench.world.product,
                labels_dir=folder / "labels",
                oscore_key=bench.world.servers.oscore_key.public,
                development=True,
                timeout_s=1.0,  # as in the story: a unit that restarts loses what was on the line
                attempts=15,
            ),
            registry,
            bench.world.keys.ring,
        )
        if all(unit.status != "passed" for unit in registry.units()):
            station.provision(bench.world.machine.factory_port())
        outside.known["locked"] = True
    finally:
        registry.close()


def forget_station(bench: BoardBench) -> None:
    """Delete the station's registry, so that the next case begins with an empty one."""
    shutil.rmtree(bench.directory / "station", ignore_errors=True)


def set_up(outside: Outside) -> None:
    """Set the device up and sign in."""
    world = outside.bench.world
    outside.wait_for_pages()
    if world.owner.set_up(world.unit.setup_code, world.password).status == 303:
        outside.known.update(owned=True)
    sign_in(outside, world.password)
    outside.known.update(owned=True, password=world.password)


def sign_in(outside: Outside, password: str) -> bool:
    """Return whether `password` opens the device. Waits while the device throttles."""
    owner = outside.bench.world.owner

    def attempt() -> list[bool] | None:
        is_open = owner.sign_in(password)
        return None if owner.last_status in (429, 503) else [is_open]

    return outside.until("sign-in", attempt)[0]


def change_password(outside: Outside) -> None:
    """Replace the password."""
    world = outside.bench.world
    outside.known.update(changing=True)
    outside.wait_for_pages()
    sign_in(outside, world.password)
    reply = world.owner.request("POST", "/password", {"current": world.password, "password": NEW_PASSWORD})
    if reply.status in (200, 303):
        outside.known.update(password=NEW_PASSWORD)


def change_home(outside: Outside) -> None:
    """Choose a broker of the owner, another one, switch it off and on, and erase it. Raises StepFailed."""
    world = outside.bench.world
    outside.wait_for_pages()
    sign_in(outside, world.password)
    for step in range(1, ERASED + 1):
        outside.known[ASKED] = step
        status = world.owner.request("POST", "/home", form_of(step)).status
        if status != 303:
            raise StepFailed("the next choice of a broker", f"step {step} is answered with {status}")
        outside.known[STEP] = step


def reset(outside: Outside) -> None:
    """Wait for the reset of a unit whose button was held: it returns to factory default."""
    outside.known.update(reset=True)
    outside.bench.world.machine.console.wait_for(r"^firstboot \S+ on \w+: factory default\n", FLOW_S)


def updates(outside: Outside) -> None:
    """Wait until the unit has fetched, tried and confirmed the published release."""
    world = outside.bench.world
    console = world.machine.console
    console.wait_for(rf"^firstboot {NEW_RELEASE}\.\S+ on \w+: initialised\n", FLOW_S)
    outside.until("a confirmed release", lambda: _is_confirmed(world.status()) or None)
    outside.known.update(confirmed=NEW_RELEASE)


def _is_confirmed(status: dict[str, Any]) -> bool:
    return str(status["version"]).startswith(f"{NEW_RELEASE}.") and not status["is_trial"]


def gives_up(outside: Outside) -> None:
    """Wait until the unit gives up the release whose trial failed."""
    world = outside.bench.world

    def has_given_up() -> bool | None:
        codes = [event["code"] for event in world.status()["update"]["events"]]
        return TrialFailedError.code in codes or None

    outside.until("the event", has_given_up)


def takes_keys(outside: Outside) -> None:
    """Wait until the unit stores the next key set."""
    bench = outside.bench
    outside.until("the key set", lambda: bench.stored("keyset") == bench.key_sets[1] or None)


_OWNED = ("locked", "owned")
FLOWS: dict[str, BoardFlow] = {
    flow.name: flow
    for flow in (
        BoardFlow("provision", BARE, provision),
        BoardFlow("set-up", FACTORY, set_up, ("locked",)),
        BoardFlow("password-change", OWNED, change_password, _OWNED),
        BoardFlow("home-change", OWNED, change_home, _OWNED),
        BoardFlow("factory-reset", OWNED, reset, _OWNED, is_button_held=True),
        BoardFlow("key-rotation", OWNED, takes_keys, _OWNED, {"keys": 1}),
        BoardFlow("update-mqtt", UPDATING, updates, _OWNED, {"on_mqtt": NEW_RELEASE}),
        BoardFlow("update-coap", UPDATING, updates, _OWNED, {"on_coap": NEW_RELEASE}),
        BoardFlow("revert", TRIED, gives_up, _OWNED),
    )
}
