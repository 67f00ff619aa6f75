"""The bill of materials of a release: kept beside it, named in the signed text, compared when a release is verified."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from provisioning.release.log import ReleaseLog
from tests.unit.provisioning.release.test_release_commands import _sign as sign
from tests.unit.provisioning.release.test_release_commands import _verify as verify
from tests.unit.provisioning.release.test_release_commands import bench

__all__ = ["bench"]


def _bill(path: Path, firmware: bytes) -> Path:
    digest = sha256(firmware).hexdigest()
    component = {"name": "firmware", "hashes": [{"alg": "SHA-256", "content": digest}]}
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "metadata": {"component": component}}))
    return path


def test_up_14_the_bill_of_a_release_is_kept_and_its_hash_logged(bench: Path, tmp_path: Path) -> None:
    bill = _bill(tmp_path / "sbom.cdx.json", bytes(9000))
    log = tmp_path / "log"
    result = sign(bench, "with-bill", log, "--sbom", bill, "--json")
    assert result.exit_code == 0, result.output
    digest = sha256(bill.read_bytes()).hexdigest()
    assert (bench / "with-bill" / "sbom.cdx.json").read_bytes() == bill.read_bytes()
    assert json.loads(result.stdout)["sbom_sha256"] == digest
    assert [one.sbom_sha256 for one in ReleaseLog(log).entries()] == [digest]


def test_up_14_the_signed_text_names_the_bill_and_a_unit_reads_the_rest_as_before(
    bench: Path, tmp_path: Path
) -> None:
    bill = _bill(tmp_path / "sbom.cdx.json", bytes(9000))
    assert sign(bench, "named-bill", tmp_path / "log", "--sbom", bill).exit_code == 0
    plain = sign(bench, "no-bill", tmp_path / "other-log")
    assert plain.exit_code == 0
    texts = []
    for name in ("named-bill", "no-bill"):
        result = verify(bench, name, "--json")
        assert result.exit_code == 0, result.output
        texts.append(json.loads(result.stdout)["text"])
    assert texts[0] == texts[1] and texts[0]["version"]
    assert f"SHA-256 {sha256(bill.read_bytes()).hexdigest()}" in verify(bench, "named-bill").output


@pytest.mark.parametrize("fault", ["changed", "missing", "added"])
def test_up_14_a_bill_that_is_not_the_signed_one_is_found(bench: Path, tmp_path: Path, fault: str) -> None:
    bill = _bill(tmp_path / "sbom.cdx.json", bytes(9000))
    options = () if fault == "added" else ("--sbom", bill)
    assert sign(bench, f"bill-{fault}", tmp_path / "log", *options).exit_code == 0
    path = bench / f"bill-{fault}" / "sbom.cdx.json"
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(bill.read_bytes() + b" ")
    result = verify(bench, f"bill-{fault}")
    assert result.exit_code == 2 and "sbom.cdx.json" in result.output


def test_up_14_a_bill_about_another_firmware_is_refused(bench: Path, tmp_path: Path) -> None:
    bill = _bill(tmp_path / "sbom.cdx.json", bytes(9001))
    log = tmp_path / "log"
    result = sign(bench, "other-bill", log, "--sbom", bill)
    assert result.exit_code == 2
    assert "is about another firmware" in result.output
    assert not log.exists() and not (bench / "other-bill").exists()
