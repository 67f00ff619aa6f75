"""The writer: one commit for all waiting callers, no failure because of another one, no result before it is on disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from provisioning import fair_time
from provisioning.registry import write_link
from provisioning.registry import writer as writer_module
from provisioning.registry.errors import BatchError, RegistryError
from provisioning.registry.models import Setting
from provisioning.registry.registry import Registry
from provisioning.registry.writer import Operation, Query, Transaction
from tests import patience
from tests.patience import joined
from tests.unit.provisioning.registry.registry_bench import Places, open_batch, reserve

NEW = Query(insert(Setting.__table__).values(name="x", value=b"v").compile().statement)
ALL = Query(select(Setting.name).order_by(Setting.name))


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    is_sqlite = request.param == "sqlite"
    return Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))


@pytest.fixture
def registry(places: Places) -> Iterator[Registry]:
    registry = places.new()
    open_batch(registry)
    yield registry
    registry.close()


def note(name: str) -> Operation[str]:
    """Return an operation that writes one setting; the database refuses a second one of that name."""

    def work(transaction: Transaction) -> str:
        transaction.put(NEW, {"name": name, "value": b"v"})
        return name

    return work


def names(registry: Registry) -> set[str]:
    """Return the settings that another connection sees, without those that a registry writes itself."""
    with registry.reading() as session:
        return {name for (name,) in session.execute(text("SELECT name FROM setting")) if " " not in name}


def together(registry: Registry, operations: dict[str, Operation[Any]]) -> dict[str, Any]:
    """Return the results of operations that arrive during a commit; an exception if one is raised."""
    writer, begun, goes_on = registry.writer, threading.Event(), threading.Event()
    found: dict[str, Any] = {}

    def hold(transaction: Transaction) -> None:
        begun.set()
        assert fair_time.wait(goes_on, 60)

    def ask(name: str, work: Operation[Any]) -> None:
        try:
            found[name] = writer.run(work)
        except BaseException as error:
            found[name] = error

    threads = [threading.Thread(target=ask, args=("first", hold))]
    threads[0].start()
    assert fair_time.wait(begun, 60)
    for count, (name, work) in enumerate(operations.items(), 1):
        threads.append(threading.Thread(target=ask, args=(name, work)))
        threads[-1].start()
        until(lambda count=count: len(writer._waiting) == count)  # type: ignore[misc]
    goes_on.set()
    joined(*threads)
    del found["first"]
    return found


def until(condition: Callable[[], bool]) -> None:
    patience.until("what another thread does", condition)


def test_works_that_wait_share_one_commit_and_each_gets_its_own_answer(registry: Registry) -> None:
    before = registry.writer.commits
    found = together(registry, {name: note(name) for name in ("a", "b", "c", "d")})
    assert found == {name: name for name in "abcd"} and names(registry) == set("abcd")
    assert registry.writer.commits - before == 2  # the one that was under way, and the shared one


def test_nothing_is_answered_before_the_commit_has_returned(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, seen = registry.writer._link, []
    real = link.commit

    def commit() -> None:
        seen.append((names(registry), [thread.is_alive() for thread in threads]))
        real()

    monkeypatch.setattr(link, "commit", commit)
    threads = [threading.Thread(target=registry.writer.run, args=(note("a"),))]
    threads[0].start()
    joined(*threads)
    assert seen == [(set(), [True])] and names(registry) == {"a"}


def test_a_refused_operation_does_not_affect_the_others_of_its_commit(registry: Registry) -> None:
    def refuse(transaction: Transaction) -> None:
        transaction.ask((ALL, {}))
        raise BatchError("no")

    before = registry.writer.commits
    found = together(registry, {"a": note("a"), "no": refuse, "b": note("b")})
    assert isinstance(found["no"], BatchError) and (found["a"], found["b"]) == ("a", "b")
    assert names(registry) == {"a", "b"} and registry.writer.commits - before == 2


def test_a_work_that_wrote_and_then_failed_is_undone_and_the_others_stand(registry: Registry) -> None:
    def tear(transaction: Transaction) -> None:
        note("torn")(transaction)
        raise OSError("the token is gone")

    found = together(registry, {"a": note("a"), "torn": tear, "b": note("b")})
    assert isinstance(found["torn"], OSError) and (found["a"], found["b"]) == ("a", "b")
    assert names(registry) == {"a", "b"}


def test_a_row_that_the_database_refuses_fails_only_its_own_operation(registry: Registry) -> None:
    registry.writer.run(note("taken"))
    found = together(registry, {"a": note("a"), "again": note("taken"), "b": note("b")})
    assert isinstance(found["again"], RegistryError) and (found["a"], found["b"]) == ("a", "b")
    assert names(registry) == {"a", "b", "taken"}


def test_a_leader_that_is_interrupted_leaves_the_others_to_the_next(registry: Registry) -> None:
    is_first = [True]

    def interrupt(transaction: Transaction) -> None:
        note("lost")(transaction)
        if is_first.pop():
            raise KeyboardInterrupt

    found = together(registry, {"key": interrupt, "a": note("a"), "b": note("b")})
    assert isinstance(found["key"], KeyboardInterrupt) and (found["a"], found["b"]) == ("a", "b")
    assert names(registry) == {"a", "b"}


def test_an_interrupted_waiter_releases_the_commit_queue(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        """The lock of a waiting thread to which a person's Ctrl-C goes."""

        def acquire(self) -> None:
            until(lambda: registry.writer._waiting[0].has_to_lead)
            raise KeyboardInterrupt

        def release(self) -> None: ...

    begun, goes_on, found = threading.Event(), threading.Event(), []

    def hold(transaction: Transaction) -> None:
        begun.set()
        assert fair_time.wait(goes_on, 60)

    def wait() -> None:
        try:
            registry.writer.run(note("a"))
        except KeyboardInterrupt:
            found.append("interrupted")

    threads = [threading.Thread(target=registry.writer.run, args=(hold,)), threading.Thread(target=wait)]
    threads[0].start()
    assert fair_time.wait(begun, 60)
    real = writer_module._Job

    def interrupted(work: Operation[Any]) -> Any:
        job = real(work)
        job.woken = Interrupted()  # type: ignore[assignment]
        return job

    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "_Job", interrupted)
        threads[1].start()
        until(lambda: len(registry.writer._waiting) == 1)
    goes_on.set()
    threads.append(threading.Thread(target=registry.writer.run, args=(note("b"),), daemon=True))
    threads[2].start()
    joined(*threads)
    assert found == ["interrupted"] and names(registry) == {"b"}


