"""An archive that lost its ledger, or a statement, is not one without them: statements have to be kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioning.compliance.archive import Archive, ArchiveError, payload_of
from provisioning.compliance.issue import draw_key
from provisioning.compliance.ledger import Ledger, LedgerError
from provisioning.keys.file_signer import FileSigner
from tests.unit.provisioning.compliance.statement_bench import PASSPHRASE, issue_one


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    return draw_key(tmp_path / "signatory.pem", PASSPHRASE)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def test_statements_without_the_ledger_that_named_them_are_no_empty_archive(
    archive: Archive, signer: FileSigner
) -> None:
    found = issue_one(archive.root, signer)
    signed = found.signed()
    archive.ledger.path.rename(archive.root / "lost")
    for ask in (archive.statements, archive.verify, lambda: archive.next_version("FB-1", "2026-001")):
        with pytest.raises(
            ArchiveError, match=r"ledger\.jsonl is missing, but the statement FB-1_2026-001_v1 is"
        ):
            ask()
    with pytest.raises(ArchiveError, match="is missing"):
        issue_one(archive.root, signer)
    assert found.signed() == signed and not archive.ledger.path.exists()


@pytest.mark.parametrize("lost", ["the folder", "statement.cose"])
def test_no_statement_follows_one_that_the_ledger_names_and_the_archive_lost(
    archive: Archive, signer: FileSigner, lost: str
) -> None:
    found = issue_one(archive.root, signer)
    place = found.folder if lost == "the folder" else found.folder / lost
    place.rename(archive.root.parent / "kept elsewhere")
    before = archive.ledger.path.read_bytes()
    with pytest.raises(ArchiveError, match=r"FB-1_2026-001_v1/statement\.cose is missing although"):
        issue_one(archive.root, signer)
    assert archive.ledger.path.read_bytes() == before
    (archive.root.parent / "kept elsewhere").rename(place)
    assert issue_one(archive.root, signer).version == 2


def test_a_ledger_that_is_a_link_to_nowhere_is_not_begun_again(archive: Archive, signer: FileSigner) -> None:
    issue_one(archive.root, signer)
    archive.ledger.path.rename(archive.root / "moved")
    archive.ledger.path.symlink_to(archive.root / "nowhere")
    for ask in (archive.statements, lambda: archive.ledger.append({"event": "none"}), archive.ledger.create):
        with pytest.raises(FileNotFoundError, match=r"ledger\.jsonl"):
            ask()
    assert not (archive.root / "nowhere").exists()


def test_what_a_crash_left_before_the_ledgers_line_is_replaced(archive: Archive, signer: FileSigner) -> None:
    archive.ledger.create()
    leftover = archive.root / "FB-1_2026-001_v1"
    leftover.mkdir()
    (leftover / "statement.cose").write_bytes(b"half")
    assert payload_of(issue_one(archive.root, signer).signed())
    assert archive.verify() == 1


def test_a_pipe_is_no_ledger_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "register.jsonl")
    ledger = Ledger(tmp_path / "register.jsonl")
    with pytest.raises(LedgerError, match="is not a regular file"):
        ledger.lines()
    with pytest.raises(LedgerError, match="is not a regular file"):
        ledger.append({"event": "x"})
    with pytest.raises(LedgerError, match="is not a regular file"):
        ledger.create()
