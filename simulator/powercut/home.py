"""The owner's broker in campaigns: chosen, changed, switched off and on, erased, and gone after a factory reset.

The rules that a campaign checks (device/owner/home.py): after a cut the unit has the choice before or the one after,
with the password of that broker. A step that the unit answered stays. In factory default no password of a broker is in
flash.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from device.agent import home_link
from device.errors import FirstbootError
from device.owner import home, lifecycle
from device.records.store import USER, Store
from simulator.ports.flash import SimFlash
from simulator.ports.records import user_records
from simulator.powercut.errors import LostError
from simulator.powercut.flows import Flow, nobody, register
from simulator.powercut.home_brokers import CHOICES, ERASED, LINKED, PASSWORDS, form_of
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import factory_reset, status

# Facts: the last step that the unit answered, the last one that was asked for.
STEP, TRIED = "home", "home.tried"


def possible(facts: dict[str, object]) -> tuple[int, ...]:
    """Return the steps after which the unit may be."""
    step = int(str(facts.get(STEP, 0)))
    return tuple(sorted({step, int(str(facts.get(TRIED, step)))}))


def check(flash: SimFlash, state: str, facts: dict[str, object]) -> tuple[str, str] | None:
    """Return the finding about the stored choice: (kind, text), or None. `state`: of lifecycle.STATES."""
    if state == lifecycle.FACTORY_DEFAULT:
        image = flash.image()
        if any(password.encode() in image for password in PASSWORDS):
            return "open", "the password of the owner's broker is still stored in factory default"
        return None
    if TRIED not in facts or "reset" in facts:
        return None
    records = user_records(flash, flash.layout)
    try:
        records.mount()
        data = Store(records, USER).read(home.RECORD)
        found = None if data is None else home.decode(data)
    except FirstbootError as error:
        return "lost", f"the choice of a broker cannot be read: {error.describe()}"
    if found not in [CHOICES[step] for step in possible(facts)]:
        return "lost", "the choice of a broker is neither the one before nor the one after"
    return None


# flows -------------------------------------------------------------------------------------------------------
def _until(last: int) -> Callable[[Machine], Awaitable[None]]:
    """Return the script of an owner who goes on to step `last`."""

    async def script(machine: Machine) -> None:
        async def probe() -> bool | None:
            return await _go_on(machine, last)

        await machine.until("the owner's broker", probe, 900.0, 1.0)

    return script


async def _go_on(machine: Machine, last: int) -> bool | None:
    """Take the next step. Return True if `last` is reached and the link is as it must be then. Raises LostError."""
    await status(machine)  # signs in
    found = (await machine.request("GET", "/home", session=machine.session)).json()
    facts = machine.world.facts()
    known = [step for step in possible(facts) if _is_shown(found, step)]
    if not known:
        raise LostError("the page shows a broker that is neither the one before nor the one after")
    step = max(known)
    machine.record_fact(STEP, step)
    wanted = CHOICES[step]
    if wanted is not None and wanted.is_on and found["state"] != home_link.CONNECTED:
        return None
    if step == last:
        return True
    machine.record_fact(TRIED, step + 1)
    answer = await machine.request("POST", "/home", form_of(step + 1), machine.session)
    if answer.status == 303:
        machine.record_fact(STEP, step + 1)
    return None


def _is_shown(found: dict[str, Any], step: int) -> bool:
    wanted = CHOICES[step]
    if wanted is None or not found:
        return wanted is None and not found
    shown = ("is_on", "address", "port", "name", "user", "may_install")
    return all(found[name] == getattr(wanted, name) for name in shown)


register(Flow("home-link", "update-app", _until(LINKED), nobody))
register(Flow("home-erase", "home-link", _until(ERASED), nobody))
register(Flow("home-reset", "home-link", factory_reset, nobody))
