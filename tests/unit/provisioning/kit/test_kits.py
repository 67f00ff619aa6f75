"""Kits: what an importer learns about units and deliveries without the maker's registry (SC-11)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import pytest

from provisioning.compliance.archive import Archive, ArchiveError
from provisioning.compliance.packing import PackingError, sign_line
from provisioning.compliance.support_register import publish
from provisioning.compliance.withdrawals import MAX_AGE_DAYS, PATTERN, sign_list
from provisioning.kit import answers
from provisioning.kit.check import Found, check_delivery, check_statements
from provisioning.kit.content import STATES, read_content
from provisioning.kit.delivery import Listed, read_delivery
from provisioning.kit.duties import duties_of
from provisioning.kit.errors import KitError
from provisioning.kit.retention import keep_statements
from provisioning.registry import stops
from provisioning.registry.consignees import Consignee, record
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.kit.kit_bench import SECRET_WORDS, KitFactory


@pytest.fixture
def factory(tmp_path: Path) -> KitFactory:
    return KitFactory(tmp_path)


def check(factory: KitFactory, *serials: str, today: dt.date = TODAY) -> list[Found]:
    return check_delivery(factory.open(), [Listed(each) for each in serials], today)


def results(factory: KitFactory, *serials: str, today: dt.date = TODAY) -> list[str]:
    return [each.results[0] for each in check(factory, *serials, today=today)]


# Answers ------------------------------------------------------------------------------------------------------------


def test_sc_11_a_unit_of_the_kit_is_in_order_with_statement_batch_and_period(factory: KitFactory) -> None:
    factory.build()
    (found,) = check(factory, factory.serial)
    assert found.is_in_order and found.statement == factory.archive.statements()[0].id
    for part in (PRODUCT.model, PRODUCT.batch, PRODUCT.support.end_date.isoformat()):
        assert part in found.sentences[0]


def test_a_serial_number_that_no_unit_has_is_not_in_the_kit(factory: KitFactory) -> None:
    factory.build()
    assert results(factory, "FB1-999999") == [answers.UNKNOWN]


def test_a_unit_of_another_consignee_is_not_in_the_kit(factory: KitFactory) -> None:
    factory.build()
    assert results(factory, factory.other) == [answers.UNKNOWN]


def test_a_packing_line_shows_that_a_unit_went_to_another_consignee(factory: KitFactory) -> None:
    factory.build()
    found = check_delivery(factory.open(), read_delivery(factory.packing.path.read_bytes()), TODAY)
    assert {each.serial: each.results for each in found} == {
        factory.mine[0]: (answers.IN_ORDER,),
        factory.mine[1]: (answers.IN_ORDER,),
        factory.other: (answers.OTHER_CONSIGNEE,),
    }


def test_a_packing_line_that_the_station_did_not_sign_is_a_no(factory: KitFactory) -> None:
    factory.build()
    entry = dict(factory.packing.entries()[0]) | {"batch": "another"}
    (found,) = check_delivery(factory.open(), [Listed(factory.serial, entry)], TODAY)
    assert found.results == (answers.WRONG_LINE,)


def test_a_packing_line_with_another_statement_is_a_no(factory: KitFactory) -> None:
    factory.build()
    entry = dict(factory.packing.entries()[0])
    signed = sign_line(entry | {"statement": {"id": "FB-1", "sha256": "00" * 32}}, factory.registry.signer)
    (found,) = check_delivery(factory.open(), [Listed(factory.serial, signed)], TODAY)
    assert found.results == (answers.WRONG_LINE,)


@pytest.mark.parametrize("state", [stops.STOPPED, stops.RECALLED])
def test_cf_04_a_unit_of_a_stopped_or_recalled_batch_is_a_no(state: str, factory: KitFactory) -> None:
    stops.stop(factory.registry, "CF-2026-0001", PRODUCT.model, [PRODUCT.batch], state, by="E. Example")
    factory.build()
    assert results(factory, *factory.mine) == [state, state]


def test_an_investigation_without_a_confirmed_failure_is_not_shown(factory: KitFactory) -> None:
    stops.stop(
        factory.registry, "CF-2026-0001", PRODUCT.model, [PRODUCT.batch], stops.INVESTIGATED, by="E. E."
    )
    factory.build()
    assert results(factory, factory.serial) == [answers.IN_ORDER]


def test_a_withdrawn_unit_is_a_no_and_the_others_are_not(factory: KitFactory) -> None:
    factory.plant("UPDATE unit SET withdrawn_s = 1 WHERE serial = :serial", serial=factory.serial)
    factory.build()
    assert results(factory, *factory.mine) == ["withdrawn", answers.IN_ORDER]


def test_a_withdrawal_of_the_published_list_stays_after_a_restored_registry(factory: KitFactory) -> None:
    factory.plant("UPDATE unit SET withdrawn_s = 1 WHERE serial = :serial", serial=factory.serial)
    sign_list(factory.registry, factory.archive.root, TODAY)
    factory.plant("UPDATE unit SET withdrawn_s = NULL WHERE serial = :serial", serial=factory.serial)
    factory.build()
    assert results(factory, factory.serial) == ["withdrawn"]


def test_a_unit_whose_support_period_ended_is_a_no(factory: KitFactory) -> None:
    factory.build()
    after = PRODUCT.support.end_date + dt.timedelta(1)
    (found,) = check(factory, factory.serial, today=after)
    assert found.results == (answers.SUPPORT_ENDED, answers.KIT_OLD)
    assert PRODUCT.support.end_date.isoformat() in found.sentences[0]


def test_the_last_day_of_a_kit_counts_and_the_day_after_does_not(factory: KitFactory) -> None:
    factory.build()
    last = TODAY + dt.timedelta(MAX_AGE_DAYS)
    assert results(factory, factory.serial, today=last) == [answers.IN_ORDER]
    assert results(factory, factory.serial, today=last + dt.timedelta(1)) == [answers.KIT_OLD]


def test_a_clock_before_the_date_of_the_kit_is_reported(factory: KitFactory) -> None:
    factory.build()
    assert results(factory, factory.serial, today=TODAY - dt.timedelta(1)) == [answers.CLOCK]


def test_a_unit_that_a_delivery_lists_twice_is_reported_once(factory: KitFactory) -> None:
    factory.build()
    assert results(factory, factory.serial, factory.serial) == [answers.LISTED_TWICE]


def test_sc_09_a_label_that_expired_is_a_no(factory: KitFactory) -> None:
    factory.build()
    kit = factory.open()
    label = {"requirement": "passwords", "scheme": "JC-STAR", "level": "STAR-1", "number": "7"}
    data = json.loads(kit.content.to_json())
    data["statements"][0]["labels"] = [label | {"expires": TODAY.isoformat()}]
    labelled = dataclasses.replace(kit, content=read_content(json.dumps(data).encode()))
    listed = [Listed(factory.serial)]
    assert check_delivery(labelled, listed, TODAY)[0].is_in_order
    assert check_delivery(labelled, listed, TODAY + dt.timedelta(1))[0].results == (answers.LABEL_EXPIRED,)


def test_an_extended_support_period_is_the_one_that_counts(factory: KitFactory) -> None:
    longer = dt.date(2033, 12, 31)
    support = dataclasses.replace(PRODUCT.support, end_date=longer)
    publish(factory.register, [dataclasses.replace(PRODUCT, support=support)], TODAY)
    factory.build()
    assert factory.open().content.support_ends == {PRODUCT.model: longer}


def test_every_state_has_an_answer_with_words() -> None:
    assert set(STATES) < set(answers.RESULTS)
    assert all(title and sentence.endswith(".") for title, sentence in answers.RESULTS.values())


# What a kit has, and what it has not ----------------------------------------------------------------------------------


def test_a_kit_names_no_other_party_and_no_unit_of_it(factory: KitFactory) -> None:
    factory.build()
    paths = [path for path in factory.folder.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in paths)
    assert factory.other.encode() not in written and factory.mine[1].encode() in written
    assert not [word for word in SECRET_WORDS if word.encode() in written]
    unit = factory.registry.find(serial=factory.serial)
    assert unit is not None and unit.device_id.hex().encode() not in written
    assert b"PRIVATE KEY" not in written


def test_a_kit_is_built_for_each_party_that_got_units(factory: KitFactory) -> None:
    factory.build(factory.consignee)
    assert [each.serial for each in factory.open().content.units] == [factory.other]


def test_building_again_replaces_the_kit(factory: KitFactory) -> None:
    factory.build()
    later = TODAY + dt.timedelta(3)
    factory.build(today=later)
    assert factory.open().content.issued == later


def test_a_party_that_got_nothing_gets_no_kit(factory: KitFactory) -> None:
    party = Consignee("south", "importer", "South", "1 Road", None)
    new, _ = record(factory.registry, party, by="E. Example")
    with pytest.raises(KitError, match="nothing was shipped"):
        factory.build(new)
    assert not factory.folder.exists()


def test_a_folder_that_is_not_a_kit_is_not_replaced(factory: KitFactory) -> None:
    factory.folder.mkdir()
    (factory.folder / "photo.jpg").write_bytes(b"1")
    with pytest.raises(KitError, match="is not a kit"):
        factory.build()
    assert (factory.folder / "photo.jpg").is_file()


def test_a_changed_packing_list_gives_no_kit(factory: KitFactory) -> None:
    entries = [dict(each) for each in factory.packing.entries()]
    entries[0]["serial"] = "FB1-000099"
    with pytest.raises(PackingError):
        factory.build(packing=entries)
    with pytest.raises(KitError, match="two lines"):
        factory.build(packing=[*factory.packing.entries(), *factory.packing.entries()])
    assert not factory.folder.exists()


def test_a_statement_that_is_not_published_gives_no_kit(factory: KitFactory, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(KitError, match="not on the site"):
        factory.build(site=tmp_path / "empty")
    assert not factory.folder.exists()


def test_units_without_a_consignee_are_counted(factory: KitFactory) -> None:
    entry = {name: value for name, value in factory.packing.entries()[0].items() if name != "consignee"}
    assert factory.build(packing=[*factory.packing.entries(), entry]).unnamed == 1


# Duties and retention -----------------------------------------------------------------------------------------------


def test_importer_and_distributor_read_the_sections_of_the_act_for_them() -> None:
    named = {role: " ".join(each.source for each in duties_of(role)) for role in ("importer", "distributor")}
    assert all(f"section {number}" in named["importer"] for number in (14, 15, 16, 17, 18, 19, 20))
    assert all(f"section {number}" in named["distributor"] for number in (21, 22, 23, 24, 25))
    assert not duties_of("customer")


def test_sc_06_a_consignee_keeps_the_statements_for_the_longer_of_ten_years_and_the_period(
    factory: KitFactory, tmp_path: Path
) -> None:
    factory.build()
    archive = Archive(tmp_path / "kept")
    (kept,) = keep_statements(factory.open(), archive, factory.keys)
    assert kept.is_new and kept.until == dt.date(TODAY.year + 10, TODAY.month, TODAY.day)
    assert archive.verify() == 1
    with pytest.raises(ArchiveError, match="has to be kept until"):
        archive.dispose(kept.id, kept.until)
    archive.dispose(kept.id, kept.until + dt.timedelta(1))
    assert archive.verify() == 0


def test_keeping_again_adds_nothing(factory: KitFactory, tmp_path: Path) -> None:
    factory.build()
    archive, keys = Archive(tmp_path / "kept"), factory.keys
    keep_statements(factory.open(), archive, keys)
    lines = archive.ledger.path.read_bytes()
    assert [each.is_new for each in keep_statements(factory.open(), archive, keys)] == [False]
    assert archive.ledger.path.read_bytes() == lines


def test_a_kept_statement_that_was_changed_or_lost_is_found(factory: KitFactory, tmp_path: Path) -> None:
    factory.build()
    archive, keys = Archive(tmp_path / "kept"), factory.keys
    (kept,) = keep_statements(factory.open(), archive, keys)
    (archive.root / kept.id / "insert.pdf").unlink()
    with pytest.raises(ArchiveError, match="is missing although"):
        keep_statements(factory.open(), archive, keys)


def test_an_interrupted_copy_is_made_again(
    factory: KitFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory.build()
    archive, keys = Archive(tmp_path / "kept"), factory.keys

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive.ledger, "append", cut)
        with pytest.raises(KeyboardInterrupt):
            keep_statements(factory.open(), archive, keys)
    assert not archive.statements()
    assert [each.is_new for each in keep_statements(factory.open(), archive, keys)] == [True]
    assert archive.verify() == 1


def test_a_statement_of_another_signatory_is_not_kept(factory: KitFactory, tmp_path: Path) -> None:
    factory.build()
    archive = Archive(tmp_path / "kept")
    with pytest.raises(KitError, match="not signed by a signatory"):
        keep_statements(factory.open(), archive, factory.stations())
    with pytest.raises(KitError):
        check_statements(factory.open(), [])
    assert not archive.root.exists()


def test_the_lists_of_withdrawn_units_stay_out_of_the_kit(factory: KitFactory) -> None:
    factory.build()
    assert list(factory.archive.root.glob(PATTERN)) and not list(factory.folder.rglob(PATTERN))
