"""Power cuts before, inside and after every flash operation of set-up and sign-in (PW-04, PW-14).

Afterwards the unit is in factory default with a working code, or set up with the chosen password. It is never open and
never without its identity, and it never has fewer failures than were made.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from device.codec import cbor
from device.errors import CredentialError, LifecycleError, SetupCodeError, StorageError
from device.layout import MPS2
from device.owner import lifecycle, setup_code
from device.owner.onboarding import Owner
from device.records import identity
from device.records.store import DEVICE, USER, Store
from simulator.ports.clock import SimClock, SimEntropy
from simulator.ports.flash import SimFlash, Snapshot
from simulator.ports.records import device_records, user_records
from simulator.powercut.engine import cuts

_SYMBOLS = "ABCDEFGHJKLMNPQRSTUV"
CODE = _SYMBOLS + setup_code.check_character(_SYMBOLS)
PASSWORD = "kettle on the hob at six"
OTHER = "orange bicycle under the bridge"
IDENTITY = identity.Identity(bytes(range(16)), "FB-1", "Lamp One", "Firstboot", "2026-11", "Example Ltd")
SALT = b"s" * 16


class Unit:
    """A locked unit on simulated flash; `start` does what a restart does."""

    def __init__(self, flash: SimFlash) -> None:
        self.flash = flash
        device, user = device_records(flash), user_records(flash)
        device.mount()
        user.mount()
        self.device, self.user = Store(device, DEVICE), Store(user, USER)
        self.clock = SimClock()
        self.owner = Owner(self.device, self.user, self.clock, SimEntropy(), 1000)
        self.owner.repair()

    def state(self) -> str:
        return lifecycle.derive(lifecycle.gather(True, self.device, self.user))

    def run(self, flow: Generator[None, None, None]) -> None:
        for _ in flow:
            pass

    def set_up(self, code: str = CODE, password: str = PASSWORD) -> None:
        self.run(self.owner.set_up(code, password))

    def sign_in(self, password: str) -> None:
        self.clock.advance_ms(self.owner.throttle.wait_s() * 1000)
        self.run(self.owner.sign_in(password))

    def refuses(self, password: str) -> bool:
        with pytest.raises(CredentialError):
            self.sign_in(password)
        return True


def fresh() -> SimFlash:
    flash = SimFlash()
    for records in (device_records(flash), user_records(flash)):
        records.format()
    device = device_records(flash)
    device.mount()
    store = Store(device, DEVICE)
    store.write("identity", identity.encode(IDENTITY))
    store.write("setup", cbor.encode({1: SALT, 2: setup_code.verifier(CODE, SALT)}))
    return flash


@pytest.fixture(scope="module")
def factory_default() -> Snapshot:
    return fresh().snapshot()


@pytest.fixture(scope="module")
def owned() -> Snapshot:
    flash = fresh()
    Unit(flash).set_up()
    return flash.snapshot()


def campaign(start: Snapshot, action: Callable[[Unit], object]) -> Iterator[tuple[str, Unit]]:
    """Cut `action` at each of its operations in each way; yield the case and the unit after the next start."""
    for case, after in cuts(start, MPS2, lambda flash: action(Unit(flash))):
        yield str(case), Unit(after)


def test_set_up_leaves_the_code_alive_or_the_password_set(factory_default: Snapshot) -> None:
    seen = set()
    for place, unit in campaign(factory_default, lambda unit: unit.set_up()):
        state = unit.state()
        seen.add(state)
        assert identity.decode(unit.device.require("identity")) == IDENTITY, place
        if state == lifecycle.FACTORY_DEFAULT:
            with pytest.raises(LifecycleError):
                unit.sign_in(PASSWORD)
            unit.set_up()
        assert unit.state() == lifecycle.INITIALISED, place
        unit.sign_in(PASSWORD)
        assert unit.refuses(OTHER) and unit.refuses(CODE), place
        with pytest.raises(LifecycleError):
            unit.set_up()
        assert unit.device.has("owned"), place
    assert seen == {lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED}


def test_the_repair_of_the_mark_may_be_cut_too(owned: Snapshot) -> None:
    flash = SimFlash()
    flash.restore(owned)
    Unit(flash).device.delete("owned")
    places = 0
    for place, unit in campaign(flash.snapshot(), lambda unit: None):  # the repair is part of the start
        places += 1
        assert unit.state() == lifecycle.INITIALISED, place
        assert unit.device.has("owned"), place
        unit.sign_in(PASSWORD)
    assert places >= 3 * 3  # at least three operations


def test_a_second_set_up_after_a_cut_takes_the_second_password(factory_default: Snapshot) -> None:
    for place, unit in campaign(factory_default, lambda unit: unit.set_up()):
        if unit.state() == lifecycle.FACTORY_DEFAULT:
            unit.set_up(password=OTHER)
            unit.sign_in(OTHER)
            assert unit.refuses(PASSWORD), place


def test_a_wrong_code_opens_nothing_whenever_the_power_goes(factory_default: Snapshot) -> None:
    symbols = "B" + _SYMBOLS[1:]
    wrong = symbols + setup_code.check_character(symbols)

    def guess(unit: Unit) -> None:
        with pytest.raises(SetupCodeError):
            unit.set_up(code=wrong)

    for place, unit in campaign(factory_default, guess):
        assert unit.state() == lifecycle.FACTORY_DEFAULT, place
        unit.clock.advance_ms(unit.owner.throttle.wait_s() * 1000)
        unit.set_up()


def test_a_cut_during_sign_in_neither_opens_nor_locks_out(owned: Snapshot) -> None:
    for place, unit in campaign(owned, lambda unit: unit.sign_in(PASSWORD)):
        assert unit.state() == lifecycle.INITIALISED, place
        assert unit.owner.throttle.failures <= 1, place
        assert unit.refuses(OTHER), place
        unit.sign_in(PASSWORD)


def test_a_failure_that_was_looked_at_stays_counted(owned: Snapshot) -> None:
    """The answer to a guess comes after its count is durable, so no cut gives a free guess."""
    counted = []
    # The first yield of the flow comes after the count and before the comparison.
    for place, unit in campaign(owned, lambda unit: next(unit.owner.sign_in(OTHER))):
        assert unit.state() == lifecycle.INITIALISED, place
        counted.append(unit.owner.throttle.failures)
    assert set(counted) == {0, 1}
    assert counted[-1] == 1, "cut after the last operation: the flow has looked at nothing yet"


def test_a_damaged_credential_sector_never_opens_and_never_revives_the_code(owned: Snapshot) -> None:
    """Damage anywhere in the user region leaves the old password, or no access (PW-04)."""
    first = MPS2.user_offset // MPS2.sector_bytes
    sectors = [n for n in owned if first <= n < first + MPS2.user_bytes // MPS2.sector_bytes]
    assert sectors
    states = set()
    for number in sectors:
        for offset in range(number * MPS2.sector_bytes, (number + 1) * MPS2.sector_bytes, 16):
            flash = SimFlash()
            flash.restore(owned)
            flash.corrupt(offset, bytes(byte ^ 0x55 for byte in flash.read(offset, 16)))
            states.add(_state_of(flash))
    assert states <= {lifecycle.INITIALISED, lifecycle.FAILED}
    assert lifecycle.FAILED in states


def test_a_user_region_that_was_wiped_is_no_fresh_unit(owned: Snapshot) -> None:
    flash = SimFlash()
    flash.restore(owned)
    user = user_records(flash)
    user.erase_all()
    assert _state_of(flash) == lifecycle.FAILED
    user_records(flash).format()
    assert _state_of(flash) == lifecycle.FAILED


def _state_of(flash: SimFlash) -> str:
    device = device_records(flash)
    device.mount()
    user: Store | None
    try:
        records = user_records(flash)
        records.mount()
        user = Store(records, USER)
    except StorageError:
        user = None
    return lifecycle.derive(lifecycle.gather(True, Store(device, DEVICE), user))
