"""`firstboot evidence` as a person uses it, and the statement of compliance that names its digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from provisioning.cli import evidence_build, evidence_show, statement, statement_issue
from provisioning.cli.evidence import app
from provisioning.compliance.archive import Archive
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.register_copies import keep_copy
from provisioning.compliance.support_register import publish
from provisioning.evidence.folder import SIGNED, SOURCES
from provisioning.evidence.runs import ENVELOPE, JUNIT
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.public_keys import public_pem
from provisioning.release.image import image_info
from tests.unit.provisioning.compliance.image_bench import signed
from tests.unit.provisioning.compliance.statement_bench import (
    PASSPHRASE,
    PRODUCT,
    RUNNER_KEY,
    TODAY,
    evidence,
)
from tests.unit.provisioning.compliance.test_statement_commands import run_keys
from tests.unit.provisioning.evidence.evidence_bench import (
    IMAGE,
    ROOT,
    checkout,
    every_test,
    inputs,
    make_run,
    runner,
)
from tests.unit.provisioning.real_maker import REAL

DEAD = "test_the_code_is_invalid_after_set_up"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A definition, an image, a runner's key, and a checkout that needs no git and no compiler."""
    for module in (evidence_build, evidence_show, statement_issue):
        monkeypatch.setattr(module, "today_utc", lambda: TODAY)
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in SOURCES.values()}
    monkeypatch.setattr(evidence_build, "committed_text", lambda _root, path, *_: texts[path])
    monkeypatch.setattr(evidence_build, "this_checkout", lambda _: checkout())
    monkeypatch.setattr(evidence_build, "open_signer", lambda _: RUNNER_KEY)
    (tmp_path / "product.toml").write_text(REAL)
    (tmp_path / "image.bin").write_bytes(IMAGE)
    (tmp_path / "runner.pub").write_bytes(public_pem(RUNNER_KEY.public))
    return tmp_path


def build(desk: Path, *more: object, outcomes: dict[str, str] | None = None) -> Result:
    if not (desk / "run").exists():
        make_run(desk / "run", outcomes)
    return run(
        "build", "--product", desk / "product.toml", "--image", desk / "image.bin", "--run", desk / "run",
        "--runner", desk / "runner.pub", "--key", "runner.pem", "--out", desk / "evidence", *more,
    )  # fmt: skip


def verify(desk: Path, *more: object) -> Result:
    return run("verify", desk / "evidence", "--runner", desk / "runner.pub", *more)


def test_build_show_and_verify_from_a_run_in_which_everything_passed(desk: Path) -> None:
    built = build(desk, "--json")
    assert built.exit_code == 0, built.output
    facts = json.loads(built.stdout)
    assert facts["sha256"] == hashlib.sha256((desk / "evidence" / SIGNED).read_bytes()).hexdigest()
    assert facts["outcomes"]["fail"] == 0 and facts["product"]["batch"] == PRODUCT.batch
    checked = verify(desk, "--image", desk / "image.bin", "--json")
    assert checked.exit_code == 0 and json.loads(checked.stdout) == facts
    shown = run("show", desk / "evidence", "--runner", desk / "runner.pub", "--id", "PW-01")
    assert shown.exit_code == 0
    assert "PW-01  pass" in shown.stdout and f"{DEAD} on this machine, CPython" in shown.stdout
    assert "statement: Passwords (Schedule 1 paragraph 1)" in shown.stdout


def test_a_failed_test_gives_a_folder_with_red_rows_and_exit_code_1(desk: Path) -> None:
    built = build(desk, outcomes={DEAD: "failure"})
    assert built.exit_code == 1
    assert "PW-01: fail" in built.output and "PW-19: fail" in built.output and "PW-02" not in built.output
    shown = run("show", desk / "evidence", "--runner", desk / "runner.pub", "--outcome", "fail", "--json")
    assert [row["id"] for row in json.loads(shown.stdout)] == ["PW-01", "PW-19"]
    assert verify(desk).exit_code == 0  # the red rows follow from the results


