"""Disk full, database lost, board pulled or swapped, noise, clocks: a clear message and the right end state.

The right end state is always the same: no identity is lost or doubled, no unproved unit counts as provisioned, no unit
is marked as failed because of the station's fault, and after the fault the same boards pass.

A full disk in SQLite is its own SQLITE_FULL, by a limit of pages on the writing connection. In PostgreSQL it is an
error of the server's class 53100 (disk_full), raised by a trigger in the server, so it is handled like a real one.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from device.errors import LinkError
from device.records import identity
from provisioning.registry import branches
from provisioning.registry.registry import Registry
from provisioning.station import labels, steps, steps_lock
from provisioning.station.advice import advice
from provisioning.station.link import HandlerStream
from provisioning.station.phases import Outcome
from provisioning.station.station import UnitFailedError, UnitRefusedError
from tests.postgres import Cluster, missing_reason
from tests.unit.provisioning.registry.registry_bench import reserve
from tests.unit.provisioning.station.station_bench import NOW, Bench, MemoryUnit, failure

DAY_S, YEAR_S = 86400, 365 * 86400
OPEN = [phase.name for phase in (*steps.FIRST_PHASES, *steps.OPEN_PHASES)]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Labels are plain text: other tests draw them, and here there are many."""

    def write(label: labels.Label, path: Path) -> bytes:
        path.parent.mkdir(exist_ok=True)
        path.write_text(label.qr_text)
        return b""

    monkeypatch.setattr(labels, "print_label", write)
    monkeypatch.setattr(labels, "read_back", lambda label, path: "plain")
    made = Bench(tmp_path)
    yield made
    made.registry.close()


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A PostgreSQL server that the test may stop."""
    if reason := missing_reason():
        pytest.skip(reason)
    with Cluster() as cluster:
        yield cluster


def on_server(bench: Bench, server: Cluster) -> None:
    bench.registry.close()
    bench.registry = Registry.create(server.new_database(), files=bench.directory / "pg", now=lambda: NOW)


def after(phase: str, action: Callable[[], object]) -> Callable[[str, object], None]:
    """Return a progress function that acts directly after a phase."""
    return lambda name, result: action() if name == phase and result is not None else None  # type: ignore[func-returns-value]


def before(phase: str, action: Callable[[], object]) -> Callable[[str, object], None]:
    return lambda name, result: action() if name == phase and result is None else None  # type: ignore[func-returns-value]


def goes_through(bench: Bench, unit: MemoryUnit) -> None:
    """Check that the unit is provisioned, with the one identity that the registry has."""
    try:
        bench.station().provision(unit.stream())
    except UnitRefusedError:
        pass
    known = bench.registry.find(hardware_id=unit.hardware_id)
    assert known is not None and known.status == "passed" and unit.is_locked()
    held = identity.decode(unit.store.require("identity"))
    assert (held.device_id, held.serial) == (known.device_id, known.serial)
    assert bench.registry.codes_generated(known.id)[1] == 1


def in_order(bench: Bench, units: int) -> None:
    known = bench.registry.units()
    assert len({unit.serial for unit in known}) == len({unit.device_id for unit in known}) == units
    assert {unit.status for unit in known} == {"passed"} and bench.registry.verify_chain() == units


# A full disk ------------------------------------------------------------------------------------------------


def test_a_full_disk_under_sqlite_is_named_and_harmless(bench: Bench) -> None:
    """The file may not grow: a run ends at the first commit that needs a page, which differs from run to run."""
    seen: set[str] = set()
    for made in range(1, 60):
        station, unit = bench.station(), MemoryUnit()
        connection = bench.registry.writer._link.connection()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        try:
            station.provision(unit.stream())
        except UnitFailedError as caught:
            assert caught.result is not None and caught.outcome is Outcome.ERROR
            assert "database or disk is full" in str(caught) and "disk" in advice(caught.result)
            assert unit.is_locked() == (caught.result.name == "record")
            seen.add(caught.result.name)
        bench.registry.writer._link.drop()  # the next connection has the disk's own size again
        goes_through(bench, unit)
        in_order(bench, made)
        if seen >= {"lock", "record"}:
            return
    raise AssertionError(f"the disk was full in {sorted(seen)} only")


@pytest.mark.parametrize("table", ["code_fingerprint", "sealed_secret", "production_record", "phase_entry"])
def test_a_full_disk_under_postgresql_is_named_and_harmless(
    table: str, bench: Bench, postgres_cluster: Cluster
) -> None:
    on_server(bench, postgres_cluster)
    bench.station().provision(MemoryUnit().stream())
    station, unit = bench.station(), MemoryUnit()
    words = 'could not extend file "base/5/16": No space left on device'
    with bench.registry.writing() as session:
        session.execute(
            text(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '53100'; END $$"
            )
        )
        session.execute(
            text(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()")
        )
    caught = failure(lambda: station.provision(unit.stream()))
    assert caught.outcome is Outcome.ERROR and "No space left on device" in str(caught)
    with bench.registry.writing() as session:
        session.execute(text(f"DROP TRIGGER full_disk ON {table}"))
    goes_through(bench, unit)
    in_order(bench, 2)


def test_a_full_disk_under_the_labels_is_named_and_the_unit_stays_open(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "labels/FB1-000001.png")

    unit = MemoryUnit()
    with monkeypatch.context() as patch:
        patch.setattr(labels, "print_label", full)
        caught = failure(lambda: bench.station().provision(unit.stream()))
    assert str(caught) == "label: ERROR: No space left on device" and not unit.is_locked()
    goes_through(bench, unit)
    in_order(bench, 1)


# A lost database --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["identify", "verify", "prove"])
def test_a_server_that_stops_in_a_run_is_named_and_the_run_repeated(
    phase: str, bench: Bench, server: Cluster
) -> None:
    on_server(bench, server)
    station, unit = bench.station(), MemoryUnit()
    caught = failure(lambda: station.provision(unit.stream(), after(phase, lambda: server.stop("immediate"))))
    assert caught.outcome is Outcome.ERROR and "database failed" in str(caught)
    assert unit.is_locked() == (phase == "prove")
    server.start()
    goes_through(bench, unit)  # the same registry object: connections that ended are replaced
    in_order(bench, 1)


@pytest.mark.parametrize("phase", ["identify", "verify", "prove"])
def test_a_file_that_vanishes_in_a_run_is_named_and_nothing_is_written_elsewhere(
    phase: str, bench: Bench
) -> None:
    station, unit = bench.station(), MemoryUnit()
    path, away = bench.directory / "registry.db", bench.directory / "away.db"
    caught = failure(lambda: station.provision(unit.stream(), after(phase, lambda: path.rename(away))))
    assert caught.outcome is Outcome.ERROR and "registry.db is gone: restore the registry" in str(caught)
    assert not path.exists()  # no empty registry was created in its place
    away.rename(path)
    bench.registry.close()
    bench.registry = Registry(path, now=lambda: NOW)
    goes_through(bench, unit)
    in_order(bench, 1)


# Boards that are pulled or swapped ---------------------------------------------------------------------------


class Contacts:
    """A port whose contacts may open, or lead to another board, at any request."""

    def __init__(self, unit: MemoryUnit, at: int, then: MemoryUnit | None) -> None:
        self.count = 0
        self._unit: MemoryUnit | None = unit
        self._at, self._then = at, then
        self._inner = HandlerStream(self._handle)

    def _handle(self, request: bytes) -> bytes:
        self.count += 1
        if self.count == self._at:
            self._unit = self._then
        if self._unit is None:
            raise LinkError(reason="device gone")
        return self._unit.handle(request)

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def read(self, timeout_s: float) -> bytes:
        return self._inner.read(timeout_s)


@pytest.mark.parametrize("phase", OPEN)
def test_a_board_that_is_pulled_in_any_phase_is_not_blamed_and_goes_through_later(
    phase: str, bench: Bench
) -> None:
    unit, is_pulled = MemoryUnit(), [False]

    def handle(request: bytes) -> bytes:
        if is_pulled[0]:
            raise LinkError(reason="device gone")
        return unit.handle(request)

    try:
        bench.station().provision(
            HandlerStream(handle), before(phase, lambda: is_pulled.__setitem__(0, True))
        )
    except UnitFailedError as caught:
        assert caught.outcome is Outcome.ERROR and "device gone" in str(caught)
    else:
        assert phase in ("reserve", "label", "record")  # they do not need the board
    is_pulled[0] = False
    goes_through(bench, unit)
    in_order(bench, 1)


def requests_of_a_run(bench: Bench) -> int:
    line = Contacts(MemoryUnit(), 0, None)
    bench.station().provision(line)
    return line.count


def test_boards_that_are_swapped_at_any_request_keep_their_own_identities(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_lock, "RESTART_S", 0.02)
    many, made = requests_of_a_run(bench), 1
    assert many > 20
    for at in range(1, many + 1):
        first, second = MemoryUnit(), MemoryUnit()
        try:
            bench.station().provision(Contacts(first, at, second))
        except UnitFailedError as caught:
            assert caught.outcome is not Outcome.FAIL, (at, str(caught))  # neither board is blamed
        for unit in (first, second):
            goes_through(bench, unit)
            made += bench.registry.find(hardware_id=unit.hardware_id) is not None
        in_order(bench, made)


# Noise ------------------------------------------------------------------------------------------------------


class Noisy(HandlerStream):
    """Random bytes between the answers, and some damaged answers."""

    def __init__(self, unit: MemoryUnit, seed: int, share: float) -> None:
        super().__init__(unit.handle)
        self._source, self._share = random.Random(seed), share

    def read(self, timeout_s: float) -> bytes:
        data = bytearray(super().read(timeout_s))
        if data and self._source.random() < self._share:
            data[self._source.randrange(len(data))] ^= 0x41
        return self._source.randbytes(self._source.randrange(12)) + bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_line_costs_repeats_and_nothing_else(seed: int, bench: Bench) -> None:
    unit = MemoryUnit()
    station = bench.station(timeout_s=0.02, attempts=12)
    assert station.provision(Noisy(unit, seed, 0.25)).serial == "FB1-000001"
    goes_through(bench, unit)
    in_order(bench, 1)


def test_a_line_of_nothing_but_noise_is_a_timeout_and_reserves_nothing(bench: Bench) -> None:
    source = random.Random(1)

    class Noise:
        def write(self, data: bytes) -> None: ...
        def read(self, timeout_s: float) -> bytes:
            return source.randbytes(64)

    caught = failure(lambda: bench.station().provision(Noise()))
    assert caught.outcome is Outcome.TIMEOUT and "firmly in the fixture" in advice(caught.result)
    assert bench.registry.units() == []


# Clocks -----------------------------------------------------------------------------------------------------


def clocked(bench: Bench, clock: list[int]) -> Any:
    """Return a station and a registry that read `clock`."""
    bench.registry.now = lambda: clock[0]
    station = bench.station()
    station.now = lambda: clock[0]
    station.clock._now = station.now
    station.clock.begin()
    return station


JUMPS = {"a day forward": DAY_S, "a day back": -DAY_S, "a year forward": YEAR_S, "a year back": -YEAR_S}


@pytest.mark.parametrize("phase", ["identify", "verify"])
@pytest.mark.parametrize("jump_s", JUMPS.values(), ids=JUMPS)
def test_a_clock_that_jumps_in_a_shift_stops_it_before_identity_and_before_lock(
    jump_s: int, phase: str, bench: Bench
) -> None:
    clock, unit = [NOW], MemoryUnit()
    station = clocked(bench, clock)
    station.provision(MemoryUnit().stream())
    caught = failure(
        lambda: station.provision(unit.stream(), after(phase, lambda: clock.__setitem__(0, NOW + jump_s)))
    )
    assert caught.outcome is Outcome.ERROR and not unit.is_locked()
    assert f"clock jumped {'forward' if jump_s > 0 else 'back'}" in str(caught) and "clock" in advice(
        caught.result
    )
    certified = unit.store.read("device.crt")
    clock[0] = NOW
    result = station.provision(unit.stream())
    assert result.is_resumed == (phase == "verify")
    assert unit.store.require("device.crt") != certified  # certificates of that time are issued again
    in_order(bench, 2)
    assert all(abs(one.reserved_s - NOW) < DAY_S for one in bench.registry.units())


def test_the_next_shift_answers_for_its_clock(bench: Bench) -> None:
    clock = [NOW]
    station = clocked(bench, clock)
    clock[0] += DAY_S
    assert "jumped forward by 24 h" in str(failure(lambda: station.provision(MemoryUnit().stream())))
    station.clock.begin()
    station.provision(MemoryUnit().stream())


@pytest.mark.parametrize("behind_s", [DAY_S, YEAR_S])
def test_a_station_that_starts_with_a_clock_earlier_than_the_registry_reserves_nothing(
    behind_s: int, bench: Bench
) -> None:
    clocked(bench, [NOW]).provision(MemoryUnit().stream())
    late = clocked(bench, [NOW - behind_s])
    caught = failure(lambda: late.provision(MemoryUnit().stream()))
    assert caught.outcome is Outcome.ERROR and "unit FB1-000001 was reserved at" in str(caught)
    assert len(bench.registry.units()) == 1


def test_units_of_a_wrong_clock_that_are_reworked_do_not_stop_the_line(bench: Bench) -> None:
    clocked(bench, [NOW + YEAR_S]).provision(MemoryUnit().stream())
    right = clocked(bench, [NOW])
    failure(lambda: right.provision(MemoryUnit().stream()))
    bench.registry.retire("FB1-000001", by="E. Example", reason="made with a wrong clock")
    assert right.provision(MemoryUnit().stream()).serial == "FB1-000002"


def test_leased_numbers_are_given_out_once_whatever_the_clock_of_a_branch(
    bench: Bench, tmp_path: Path
) -> None:
    bench.registry.open_batch("B1", "M", bytes(32), is_development=False)
    with_clock = branches.join(bench.registry, tmp_path / "line1" / "registry.db", "line1")
    branches.lease(bench.registry, with_clock, "SN-", 3, "B1")
    serials = []
    for number, jump_s in enumerate((-YEAR_S, -DAY_S, YEAR_S)):  # forward: a clock that falls back is refused
        with_clock.now = lambda jump_s=jump_s: NOW + jump_s  # type: ignore[misc]
        serials.append(reserve(with_clock, number + 1, f"code{number}").serial)
    bench.registry.now = lambda: NOW
    serials.append(reserve(bench.registry, 9, "code9").serial)
    branches.sync(bench.registry, with_clock)
    with_clock.close()
    assert serials == ["SN-000001", "SN-000002", "SN-000003", "SN-000004"]
    assert {unit.serial for unit in bench.registry.units("B1")} == set(serials)
