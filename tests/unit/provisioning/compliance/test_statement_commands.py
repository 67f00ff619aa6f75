"""`firstboot statement` as a person uses it: evidence from a test run, the text before signing, the typed input."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from provisioning.cli import statement as commands
from provisioning.cli import statement_archive, statement_evidence, statement_issue
from provisioning.cli.compliance_inputs import trusted_keys
from provisioning.cli.keys import app as keys_app
from provisioning.compliance.archive import Archive
from provisioning.compliance.check_outcomes import EvidenceError
from provisioning.compliance.evidence import FIRMWARE, REQUIRED, read_table
from provisioning.compliance.evidence_run import Checkout, clean_commit, committed_text, junit_of
from provisioning.compliance.junit import outcomes_of, read_cases
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.register_copies import keep_copy
from provisioning.compliance.signed_evidence import read_evidence
from provisioning.compliance.support_register import publish
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.public_keys import public_pem
from provisioning.registry import branches
from provisioning.registry.decisions import hold
from provisioning.registry.registry import Registry
from provisioning.release.image import image_info
from tests.unit.provisioning.compliance.image_bench import signed
from tests.unit.provisioning.compliance.statement_bench import (
    PASSPHRASE,
    PRODUCT,
    RUNNER_KEY,
    TODAY,
    evidence,
)
from tests.unit.provisioning.real_maker import REAL
from tests.unit.provisioning.registry.registry_bench import finish

NAME, FUNCTION = PRODUCT.statement.signatory_name, PRODUCT.statement.signatory_function
FIRMWARE_BYTES = b"the firmware that this commit builds" * 40
IMAGE = signed(FIRMWARE_BYTES)
INFO = image_info(IMAGE)
TABLE = "| ID | level | what | state | code | tests |\n|---|---|---|---|---|---|\n"


def run(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(commands.app, [str(one) for one in arguments], input=typed)


def run_keys(*arguments: object, typed: str) -> Result:
    return CliRunner().invoke(keys_app, [str(one) for one in arguments], input=typed)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A product definition, evidence that passed, and a signatory's key that the command generated."""
    for module in (statement_archive, statement_evidence, statement_issue):
        monkeypatch.setattr(module, "today_utc", lambda: TODAY)
    (tmp_path / "product.toml").write_text(REAL)
    for number, piece in enumerate(evidence(image=INFO.digest)):
        (tmp_path / f"evidence{number}.cose").write_bytes(piece.record)
    (tmp_path / "runner.pub").write_bytes(public_pem(RUNNER_KEY.public))
    (tmp_path / "image.bin").write_bytes(IMAGE)
    publish(Ledger(tmp_path / "register.jsonl"), [PRODUCT], TODAY)
    keep_copy(Ledger(tmp_path / "register.jsonl"), tmp_path / "archive")
    drawn = run_keys("generate", "signatory", tmp_path / "erika.pem", typed=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert drawn.exit_code == 0, drawn.output
    return tmp_path


def issue(desk: Path, *more: object, typed: str, **changes: object) -> Result:
    given: dict[str, object] = {"name": NAME, "function": FUNCTION, "key": desk / "erika.pem"} | changes
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    return run(
        "issue", "--product", desk / "product.toml", "--evidence", desk / "evidence0.cose",
        "--evidence", desk / "evidence1.cose", "--archive", desk / "archive",
        "--runner", desk / "runner.pub", "--image", desk / "image.bin", *options, *more, typed=typed,
    )  # fmt: skip


def issued(desk: Path) -> int:
    return len(Archive(desk / "archive").statements())


# The signatory's key -----------------------------------------------------------------------------------------


def test_a_generated_key_is_encrypted_private_and_has_a_public_half(desk: Path) -> None:
    assert b"ENCRYPTED" in (desk / "erika.pem").read_bytes()
    assert (desk / "erika.pem").stat().st_mode & 0o777 == 0o600
    assert b"PUBLIC KEY" in (desk / "erika.pub").read_bytes()


def test_a_key_is_not_generated_twice_nor_under_a_short_or_mistyped_passphrase(desk: Path) -> None:
    again = run_keys("generate", "signatory", desk / "erika.pem", typed=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert again.exit_code == 2
    short = run_keys("generate", "signatory", desk / "other.pem", typed="short\nshort\n")
    assert short.exit_code == 1 and "at least 12" in short.stderr
    run_keys("generate", "signatory", desk / "other.pem", typed=f"{PASSPHRASE}\nsomething else\n")
    assert not (desk / "other.pem").exists()


# Evidence from a test run ------------------------------------------------------------------------------------


def test_run_of(outcomes: dict[str, str]) -> bytes:
    """A JUnit file with one case per requirement."""
    suite = ElementTree.Element("testsuite")
    for name, outcome in outcomes.items():
        words = f"test_{name.lower().replace('-', '_')}"
        case = ElementTree.SubElement(suite, "testcase", classname="tests.unit.test_law", name=words)
        if outcome != "pass":
            ElementTree.SubElement(case, outcome)
    return ElementTree.tostring(suite)


test_run_of.__test__ = False  # type: ignore[attr-defined]


def table() -> str:
    rows = [
        f"| {name} | L | words | built | `x.py` | `tests/unit/test_law.py::test_{name.lower().replace('-', '_')}` |"
        for name in REQUIRED[FIRMWARE]
    ]
    return TABLE + "\n".join(rows) + "\n"


def make_evidence(
    desk: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: dict[str, str],
    image: bytes = IMAGE,
    *more: object,
) -> Result:
    """Run the command with a checkout whose tests end with `outcomes` and whose firmware is `FIRMWARE_BYTES`."""
    (desk / "image.bin").write_bytes(image)
    key = FileSigner(ec.derive_private_key(7, ec.SECP256R1()))
    monkeypatch.setattr(statement_evidence, "open_signer", lambda _: key)
    (desk / "runner.pub").write_bytes(public_pem(key.public))
    tree = Checkout(
        desk,
        lambda _: "c0" * 20,
        lambda _: FIRMWARE_BYTES,
        lambda _, files: test_run_of(outcomes),
        lambda _, path: table(),
    )
    monkeypatch.setattr(statement_evidence, "this_checkout", lambda _: tree)
    return run(
        "evidence", "--image", desk / "image.bin", "--key", "runner.pem",
        "--out", desk / "firmware.cose", *more,
    )  # fmt: skip


def passed() -> dict[str, str]:
    return dict.fromkeys(REQUIRED[FIRMWARE], "pass")


def test_a_run_in_which_every_legal_test_passed_is_signed_evidence_about_the_image(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_evidence(desk, monkeypatch, passed())
    assert result.exit_code == 0, result.output
    found = read_evidence((desk / "firmware.cose").read_bytes(), trusted_keys([desk / "runner.pub"])).evidence
    assert found.of["image_sha256"] == INFO.digest.hex() and not found.problems()
    assert found.of["version"] == "1.2.3+4"
    assert found.of["commit"] == "c0" * 20 and "Python" in found.of["tools"]
    assert read_table(table()).keys() == {check.id for check in found.checks}


@pytest.mark.parametrize("outcome", ["failure", "error", "skipped"])
def test_a_run_with_a_test_that_did_not_pass_says_which(
    outcome: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_evidence(desk, monkeypatch, passed() | {"PW-03": outcome})
    assert result.exit_code == 1
    assert "PW-03" in result.output and "no statement can be issued" in result.output


def test_a_run_that_lost_a_test_is_no_evidence_for_it(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = passed()
    del outcomes["SP-09"]
    assert make_evidence(desk, monkeypatch, outcomes).exit_code == 1


APP = """
[[components]]
name = "App"
kind = "must-install"
updates = true
"""


@pytest.mark.parametrize(
    ("package", "code", "words"),
    [
        (b"password = ask()", 0, "1 packages were searched"),
        (b'password = "admin1"', 1, "a password in App: password in the package"),
        (None, 1, "the package of App was not given"),
    ],
)
def test_pw_05_an_app_that_must_be_installed_is_searched(
    package: bytes | None, code: int, words: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "product.toml").write_text(REAL.replace("[publication]", APP + "\n[publication]", 1))
    more: list[object] = ["--product", desk / "product.toml"]
    if package is not None:
        (desk / "app.apk").write_bytes(package)
        more += ["--package", f"App={desk / 'app.apk'}"]
    result = make_evidence(desk, monkeypatch, passed(), IMAGE, *more)
    assert result.exit_code == code and words in result.output
    if package is not None:
        found = read_evidence(
            (desk / "firmware.cose").read_bytes(), trusted_keys([desk / "runner.pub"])
        ).evidence
        assert json.loads(found.of["packages"]) == {"App": hashlib.sha256(package).hexdigest()}


@pytest.mark.parametrize(
    ("words", "reason"),
    [("App", "NAME=FILE"), ("=x", "NAME=FILE"), ("App=", "NAME=FILE"), ("FB-1=x", "needs --product")],
)
def test_a_package_that_names_no_component_is_refused(
    words: str, reason: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_evidence(desk, monkeypatch, passed(), IMAGE, "--package", words)
    assert result.exit_code == 2 and reason in result.output


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "is not a signed boot image"),
        (b"image", "is not a signed boot image"),
        (IMAGE + b"more", "is not a signed boot image"),
        (signed(b"other firmware" * 100), "is not the firmware that commit"),
        (signed(FIRMWARE_BYTES + b"and more code"), "is not the firmware that commit"),
        (signed(FIRMWARE_BYTES[:-1]), "is not the firmware that commit"),
    ],
)
def test_an_image_that_this_checkout_does_not_build_is_not_tested(
    image: bytes, reason: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_evidence(desk, monkeypatch, passed(), image)
    assert result.exit_code == 2 and reason in result.output + result.stderr
    assert not (desk / "firmware.cose").exists()


def test_an_image_of_another_version_than_expected_is_not_tested(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_evidence(desk, monkeypatch, passed(), IMAGE, "--version", "1.2.4+4")
    assert result.exit_code == 2 and "has version 1.2.3+4, not 1.2.4+4" in result.stderr
    assert not (desk / "firmware.cose").exists()
    assert make_evidence(desk, monkeypatch, passed(), IMAGE, "--version", "1.2.3+4").exit_code == 0


def test_the_table_is_the_one_of_the_commit(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "requirements.md").write_text("committed")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-mx"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "docs" / "requirements.md").write_text("changed")
    assert committed_text(tmp_path, "docs/requirements.md") == "committed"
    (tmp_path / "other.md").write_text("not committed")
    for path in ("other.md", "../other.md", "/etc/hostname"):
        with pytest.raises(EvidenceError):
            committed_text(tmp_path, path)


def test_no_setting_of_the_environment_reaches_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_one.py").write_text("def test_one() -> None:\n    assert False\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--co")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    outcomes = outcomes_of(read_cases(junit_of(tmp_path, ["test_one.py"])))
    assert outcomes == {("test_one.py", "test_one"): ["fail"]}


def test_a_checkout_with_changes_is_not_tested(tmp_path: Path) -> None:
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "--allow-empty", "-mx"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert len(clean_commit(tmp_path)) == 40
    (tmp_path / "new.py").write_text("")
    with pytest.raises(EvidenceError, match="not committed"):
        clean_commit(tmp_path)


def test_hand_made_evidence_issues_nothing(desk: Path) -> None:
    (desk / "evidence0.cose").write_bytes(evidence()[0].evidence.to_json())
    result = issue(desk, typed=f"{PRODUCT.batch}\n{PASSPHRASE}\n")
    assert result.exit_code != 0 and issued(desk) == 0


# Issuing -----------------------------------------------------------------------------------------------------


def test_the_whole_statement_is_shown_before_anything_is_asked(desk: Path) -> None:
    result = issue(desk, typed=f"{PRODUCT.batch}\n{PASSPHRASE}\n")
    assert result.exit_code == 0, result.output
    shown, _, _ = result.output.partition("to sign, type the batch number")
    for words in (
        PRODUCT.model,
        PRODUCT.manufacturer.address,
        "31 December 2031",
        "not signed yet",
        "lawyer",
    ):
        assert words in shown
    assert PASSPHRASE not in result.output and issued(desk) == 1


@pytest.mark.parametrize("typed", ["", "yes", "2026-002", PASSPHRASE])
def test_without_the_batch_number_typed_nothing_is_signed(typed: str, desk: Path) -> None:
    assert issue(desk, typed=f"{typed}\n{PASSPHRASE}\n{PASSPHRASE}\n").exit_code == 1
    assert issued(desk) == 0


def test_a_wrong_passphrase_signs_nothing(desk: Path) -> None:
    result = issue(desk, typed=f"{PRODUCT.batch}\nnot the phrase at all\n")
    assert result.exit_code == 1 and "does not open" in result.stderr
    assert "not the phrase" not in result.output + result.stderr and issued(desk) == 0


@pytest.mark.parametrize("changes", [{"name": "Max Muster"}, {"function": "Intern"}])
def test_another_person_or_function_signs_nothing(changes: dict[str, object], desk: Path) -> None:
    result = issue(desk, typed=f"{PRODUCT.batch}\n{PASSPHRASE}\n", **changes)
    assert result.exit_code == 1 and "names Moira Tallow" in result.stderr and issued(desk) == 0


def test_faults_of_the_batch_in_the_registry_stop_the_signature(desk: Path) -> None:
    book = Registry.create(desk / "registry.db")
    book.open_batch(PRODUCT.batch, PRODUCT.model, bytes(32), is_development=False)
    unit = finish(book, 1, "code1", batch=PRODUCT.batch)
    hold(book, unit.serial, by="E", reason="bent")
    book.close()
    result = issue(desk, "--registry", desk / "registry.db", typed=f"{PRODUCT.batch}\n{PASSPHRASE}\n")
    assert (
        result.exit_code == 1 and "quarantined and wait for a decision" in result.stderr and issued(desk) == 0
    )
    again = Registry(desk / "registry.db")
    again.retire(unit.serial, by="E", reason="bent")
    assert branches.incidents(again) == []
    again.close()
    passed_now = issue(desk, "--registry", desk / "registry.db", typed=f"{PRODUCT.batch}\n{PASSPHRASE}\n")
    assert passed_now.exit_code == 0, passed_now.output


def test_no_command_makes_an_archive_out_of_a_mistyped_name(desk: Path) -> None:
    Registry.create(desk / "registry.db").close()
    typo = desk / "arcive"
    for arguments in (
        ["list"],
        ["dispose", "FB-1_2026-001_v1"],
        ["sign-withdrawals", "--registry", desk / "registry.db"],
    ):
        result = run(*arguments, "--archive", typo)
        assert result.exit_code == 2 and "There is no archive of statements in" in result.stderr
    assert issue(desk, archive=typo, typed=f"{PRODUCT.batch}\n{PASSPHRASE}\n").exit_code == 2
    assert not typo.exists() and issued(desk) == 0


def test_what_was_issued_is_listed_and_not_disposed_of_early(desk: Path) -> None:
    issue(desk, typed=f"{PRODUCT.batch}\n{PASSPHRASE}\n")
    listed = run("list", "--archive", desk / "archive")
    assert listed.exit_code == 0 and "FB-1_2026-001_v1" in listed.output
    disposed = run("dispose", "FB-1_2026-001_v1", "--archive", desk / "archive")
    assert disposed.exit_code == 1 and issued(desk) == 1
    path = Archive(desk / "archive").statements()[0].folder / "statement.json"
    path.chmod(0o644)
    path.write_bytes(json.dumps({}).encode())
    assert run("list", "--archive", desk / "archive").exit_code == 1
