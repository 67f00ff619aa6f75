"""`firstboot release affected`: releases by component or CVE, units by report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from device.suit import report
from provisioning.cli.release import app
from provisioning.product.product import load_product
from provisioning.registry.registry import Registry
from provisioning.registry.sale import note_shipped
from provisioning.release.affected import matches
from provisioning.release.log import LogEntry, ReleaseLog
from provisioning.servers.report_log import ReportLog
from tests.unit.provisioning.registry.registry_bench import finish

ROOT = Path(__file__).resolve().parents[4]
PRODUCT_FILE = ROOT / "examples" / "product" / "product.toml"
PRODUCT = load_product(PRODUCT_FILE)
SIGNED_S = 1_796_083_200  # 2026-12-01, as in the log


class Maker:
    """A folder with a release log, release folders and advisories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = ReleaseLog(folder / "releases.jsonl")
        self.advisories = folder / "public"
        self.advisories.mkdir()

    def release(self, number: int, version: str, *components: tuple[str, str], has_bill: bool = True) -> None:
        """Log a release; its bill of materials lists these components."""
        bill = {
            "bomFormat": "CycloneDX",
            "metadata": {"component": {"hashes": [{"alg": "SHA-256", "content": "00"}]}},
            "components": [{"name": name, "version": text} for name, text in components],
            "serialNumber": str(number),
        }
        data = json.dumps(bill).encode()
        folder = self.folder / "releases" / f"release-{number}"
        folder.mkdir(parents=True)
        if has_bill:
            (folder / "sbom.cdx.json").write_bytes(data)
        self.log.append(
            LogEntry(
                PRODUCT.class_id.hex(), number, version, "aa", "bb", "2026-12-01T00:00:00+00:00",
                sbom_sha256=hashlib.sha256(data).hexdigest() if has_bill else "",
            )
        )  # fmt: skip

    def advisory(self, cve: str, affected: list[str], fixed: list[str]) -> None:
        """Publish an advisory with these versions."""
        branches = [
            {"category": "product_version", "name": one, "product": {"product_id": one, "name": one}}
            for one in [*affected, *fixed]
        ]
        status = {"known_affected": affected, "fixed": fixed} if affected else {"known_not_affected": fixed}
        document = {
            "product_tree": {"branches": [{"category": "vendor", "name": "x", "branches": branches}]},
            "vulnerabilities": [{"cve": cve, "product_status": status}],
        }
        (self.advisories / "sa.json").write_text(json.dumps(document))

    def run(self, what: str, *more: object, code: int = 0) -> Result:
        words = [what, "--product", PRODUCT_FILE, "--log", self.log.path, *more]
        done = CliRunner().invoke(app, ["affected", *map(str, words)])
        assert done.exit_code == code, done.output
        return done

    def ask(self, what: str, *more: object) -> Any:
        return json.loads(self.run(what, *more, "--json").stdout)

    def by_bills(self, what: str, *more: object) -> Any:
        return self.ask(what, "--bills", self.folder / "releases", *more)

    def by_advisories(self, what: str) -> Any:
        return self.ask(what, "--advisories", self.advisories)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def versions(entries: list[dict[str, Any]]) -> list[str]:
    return [str(one["version"]) for one in entries]


def test_a_component_and_its_version_name_the_releases_that_contain_it(maker: Maker) -> None:
    maker.release(1, "1.0.0+1", ("lwip", "2.2.0"))
    maker.release(2, "1.1.0+2", ("lwip", "2.2.1"))
    maker.release(3, "1.2.0+3", ("lwip", "2.2.2"))
    found = maker.by_bills("lwip@2.2.1")
    assert versions(found["affected"]) == ["1.1.0+2"]
    assert found["fix"]["version"] == "1.2.0+3"
    assert versions(maker.by_bills("lwip")["affected"]) == ["1.0.0+1", "1.1.0+2", "1.2.0+3"]


def test_a_release_without_a_bill_is_unknown_and_no_fix(maker: Maker) -> None:
    maker.release(1, "1.0.0+1", ("lwip", "2.2.1"))
    maker.release(2, "1.1.0+2", has_bill=False)
    found = maker.by_bills("lwip@2.2.1")
    assert (versions(found["unknown"]), found["fix"]) == (["1.1.0+2"], None)