def test_a_legal_requirement_that_was_not_run_gives_exit_code_1(desk: Path) -> None:
    tests = [one for one in every_test(inputs()["requirements.md"]) if one[1] != DEAD]
    make_run(desk / "run", tests=tests)
    built = build(desk)
    assert built.exit_code == 1 and "PW-19: not run" in built.output


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("forged results", 1, "is not the file that the test runner signed"),
        ("truncated envelope", 2, "is not a DSSE envelope"),
        ("another runner", 1, "not signed by a test runner that you trust"),
        ("another image", 1, "is about image"),
        ("no folder", 2, "No such file"),
    ],
)
def test_a_run_that_cannot_be_relied_on_gives_no_folder(what: str, code: int, words: str, desk: Path) -> None:
    make_run(desk / "run")
    if what == "forged results":
        (desk / "run" / JUNIT).write_bytes(b"<testsuite/>")
    elif what == "truncated envelope":
        (desk / "run" / ENVELOPE).write_bytes((desk / "run" / ENVELOPE).read_bytes()[:99])
    elif what == "another runner":
        (desk / "runner.pub").write_bytes(
            public_pem(FileSigner(ec.generate_private_key(ec.SECP256R1())).public)
        )
    elif what == "another image":
        (desk / "image.bin").write_bytes(signed(b"other firmware" * 100))
    else:
        (desk / "run" / ENVELOPE).unlink()
    result = build(desk)
    assert result.exit_code == code and words in result.output.replace("\n", " ")
    assert not (desk / "evidence").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--id", "XX-01"), "no such requirement"), (("--outcome", "fine"), "must be one of")],
)
def test_a_row_that_is_not_there_is_wrong_input(arguments: tuple[str, str], words: str, desk: Path) -> None:
    build(desk)
    result = run("show", desk / "evidence", "--runner", desk / "runner.pub", *arguments)
    assert result.exit_code == 2 and words in result.output


def test_run_signs_what_ran_and_names_what_failed(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = [("tests/dual/test_cbor.py", "test_x", ""), ("tests/dual/test_cbor.py", "test_y", "")]
    ran = runner(tests, {"test_y": "failure"})
    monkeypatch.setattr(evidence_build, "pytest_runner", lambda _workers, _on_line: ran)
    arguments = (
        "run",
        "--image",
        desk / "image.bin",
        "--key",
        "k",
        "--out",
        desk / "new",
        "--checkout",
        ROOT,
    )
    result = run(*arguments, "--test", "tests/dual/test_cbor.py", "--json")
    assert result.exit_code == 1 and "tests/dual/test_cbor.py::test_y failed" in result.stderr
    assert json.loads(result.stdout)["cases"] == 2
    assert (desk / "new" / ENVELOPE).is_file()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--test", "tests/nowhere", "no such file"),
        ("--test", "-x", "no such file"),
        ("--robot", "moon", "one of"),
    ],
)
def test_run_refuses_what_it_cannot_run(option: str, value: str, words: str, desk: Path) -> None:
    result = run(
        "run", "--image", desk / "image.bin", "--key", "k", "--out", desk / "new", "--checkout", ROOT,
        f"{option}={value}",
    )  # fmt: skip
    assert result.exit_code == 2 and words in result.output
    assert not (desk / "new").exists()


# The statement of compliance ------------------------------------------------------------------------------


def issue(desk: Path) -> Result:
    """Issue the statement of the batch with the evidence folder."""
    for number, piece in enumerate(evidence(image=image_info(IMAGE).digest)):
        (desk / f"evidence{number}.cose").write_bytes(piece.record)
    publish(Ledger(desk / "register.jsonl"), [PRODUCT], TODAY)
    keep_copy(Ledger(desk / "register.jsonl"), desk / "archive")
    run_keys("generate", "signatory", desk / "erika.pem", typed=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    named = PRODUCT.statement
    arguments = (
        "issue", "--product", desk / "product.toml", "--evidence", desk / "evidence0.cose",
        "--evidence", desk / "evidence1.cose", "--archive", desk / "archive", "--runner", desk / "runner.pub",
        "--image", desk / "image.bin", "--key", desk / "erika.pem", "--name", named.signatory_name,
        "--function", named.signatory_function, "--traceability", desk / "evidence",
    )  # fmt: skip
    typed = f"{PRODUCT.batch}\n{PASSPHRASE}\n"
    return CliRunner().invoke(statement.app, [str(one) for one in arguments], input=typed)


def test_a_statement_names_the_digest_of_the_evidence_and_archives_it(desk: Path) -> None:
    build(desk)
    result = issue(desk)
    assert result.exit_code == 0, result.output
    (found,) = Archive(desk / "archive").statements()
    record = (desk / "evidence" / SIGNED).read_bytes()
    named = next(one for one in found.document()["evidence"] if one["subject"] == "traceability")
    assert named["sha256"] == hashlib.sha256(record).hexdigest() and named["failed"] == 0
    assert (found.folder / "evidence-traceability.dsse.json").read_bytes() == record
    assert Archive(desk / "archive").verify() == 1


def test_evidence_with_a_red_row_issues_nothing(desk: Path) -> None:
    build(desk, outcomes={DEAD: "failure"})
    result = issue(desk)
    assert result.exit_code == 1 and "PW-19: fail" in result.output
    assert not Archive(desk / "archive").statements()


def test_an_evidence_folder_that_was_changed_issues_nothing(desk: Path) -> None:
    build(desk)
    (desk / "evidence" / "index.html").write_text("<p>All is well.</p>")
    result = issue(desk)
    assert result.exit_code == 1 and "index.html was changed" in result.output
    assert not Archive(desk / "archive").statements()
