"""A sync by files: the files of a station without a network, the answers, and the refused files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli.registry import app
from provisioning.keys.signer import Signer
from provisioning.registry import branches, decisions, sync_file
from provisioning.registry.errors import ConflictError, NumbersUsedUpError, RegistryError
from provisioning.registry.models import Setting
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import Places, finish, open_batch, reserve


@dataclass
class Pair:
    """A main registry and a branch that never meet again."""

    main: Registry
    branch: Registry

    def carry(self) -> branches.SyncReport:
        """Carry a sync file and its answer, with compared keys."""
        report, answer = sync_file.take_in(
            self.main, sync_file.export(self.branch), self.branch.signer.key_id
        )
        sync_file.finish(self.branch, answer, self.main.signer.key_id)
        return report


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    is_sqlite = request.param == "sqlite"
    return pair_of(Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster")))


@pytest.fixture
def local(tmp_path: Path) -> Pair:
    """Return a pair on SQLite, for checks that do not depend on the database."""
    return pair_of(Places(tmp_path, None))


def pair_of(places: Places) -> Pair:
    main = places.new()
    open_batch(main)
    branch = branches.join(main, places.folder / "branch.db", "line1")
    branches.lease(main, branch, "SN-", 3, "B1")
    return Pair(main, branch)


def forged(text: str, signer: Signer, **changes: object) -> str:
    """Return the file with another content, signed by `signer`."""
    content = json.loads(json.loads(text)["content"]) | changes
    return sync_file._sign(content, signer)


def test_units_records_and_decisions_come_over(pair: Pair) -> None:
    unit = finish(pair.branch, 1, "code1", station="line1")
    decisions.hold(
        pair.branch, finish(pair.branch, 2, "code2", station="line1").serial, by="E", reason="bent"
    )
    report = pair.carry()
    assert (report.units, report.records, report.incidents) == (2, 2, ())
    found = pair.main.find(device_id=unit.device_id)
    assert found is not None and (found.status, found.serial) == ("passed", unit.serial)
    assert pair.main.verify().chains["line1"] == 2 and pair.main.verify().decisions == 1
    assert pair.carry().units == 0  # the next file brings nothing twice


def test_a_repeated_code_stops_both_units_on_both_sides(pair: Pair) -> None:
    finish(pair.main, 5, "one code")
    finish(pair.branch, 6, "one code", station="line1")
    report = pair.carry()
    assert "the same set-up code" in report.incidents[0]
    for registry in (pair.main, pair.branch):
        assert {unit.status for unit in registry.units()} == {"quarantined"}


def test_a_batch_waits_for_the_file_of_every_branch(pair: Pair) -> None:
    finish(pair.branch, 1, "code1", station="line1")
    pair.main.close_batch("B1")
    pair.carry()
    assert "line1 was not synced since" in branches.ship_problems(pair.main, "B1")[0]
    pair.branch.close_batch("B1")
    pair.carry()
    assert branches.ship_problems(pair.main, "B1") == []


def test_numbers_that_were_leased_by_name_travel_with_the_answer(pair: Pair) -> None:
    for number in range(3):
        finish(pair.branch, number, f"code{number}", station="line1")
    with pytest.raises(NumbersUsedUpError):
        reserve(pair.branch, 9, "code9")
    assert branches.lease_by_name(pair.main, "line1", "SN-", 2, "B1") == (4, 5)
    pair.carry()
    assert reserve(pair.branch, 9, "code9").serial == "SN-000004"
    pair.carry()  # the same leases again: used numbers stay used
    assert reserve(pair.branch, 10, "code10").serial == "SN-000005"
    with pytest.raises(NumbersUsedUpError):
        reserve(pair.branch, 11, "code11")


# Refused files -----------------------------------------------------------------------------------------------


def test_the_first_file_needs_a_key_that_a_person_compared(pair: Pair) -> None:
    text = sync_file.export(pair.branch)
    with pytest.raises(RegistryError, match="not known here yet"):
        sync_file.take_in(pair.main, text)
    with pytest.raises(RegistryError, match="not by 0000000000000000"):
        sync_file.take_in(pair.main, text, bytes(8))
    _, answer = sync_file.take_in(pair.main, text, pair.branch.signer.key_id)
    with pytest.raises(RegistryError, match="not known here yet"):
        sync_file.finish(pair.branch, answer)
    sync_file.finish(pair.branch, answer, pair.main.signer.key_id)
    text = sync_file.export(pair.branch)
    _, answer = sync_file.take_in(pair.main, text)  # from now on each has the other's key
    sync_file.finish(pair.branch, answer)


def test_a_changed_file_is_refused_before_it_is_read(pair: Pair) -> None:
    finish(pair.branch, 1, "code1", station="line1")
    text = sync_file.export(pair.branch)
    with pytest.raises(RegistryError, match="was changed"):
        sync_file.take_in(pair.main, text.replace("SN-000001", "SN-000002"), pair.branch.signer.key_id)
    assert pair.main.units() == []


def test_an_unknown_keys_signature_is_refused_even_if_its_name_is_known(pair: Pair, tmp_path: Path) -> None:
    pair.carry()
    stranger = Registry.create(tmp_path / "stranger.db").signer
    text = forged(sync_file.export(pair.branch), stranger)
    with pytest.raises(RegistryError, match="not the key of branch line1"):
        sync_file.take_in(pair.main, text, stranger.key_id)
    _, answer = sync_file.take_in(pair.main, sync_file.export(pair.branch))
    with pytest.raises(RegistryError, match="not the key of the main registry"):
        sync_file.finish(pair.branch, forged(answer, stranger), stranger.key_id)


def test_a_file_is_taken_once_and_in_order(pair: Pair) -> None:
    first, second = sync_file.export(pair.branch), sync_file.export(pair.branch)
    sync_file.take_in(pair.main, second, pair.branch.signer.key_id)
    for text in (first, second):
        with pytest.raises(RegistryError, match="not newer than 2"):
            sync_file.take_in(pair.main, text)


def test_an_answer_counts_for_the_last_file_only(pair: Pair) -> None:
    _, answer = sync_file.take_in(pair.main, sync_file.export(pair.branch), pair.branch.signer.key_id)
    sync_file.export(pair.branch)
    with pytest.raises(RegistryError, match="the last one here is 2"):
        sync_file.finish(pair.branch, answer, pair.main.signer.key_id)


def test_a_branch_that_was_set_back_is_not_taken_in_again(pair: Pair) -> None:
    finish(pair.branch, 1, "code1", station="line1")
    pair.carry()
    with pair.branch.writing() as session:  # the content of an old copy of the branch
        session.merge(Setting(name=sync_file.NUMBER_NAME, value=bytes(8)))
    with pytest.raises(RegistryError, match="not newer"):
        pair.carry()


def test_records_that_vanished_from_a_branch_are_an_incident(pair: Pair) -> None:
    finish(pair.branch, 1, "code1", station="line1")
    pair.carry()
    text = sync_file.export(pair.branch)
    tables = json.loads(json.loads(text)["content"])["tables"]
    tables |= {"records": [], "units": [], "codes": [], "phases": [], "checkpoint_rows": []}
    with pytest.raises(ConflictError, match="no longer in the branch"):
        sync_file.take_in(pair.main, forged(text, pair.branch.signer, tables=tables))
    assert "no longer in the branch" in branches.ship_problems(pair.main, "B1")[-1]


def test_another_main_registry_and_another_branch_are_refused(pair: Pair, tmp_path: Path) -> None:
    other = Registry.create(tmp_path / "other.db")
    with pytest.raises(RegistryError, match="not a branch of that one"):
        sync_file.take_in(other, sync_file.export(pair.branch), pair.branch.signer.key_id)
    with pytest.raises(RegistryError, match="is not a branch"):
        sync_file.export(pair.main)
    _, answer = sync_file.take_in(pair.main, sync_file.export(pair.branch), pair.branch.signer.key_id)
    sibling = branches.join(pair.main, tmp_path / "sibling.db", "line2")
    with pytest.raises(RegistryError, match="for another branch"):
        sync_file.finish(sibling, answer, pair.main.signer.key_id)
    with pytest.raises(RegistryError, match="not from a main registry"):
        sync_file.finish(pair.branch, sync_file.export(pair.branch), pair.branch.signer.key_id)


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows["units"][0].pop("serial"),
        lambda rows: rows["units"][0].update(colour="red"),
        lambda rows: rows["units"][0].update(serial=7),
        lambda rows: rows["units"][0].update(device_id="xyz"),
        lambda rows: rows["units"][0].update(is_development=1),
        lambda rows: rows["units"][0].update(reserved_s=1 << 70),
        lambda rows: rows["units"][0].update(serial=None),
        lambda rows: rows["codes"][0].update(unit_id=99),
        lambda rows: rows.pop("codes"),
        lambda rows: rows.update(units="none"),
        lambda rows: rows["units"].append(5),
    ],
)
def test_invalid_rows_change_nothing_even_if_signed(damage, local: Pair) -> None:
    finish(local.branch, 1, "code1", station="line1")
    text = sync_file.export(local.branch)
    tables = json.loads(json.loads(text)["content"])["tables"]
    damage(tables)
    with pytest.raises(RegistryError):
        sync_file.take_in(
            local.main, forged(text, local.branch.signer, tables=tables), local.branch.signer.key_id
        )
    assert local.main.units() == [] and local.main.verify().records == 0


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"content": 1, "key": "", "signature": ""}', "[" * 9000]
)
def test_what_is_no_bundle_is_a_typed_error(text: str, local: Pair) -> None:
    for read in (sync_file.take_in, sync_file.finish):
        with pytest.raises(RegistryError):
            read(local.main, text)


def test_no_file_holds_a_code(local: Pair) -> None:
    finish(local.branch, 1, "CANARY-CODE", station="line1")
    assert "CANARY" not in sync_file.export(local.branch)


# As commands -------------------------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_the_commands_carry_a_sync_and_say_which_keys_to_compare(tmp_path: Path) -> None:
    main = Registry.create(tmp_path / "main.db")
    open_batch(main)
    main.close()
    place, branch = tmp_path / "main.db", tmp_path / "branch.db"
    assert run("join", "--main", place, "--branch", branch, "--name", "line1").exit_code == 0
    assert (
        run(
            "lease", "--main", place, "--for", "line1", "--prefix", "SN-", "--count", 5, "--batch", "B1"
        ).exit_code
        == 0
    )
    assert run("lease", "--main", place, "--prefix", "SN-", "--count", 5).exit_code == 2
    out, back = tmp_path / "out.json", tmp_path / "back.json"
    exported = run("export-sync", "--registry", branch, "--to", out)
    assert exported.exit_code == 0 and out.stat().st_mode & 0o777 == 0o600
    station = exported.output.partition("signed by ")[2][:16]
    refused = run("import-sync", out, "--main", place, "--answer", back)
    assert refused.exit_code == 2 and f"--key {station}" in refused.stderr and not back.exists()
    taken = run("import-sync", out, "--main", place, "--answer", back, "--key", station)
    assert taken.exit_code == 0, taken.output
    head = taken.output.partition("signed by ")[2][:16]
    finished = run("finish-sync", back, "--registry", branch, "--key", head)
    assert finished.exit_code == 0 and "1 new range " in finished.output
    assert run("export-sync", "--registry", branch, "--to", out).exit_code == 2  # nothing is replaced
    registry = Registry(branch)
    assert reserve(registry, 1, "code1").serial == "SN-000001"
    registry.close()
