"""The flows of a unit's life. Each can start again in any state that a cut left.

A flow has a starting point (the end of another flow, and the objects published then) and a script. The script acts as a
station or an owner, or only waits, until the flow reaches its goal. It reads the unit's state first, because it may
resume after a cut. `machine.record_fact` records each fact that the unit reported.

New flows are added with `register`; `firstboot powercut run` and `make powercut` run every one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from device.errors import TrialFailedError
from device.update import trial_state
from provisioning.release.delta import has_detools
from simulator.ports.peers import Content
from simulator.powercut.errors import BrickedError, LostError
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import change_password, factory_reset, set_up, status
from simulator.powercut.releases import left_behind
from simulator.powercut.station_script import provision
from simulator.powercut.world import World

Script = Callable[[Machine], Awaitable[None]]


@dataclass(frozen=True)
class Flow:
    """`after` names the flow whose end this one begins at, None for a bare board. `arrange` changes the world first."""

    name: str
    after: str | None
    script: Script
    arrange: Callable[[World], None] = lambda world: None
    # Changes the world after a cut: for example, another server answers.
    rearrange: Callable[[World], None] = lambda world: None


FLOWS: dict[str, Flow] = {}


def register(flow: Flow) -> None:
    """Add a flow to every campaign. Raises ValueError for a name that is taken."""
    if flow.name in FLOWS:
        raise ValueError(f"flow {flow.name} exists")
    FLOWS[flow.name] = flow


# --- updates ---------------------------------------------------------------------------------------------------
def has_given_up(found: Any) -> bool:
    """Return whether the status page reports a trial that did not confirm (error 219, TrialFailedError).

    Raises BrickedError if the unit refuses the release permanently: no release of a campaign fails by itself.
    """
    texts = [event["text"] for event in found["update"]["events"] if event["code"] == TrialFailedError.code]
    for text in texts:
        if any(cause and cause in text for cause in trial_state.CAUSES):
            raise BrickedError(f"a good release is refused permanently: {text}")
    return bool(texts)


async def updates(machine: Machine) -> None:
    """Wait until release 2 is confirmed, or release 3, which is published if a cut ended the trial of release 2."""

    async def probe() -> int | None:
        found = await status(machine)
        number = int(str(found["version"]).partition(".")[0])
        if number == 1 and has_given_up(found):
            machine.world.publish(3)
        return None if number == 1 or found["is_trial"] else number

    machine.record_fact("confirmed", await machine.until("release 2 or 3", probe, 300.0, 1.0))


async def gives_up(machine: Machine) -> None:
    """Wait while the release in the other slot cannot confirm. Release 1 comes back and keeps the other one
    for another try; a cut or a missing server does not condemn it.
    """

    async def probe() -> bool | None:
        found = await status(machine)
        settled = str(found["version"]).startswith("1.") and not found["is_trial"]
        return True if settled and has_given_up(found) else None

    await machine.until("the release before runs again", probe, 3600.0, 30.0)


async def migrates(machine: Machine) -> None:
    """Wait until release 2 or 3, which uses another record format, is confirmed and has migrated all records."""
    await updates(machine)

    async def probe() -> bool | None:
        return not left_behind(machine._mount) or None

    await machine.until("records of the new form", probe)


async def takes_keys(machine: Machine) -> None:
    """Wait until the unit stores the next key set and still accepts its tracker."""
    wanted = machine.world.bench.next_key_set()

    async def probe() -> bool | None:
        if machine.records().read("keyset") != wanted:
            if "keys" in machine.world.facts():
                raise LostError("a stored key set is gone")
            return None
        return (await status(machine))["time"] is not None or None

    await machine.until("the new key set", probe)
    machine.record_fact("keys")


def _new_keys(world: World) -> None:
    world.has_mqtt, world.has_coap = True, False
    world.published["keyset"] = world.bench.next_key_set()


def _over(*, mqtt: bool, coap: bool, number: int = 2) -> Callable[[World], None]:
    def arrange(world: World) -> None:
        world.has_mqtt, world.has_coap = mqtt, coap
        world.publish(number)

    return arrange


def _by_delta(world: World) -> None:
    """Publish release 2 with a patch from the running release."""
    world.has_mqtt, world.has_coap = True, False
    bench = world.bench
    release = bench.release(2, 2, delta_from=bench.images[1])
    content = Content(bench.product.class_id, lambda request: None)
    content.put_release(release)
    world.published.update(content.published)


def _switch(world: World) -> None:
    world.has_mqtt, world.has_coap = world.has_coap, world.has_mqtt


def nobody(world: World) -> None:
    """Let no server of the maker answer."""
    world.has_mqtt = world.has_coap = False


def _no_trials(world: World) -> None:
    """Let servers answer until the trial begins, but not during it."""
    _changed(world)
    world.serves_trials = False


def _changed(world: World) -> None:
    """Release 2 uses another record format; release 1 must be able to read what release 2 writes on trial."""
    _over(mqtt=True, coap=False)(world)
    world.changed_from = 2


register(Flow("provision", None, provision))
register(Flow("set-up", "provision", set_up, nobody))
register(Flow("password-change", "set-up", change_password, nobody))
register(Flow("factory-reset", "set-up", factory_reset, nobody))
register(Flow("key-rotation", "set-up", takes_keys, _new_keys))
register(Flow("update-mqtt", "set-up", updates, _over(mqtt=True, coap=False)))
register(Flow("update-coap", "set-up", updates, _over(mqtt=False, coap=True)))
register(Flow("update-switch", "set-up", updates, _over(mqtt=True, coap=False), _switch))
register(Flow("update-switch-back", "set-up", updates, _over(mqtt=False, coap=True), _switch))
register(Flow("migrate", "set-up", migrates, _changed))
register(Flow("revert", "set-up", gives_up, _no_trials))
if has_detools():
    # The transfer of the patch continues over the other transport.
    register(Flow("update-delta", "set-up", updates, _by_delta, _switch))
