"""Issuing: by a person, on evidence, once; then kept as long as the law requires (SC-01 to SC-10)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from device.records.identity import TEXT_CHARS as IDENTITY_CHARS
from provisioning.compliance.archive import Archive, ArchiveError, retain_until
from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, NOT_RUN, Check, EvidenceError
from provisioning.compliance.evidence import REQUIRED, Evidence
from provisioning.compliance.forms import foot_of
from provisioning.compliance.issue import Signatory, draw_key, issue, open_key, prepare
from provisioning.compliance.ledger import LedgerError
from provisioning.compliance.signed_evidence import SignedEvidence, read_evidence, sign_evidence
from provisioning.compliance.statement import ISSUED, StatementError, build_statement, sign_statement
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.signer import sign_record
from provisioning.product.statement_fields import Component, LabelRoute
from tests.unit.provisioning.compliance.statement_bench import (
    IMAGE,
    PASSPHRASE,
    PRODUCT,
    RUNNER_KEY,
    RUNNER_TRUST,
    TODAY,
    evidence,
    issue_one,
    signatory,
)

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> FileSigner:
    return draw_key(tmp_path_factory.mktemp("person") / "signatory.pem", PASSPHRASE)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def refused(*pieces: SignedEvidence, image: str = IMAGE.hex(), **changes: object) -> list[str]:
    product = dataclasses.replace(PRODUCT, **changes)
    with pytest.raises(StatementError) as caught:
        prepare(product, pieces or evidence(product), Archive(Path("nowhere")), TODAY, image_sha256=image)
    return caught.value.problems


def changed(change: Callable[[Evidence], dict[str, object]]) -> list[SignedEvidence]:
    """Return the evidence with other fields, signed by the runner."""
    return [
        sign_evidence(dataclasses.replace(each.evidence, **change(each.evidence)), RUNNER_KEY)  # type: ignore[arg-type]
        for each in evidence()
    ]


def with_outcome(name: str, outcome: str) -> list[SignedEvidence]:
    def planted(each: Evidence) -> dict[str, object]:
        return {
            "checks": tuple(
                Check(check.id, outcome if check.id == name else check.outcome, "planted")
                for check in each.checks
            )
        }

    return changed(planted)


def test_a_statement_on_passing_evidence_is_issued_and_archived(archive: Archive, signer: FileSigner) -> None:
    found = issue_one(archive.root, signer)
    document = found.document()
    assert (document["kind"], document["id"], found.version) == (ISSUED, "FB-1_2026-001_v1", 1)
    assert "notice" not in document and signer.key_id.hex() in document["signatory"]["signature"]
    assert sorted(path.name for path in found.folder.iterdir()) == [
        "evidence-firmware.cose", "evidence-publication.cose", "files.cose", "insert.pdf",
        "statement.cose", "statement.html", "statement.json",
    ]  # fmt: skip
    assert archive.verify() == 1


@pytest.mark.parametrize("name", [name for names in REQUIRED.values() for name in names])
@pytest.mark.parametrize("outcome", [FAIL, NOT_RUN])
def test_one_legal_check_that_has_not_passed_stops_the_issue(name: str, outcome: str) -> None:
    assert [
        problem
        for problem in refused(*with_outcome(name, outcome))
        if problem.startswith(f"{name}: {outcome}")
    ]


def test_a_check_that_the_evidence_leaves_out_stops_the_issue() -> None:
    pieces = changed(lambda each: {"checks": each.checks[1:]})
    assert [problem.split(":")[0] for problem in refused(*pieces)] == ["PW-01", "RP-01"]


def test_without_evidence_nothing_is_issued() -> None:
    assert len(refused(evidence()[0])) == 1 and len(refused(evidence()[1])) == 1


def test_without_a_scope_decision_nothing_is_issued() -> None:
    assert any("SC-10" in problem for problem in refused(scope=None))


def test_a_scope_decision_of_a_day_to_come_stops_the_issue() -> None:
    scope = dataclasses.replace(PRODUCT.scope, decided_on=TODAY + dt.timedelta(1))
    assert any("SC-10" in problem for problem in refused(scope=scope))


def test_a_published_date_other_than_the_statements_stops_the_issue() -> None:
    support = dataclasses.replace(PRODUCT.support, end_date=dt.date(2032, 1, 1))
    assert any("SP-07" in problem for problem in refused(*evidence(), support=support))


def test_an_ended_support_period_stops_the_issue() -> None:
    support = dataclasses.replace(PRODUCT.support, end_date=dt.date(2026, 11, 21))
    assert any("SP-11" in problem for problem in refused(support=support))


def test_an_expired_label_stops_the_issue_and_a_live_one_is_named(
    archive: Archive, signer: FileSigner
) -> None:
    def labelled(expires: dt.date) -> object:
        return dataclasses.replace(
            PRODUCT.statement,
            routes=PRODUCT.statement.routes | {"passwords": "label"},
            labels={"passwords": LabelRoute("JC-STAR", "STAR-1", "JC-123", expires)},
        )

    assert any("SC-09" in problem for problem in refused(statement=labelled(TODAY - dt.timedelta(1))))
    product = dataclasses.replace(PRODUCT, statement=labelled(TODAY))
    found = issue_one(archive.root, signer, product)
    assert "JC-STAR STAR-1 number JC-123" in (found.folder / "statement.html").read_text()


def test_a_label_route_without_a_label_is_no_statement(archive: Archive, signer: FileSigner) -> None:
    details = dataclasses.replace(PRODUCT.statement, routes=PRODUCT.statement.routes | {"passwords": "label"})
    with pytest.raises(StatementError, match="label"):
        issue_one(archive.root, signer, dataclasses.replace(PRODUCT, statement=details))


def test_faults_of_the_batch_stop_the_issue(archive: Archive) -> None:
    with pytest.raises(StatementError, match="a code was drawn twice"):
        prepare(PRODUCT, evidence(), archive, TODAY, batch_faults=["a code was drawn twice"])


@pytest.mark.parametrize("who", [("Somebody Else", "Managing director"), ("Moira Tallow", "Intern")])
def test_only_the_person_whom_the_definition_names_can_sign(
    who: tuple[str, str], archive: Archive, signer: FileSigner
) -> None:
    document = prepare(PRODUCT, evidence(), archive, TODAY, image_sha256=IMAGE.hex())
    with pytest.raises(StatementError, match="names Moira Tallow"):
        issue(document, Signatory(*who, signer), archive)
    assert not archive.statements()


def test_a_development_key_is_refused(tmp_path: Path) -> None:
    KeyRing.generate_development(tmp_path / "keys")
    with pytest.raises(StatementError, match="development key"):
        open_key(tmp_path / "keys" / "signatory.pem", "")


def test_a_key_without_a_passphrase_is_refused(tmp_path: Path) -> None:
    KeyRing.generate_development(tmp_path / "keys")
    (tmp_path / "keys" / "DEVELOPMENT-KEYS").unlink()
    with pytest.raises(StatementError, match="no passphrase"):
        open_key(tmp_path / "keys" / "signatory.pem", "")


def test_a_wrong_passphrase_opens_no_key_and_is_not_repeated(tmp_path: Path) -> None:
    draw_key(tmp_path / "me.pem", PASSPHRASE)
    with pytest.raises(StatementError) as caught:
        open_key(tmp_path / "me.pem", "another phrase altogether")
    assert "another phrase" not in str(caught.value)
    assert open_key(tmp_path / "me.pem", PASSPHRASE).key_id
    assert (tmp_path / "me.pem").stat().st_mode & 0o777 == 0o600


def test_a_key_does_not_replace_another_one(tmp_path: Path) -> None:
    draw_key(tmp_path / "me.pem", PASSPHRASE)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError):
        draw_key(tmp_path / "me.pem", PASSPHRASE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


def test_a_public_key_that_cannot_be_written_leaves_no_private_key(tmp_path: Path) -> None:
    (tmp_path / "me.pub").mkdir()
    with pytest.raises(OSError, match=r"me\.pub"):
        draw_key(tmp_path / "me.pem", PASSPHRASE)
    assert [path.name for path in tmp_path.iterdir()] == ["me.pub"]


def test_a_demonstration_cannot_be_archived(archive: Archive, signer: FileSigner) -> None:
    document = build_statement(PRODUCT, TODAY) | {"id": "x", "version": 1, "retain_until": "2040-01-01"}
    with pytest.raises(ArchiveError):
        archive.add(document, sign_statement(build_statement(PRODUCT, TODAY), signer))
    assert not archive.statements()


def test_a_second_issue_is_a_new_version_that_names_the_first(archive: Archive, signer: FileSigner) -> None:
    first = issue_one(archive.root, signer)
    bytes_before = first.signed()
    second = issue_one(archive.root, signer)
    assert (second.version, second.document()["supersedes"]) == (2, first.sha256)
    assert first.signed() == bytes_before and archive.latest("FB-1", "2026-001") == second


def test_an_issued_statement_cannot_be_replaced(archive: Archive, signer: FileSigner) -> None:
    found = issue_one(archive.root, signer)
    with pytest.raises(ArchiveError, match="SC-08"):
        archive.add(found.document(), found.signed())


@pytest.mark.parametrize("name", ["statement.cose", "statement.json", "statement.html", "insert.pdf"])
def test_a_changed_or_lost_file_is_found(name: str, archive: Archive, signer: FileSigner) -> None:
    path = issue_one(archive.root, signer).folder / name
    data = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o444
    path.chmod(0o644)
    path.write_bytes(data + b" ")
    with pytest.raises(ArchiveError, match="changed"):
        archive.verify()
    path.unlink()
    with pytest.raises(ArchiveError, match="is missing"):
        archive.verify()


def test_a_changed_line_of_the_archives_ledger_is_found(archive: Archive, signer: FileSigner) -> None:
    issue_one(archive.root, signer)
    path = archive.ledger.path
    path.write_text(path.read_text().replace('"version":1', '"version":2'))
    with pytest.raises(LedgerError, match="line 1"):
        archive.verify()


@pytest.mark.parametrize(
    ("issued", "end", "kept_until"),
    [
        (dt.date(2026, 11, 22), dt.date(2031, 12, 31), dt.date(2036, 11, 22)),
        (dt.date(2028, 2, 29), dt.date(2031, 12, 31), dt.date(2038, 3, 1)),
        (dt.date(2026, 11, 22), dt.date(2041, 1, 1), dt.date(2041, 1, 1)),
    ],
)
def test_retention_is_the_later_of_ten_years_and_the_support_period(
    issued: dt.date, end: dt.date, kept_until: dt.date
) -> None:
    assert retain_until(issued, end) == kept_until


def test_nothing_is_disposed_of_before_its_retention_ends(archive: Archive, signer: FileSigner) -> None:
    found = issue_one(archive.root, signer)
    with pytest.raises(ArchiveError, match="SC-06"):
        archive.dispose(found.id, found.retain_until)
    assert archive.verify() == 1
    archive.dispose(found.id, found.retain_until + dt.timedelta(1))
    assert archive.verify() == 0 and not found.folder.exists()


def test_a_disposed_statements_version_is_not_given_again(archive: Archive, signer: FileSigner) -> None:
    found = issue_one(archive.root, signer)
    archive.dispose(found.id, found.retain_until + dt.timedelta(1))
    assert issue_one(archive.root, signer).version == 2


def test_the_signatory_of_a_statement_is_the_one_of_its_definition(
    archive: Archive, signer: FileSigner
) -> None:
    document = issue_one(archive.root, signer).document()
    assert document["signatory"]["name"] == signatory(signer).name
    assert json.loads((archive.root / document["id"] / "statement.json").read_bytes()) == document


# Evidence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ({"image_sha256": "not-a-digest"}, "not-a-digest"),
        ({"image_sha256": "ab" * 32}, "the batch runs"),
        ({"commit": ""}, "commit"),
        ({"commit": "main"}, "commit"),
        ({"tools": ""}, "tools"),
        ({"junit_sha256": ""}, "junit_sha256"),
        ({"development": "placeholders were allowed"}, "built for development"),
        ({"published_sha256": "ab" * 32}, "SP-07"),
        ({"model": "FB-2"}, "FB-2"),
    ],
)
def test_evidence_about_something_else_stops_the_issue(of: dict[str, str], words: str) -> None:
    found = refused(*changed(lambda each: {"of": dict(each.of) | of}))
    assert any(words in problem for problem in found)


@pytest.mark.parametrize(
    ("days", "is_taken"), [(0, True), (30, True), (31, False), (2800, False), (-1, False)]
)
def test_evidence_has_an_age(days: int, is_taken: bool, archive: Archive) -> None:
    pieces = changed(lambda each: {"made": TODAY - dt.timedelta(days)})
    if is_taken:
        assert prepare(PRODUCT, pieces, archive, TODAY, image_sha256=IMAGE.hex())
    else:
        assert any(
            "evidence has a date" in problem or "evidence of" in problem for problem in refused(*pieces)
        )


def test_the_image_of_the_batch_has_to_be_known_and_the_tested_one() -> None:
    assert any("image of the batch is not known" in each for each in refused(image=None))  # type: ignore[arg-type]
    assert any("the batch runs" in each for each in refused(image="cd" * 32))
    assert any("image_sha256 in [firmware]" in each for each in refused(image_sha256=b"\xcd" * 32))


@pytest.mark.parametrize("name", ["PW-19", "SP-01", "PW-01"])
def test_what_applies_to_every_product_cannot_be_left_out(name: str) -> None:
    found = refused(*with_outcome(name, NOT_APPLICABLE))
    assert any(problem.startswith(f"{name}: not applicable") for problem in found)


def test_a_product_with_an_app_that_must_be_installed_needs_the_evidence_for_it(archive: Archive) -> None:
    pieces = with_outcome("PW-05", NOT_APPLICABLE)
    assert prepare(PRODUCT, pieces, archive, TODAY, image_sha256=IMAGE.hex())
    app = Component("App", "must-install", True, None)
    found = refused(*pieces, components=(*PRODUCT.components, app))
    assert any(problem.startswith("PW-05: not applicable, but") for problem in found)
    unsearched = refused(*evidence(), components=(*PRODUCT.components, app))
    assert "PW-05: the package of App was not searched" in unsearched


@pytest.mark.parametrize("how", ["plain", "other key", "changed", "another record"])
def test_evidence_that_no_trusted_runner_signed_is_refused(how: str) -> None:
    given = evidence()[0]
    record = {
        "plain": given.evidence.to_json(),
        "other key": sign_evidence(
            given.evidence, FileSigner(ec.generate_private_key(ec.SECP256R1()))
        ).record,
        "changed": given.record.replace(b'"version": "1.0.0+0"', b'"version": "9.0.0+0"'),
        "another record": sign_record(given.evidence.to_json(), "application/other", RUNNER_KEY),
    }[how]
    assert read_evidence(given.record, RUNNER_TRUST).evidence == given.evidence
    with pytest.raises(EvidenceError):
        read_evidence(record, RUNNER_TRUST)


def test_placeholders_and_a_period_without_a_beginning_are_never_stated() -> None:
    assert any("placeholder" in each for each in refused(brand="Example Brand"))
    late = dataclasses.replace(PRODUCT.support, start_date=None, end_date=dt.date(2031, 10, 1))
    assert any("start_date" in each for each in refused(support=late))
    short = dataclasses.replace(PRODUCT.support, start_date=None, period="P1D")
    assert any("P1D until 2031-12-31" in each for each in refused(support=short))


def test_the_evidence_is_archived_with_the_statement(archive: Archive, signer: FileSigner) -> None:
    found = issue_one(archive.root, signer)
    for piece, named in zip(evidence(), found.document()["evidence"], strict=True):
        path = found.folder / f"evidence-{piece.evidence.subject}.cose"
        assert read_evidence(path.read_bytes(), RUNNER_TRUST).evidence == piece.evidence
        assert named["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    with pytest.raises(ArchiveError, match="evidence-publication"):
        archive.verify()


def test_the_longest_model_and_batch_of_a_definition_are_stated(tmp_path: Path, signer: FileSigner) -> None:
    model, batch = "W" * IDENTITY_CHARS, "b" * 32
    found = issue_one(tmp_path / "archive", signer, dataclasses.replace(PRODUCT, model=model, batch=batch))
    assert found.id == f"{model}_{batch}_v1" and found.folder.is_dir()


def test_the_foot_of_a_printed_page_has_the_whole_id_beside_the_page_number() -> None:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    for label in (
        "Statement FB-1_2026-001_v1, version 1",
        f"Statement {'W' * IDENTITY_CHARS}_{'W' * 32}_v1, version 1",
    ):
        foot = foot_of(label, 328)
        assert "".join(foot.lines) == label and len(foot.lines) * foot.leading <= 24
        assert all(stringWidth(line, "Insert", foot.size) <= 268 for line in foot.lines)
