"""The evidence folder: built from runs, made again to verify it, and every change to it found."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, PASS, EvidenceError
from provisioning.evidence import envelope
from provisioning.evidence.errors import EnvelopeError, EvidenceRefusedError
from provisioning.evidence.folder import JSON, PREDICATE, SIGNED, not_for, read_evidence, verify_folder
from provisioning.evidence.runs import JUNIT
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, RUNNER_KEY, RUNNER_TRUST, TODAY
from tests.unit.provisioning.evidence.evidence_bench import DIGEST, OTHER, make_folder, make_run

LATER = TODAY + dt.timedelta(3)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_folder(tmp_path)
    return tmp_path / "evidence"


def test_a_folder_of_a_run_in_which_everything_passed_verifies(place: Path) -> None:
    found = verify_folder(place, RUNNER_TRUST, LATER, DIGEST)
    outcomes = {row["id"]: row["outcome"] for row in found.rows()}
    assert outcomes["PW-01"] == PASS and outcomes["PW-05"] == NOT_APPLICABLE and outcomes["SE-10"] == PASS
    assert not found.problems()


def test_the_same_inputs_give_the_same_pages_and_payload(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    make_folder(tmp_path, run)
    first = {name: (tmp_path / "evidence" / name).read_bytes() for name in (JSON, "index.html", "ixit.html")}
    make_folder(tmp_path, run)
    assert first == {name: (tmp_path / "evidence" / name).read_bytes() for name in first}


def test_one_failed_test_makes_its_rows_red_and_no_other(tmp_path: Path) -> None:
    name = "test_the_code_is_invalid_after_set_up"
    found = make_folder(tmp_path, make_run(tmp_path / "run", {name: "failure"}))
    assert sorted(row["id"] for row in found.rows(FAIL)) == ["PW-01", "PW-19"]


def test_two_runs_make_one_matrix(tmp_path: Path) -> None:
    dual = ("tests/dual/test_cbor.py", "test_x", "")
    one = make_run(tmp_path / "one", tests=[dual])
    two = make_run(tmp_path / "two", tests=[("tests/dual/test_onboarding.py", "test_y", "")])
    assert len(make_folder(tmp_path, one, two).document["runs"]) == 2
    verify_folder(tmp_path / "evidence", RUNNER_TRUST, LATER)


def test_runs_of_another_image_give_no_folder(tmp_path: Path) -> None:
    with pytest.raises(EvidenceRefusedError, match="is about image"):
        make_folder(tmp_path, make_run(tmp_path / "run", image=OTHER))
    assert not (tmp_path / "evidence").exists()


def test_an_old_run_gives_no_folder(tmp_path: Path) -> None:
    with pytest.raises(EvidenceRefusedError, match="older than 30 days"):
        make_folder(tmp_path, make_run(tmp_path / "run", today=TODAY - dt.timedelta(31)))


def test_a_definition_that_names_another_image_gives_no_folder(tmp_path: Path) -> None:
    from tests.unit.provisioning.real_maker import REAL

    text = REAL + f'\n[firmware]\nimage_sha256 = "{"cd" * 32}"\n'
    with pytest.raises(EvidenceRefusedError, match="image_sha256"):
        make_folder(tmp_path, text=text)


@pytest.mark.parametrize("name", ["index.html", "inputs/requirements.md", f"runs/1/{JUNIT}", "evidence.css"])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_changed_or_missing_file_is_found(how: str, name: str, place: Path) -> None:
    if how == "missing":
        (place / name).unlink()
    else:
        (place / name).write_bytes((place / name).read_bytes() + b"\n")
    with pytest.raises(EvidenceRefusedError, match=name):
        verify_folder(place, RUNNER_TRUST, TODAY)


def test_a_further_file_and_a_link_are_found(place: Path) -> None:
    (place / "more.html").write_text("more")
    with pytest.raises(EvidenceRefusedError, match=r"more\.html does not belong"):
        verify_folder(place, RUNNER_TRUST, TODAY)
    (place / "more.html").unlink()
    (place.parent / "copy").write_bytes((place / "index.html").read_bytes())
    (place / "index.html").unlink()
    (place / "index.html").symlink_to(place.parent / "copy")
    with pytest.raises(EvidenceRefusedError, match="index"):
        verify_folder(place, RUNNER_TRUST, TODAY)


def test_a_changed_payload_beside_the_envelope_is_found(place: Path) -> None:
    (place / JSON).write_bytes((place / JSON).read_bytes().replace(b'"fail"', b'"pass"') + b" ")
    with pytest.raises(EvidenceRefusedError, match="do not follow"):
        verify_folder(place, RUNNER_TRUST, TODAY)


def signed_again(place: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Write an envelope that the trusted runner signed over a changed document."""
    statement = json.loads(base64.b64decode(json.loads((place / SIGNED).read_bytes())["payload"]))
    change(statement["predicate"])
    payload = envelope.payload_of(statement)
    (place / JSON).write_bytes(payload)
    (place / SIGNED).write_bytes(envelope.sign(payload, RUNNER_KEY))


