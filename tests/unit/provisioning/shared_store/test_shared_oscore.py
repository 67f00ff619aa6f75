"""Two CoAP server processes behind one database: no sender number twice, no request accepted twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiocoap import oscore

from provisioning import fair_time
from provisioning.servers.oscore_store import RESERVE_STEP, OscoreStore, OscoreStoreError, OscoreUnit
from provisioning.shared_store.database import SharedDatabase, SharedStoreError
from provisioning.shared_store.oscore_state import SharedNumbers
from provisioning.shared_store.replay_window import Window

UNIT = OscoreUnit(b"d" * 16, b"s" * 16, b"t" * 8)


class Site:
    """A database, and processes that use it: each opens it by itself and has a credential store of its own."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.databases = [SharedDatabase.create(address)]

    def process(self, clock_s: float = 0.0) -> SharedNumbers:
        database = SharedDatabase(self.address)
        self.databases.append(database)
        store = OscoreStore(self.folder / f"oscore{len(self.databases)}", lambda: clock_s)
        return SharedNumbers(database, store)


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    address = str(tmp_path / "servers.db")
    if request.param == "postgresql":
        address = request.getfixturevalue("postgres_cluster").new_database()
    found = Site(tmp_path, address)
    yield found
    for database in found.databases:
        database.close()


def test_no_two_processes_get_one_sender_number(site: Site) -> None:
    processes = [site.process() for _ in range(3)]
    ranges: list[range] = []

    def use(numbers: SharedNumbers) -> None:
        for _ in range(10):
            ranges.append(numbers.reserve(UNIT))

    threads = [threading.Thread(target=use, args=(one,)) for one in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = [number for one in ranges for number in one]
    assert len(used) == len(set(used)) == 30 * RESERVE_STEP


def test_numbers_begin_above_the_clock_of_every_process(site: Site) -> None:
    late = site.process(clock_s=2_000_000_000.0)
    high = late.reserve(UNIT)
    assert high.start >= 256 * (2_000_000_000 - 1_735_689_600)
    assert site.process().reserve(UNIT).start == high.stop


def test_a_request_is_accepted_by_one_process_only(site: Site) -> None:
    first, second = (site.process().window(UNIT) for _ in range(2))
    first.initialize_from_freshlyseen(10)
    second.initialize_from_freshlyseen(11)
    first.strike_out(12)
    for number in (9, 10, 11, 12):
        for window in (first, second):
            with pytest.raises(oscore.ReplayError):
                window.strike_out(number)
    second.strike_out(14)
    first.strike_out(13)  # late, and new


def test_of_many_processes_that_receive_one_request_one_accepts_it(site: Site) -> None:
    windows = [site.process().window(UNIT) for _ in range(4)]
    for number, window in enumerate(windows):
        window.initialize_from_freshlyseen(number)
    accepted: list[int] = []
    barrier = threading.Barrier(len(windows))

    def receive(window) -> None:
        for number in range(10, 30):
            barrier.wait(fair_time.stretched(600))
            try:
                window.strike_out(number)
            except oscore.ReplayError:
                continue
            accepted.append(number)

    threads = [threading.Thread(target=receive, args=(one,)) for one in windows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == list(range(10, 30))


def test_the_answer_to_a_challenge_is_not_accepted_if_another_process_accepted_it(site: Site) -> None:
    first, second = (site.process().window(UNIT) for _ in range(2))
    first.initialize_from_freshlyseen(5)
    first.strike_out(6)
    with pytest.raises(oscore.ReplayError):
        second.initialize_from_freshlyseen(6)
    assert not second.is_initialized()


def test_a_process_that_starts_challenges_first(site: Site) -> None:
    window = site.process().window(UNIT)
    assert not window.is_initialized()
    with pytest.raises(oscore.ReplayError):
        window.strike_out(1)


def test_what_a_killed_process_accepted_stays_accepted(site: Site) -> None:
    killed = site.process().window(UNIT)
    killed.initialize_from_freshlyseen(5)
    killed.strike_out(9)
    after = site.process().window(UNIT)
    with pytest.raises(oscore.ReplayError):
        after.initialize_from_freshlyseen(9)
    after.initialize_from_freshlyseen(10)


def test_a_database_that_went_back_is_noticed_and_the_unit_challenged(site: Site) -> None:
    numbers = site.process()
    window = numbers.window(UNIT)
    window.initialize_from_freshlyseen(5)
    backup = numbers.read(UNIT)
    window.strike_out(6)
    window.strike_out(40)
    now = numbers.read(UNIT)
    assert backup is not None and now is not None and numbers.exchange(UNIT, now, backup)
    with pytest.raises(oscore.ReplayError):
        window.strike_out(41)
    assert not window.is_initialized()
    window.initialize_from_freshlyseen(42)
    assert numbers.read(UNIT) == Window(42, 1)


def test_a_new_secret_begins_a_new_window_and_new_numbers(site: Site) -> None:
    numbers = site.process()
    numbers.window(UNIT).initialize_from_freshlyseen(1000)
    renewed = OscoreUnit(UNIT.device_id, b"r" * 16, UNIT.salt)
    assert numbers.read(renewed) is None
    numbers.window(renewed).initialize_from_freshlyseen(0)
    assert numbers.read(UNIT) == Window(1000, 1)


def test_no_secret_is_in_the_database(tmp_path: Path) -> None:
    address = tmp_path / "servers.db"
    database = SharedDatabase.create(str(address))
    SharedNumbers(database, OscoreStore(tmp_path / "oscore")).reserve(UNIT)
    database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("servers.db*"))
    assert UNIT.sender_id in stored
    assert UNIT.secret not in stored


def test_a_database_is_created_once_and_never_by_a_mistyped_name(site: Site, tmp_path: Path) -> None:
    with pytest.raises(SharedStoreError, match="already"):
        SharedDatabase.create(site.address)
    with pytest.raises(SharedStoreError, match="init-database"):
        SharedDatabase(str(tmp_path / "mistyped.db"))
    with pytest.raises(SharedStoreError, match="password"):
        SharedDatabase("postgresql://a:canary@localhost/x")


def test_a_database_server_that_does_not_answer_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(SharedStoreError, match="server database postgresql:"):
        SharedDatabase(f"postgresql://a@/x?host={tmp_path}")


def test_a_credential_store_of_one_database_is_refused_by_another_and_by_a_server_that_is_alone(
    tmp_path: Path,
) -> None:
    store = OscoreStore(tmp_path)
    store.claim("")
    store.claim("aa")
    store.claim("aa")
    for owner in ("", "bb"):
        with pytest.raises(OscoreStoreError, match="belongs to the server database aa"):
            OscoreStore(tmp_path).claim(owner)
