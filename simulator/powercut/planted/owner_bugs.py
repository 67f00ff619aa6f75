"""Bugs in provisioning, set-up, sign-in, change of password, factory reset and life cycle."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from device.agent.agent import _Factory
from device.agent.facade import Facade
from device.factory.operations import Operations
from device.owner import home, lifecycle, onboarding, reset
from device.owner.onboarding import Owner
from device.records import counters
from device.records.store import Store
from simulator.powercut.home_brokers import PASSWORDS
from simulator.powercut.planted.plant import SECOND, SECTORS, Bug, Plant

LATER_S: Final = 2.0


def _owned_first(plant: Plant) -> None:
    """The mark `owned` is written before the credential."""
    write, mark = Store.write, Owner._mark_owned
    owners: list[Owner] = []
    begin = Owner.set_up

    def set_up(self: Owner, *about: Any) -> Any:
        owners[:] = [self]
        yield from begin(self, *about)

    def first(self: Store, name: str, data: bytes) -> None:
        if name == "credential" and owners:
            mark(owners.pop())
        write(self, name, data)

    plant.put(Owner, "set_up", set_up)
    plant.put(Store, "write", first)


def _stored_later(plant: Plant, record: str) -> None:
    """The record is stored a moment after the answer."""
    write = Store.write

    def later(self: Store, name: str, data: bytes) -> None:
        if name != record:
            write(self, name, data)
            return

        async def store() -> None:
            await asyncio.sleep(LATER_S)
            write(self, name, data)

        held[name] = data
        task = asyncio.ensure_future(store())
        task.add_done_callback(lambda done: held.pop(name, None))

    held: dict[str, bytes] = {}
    read, has = Store.read, Store.has
    plant.put(Store, "write", later)
    plant.put(Store, "read", lambda self, name: held[name] if _is_live(held, name) else read(self, name))
    plant.put(Store, "has", lambda self, name: _is_live(held, name) or has(self, name))


def _is_live(held: dict[str, bytes], name: str) -> bool:
    """Return whether this unit still holds the record in RAM: a unit that is off holds nothing."""
    if name not in held:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        held.clear()
    return name in held


def _password_later(plant: Plant) -> None:
    _stored_later(plant, "credential")


def _home_later(plant: Plant) -> None:
    _stored_later(plant, "home")


def _password_stays(plant: Plant) -> None:
    """The saved password goes to every broker that is saved after it."""
    changed = home.changed

    def keep(saved: Any, wanted: Any) -> Any:
        found = changed(saved, wanted)
        return found if saved is None else home.altered(found, password=saved.password)

    plant.put(home, "changed", keep)


def _reset_leaves_password(plant: Plant) -> None:
    """A factory reset leaves the bytes of the broker's password in unused flash."""
    finish = reset.finish

    def leaves(flash: Any, layout: Any, device: Store, *rest: Any) -> Any:
        region = flash.read(layout.user_offset, layout.user_bytes)
        kept = [password.encode() for password in PASSWORDS if password.encode() in region]
        yield from finish(flash, layout, device, *rest)
        for password in kept:
            flash.corrupt(layout.slot_offsets[1] + layout.slot_bytes - flash.sector_bytes, password)

    _finish(plant, leaves)


def _only_answered(plant: Plant) -> None:
    async def answer(self: Facade, old: str, new: str, is_normalised: bool = False) -> None:
        await self.login(old)

    plant.put(Facade, "change_password", answer)


def _any_password(plant: Plant) -> None:
    """The comparison of the password always succeeds."""
    from device.crypto import backend

    equal = backend.equal
    plant.put(
        backend, "equal", lambda one, other: True if len(one) == onboarding.HASH_BYTES else equal(one, other)
    )


# --- factory reset ----------------------------------------------------------------------------------------------
def _finish(plant: Plant, change: Any) -> None:
    plant.put(reset, "finish", change)


def _reset_unmarked_first(plant: Plant) -> None:
    finish = reset.finish

    def early(flash: Any, layout: Any, device: Store, *rest: Any) -> Any:
        device.delete("owned")
        yield from finish(flash, layout, device, *rest)

    _finish(plant, early)


def _reset_unmarked_in_second(plant: Plant) -> None:
    """A reset that goes on after a cut takes the mark away first."""
    finish = reset.finish

    def early(flash: Any, layout: Any, device: Store, *rest: Any) -> Any:
        first = flash.read(layout.user_offset, flash.sector_bytes)
        if first == b"\xff" * flash.sector_bytes:
            device.delete("owned")
        yield from finish(flash, layout, device, *rest)

    _finish(plant, early)


