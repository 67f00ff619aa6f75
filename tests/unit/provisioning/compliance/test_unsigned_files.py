"""Files that nobody signed decide nothing: ledgers with valid hashes after an edit, files beside the signed ones."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning.compliance.archive import ArchiveError
from provisioning.compliance.check import Answer, check_serial
from provisioning.compliance.ledger import Ledger
from tests.unit.provisioning.compliance.ship_bench import Factory
from tests.unit.provisioning.compliance.statement_bench import TODAY


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    return Factory(tmp_path)


def rewrite(ledger: Ledger, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every entry, and chain the ledger again as its format requires."""
    entries = [dict(entry) for entry in ledger.entries()]
    for entry in entries:
        change(entry)
    ledger.path.unlink()
    ledger.append(*entries)


def shipped(factory: Factory) -> dict[str, Answer]:
    return {each.question: each for each in check_serial(factory.serial, factory.delivery())}


def test_a_file_beside_the_signed_ones_is_found_by_a_buyer_and_at_the_gate(factory: Factory) -> None:
    (factory.archive.statements()[0].folder / "insert-corrected.pdf").write_bytes(b"%PDF")
    assert any("insert-corrected.pdf" in each.sentence for each in factory.refused())


def test_an_edited_insert_does_not_ship_even_if_the_ledger_has_its_new_digest(factory: Factory) -> None:
    path = factory.archive.statements()[0].folder / "insert.pdf"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(factory.archive.ledger, lambda entry: entry["files"].update({"insert.pdf": digest}))
    assert factory.archive.verify() == 1
    assert any("insert.pdf" in each.sentence for each in factory.refused())


@pytest.mark.parametrize("name", ["model", "batch"])
def test_a_ledger_that_names_another_product_than_the_signatory_is_a_no(name: str, factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    rewrite(factory.archive.ledger, lambda entry: entry.update({name: "FB-2"}))
    answer = shipped(factory)["signature"]
    assert not answer.is_yes and "than its signatory signed" in answer.sentence


def test_a_later_end_date_in_the_register_of_a_site_is_not_given_as_a_fact(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    rewrite(
        factory.register,
        lambda entry: entry.update(end_date="2099-12-31", parts=dict.fromkeys(entry["parts"], "2099-12-31")),
    )
    answer = shipped(factory)["support period"]
    assert answer.sentence == (
        "Security updates are provided until 2031-12-31. The site's register, which is not signed, has 2099-12-31."
    )


def test_an_earlier_end_of_retention_in_the_ledger_disposes_of_nothing(factory: Factory) -> None:
    found = factory.archive.statements()[0]
    rewrite(factory.archive.ledger, lambda entry: entry.update(retain_until="2026-11-23"))
    with pytest.raises(ArchiveError, match=str(TODAY.year + 10)):
        factory.archive.dispose(found.id, dt.date(2027, 1, 1))
    assert found.folder.is_dir()
