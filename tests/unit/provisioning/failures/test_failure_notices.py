"""Notices of s. 11: the right receivers, what they say, and nobody notified twice (CF-03)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.compliance.packing import PackingError
from provisioning.disclosure import consistency, erasure, outbox
from provisioning.disclosure.case import QUEUED, SENT, WRITTEN
from provisioning.disclosure.errors import CaseInputError, MailUnreachableError, StateError
from provisioning.failures import desk, notices
from provisioning.failures.notify import notify, undelivered, write_files
from provisioning.failures.parties import AUTHORITY, MANUFACTURER, authority, parties_of
from provisioning.failures.states import Step
from provisioning.registry import consignees
from provisioning.registry.errors import RegistryError
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT
from tests.unit.provisioning.failures.failures_bench import (
    AUTHORITY_EMAIL,
    BY,
    FACTS,
    HILLSIDE,
    MAKER,
    Failures,
)


@pytest.fixture
def code(failures: Failures) -> str:
    """The number of an investigation of batch B1 with a confirmed failure."""
    made = failures.open("B1").code
    failures.step(made, Step.CONFIRM)
    return made


# Receivers --------------------------------------------------------------------------------------------------------


def test_cf_03_authority_importers_distributors_and_customers_of_the_batch_are_notified(
    failures: Failures, code: str
) -> None:
    other, _ = consignees.record(failures.registry, dataclasses.replace(HILLSIDE, id="far"), by=BY)
    failures.ship(failures.serials["other"], "B2", other)
    found = failures.parties(code).parties
    assert [one.id for one in found] == [AUTHORITY, "c-17", "hillside", "nord"]
    assert found[2].serials == (failures.serials["hillside"],)
    assert [one.is_required for one in found] == [
        True,
        False,
        True,
        True,
    ]  # s. 11(4)(d): no conditions specified


def test_cf_03_another_manufacturer_of_the_product_is_notified(failures: Failures, code: str) -> None:
    second = dataclasses.replace(PRODUCT.manufacturer, name="Wick Works Ltd")
    product = dataclasses.replace(PRODUCT, manufacturers=(PRODUCT.manufacturer, second))
    found = desk.load(failures.store, code)
    parties = parties_of(
        found, failures.registry, failures.packing.entries(), product, AUTHORITY_EMAIL
    ).parties
    assert [(one.id, one.name) for one in parties if one.role == MANUFACTURER] == [
        ("manufacturer-2", "Wick Works Ltd")
    ]
    (other,) = [one for one in parties if one.role == MANUFACTURER]
    assert other.is_required and "sections 10 to 12" in notices.text(found, other, MAKER.name)


def test_a_failure_of_the_model_concerns_every_batch(failures: Failures) -> None:
    other, _ = consignees.record(failures.registry, dataclasses.replace(HILLSIDE, id="far"), by=BY)
    failures.ship(failures.serials["other"], "B2", other)
    whole = failures.open("B1", model=failures.registry.batches()[0].model).code
    assert "far" in [one.id for one in failures.parties(whole).parties]


def test_units_without_a_consignee_are_named(failures: Failures, code: str) -> None:
    failures.ship("SN-000077", "B1", None)
    assert failures.parties(code).unnamed == ("SN-000077",)


def test_a_packing_list_that_was_changed_notifies_nobody(failures: Failures, code: str) -> None:
    entry = dict(failures.packing.entries()[0])
    failures.packing.append(entry | {"serial": "SN-000088"})
    with pytest.raises(PackingError):
        failures.notify(code)
    assert not desk.load(failures.store, code).notices


def test_a_consignee_whose_details_are_lost_is_an_error(failures: Failures, code: str) -> None:
    with failures.registry.writing() as session:
        session.execute(text("DELETE FROM consignee WHERE id = 'nord'"))
    with pytest.raises(RegistryError, match="'nord'"):
        failures.notify(code)
    with failures.registry.writing() as session:
        session.execute(text("UPDATE consignee SET email = 'thief@example.com' WHERE id = 'hillside'"))
    with pytest.raises(RegistryError, match="were changed"):
        failures.notify(code)


# Words ------------------------------------------------------------------------------------------------------------


def test_cf_03_a_notice_has_what_the_act_asks_for(failures: Failures, code: str) -> None:
    failures.take(code, is_successful=None)
    found = desk.load(failures.store, code)
    (distributor,) = [one for one in failures.parties(code).parties if one.id == "hillside"]
    words = notices.text(found, distributor, MAKER.name)
    for part in (
        FACTS["details"],
        FACTS["risks"],
        "All labels are replaced. (success not known yet)",
        "section 23",
    ):
        assert part in words
    assert "had not notified the enforcement authority yet" in words
    assert failures.serials["hillside"] in words and failures.serials["nord"] not in words


def test_a_notice_counts_the_units_in_plain_english(failures: Failures, code: str) -> None:
    found = desk.load(failures.store, code)
    (one,) = [each for each in failures.parties(code).parties if each.id == "hillside"]
    two = dataclasses.replace(one, serials=(*one.serials, "X"))
    assert "We supplied 1 unit to you: " in notices.text(found, one, MAKER.name)
    assert "We supplied 2 units to you: " in notices.text(found, two, MAKER.name)


def test_a_notice_names_the_authority_as_notified_only_if_it_was(failures: Failures, code: str) -> None:
    (party,) = [one for one in failures.parties(code).parties if one.id == "hillside"]
    failures.notify(code)
    assert "had not notified" in notices.text(desk.load(failures.store, code), party, MAKER.name)
    failures.deliver()
    words = notices.text(desk.load(failures.store, code), party, MAKER.name)
    assert "We notified the enforcement authority on 2026-12-01." in words


def test_an_authority_that_a_person_notified_gets_no_second_notice(failures: Failures, code: str) -> None:
    desk.record_authority(failures.store, code, failures.store.now(), "OPSS-1", failures.decision(code))
    failures.notify(code)
    failures.deliver()
    assert AUTHORITY_EMAIL not in [to for to, _ in failures.server.mails]


# Once -------------------------------------------------------------------------------------------------------------


def test_nobody_is_notified_twice_and_a_new_party_is_notified(failures: Failures, code: str) -> None:
    assert [each.status for each in failures.notify(code)] == [QUEUED, QUEUED, QUEUED, WRITTEN]
    failures.deliver()
    assert not any(each.is_new for each in failures.notify(code))
    late, _ = consignees.record(failures.registry, dataclasses.replace(HILLSIDE, id="late"), by=BY)
    failures.ship("SN-000099", "B1", late)
    assert [each.party.id for each in failures.notify(code) if each.is_new] == ["late"]
    failures.deliver()
    addresses = [to for to, _ in failures.server.mails]
    assert addresses.count(AUTHORITY_EMAIL) == 1 and addresses.count("ada@buyer.example") == 1


def test_the_result_is_a_notice_of_its_own(failures: Failures, code: str) -> None:
    failures.notify(code)
    failures.take(code)
    failures.step(code, Step.REMEDY)
    assert all(each.is_new for each in failures.notify(code))
    failures.deliver()
    assert [to for to, _ in failures.server.mails].count("goods@hillside.example") == 2


def test_without_a_confirmed_failure_nobody_is_notified(failures: Failures) -> None:
    opened = failures.open("B1").code
    with pytest.raises(StateError):
        failures.notify(opened)


def test_a_mail_server_that_is_down_for_a_week_delays_the_notices_and_loses_none(
    failures: Failures, code: str
) -> None:
    failures.notify(code)
    for _ in range(7):
        failures.server.answers = [MailUnreachableError("down")]
        assert not failures.deliver().is_reachable
        failures.clock.go(days=1)
    assert failures.deliver().sent == 3 and len(failures.server.mails) == 3
    assert desk.load(failures.store, code).authority_notified_s() == failures.clock.now_s


def test_a_store_from_before_the_notices_sends_none_of_them_again(failures: Failures, code: str) -> None:
    before = desk.load(failures.store, code).version
    failures.notify(code)
    failures.deliver()
    with failures.store.writing() as session:  # as a backup from before `notify` would have it
        session.execute(text("DELETE FROM outgoing"))
        session.execute(
            text("DELETE FROM case_event WHERE case_code = :c AND version > :v"), {"c": code, "v": before}
        )
    failures.clock.go(days=2)
    failures.notify(code)
    failures.deliver()
    assert len(failures.server.mails) == 3
    assert desk.load(failures.store, code).authority_notified_s() is not None


def test_a_notice_by_post_counts_when_a_person_records_it(
    failures: Failures, code: str, tmp_path: Path
) -> None:
    written = failures.notify(code)
    failures.deliver()
    found = desk.load(failures.store, code)
    assert undelivered(found) == ["nord"]
    files = write_files(failures.store, found, written, MAKER, tmp_path / "notices")
    assert len(files) == 8
    letter = (tmp_path / "notices" / f"{code}-nord.txt").read_text()
    facts = json.loads((tmp_path / "notices" / f"{code}-nord.json").read_text())
    assert "Nord Trade, 1 Quay, Hull" in letter and facts["to"]["role"] == "importer"
    with pytest.raises(StateError, match="by post"):
        outbox.decide(failures.store, failures.journal(), facts["message_id"], is_delivered=False, by=BY)
    outbox.decide(failures.store, failures.journal(), facts["message_id"], is_delivered=True, by=BY)
    assert undelivered(desk.load(failures.store, code)) == []
    assert desk.load(failures.store, code).notices[facts["message_id"]].status == SENT
    consistency.verify(failures.store)


def test_an_address_that_would_add_a_header_is_refused_before_anything_is_queued(
    failures: Failures, code: str
) -> None:
    bad = authority("a@b.example\r\nBcc: c@d.example")
    with pytest.raises(CaseInputError):
        notify(failures.store, code, [bad], MAKER, failures.decision(code))
    assert not desk.load(failures.store, code).notices


def test_cf_02_a_party_of_a_record_is_not_erased(failures: Failures, code: str) -> None:
    failures.notify(code)
    failures.deliver()
    failures.clock.go(days=400)
    with failures.store.reading() as session:
        (party,) = session.execute(
            text("SELECT id FROM reporter WHERE address = 'ada@buyer.example'")
        ).scalars()
    with pytest.raises(StateError, match="ten years"):
        erasure.erase(failures.store, None, party, BY, "asked")
    assert desk.load(failures.store, code).notices