def test_a_row_that_was_edited_and_signed_does_not_follow_from_the_results(tmp_path: Path) -> None:
    make_folder(tmp_path, make_run(tmp_path / "run", {"test_the_code_is_invalid_after_set_up": "failure"}))

    def whiten(document: dict[str, object]) -> None:
        for row in document["rows"]:  # type: ignore[attr-defined]
            row["outcome"] = PASS

    signed_again(tmp_path / "evidence", whiten)
    with pytest.raises(EvidenceRefusedError, match="do not follow"):
        verify_folder(tmp_path / "evidence", RUNNER_TRUST, TODAY)


@pytest.mark.parametrize("field", ["kind", "rows", "image", "made", "files", "product", "installed_software"])
def test_a_signed_document_without_a_field_is_a_typed_error(field: str, place: Path) -> None:
    signed_again(place, lambda document: document.pop(field) and None)
    with pytest.raises(EnvelopeError):
        read_evidence((place / SIGNED).read_bytes(), RUNNER_TRUST)


@pytest.mark.parametrize(("days", "words"), [(31, "older than 30 days"), (-1, "future")])
def test_evidence_counts_for_thirty_days(days: int, words: str, place: Path) -> None:
    verify_folder(place, RUNNER_TRUST, TODAY + dt.timedelta(30))
    with pytest.raises(EvidenceRefusedError, match=words):
        verify_folder(place, RUNNER_TRUST, TODAY + dt.timedelta(days))


def test_evidence_about_another_image_is_refused(place: Path) -> None:
    with pytest.raises(EvidenceRefusedError, match="is about image"):
        verify_folder(place, RUNNER_TRUST, TODAY, "cd" * 32)


def test_evidence_of_another_batch_or_with_a_red_row_is_not_for_a_statement(tmp_path: Path) -> None:
    found = make_folder(tmp_path)
    assert not_for(found, PRODUCT, DIGEST, TODAY) == []
    other = dataclasses.replace(PRODUCT, batch="2027-001")
    assert not_for(found, other, DIGEST, TODAY) == [
        "the traceability evidence is about batch 2026-001, not 2027-001"
    ]
    red = make_folder(
        tmp_path, make_run(tmp_path / "red", {"test_the_code_is_invalid_after_set_up": "error"})
    )
    assert any(problem.startswith("PW-01: fail") for problem in not_for(red, PRODUCT, DIGEST, TODAY))


def test_no_run_gives_no_folder(tmp_path: Path) -> None:
    from provisioning.evidence.folder import build_folder

    with pytest.raises(EvidenceError, match="1 to 16 runs"):
        build_folder(tmp_path / "e", tmp_path / "p", {}, [], {}, DIGEST, RUNNER_KEY, TODAY)


def test_the_subject_is_the_image_and_the_predicate_is_ours(place: Path) -> None:
    statement = json.loads((place / JSON).read_bytes())
    assert statement["subject"][0]["digest"] == {"sha256": DIGEST}
    assert statement["predicateType"] == PREDICATE
