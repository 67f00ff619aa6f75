"""Reports in a database that several servers share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.servers.errors import ReportError
from provisioning.servers.report_log import Mark
from provisioning.shared_store.database import SharedDatabase
from provisioning.shared_store.reports import SharedReports

UNIT = "ab" * 16
OTHER = "cd" * 16


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedDatabase]:
    address = str(tmp_path / "servers.db")
    if request.param == "postgresql":
        address = request.getfixturevalue("postgres_cluster").new_database()
    found = SharedDatabase.create(address)
    yield found
    found.close()


def reports(database: SharedDatabase, kept: int = 256) -> SharedReports:
    return SharedReports(database, kept=kept, now=lambda: 1_800_000_000)


def test_a_report_is_there_for_every_process_when_append_returns(database: SharedDatabase) -> None:
    reports(database).append(UNIT, "coap", b"\xa1")
    other = SharedDatabase(database.name)
    wanted = [{"time": 1_800_000_000, "device": UNIT, "source": "coap", "report": "a1"}]
    assert list(reports(other).entries()) == list(reports(other).latest(10)) == wanted
    other.close()


def test_the_latest_reports_come_oldest_first(database: SharedDatabase) -> None:
    log = reports(database)
    for number in range(5):
        log.append(UNIT, "mqtt", bytes([number]))
    assert [one["report"] for one in log.latest(2)] == ["03", "04"]


def test_a_mark_continues_where_it_was(database: SharedDatabase) -> None:
    log = reports(database)
    found, mark = log.entries_after(None)
    assert found == []
    log.append(UNIT, "mqtt", b"\x01")
    found, mark = log.entries_after(mark)
    assert [one["report"] for one in found] == ["01"]
    assert log.entries_after(mark) == ([], mark)
    log.append(OTHER, "coap", b"\x02")
    assert [one["report"] for one in log.entries_after(mark)[0]] == ["02"]
    assert len(log.entries_after(Mark(b"another log", 99))[0]) == 2


def test_a_unit_replaces_its_own_reports_only(database: SharedDatabase) -> None:
    log = reports(database, kept=3)
    log.append(OTHER, "coap", b"\xff")
    for number in range(10):
        log.append(UNIT, "coap", bytes([number]))
    assert [one["report"] for one in log.entries()] == ["ff", "07", "08", "09"]


def test_a_reader_misses_none_of_many_writers(database: SharedDatabase) -> None:
    writers = [threading.Thread(target=write, args=(reports(database), one)) for one in range(4)]
    for thread in writers:
        thread.start()
    log, mark, found = reports(database), None, []
    while any(thread.is_alive() for thread in writers):
        more, mark = log.entries_after(mark)
        found += more
    found += log.entries_after(mark)[0]
    assert sorted(one["report"] for one in found) == sorted(
        bytes([writer, number]).hex() for writer in range(4) for number in range(25)
    )


def write(log: SharedReports, writer: int) -> None:
    for number in range(25):
        log.append(f"{writer:032x}", "coap", bytes([writer, number]))


def test_a_database_that_is_gone_refuses_the_report(tmp_path: Path) -> None:
    database = SharedDatabase.create(str(tmp_path / "servers.db"))
    log = reports(database)
    database.close()
    for path in tmp_path.glob("servers.db*"):
        path.unlink()
    with pytest.raises(ReportError, match="a report cannot be kept"):
        log.append(UNIT, "coap", b"\x01")