def _reset_erases_nothing(plant: Plant) -> None:
    def formats(flash: Any, layout: Any, device: Store, format_user: Any, has_button: bool) -> Any:
        yield
        format_user()
        device.write_map("press", {1: True})
        device.delete("owned")

    _finish(plant, formats)


def _reset_keeps_mark(plant: Plant) -> None:
    """The mark of the reset is not stored: it lives in RAM only."""
    begin = reset.begin
    asked: list[Store] = []

    def remember(device: Store) -> None:
        asked.append(device)
        begin(device)
        device.write_map("owned", {lifecycle.OWNED: True, counters.COUNTED: True})
        device.delete("owned")

    plant.put(reset, "begin", remember)


# --- provisioning -----------------------------------------------------------------------------------------------
def _after_lock(plant: Plant, record: str) -> None:
    """The record reaches flash only after the lock."""
    write, lock = Store.write, _Factory.lock
    read, has = Store.read, Store.has
    held: dict[str, tuple[Store, bytes]] = {}

    def hold(self: Store, name: str, data: bytes) -> None:
        if name == record and not is_locking:
            held[name] = (self, data)
        else:
            write(self, name, data)

    is_locking: list[bool] = []

    def late(self: _Factory) -> None:
        lock(self)
        is_locking.append(True)
        for name, (store, data) in list(held.items()):
            write(store, name, data)
        is_locking.clear()
        held.clear()

    plant.put(Store, "write", hold)
    plant.put(_Factory, "lock", late)
    plant.put(Store, "read", lambda self, name: held[name][1] if _is_held(held, name) else read(self, name))
    plant.put(Store, "has", lambda self, name: _is_held(held, name) or has(self, name))


def _is_held(held: dict[str, tuple[Store, bytes]], name: str) -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        held.clear()
    return name in held


def _lock_before_seal(plant: Plant) -> None:
    """The port locks when the station asks for the seal."""
    complete = Operations._complete

    def early(self: Any, arguments: Any) -> Any:
        self._services.lock()
        return complete(self, arguments)

    plant.put(Operations, "_complete", early)


def _owner_is_forgotten(plant: Plant) -> None:
    """A unit without a credential is in factory default, even if it had an owner."""
    derive = lifecycle.derive
    plant.put(
        lifecycle, "derive", lambda facts: derive(facts._replace(is_owned=False, credential=_absent(facts)))
    )


def _absent(facts: Any) -> str:
    return lifecycle.ABSENT if facts.credential == lifecycle.DAMAGED else str(facts.credential)


OWNER: Final = [
    Bug("owned-before-credential", "the owner's mark is written before the credential", "set-up", _owned_first),
    Bug("set-up-stored-later", "set-up answers before the credential is stored", "set-up", _password_later),
    Bug("password-stored-later", "a change of password answers before it is stored", "password-change",
        _password_later),
    Bug("home-stored-later", "a choice of a broker is answered before it is stored", "home-link", _home_later),
    Bug("home-password-stays", "a changed broker gets the password of the one before", "home-link", _password_stays),
    Bug("home-outlives-reset", "the broker's password is still in flash after a factory reset", "home-reset",
        _reset_leaves_password),
    Bug("password-only-answered", "a change of password stores nothing", "password-change", _only_answered),
    Bug("any-password", "every password signs in", "set-up", _any_password),
    Bug("reset-unmarked-first", "a factory reset takes its mark away first", "factory-reset",
        _reset_unmarked_first),
    Bug("reset-second-unmarked", "a reset that goes on takes its mark away first", "factory-reset",
        _reset_unmarked_in_second, SECOND),
    Bug("reset-erases-nothing", "a factory reset formats and erases nothing", "factory-reset",
        _reset_erases_nothing),
    Bug("reset-not-marked", "a factory reset is not marked", "factory-reset", _reset_keeps_mark),
    Bug("number-after-lock", "the first OSCORE number is stored after the lock", "provision",
        lambda plant: _after_lock(plant, "oscore.seq")),
    Bug("hash-after-lock", "the record hash is stored after the lock", "provision",
        lambda plant: _after_lock(plant, "sealed")),
    Bug("seal-after-lock", "the lock is written before the seal", "provision", _lock_before_seal),
    Bug("owner-forgotten", "a lost credential gives factory default", "sectors", _owner_is_forgotten, SECTORS),
]  # fmt: skip
