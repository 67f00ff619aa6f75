"""Power cuts at every flash operation of record writes and deletes leave the old or the new record (docs/design.md)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from device.errors import RecordDamagedError
from device.layout import MPS2
from device.records.store import DEVICE, Store
from simulator.ports.flash import CUTS, PowerCut, SimFlash
from simulator.ports.records import device_records
from simulator.powercut.engine import cuts

SIZES = [0, 1, 31, 32, 500, 4000]


def mounted(flash: SimFlash) -> Store:
    records = device_records(flash)
    records.mount()
    return Store(records, DEVICE)


def prepared(content: dict[str, bytes]) -> SimFlash:
    flash = SimFlash()
    device_records(flash).format()
    store = mounted(flash)
    for name, data in content.items():
        store.write(name, data)
    return flash


def cut_everywhere(
    flash: SimFlash, action: Callable[[Store], None], check: Callable[[Store, str], None]
) -> int:
    """Cut `action` at each operation in each way and check the next start; return the number of cuts."""
    total = 0
    for case, after in cuts(flash.snapshot(), MPS2, lambda flash: action(mounted(flash)), tears=5):
        check(mounted(after), str(case))
        total += 1
    return total


@pytest.mark.parametrize("old_size", SIZES)
@pytest.mark.parametrize("new_size", SIZES)
def test_a_write_gives_the_old_record_or_the_new_one(old_size: int, new_size: int) -> None:
    old, new = b"o" * old_size, b"n" * new_size
    seen = set()

    def check(store: Store, place: str) -> None:
        data = store.read("servers")
        assert data in (old, new), place
        seen.add(data)
        assert store.read("identity") == b"neighbour", place
        store.write("servers", b"again")
        assert store.read("servers") == b"again", place

    flash = prepared({"identity": b"neighbour", "servers": old})
    cut_everywhere(flash, lambda store: store.write("servers", new), check)
    assert seen == {old, new}


def test_a_first_write_gives_nothing_or_the_whole_record() -> None:
    def check(store: Store, place: str) -> None:
        assert store.read("servers") in (None, b"n" * 700), place

    cut_everywhere(prepared({}), lambda store: store.write("servers", b"n" * 700), check)


def test_a_delete_gives_the_record_or_nothing() -> None:
    def check(store: Store, place: str) -> None:
        assert store.read("servers") in (None, b"o" * 700), place

    cut_everywhere(prepared({"servers": b"o" * 700}), lambda store: store.delete("servers"), check)


def test_power_may_go_again_and_again_at_the_same_place() -> None:
    flash = prepared({"servers": b"o" * 700})
    for round_number in range(60):
        flash.cut_at(1 + round_number % 6, CUTS[round_number % 3])
        with pytest.raises(PowerCut):
            store = mounted(flash)
            for _ in range(6):
                store.write("servers", b"%d" % round_number * 300)
        flash.power_on()
        data = mounted(flash).read("servers")
        assert data is not None
    mounted(flash).write("servers", b"done")
    assert mounted(flash).read("servers") == b"done"


def test_the_check_itself_sees_a_store_that_writes_in_place() -> None:
    """The campaign can fail: it finds a store that writes without a rename."""

    def in_place(store: Store) -> None:
        records = store._records
        records.delete("servers")
        records.write("servers", b"n" * 700)

    def check(store: Store, place: str) -> None:
        try:
            assert store.read("servers") is not None, place
        except RecordDamagedError:
            raise AssertionError(place) from None

    with pytest.raises(AssertionError):
        cut_everywhere(prepared({"servers": b"o" * 700}), in_place, check)
