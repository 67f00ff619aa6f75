"""The signed list of withdrawn units: an importer without the registry sees later withdrawals."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from provisioning.cli import statement as statement_commands
from provisioning.compliance.check import STATEMENTS, Answer, check_serial
from provisioning.compliance.withdrawals import (
    MAX_AGE_DAYS,
    PATTERN,
    TYP,
    WithdrawalsError,
    read_list,
    sign_list,
)
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.signer import sign_record
from provisioning.registry import stops
from provisioning.registry.backup import backup, restore
from provisioning.registry.registry import Registry
from tests.unit.provisioning.compliance.ship_bench import Factory
from tests.unit.provisioning.compliance.statement_bench import TODAY


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    """One unit that has shipped."""
    factory = Factory(tmp_path)
    factory.gate().ship(serial=factory.serial)
    return factory


def refused(factory: Factory, today: dt.date = TODAY) -> list[Answer]:
    """Return the failed checks of an importer without the registry."""
    return [each for each in check_serial(factory.serial, factory.delivery(today=today)) if not each.is_yes]


def lists(factory: Factory) -> list[Path]:
    return sorted(factory.archive.root.glob(PATTERN))


def sign(factory: Factory, today: dt.date = TODAY) -> int:
    return sign_list(factory.bench.registry, factory.archive.root, today)[1]


@pytest.mark.parametrize(
    ("planted", "state"),
    [
        ("UPDATE unit SET withdrawn_s = 1", "withdrawn"),
        ("UPDATE unit SET status = 'quarantined'", "quarantined"),
        ("UPDATE unit SET status = 'retired'", "retired"),
    ],
)
def test_a_unit_that_was_stopped_after_shipping_is_a_no_without_the_registry(
    planted: str, state: str, factory: Factory
) -> None:
    assert sign(factory) == 0 and not refused(factory)
    factory.plant(planted)
    assert sign(factory) == 1
    found = refused(factory)
    assert [each.question for each in found] == ["withdrawal"] and f"as {state}." in found[0].sentence


def test_a_unit_that_never_shipped_is_not_on_the_list(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.plant("UPDATE unit SET withdrawn_s = 1")
    assert sign(factory) == 0


def test_without_a_list_the_question_is_answered_no(factory: Factory) -> None:
    delivery = factory.delivery()
    for path in lists(factory):
        path.unlink()
    answers = check_serial(factory.serial, delivery)
    assert [each.question for each in answers if not each.is_yes] == ["withdrawal"]


def test_a_list_is_accepted_for_thirty_days_and_not_for_thirty_one(factory: Factory) -> None:
    sign(factory)
    assert not refused(factory, TODAY + dt.timedelta(MAX_AGE_DAYS))
    found = refused(factory, TODAY + dt.timedelta(MAX_AGE_DAYS + 1))
    assert [each.question for each in found] == ["withdrawal"] and "30 days old" in found[0].sentence


def test_a_list_of_a_day_that_has_not_come_is_a_no(factory: Factory) -> None:
    sign(factory, TODAY + dt.timedelta(30))
    found = refused(factory)
    assert [each.question for each in found] == ["withdrawal"] and "in the future" in found[0].sentence


@pytest.mark.parametrize("where", [20, 200, -1])
def test_a_changed_list_is_not_accepted(where: int, factory: Factory) -> None:
    factory.plant("UPDATE unit SET withdrawn_s = 1")
    sign(factory)
    data = bytearray(lists(factory)[0].read_bytes())
    data[where] ^= 1
    lists(factory)[0].write_bytes(data)
    assert [each.question for each in refused(factory)] == ["withdrawal"]


def test_a_list_of_an_unknown_signer_is_not_accepted(factory: Factory) -> None:
    stranger = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    signer = factory.bench.registry.signer.key_id.hex()
    payload = f'{{"issued": "{TODAY.isoformat()}", "signers": ["{signer}"], "units": []}}'.encode()
    factory.archive.root.joinpath(PATTERN.replace("*", "x")).write_bytes(sign_record(payload, TYP, stranger))
    assert [each.question for each in refused(factory)] == ["withdrawal"]


def test_a_list_of_another_registry_does_not_cover_the_unit(factory: Factory, tmp_path: Path) -> None:
    other = Factory(tmp_path / "other")
    sign(other)
    shutil.copy(lists(other)[0], factory.archive.root)
    both = [*factory.delivery().stations, *other.delivery().stations]
    answers = check_serial(factory.serial, factory.delivery(stations=both))
    assert [each.question for each in answers if not each.is_yes] == ["withdrawal"]
    sign(factory)
    assert all(each.is_yes for each in check_serial(factory.serial, factory.delivery(stations=both)))


@pytest.mark.parametrize(
    ("planted", "state"),
    [
        ("UPDATE unit SET withdrawn_s = 1", "withdrawn"),
        ("UPDATE unit SET status = 'quarantined'", "quarantined"),
        ("UPDATE unit SET status = 'retired'", "retired"),
    ],
)
def test_a_unit_stays_on_the_list_after_an_older_backup_was_restored(
    planted: str, state: str, factory: Factory
) -> None:
    factory.plant(planted)
    sign(factory)
    factory.plant("UPDATE unit SET withdrawn_s = NULL, status = 'passed'")
    assert [sign(factory), sign(factory)] == [1, 1]
    found = refused(factory)
    assert [each.question for each in found] == ["withdrawal"] and f"as {state}." in found[0].sentence


def test_a_stop_keeps_no_quarantine_from_the_list_after_an_older_backup_was_restored(
    factory: Factory,
) -> None:
    registry = factory.bench.registry
    (batch,) = registry.batches()
    factory.plant("UPDATE unit SET status = 'quarantined'")
    sign(factory)
    factory.plant("UPDATE unit SET status = 'passed'")
    stops.stop(registry, "CF-1", batch.model, [batch.number], stops.STOPPED, by="M")
    sign(factory)
    stops.lift(registry, "CF-1", by="M", reason="repaired")
    assert sign(factory) == 1


@pytest.mark.parametrize("batch_of_stop", ["its own", stops.EVERY_BATCH])
def test_a_recall_stays_on_the_list_after_an_older_backup_was_restored_until_it_ends(
    batch_of_stop: str, factory: Factory, tmp_path: Path
) -> None:
    registry = factory.bench.registry
    (batch,) = registry.batches()
    number = batch_of_stop if batch_of_stop == stops.EVERY_BATCH else batch.number
    backup(registry, tmp_path / "backup")
    stops.stop(registry, "CF-1", batch.model, [number], stops.RECALLED, by="M")
    sign(factory)
    registry.close()
    registry.path.unlink()
    registry.path.with_name(registry.path.name + ".key").unlink()
    restore(tmp_path / "backup", registry.path, by="M")
    restored = Registry(registry.path)
    assert sign_list(restored, factory.archive.root, TODAY)[1] == 1
    assert "as recalled." in refused(factory)[0].sentence
    stops.stop(restored, "CF-1", batch.model, [number], stops.RECALLED, by="M")
    stops.lift(restored, "CF-1", by="M", reason="repaired")
    assert sign_list(restored, factory.archive.root, TODAY)[1] == 0 and not refused(factory)
    restored.close()


@pytest.mark.parametrize(
    ("planted", "state"),
    [
        ("UPDATE unit SET status = 'quarantined'", "quarantined"),
        ("UPDATE unit SET withdrawn_s = 1", "withdrawn"),
    ],
)
def test_a_unit_that_shipped_after_the_backup_is_on_the_list_of_the_restored_registry(
    planted: str, state: str, tmp_path: Path
) -> None:
    factory = Factory(tmp_path)
    registry = factory.bench.registry
    backup(registry, tmp_path / "backup")
    factory.gate().ship(serial=factory.serial)
    registry.close()
    registry.path.unlink()
    registry.path.with_name(registry.path.name + ".key").unlink()
    restore(tmp_path / "backup", registry.path, by="M")
    factory.plant(planted)
    restored = Registry(registry.path)
    assert sign_list(restored, factory.archive.root, TODAY)[1] == 1
    restored.close()
    found = refused(factory)
    assert [each.question for each in found] == ["withdrawal"] and f"as {state}." in found[0].sentence


def test_a_unit_of_a_restored_batch_that_may_be_sold_is_on_no_list(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    backup(factory.bench.registry, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "other.db", by="M")
    restored = Registry(tmp_path / "other.db")
    assert sign_list(restored, factory.archive.root, TODAY)[1] == 0
    restored.close()


def test_an_edited_list_in_the_archive_is_not_signed_again(factory: Factory) -> None:
    sign(factory)
    lists(factory)[0].write_bytes(lists(factory)[0].read_bytes()[:-1] + b"\x00")
    with pytest.raises(WithdrawalsError, match="none of this registry's keys"):
        sign(factory)


def test_a_list_with_another_form_is_refused_by_type(factory: Factory) -> None:
    signer = factory.bench.registry.signer
    for payload in (b"", b"[]", b"{}", b"\xff", b'{"issued": "x", "signers": [], "units": []}'):
        with pytest.raises(WithdrawalsError):
            read_list(sign_record(payload, TYP, signer), factory.delivery().stations)


def test_the_command_signs_a_list_that_a_built_site_publishes(
    factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning.compliance.site_pages import _copy_archive

    monkeypatch.setattr("provisioning.cli.statement_archive.today_utc", lambda: TODAY)
    factory.plant("UPDATE unit SET withdrawn_s = 1")
    result = CliRunner().invoke(
        statement_commands.app,
        [
            "sign-withdrawals",
            "--registry",
            str(factory.bench.registry.path),
            "--archive",
            str(factory.archive.root),
        ],
    )
    assert result.exit_code == 0 and "with 1 unit." in result.stdout
    (tmp_path / "copy" / STATEMENTS).mkdir(parents=True)
    _copy_archive(factory.archive, tmp_path / "copy" / STATEMENTS)
    copied = (tmp_path / "copy" / STATEMENTS / lists(factory)[0].name).read_bytes()
    assert read_list(copied, factory.delivery().stations).units


def test_cf_04_units_of_a_stopped_batch_are_on_the_signed_list(factory: Factory) -> None:
    registry, model, batch = factory.bench.registry, factory.product.model, factory.product.batch
    for state, listed in ((stops.INVESTIGATED, 0), (stops.STOPPED, 1), (stops.RECALLED, 1)):
        stops.stop(registry, "CF-2026-0001", model, [batch], state, by="E. Example")
        assert sign_list(registry, factory.archive.root, TODAY)[1] == listed
    answers = {each.question: each for each in check_serial(factory.serial, factory.delivery())}
    assert "as recalled" in answers["withdrawal"].sentence and not answers["withdrawal"].is_yes
    stops.lift(registry, "CF-2026-0001", by="E. Example", reason="remedied")
    assert sign_list(registry, factory.archive.root, TODAY)[1] == 0
