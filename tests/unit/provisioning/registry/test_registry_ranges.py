"""A batch's range of serial numbers: no number outside it is assigned, and a used-up range stays used up."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.registry import branches
from provisioning.registry.backup import backup, restore
from provisioning.registry.errors import NumbersUsedUpError, RegistryError
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import Places

RANGE = (10, 14)


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    is_sqlite = request.param == "sqlite"
    return Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))


def open_ranged(registry: Registry, number: str = "B1", limits: tuple[int, int] | None = RANGE) -> None:
    registry.open_batch(number, "M", bytes(32), is_development=False, serial_prefix="SN-", numbers=limits)


def serials(
    registry: Registry, hardware: range, batch: str = "B1", limits: tuple[int, int] | None = RANGE
) -> list[int]:
    made = [
        registry.reserve(
            number.to_bytes(16, "big"), batch, "SN-", f"code{number}", is_development=False, numbers=limits
        )
        for number in hardware
    ]
    return [int(unit.serial.removeprefix("SN-")) for unit in made]


def test_a_batch_gets_the_numbers_of_its_range_and_then_says_that_they_are_used_up(places: Places) -> None:
    registry = places.new()
    open_ranged(registry)
    assert serials(registry, range(5)) == [10, 11, 12, 13, 14]
    with pytest.raises(
        NumbersUsedUpError, match="B1 has no serial number left here of SN-000010 to SN-000014"
    ):
        serials(registry, range(5, 6))
    open_ranged(registry)  # a station that starts again gets no second range
    with pytest.raises(NumbersUsedUpError):
        serials(registry, range(6, 7))
    assert len(registry.units()) == 5
    registry.close()


def test_a_board_that_comes_again_keeps_its_number_when_the_range_is_used_up(places: Places) -> None:
    registry = places.new()
    open_ranged(registry, limits=(3, 3))
    assert serials(registry, range(1), limits=(3, 3)) == [3]
    again = registry.reserve(bytes(16), "B1", "SN-", "other", is_development=False, numbers=(3, 3))
    assert again.is_resumed and again.serial == "SN-000003"
    registry.close()


def test_other_batches_of_the_prefix_get_no_number_of_a_range(places: Places) -> None:
    registry = places.new()
    open_ranged(registry, "B0", None)
    assert serials(registry, range(2), "B0", None) == [1, 2]
    open_ranged(registry)
    assert serials(registry, range(2, 4), "B0", None) == [15, 16]
    assert serials(registry, range(4, 5)) == [10]
    registry.close()


@pytest.mark.parametrize("limits", [(1, 5), (14, 20), (10, 14)])
def test_a_range_with_numbers_that_were_taken_is_refused_and_opens_no_batch(
    places: Places, limits: tuple[int, int]
) -> None:
    registry = places.new()
    open_ranged(registry)
    with pytest.raises(RegistryError, match="first_number = 15"):
        open_ranged(registry, "B2", limits)
    assert [batch.number for batch in registry.batches()] == ["B1"]
    registry.close()


def test_branches_lease_their_share_of_the_range_and_nothing_is_given_out_twice(
    places: Places, tmp_path: Path
) -> None:
    main = places.new()
    open_ranged(main)
    lines = [branches.join(main, tmp_path / name / "registry.db", name) for name in ("line1", "line2")]
    assert branches.lease(main, lines[0], "SN-", 2, "B1") == (10, 11)  # the row itself
    assert serials(main, range(1)) == [12]
    assert branches.lease(main, lines[1], "SN-", 1, "B1") == (13, 13)  # out of the middle
    assert serials(lines[0], range(1, 3)) == [10, 11]
    assert serials(lines[1], range(3, 4)) == [13]
    assert serials(main, range(4, 5)) == [14]
    with pytest.raises(RegistryError, match="has 0 serial numbers left here, not 1"):
        branches.lease(main, lines[0], "SN-", 1, "B1")
    for registry in (main, *lines):
        with pytest.raises(NumbersUsedUpError):
            serials(registry, range(9, 10))
        registry.close()


def test_a_branch_uses_no_other_lease_for_a_batch_with_a_range(places: Places, tmp_path: Path) -> None:
    main = places.new()
    open_ranged(main)
    line = branches.join(main, tmp_path / "line" / "registry.db", "line")
    branches.lease(main, line, "SN-", 5)  # for any batch of the prefix, but not for one with a range
    open_ranged(line)
    with pytest.raises(NumbersUsedUpError, match="lease --batch B1"):
        serials(line, range(1))
    for registry in (main, line):
        registry.close()


def test_a_lease_of_more_than_is_left_or_of_another_prefix_is_refused_and_takes_nothing(
    places: Places, tmp_path: Path
) -> None:
    main = places.new()
    open_ranged(main)
    line = branches.join(main, tmp_path / "line" / "registry.db", "line")
    with pytest.raises(RegistryError, match="has 5 serial numbers left here, not 6"):
        branches.lease(main, line, "SN-", 6, "B1")
    with pytest.raises(RegistryError, match="has the prefix SN-, not XX-"):
        branches.lease(main, line, "XX-", 1, "B1")
    assert serials(main, range(5)) == [10, 11, 12, 13, 14]
    for registry in (main, line):
        registry.close()


def test_a_restored_registry_gives_out_no_number_of_a_range_twice(tmp_path: Path) -> None:
    registry = Registry.create(tmp_path / "registry.db", now=lambda: 1000)
    open_ranged(registry)
    serials(registry, range(1))
    backup(registry, tmp_path / "backup")
    assert serials(registry, range(1, 2)) == [11]  # which the backup does not have
    registry.close()
    restore(tmp_path / "backup", tmp_path / "again.db", by="E", skipped=2)
    registry = Registry(tmp_path / "again.db", now=lambda: 1000)
    assert serials(registry, range(2, 3)) == [13]
    registry.close()