def test_a_component_that_no_bill_has_is_refused(maker: Maker) -> None:
    maker.release(1, "1.0.0+1", ("lwip", "2.2.1"))
    done = maker.run("lwipp", "--bills", maker.folder / "releases", code=2)
    assert "no bill has a component 'lwipp'; they have lwip" in done.output


def test_a_fix_is_missing_only_if_a_release_is_affected(maker: Maker) -> None:
    maker.release(1, "1.0.0+1", ("lwip", "2.2.1"))
    bills = ("--bills", maker.folder / "releases")
    assert maker.run("lwip@2.2.0", *bills).stdout.splitlines() == ["affected: no release"]
    assert "no release with a fix" in maker.run("lwip@2.2.1", *bills).stdout


def test_a_cve_of_an_advisory_names_the_releases(maker: Maker) -> None:
    for number, version in ((1, "1.0.0+1"), (2, "1.0.1+2"), (3, "1.0.2+3")):
        maker.release(number, version)
    maker.advisory("CVE-2026-12345", ["1.0.0"], ["1.0.1"])
    found = maker.by_advisories("CVE-2026-12345")
    assert (versions(found["affected"]), found["fix"]["version"]) == (["1.0.0+1"], "1.0.1+2")


def test_a_cve_that_does_not_affect_the_product_affects_no_release(maker: Maker) -> None:
    maker.release(1, "1.0.0+1")
    maker.advisory("CVE-2026-12345", [], ["1.0.0"])
    assert maker.by_advisories("CVE-2026-12345")["affected"] == []


def test_a_cve_without_an_advisory_is_refused(maker: Maker) -> None:
    maker.release(1, "1.0.0+1")
    done = maker.run("CVE-2026-12345", "--advisories", maker.advisories, code=2)
    assert "no advisory in" in done.output


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"vulnerabilities": 7}', '{"vulnerabilities": [], "product_tree": []}']
)
def test_a_damaged_document_is_an_error_and_not_silence(maker: Maker, text: str) -> None:
    (maker.advisories / "sa.json").write_text(text)
    maker.release(1, "1.0.0+1")
    done = maker.run("CVE-2026-12345", "--advisories", maker.advisories, code=2)
    assert "sa.json is not a CSAF document" in done.output or "no advisory in" in done.output


@pytest.mark.parametrize("option", ["--bills", "--advisories"])
def test_the_source_of_the_answer_must_be_given(maker: Maker, option: str) -> None:
    what = "CVE-2026-12345" if option == "--advisories" else "lwip"
    assert option in maker.run(what, code=2).output


@pytest.mark.parametrize(
    ("version", "text", "is_match"),
    [
        ("1.2.0+4", "1.2.0", True),
        ("1.2.0+4", "1.2.0+4", True),
        ("1.2.0+4", "1.2", False),
        ("1.9.0+4", "vers:generic/<1.10.0", True),
        ("1.10.0+4", "vers:generic/<1.10.0", False),
        ("text", "vers:generic/<1.10.0", False),
        ("1.2.0+4", "vers:all/*", True),
    ],
)
def test_a_version_is_compared_with_versions_and_ranges(version: str, text: str, is_match: bool) -> None:
    assert matches(version, {text}) is is_match


def test_up_08_batches_and_units_are_counted_from_the_registry(maker: Maker) -> None:
    maker.release(1, "1.0.0+0", ("lwip", "2.2.1"))
    maker.release(2, "1.0.1+2", ("lwip", "2.2.2"))
    registry = Registry.create(maker.folder / "registry.db")
    for number, (batch, model) in enumerate((("B1", PRODUCT.model), ("X1", "another model"))):
        registry.open_batch(batch, model, bytes(32), is_development=False)
        note_shipped(registry, [finish(registry, number, f"code{number}", batch=batch).device_id])
    registry.close()
    units = maker.by_bills("lwip@2.2.1", "--registry", maker.folder / "registry.db")["units"]
    assert (units["running_affected"], units["by_batch"]) == (1, {"B1": 1})
    assert (units["needing_fix"], units["with_fix"], units["seconds_to_95_percent"]) == (1, 0, None)


@dataclass
class Field:
    """Three units of batch B1: the first reports release 2 an hour after its signature, the third is in stock."""

    registry: Path
    reports: Path

    @property
    def options(self) -> tuple[object, ...]:
        return ("--registry", self.registry, "--reports", self.reports)


