"""Power cuts at every flash operation of a change of password and of a factory reset (PW-03, PW-04, PW-12).

A change leaves the old password or the new one. The next start finishes a begun reset after any cut. The user region is
then that of a fresh unit, byte for byte, and nothing opens the unit before.
"""

from __future__ import annotations

import pytest

from device.errors import CredentialError, LifecycleError, PressError, StorageError
from device.layout import MPS2
from device.owner import lifecycle, reset
from device.records.store import DEVICE, USER, Store
from simulator.ports.flash import CUTS, PowerCut, SimFlash, Snapshot
from simulator.ports.records import device_records, user_records
from simulator.powercut.engine import cuts
from tests.powercut.test_onboarding import CODE, OTHER, PASSWORD, Unit, campaign, fresh

LAYOUT = MPS2._replace(user_bytes=0x8000)  # eight sectors: the same steps as with 256, in less time


@pytest.fixture(scope="module")
def factory_default() -> Snapshot:
    return fresh().snapshot()


@pytest.fixture(scope="module")
def owned() -> Snapshot:
    flash = fresh()
    Unit(flash).set_up()
    return flash.snapshot()


def opens(unit: Unit, password: str) -> bool:
    try:
        unit.sign_in(password)
    except CredentialError:
        return False
    return True


def test_pw_04_a_cut_change_of_password_leaves_the_old_one_or_the_new_one(owned: Snapshot) -> None:
    seen = set()
    for place, unit in campaign(owned, lambda unit: unit.run(unit.owner.change(PASSWORD, OTHER))):
        assert unit.state() == lifecycle.INITIALISED, place
        found = (opens(unit, PASSWORD), opens(unit, OTHER))
        seen.add(found)
        assert sum(found) == 1, place
        assert not opens(unit, CODE), place
    assert seen == {(True, False), (False, True)}


def small_unit() -> SimFlash:
    """Return a unit with an owner's records in a user region of eight sectors."""
    flash = fresh()
    user_records(flash, LAYOUT).format()
    device, user = device_records(flash, LAYOUT), user_records(flash, LAYOUT)
    device.mount()
    user.mount()
    Store(device, DEVICE).write_map("owned", {1: True})
    for name in ("credential", "events"):
        Store(user, USER).write(name, b"the owner's " * 8)
    return flash


def start(flash: SimFlash, is_asked: bool = False) -> Store:
    """Do what the agent does at a start before it mounts the user region; return the device's records."""
    device = device_records(flash, LAYOUT)
    device.mount()
    store = Store(device, DEVICE)
    if is_asked:
        reset.begin(store)
    if lifecycle.gather(True, store, None).is_resetting:
        for _ in reset.finish(flash, LAYOUT, store, user_records(flash, LAYOUT).format, True):
            pass
    return store


def user_region(flash: SimFlash) -> bytes:
    return flash.read(LAYOUT.user_offset, LAYOUT.user_bytes)


def state_of(flash: SimFlash, device: Store) -> str:
    records = user_records(flash, LAYOUT)
    try:
        records.mount()
    except StorageError:
        return lifecycle.derive(lifecycle.gather(True, device, None))
    return lifecycle.derive(lifecycle.gather(True, device, Store(records, USER)))


def test_pw_03_a_reset_that_is_cut_anywhere_is_finished_by_the_next_starts() -> None:
    owned = small_unit()
    begin = owned.snapshot()
    virgin = SimFlash()
    user_records(virgin, LAYOUT).format()  # as the station leaves it
    fresh_region = user_region(virgin)
    start(owned, is_asked=True)
    assert user_region(owned) == fresh_region
    seen = set()
    places = 0
    for case, flash in cuts(begin, LAYOUT, lambda flash: start(flash, is_asked=True)):
        places += 1
        seen.add(_check_after_a_cut(flash, fresh_region, str(case)))
    assert places > len(CUTS) * LAYOUT.user_bytes // LAYOUT.sector_bytes
    assert seen == {True, False}, "one kind of cut was never seen"


def _check_after_a_cut(flash: SimFlash, fresh_region: bytes, place: str) -> bool:
    """Check the unit, and return whether the reset counts as begun."""
    device = device_records(flash, LAYOUT)
    device.mount()
    facts = lifecycle.gather(True, Store(device, DEVICE), None)
    if facts.is_resetting:  # the mark is stored: the unit is closed until the next start finishes the reset
        assert state_of(flash, Store(device, DEVICE)) == lifecycle.FAILED, place
        store = start(flash)
        assert state_of(flash, store) == lifecycle.FACTORY_DEFAULT, place
        assert store.has("press") and user_region(flash) == fresh_region, place
        return True
    if facts.is_owned:  # the mark was never complete: nothing has changed
        store = start(flash)
        assert state_of(flash, store) == lifecycle.INITIALISED, place
        return False
    store = start(flash)  # cut after the last step
    assert state_of(flash, store) == lifecycle.FACTORY_DEFAULT, place
    assert store.has("press") and user_region(flash) == fresh_region, place
    return True


def test_a_reset_that_is_cut_again_and_again_comes_to_its_end() -> None:
    flash = small_unit()
    flash.cut_at(9, "torn")
    with pytest.raises(PowerCut):
        start(flash, is_asked=True)
    for operation in range(1, 60):
        flash.power_on()
        flash.cut_at(operation, CUTS[operation % len(CUTS)])
        try:
            store = start(flash)
        except PowerCut:
            continue
        flash.power_on()
        assert state_of(flash, store) == lifecycle.FACTORY_DEFAULT
        return
    raise AssertionError("the reset never ended")


def test_pw_04_whatever_sector_rots_during_a_reset_the_old_password_is_gone(owned: Snapshot) -> None:
    """Damage after the mark leaves a closed unit or a fresh one, never one with the old owner."""
    for offset in range(MPS2.user_offset, MPS2.user_offset + 4 * MPS2.sector_bytes, 512):
        flash = SimFlash()
        flash.restore(owned)
        unit = Unit(flash)
        unit.run(unit.owner.reset(PASSWORD))
        flash.corrupt(offset, b"\x55" * 64)
        with pytest.raises((LifecycleError, PressError, StorageError)):
            Unit(flash).sign_in(PASSWORD)
