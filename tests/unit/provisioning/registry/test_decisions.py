"""Decisions of persons and checks: signed records that cannot be removed, and a gate that requires them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from provisioning.cli.registry import app as registry_app
from provisioning.cli.station import app as station_app
from provisioning.registry import branches, decisions
from provisioning.registry.errors import ChainError, RegistryError
from provisioning.registry.export import chains_json, verify_chains_json
from provisioning.registry.registry import Registry
from tests.unit.provisioning.compliance.test_ship_gate import Factory, check_codes, on_this_day, ship
from tests.unit.provisioning.registry.registry_bench import FACTS, Places, finish, open_batch, reserve
from tests.unit.provisioning.station.station_bench import PRODUCT

__all__ = ["on_this_day"]
WHO = {"by": "E. Example", "reason": "a crack in the housing"}


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    is_sqlite = request.param == "sqlite"
    return Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))


@pytest.fixture
def registry(places: Places) -> Registry:
    made = places.new()
    open_batch(made)
    return made


def run(app: object, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])  # type: ignore[arg-type]


def execute(registry: Registry, statement: str) -> None:
    """Change a registry without its own code."""
    with registry.database.engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def test_each_decision_names_who_and_why_in_a_chain_of_its_own(registry: Registry) -> None:
    serials = [finish(registry, number, f"code{number}").serial for number in (1, 2, 3)]
    registry.withdraw(serials[0], **WHO)
    decisions.hold(registry, serials[1], **WHO)
    registry.retire(serials[2], **WHO)
    found = decisions.decisions(registry)
    assert [(each.kind, each.facts["serial"], each.facts["was"]) for each in found] == [
        ("revoke", serials[0], "passed"), ("quarantine", serials[1], "passed"), ("rework", serials[2], "passed"),
    ]  # fmt: skip
    assert {(each.facts["by"], each.facts["reason"]) for each in found} == {tuple(WHO.values())}
    report = registry.verify()
    assert (report.records, report.decisions) == (3, 3)


def test_a_unit_in_quarantine_by_a_person_blocks_its_batch_until_rework(registry: Registry) -> None:
    serial = finish(registry, 1, "code1").serial
    registry.close_batch("B1")
    assert branches.ship_problems(registry, "B1") == []
    decisions.hold(registry, serial, **WHO)
    assert "a crack in the housing" in branches.ship_problems(registry, "B1")[0]
    with pytest.raises(RegistryError, match="quarantined already"):
        decisions.hold(registry, serial, **WHO)
    registry.retire(serial, **WHO)
    assert branches.ship_problems(registry, "B1") == []


@pytest.mark.parametrize(
    ("decide", "undo"),
    [
        ("withdraw", "UPDATE unit SET withdrawn_s = NULL"),
        ("hold", "UPDATE unit SET status = 'passed'"),
        ("retire", "UPDATE unit SET status = 'passed'"),
    ],
)
def test_a_decision_that_was_taken_back_in_the_database_is_found(
    decide: str, undo: str, registry: Registry
) -> None:
    serial = finish(registry, 1, "code1").serial
    if decide == "hold":
        decisions.hold(registry, serial, **WHO)
    else:
        getattr(registry, decide)(serial, **WHO)
    registry.verify()
    execute(registry, undo)
    with pytest.raises(ChainError, match=r"decision of E\. Example"):
        registry.verify()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE unit SET support_end_day = support_end_day + 1",
        "UPDATE unit SET serial = 'SN-000099'",
        "UPDATE unit SET is_development = NOT is_development",
        "UPDATE unit SET statement_sha256 = NULL",
    ],
)
def test_a_unit_whose_row_differs_from_its_signed_record_is_found(change: str, registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    registry.complete(reservation.unit_id, FACTS)
    unit = registry.units()[0]
    registry.record_pass(
        reservation.unit_id,
        {
            "station": "station",
            "serial": unit.serial,
            "device_id": unit.device_id.hex(),
            "image_digest": FACTS.image_digest.hex(),
            "statement_sha256": FACTS.statement_sha256.hex(),
            "support_end_day": unit.support_end_day,
            "is_development": unit.is_development,
        },
    )
    registry.verify()
    execute(registry, change)
    with pytest.raises(ChainError, match="its production record has"):
        registry.verify()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE decision_record SET body = replace(body, 'crack', 'scratch')",
        "DELETE FROM decision_record WHERE number = 1",
        "DELETE FROM decision_record WHERE number = 2",
    ],
)
def test_a_decision_that_was_changed_or_dropped_is_found(change: str, registry: Registry) -> None:
    for number in (1, 2):
        decisions.hold(registry, finish(registry, number, f"code{number}").serial, **WHO)
    checkpoint = registry.checkpoint()
    execute(registry, change)
    with pytest.raises(ChainError):
        registry.verify([checkpoint])


def test_an_exported_ledger_holds_the_decisions(registry: Registry) -> None:
    registry.withdraw(finish(registry, 1, "code1").serial, **WHO)
    report = verify_chains_json(chains_json(registry))
    assert (report.records, report.decisions) == (1, 1)
    with pytest.raises(ChainError):
        verify_chains_json(chains_json(registry).replace("a crack", "a joke"))


def test_decisions_of_a_branch_come_over_and_may_not_vanish_from_it(tmp_path: Path) -> None:
    main = Registry.create(tmp_path / "main.db", now=lambda: 1000)
    open_batch(main)
    branch = branches.join(main, tmp_path / "branch.db", "line1")
    branches.lease(main, branch, "SN-", 10, "B1")
    decisions.hold(branch, finish(branch, 1, "code1", station="line1").serial, **WHO)
    branches.sync(main, branch)
    assert [each.kind for each in decisions.decisions(main)] == ["quarantine"]
    assert main.verify().decisions == 1
    execute(branch, "DELETE FROM decision_record")
    with pytest.raises(RegistryError, match="no longer in the branch"):
        branches.sync(main, branch)


def test_a_restored_registry_begins_another_chain_of_decisions(tmp_path: Path) -> None:
    place = tmp_path / "registry.db"
    registry = Registry.create(place)
    open_batch(registry)
    registry.withdraw(finish(registry, 1, "code1").serial, **WHO)
    registry.close()
    run(registry_app, "backup", "--registry", place, "--to", tmp_path / "backup")
    again = tmp_path / "again" / "registry.db"
    assert run(registry_app, "restore", tmp_path / "backup", "--registry", again, "--by", "E").exit_code == 0
    (tmp_path / "again" / "registry.db.station.pem").write_bytes(
        (tmp_path / "registry.db.station.pem").read_bytes()
    )
    (tmp_path / "again" / "registry.db.station.pem").chmod(0o600)
    assert (
        run(registry_app, "settle", 1, "--registry", again, "--by", "E", "--reason", "counted").exit_code == 0
    )
    chains = {each.chain for each in decisions.decisions(Registry(again))}
    assert len(chains) == 2 and Registry(again).verify().decisions == 2


def test_the_commands_decide_and_list(tmp_path: Path) -> None:
    place = tmp_path / "registry.db"
    registry = Registry.create(place)
    open_batch(registry)
    serial = finish(registry, 1, "code1").serial
    registry.close()
    who = ("--registry", place, "--by", "E. Example", "--reason", "dropped")
    assert run(station_app, "quarantine", serial, *who).exit_code == 0
    assert run(station_app, "quarantine", "SN-999999", *who).exit_code == 2
    listed = run(registry_app, "decisions", "--registry", place)
    assert "quarantine" in listed.output and "E. Example: dropped" in listed.output
    (as_data,) = json.loads(run(registry_app, "decisions", "--registry", place, "--json").output)
    assert (as_data["serial"], as_data["kind"]) == (serial, "quarantine")


# The gate ----------------------------------------------------------------------------------------------------


def faults(factory: Factory) -> list[str]:
    return decisions.check_faults(factory.bench.registry, PRODUCT.batch)


def test_nothing_leaves_whose_codes_were_not_checked(tmp_path: Path, on_this_day: None) -> None:
    factory = Factory(tmp_path)
    factory.bench.registry.close_batch(PRODUCT.batch)
    refused = ship(factory, "--batch", PRODUCT.batch)
    assert refused.exit_code == 1 and "never checked together" in refused.stderr
    assert check_codes(factory).exit_code == 0
    assert ship(factory, "--batch", PRODUCT.batch).exit_code == 0


def test_a_code_that_was_generated_after_the_check_is_named(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    check_codes(factory)
    assert faults(factory) == []
    later = factory.make()
    assert faults(factory) == [f"1 of its set-up codes were generated after the last check-batch: {later}"]
    check_codes(factory)
    assert faults(factory) == []


def test_what_a_check_found_keeps_the_batch_here_until_a_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = Factory(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("provisioning.registry.registry.Registry.is_live_code", lambda *_: False)
        assert check_codes(factory).exit_code == 1
    assert "the registry does not know the code" in faults(factory)[0]
    check_codes(factory)
    assert faults(factory) == []


def test_a_unit_that_was_given_up_after_the_check_needs_no_new_one(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    other = factory.make()
    check_codes(factory)
    factory.bench.registry.retire(other, **WHO)
    assert faults(factory) == []


def test_the_record_of_a_check_holds_no_code(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    check_codes(factory)
    (check,) = decisions.decisions(factory.bench.registry, decisions.CHECK_BATCH)
    assert set(check.facts["codes"]) == {factory.serial}
    assert all(len(mark) == 16 for mark in check.facts["codes"].values())


def test_a_branch_and_a_unit_that_was_never_finished_keep_a_batch_here(
    tmp_path: Path, on_this_day: None
) -> None:
    factory = Factory(tmp_path)
    branch = branches.join(factory.bench.registry, tmp_path / "branch.db", "line1")
    branches.lease(factory.bench.registry, branch, "FB1-", 5, PRODUCT.batch)
    reserve(factory.bench.registry, 7, "another code", PRODUCT.batch)
    factory.bench.registry.close_batch(PRODUCT.batch)
    said = ship(factory, "--batch", PRODUCT.batch).stderr
    assert "branch line1 was not synced since the batch was closed there" in said
    assert "is reserved" in said


def test_no_branch_ships(tmp_path: Path, on_this_day: None) -> None:
    factory = Factory(tmp_path)
    branch = branches.join(factory.bench.registry, tmp_path / "branch.db", "line1")
    branches.lease(factory.bench.registry, branch, "SN-", 5, PRODUCT.batch)
    finish(branch, 9, "code9", station="line1", batch=PRODUCT.batch)
    branch.close()
    factory.bench.registry = Registry(tmp_path / "branch.db")
    assert "this registry is a branch" in ship(factory, "--batch", PRODUCT.batch).stderr