@pytest.fixture
def field(maker: Maker) -> Field:
    maker.release(1, "1.0.0+0", ("lwip", "2.2.1"))
    maker.release(2, "1.0.1+2", ("lwip", "2.2.2"))
    found = Field(maker.folder / "registry.db", maker.folder / "reports.jsonl")
    registry = Registry.create(found.registry)
    registry.open_batch("B1", PRODUCT.model, bytes(32), is_development=False)
    unit = finish(registry, 1, "code1")
    note_shipped(registry, [unit.device_id, finish(registry, 2, "code2").device_id])
    finish(registry, 3, "code3")
    registry.close()
    claim = report.Report(report.NO_REFERENCE, None, bytes(32), "1.0.1+2", 2, 0, False, {})
    log = ReportLog(found.reports, now=lambda: SIGNED_S + 3600)
    log.append(unit.device_id.hex(), "coap", report.encode(claim))
    return found


def test_up_08_reports_of_the_server_count(maker: Maker, field: Field) -> None:
    units = maker.by_bills("lwip@2.2.1", *field.options)["units"]
    assert (units["with_fix"], units["running_affected"], units["silent"]) == (1, 1, 1)
    assert (units["curve"], units["seconds_to_newest_report"]) == ([{"seconds": 3600, "share": 0.5}], 3600)


def test_up_08_both_commands_tell_stock_from_the_field(maker: Maker, field: Field) -> None:
    bills = ("--bills", maker.folder / "releases")
    text = maker.run("lwip@2.2.1", *bills, *field.options).stdout
    assert "1 unit in the field with an affected version" in text
    for shown in (text, adoption(maker, field).stdout):
        assert "1 unit in stock" in shown and "batch B1: 1 in stock" in shown
        assert "1 of 2 units" in shown
    for found in (
        maker.by_bills("lwip@2.2.1", *field.options)["units"],
        json.loads(adoption(maker, field, "--json").stdout),
    ):
        assert (found["in_stock"], found["in_stock_by_batch"]) == (1, {"B1": 1})


def test_a_missing_file_of_reports_is_refused(maker: Maker, field: Field) -> None:
    bills = ("--bills", maker.folder / "releases", "--registry", field.registry)
    assert "--reports" in maker.run("lwip", *bills, "--reports", maker.folder / "none", code=2).output


def test_up_08_the_curve_is_written_as_a_picture(maker: Maker, field: Field) -> None:
    plot = maker.folder / "plot.svg"
    maker.by_bills("lwip@2.2.1", *field.options, "--plot", plot)
    assert "release 1.0.1+2, which fixes lwip@2.2.1" in plot.read_text()


def test_a_picture_without_units_or_without_a_fix_is_refused(maker: Maker, field: Field) -> None:
    plot = ("--bills", maker.folder / "releases", "--plot", maker.folder / "plot.svg")
    assert "needs --registry" in maker.run("lwip@2.2.1", *plot, code=2).output
    assert "no release has the fix" in maker.run("lwip@2.2.2", *field.options, *plot, code=2).output
    assert not (maker.folder / "plot.svg").exists()


def adoption(maker: Maker, field: Field, *more: object, code: int = 0) -> Result:
    words = ["adoption", "--product", PRODUCT_FILE, "--log", maker.log.path, *field.options, *more]
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == code, done.output
    return done


def test_up_08_the_adoption_of_a_release_is_measured_without_a_vulnerability(
    maker: Maker, field: Field
) -> None:
    plot = maker.folder / "plot.svg"
    found = json.loads(adoption(maker, field, "--plot", plot, "--json").stdout)
    assert (found["version"], found["needing_release"], found["with_release"]) == ("1.0.1+2", 2, 1)
    assert (found["seconds_to_95_percent"], found["silent"]) == (None, 1)
    assert "1 of 2 units have it, 1 never reported; 95 % not reached." in plot.read_text()


def test_a_newer_release_counts_as_the_adoption_of_an_older_one(maker: Maker, field: Field) -> None:
    maker.release(3, "1.0.2+3", ("lwip", "2.2.2"))
    found = json.loads(adoption(maker, field, "--release", 2, "--json").stdout)
    assert found["with_release"] == 1
    assert json.loads(adoption(maker, field, "--json").stdout)["with_release"] == 0


def test_a_release_that_the_log_does_not_have_is_refused(maker: Maker, field: Field) -> None:
    assert "it has 1, 2" in adoption(maker, field, "--release", 7, code=2).output
    maker.log.path.write_text("")
    assert "no release of this product" in adoption(maker, field, code=2).output