def test_after_an_error_the_next_work_gets_a_connection_that_works(registry: Registry) -> None:
    def broken(transaction: Transaction) -> None:
        transaction.put(Query(text("INSERT INTO nowhere VALUES (1)")), {})

    with pytest.raises(RegistryError, match="nowhere"):
        registry.writer.run(broken)
    assert registry.writer.run(note("a")) == "a" and names(registry) == {"a"}


def test_many_threads_at_once_lose_and_repeat_nothing(registry: Registry) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 10):
            reserve(registry, number, f"code{number}")

    threads = [threading.Thread(target=work, args=(10 * index + 1,)) for index in range(8)]
    for thread in threads:
        thread.start()
    joined(*threads, seconds=240)
    units = registry.units()
    assert len(units) == len({unit.serial for unit in units}) == 80
    assert {unit.serial for unit in units} == {f"SN-{number:06d}" for number in range(1, 81)}


# Lost databases ---------------------------------------------------------------------------------------------


@pytest.fixture
def on_postgres(postgres_cluster: Any, tmp_path: Path) -> Iterator[Registry]:
    registry = Places(tmp_path, postgres_cluster).new()
    yield registry
    registry.close()


def end_other_connections(registry: Registry) -> None:
    """End the other connections as a restart of the server would, without one for the other tests' databases."""
    with registry.reading() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_connection_that_ends_during_an_operation_is_reported_and_the_next_one_works(
    on_postgres: Registry,
) -> None:
    def die(transaction: Transaction) -> None:
        note("lost")(transaction)
        transaction.ask((ALL, {}))
        end_other_connections(on_postgres)
        transaction.ask((ALL, {}))

    with pytest.raises(RegistryError, match="database failed"):
        on_postgres.writer.run(die)
    assert on_postgres.writer.run(note("a")) == "a" and names(on_postgres) == {"a"}


def test_a_connection_that_ended_while_it_was_idle_is_replaced(
    on_postgres: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_postgres.writer.run(note("a"))
    end_other_connections(on_postgres)
    monkeypatch.setattr(write_link, "IDLE_S", 0.0)
    assert on_postgres.writer.run(note("b")) == "b"


@pytest.mark.parametrize("what", ["gone", "replaced"])
def test_a_file_that_is_missing_or_replaced_is_reported_and_not_written(what: str, tmp_path: Path) -> None:
    registry = Registry.create(tmp_path / "registry.db")
    copy = (tmp_path / "registry.db").read_bytes()
    os.unlink(tmp_path / "registry.db")
    if what == "replaced":
        (tmp_path / "registry.db").write_bytes(copy)
    with pytest.raises(RegistryError, match=f"{what}.*restore the registry"):
        registry.writer.run(note("a"))
    with pytest.raises(RegistryError, match=f"{what}.*restore the registry"):
        registry.open_batch("B1", "M", bytes(32), is_development=False)
    assert (tmp_path / "registry.db").exists() is (
        what == "replaced"
    )  # no empty one was created in its place
    registry.close()
