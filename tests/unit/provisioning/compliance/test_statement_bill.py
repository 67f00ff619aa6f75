"""The bill of materials of the statement's image: named in the signed statement, kept with it, about this firmware."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from provisioning.compliance.archive import Archive, ArchiveError
from tests.unit.provisioning.compliance.statement_bench import PASSPHRASE, PRODUCT
from tests.unit.provisioning.compliance.test_statement_commands import (
    FIRMWARE_BYTES,
    FUNCTION,
    NAME,
    desk,
    issue,
    issued,
    run,
)

__all__ = ["desk"]

TYPED = f"{PRODUCT.batch}\n{PASSPHRASE}\n"


def bill(path: Path, firmware: bytes = FIRMWARE_BYTES) -> Path:
    digest = hashlib.sha256(firmware).hexdigest()
    component = {"name": "firmware", "hashes": [{"alg": "SHA-256", "content": digest}]}
    lwip = {"name": "lwip", "version": "2.2.1"}
    document = {"bomFormat": "CycloneDX", "metadata": {"component": component}, "components": [lwip]}
    path.write_text(json.dumps(document))
    return path


def test_up_14_a_statement_names_the_bill_of_its_image_and_the_archive_keeps_it(desk: Path) -> None:
    path = bill(desk / "12.cdx.json")
    result = issue(desk, "--sbom", path, typed=TYPED)
    assert result.exit_code == 0, result.output
    (found,) = Archive(desk / "archive").statements()
    named = next(one for one in found.document()["evidence"] if one["subject"] == "bill-of-materials")
    assert named == {
        "subject": "bill-of-materials",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "firmware_sha256": hashlib.sha256(FIRMWARE_BYTES).hexdigest(),
        "components": 1,
    }
    assert (found.folder / "sbom.cdx.json").read_bytes() == path.read_bytes()


def test_up_14_a_bill_about_another_firmware_issues_nothing(desk: Path) -> None:
    result = issue(desk, "--sbom", bill(desk / "other.json", b"another firmware"), typed=TYPED)
    assert result.exit_code == 1 and "is about another firmware" in result.output
    assert issued(desk) == 0


@pytest.mark.parametrize("text", ["", "[]", '{"bomFormat": "CycloneDX"}', "[" * 100_000])
def test_a_file_that_is_no_bill_issues_nothing(text: str, desk: Path) -> None:
    (desk / "bill.json").write_text(text)
    result = issue(desk, "--sbom", desk / "bill.json", typed=TYPED)
    assert result.exit_code == 1 and "is not a CycloneDX bill of materials" in result.output
    assert issued(desk) == 0


def test_a_bill_without_an_image_to_compare_is_refused(desk: Path) -> None:
    result = run(
        "issue", "--product", desk / "product.toml", "--evidence", desk / "evidence0.cose",
        "--archive", desk / "archive", "--runner", desk / "runner.pub", "--key", desk / "erika.pem",
        "--name", NAME, "--function", FUNCTION, "--sbom", bill(desk / "12.cdx.json"), typed=TYPED,
    )  # fmt: skip
    assert result.exit_code == 2 and "--sbom needs --image" in result.output
    assert issued(desk) == 0


@pytest.mark.parametrize("is_lost", [False, True])
def test_up_14_a_bill_that_was_changed_in_the_archive_is_found(is_lost: bool, desk: Path) -> None:
    assert issue(desk, "--sbom", bill(desk / "12.cdx.json"), typed=TYPED).exit_code == 0
    (found,) = Archive(desk / "archive").statements()
    path = found.folder / "sbom.cdx.json"
    path.chmod(0o600)
    path.unlink() if is_lost else path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ArchiveError, match=r"sbom\.cdx\.json"):
        Archive(desk / "archive").verify()
