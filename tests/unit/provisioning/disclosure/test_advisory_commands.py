"""`firstboot advisory` as a maker runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli import advisory, report
from tests import openpgp as bench
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT_FILE

BY = ("--by", "E. Example")
PUBLIC = ("--product", str(PRODUCT_FILE), "--base-url", "https://example.com/")


class Maker:
    """The commands in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases = ("--cases", str(folder / "reports.db"))
        (folder / "what.txt").write_text("A reset leaves data.\n")
        (folder / "action.txt").write_text("Install 1.2.1.\n")

    def report(self, *arguments: object, text: str | None = None) -> Any:
        done = CliRunner().invoke(report.app, [*map(str, arguments), *self.cases, "--json"], input=text)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def run(self, *arguments: object, code: int = 0) -> Result:
        done = CliRunner().invoke(advisory.app, [*map(str, arguments), *self.cases])
        assert done.exit_code == code, done.output
        return done

    def write(self, case: str, *more: object, code: int = 0) -> Result:
        texts = ("--description", self.folder / "what.txt", "--action", self.folder / "action.txt")
        return self.run("write", case, *BY, "--reason", "first text", *texts, *more, code=code)

    def build(self, *more: object, code: int = 0) -> Result:
        return self.run("build", *PUBLIC, "--out", self.folder / "public", *more, code=code)

    def confirmed(self) -> str:
        case = str(self.report("add", "--message", "-", *BY, text="The reset leaves data.\n")["case"])
        self.report("acknowledge", case, *BY)
        self.report(
            "triage", case, *BY, "--title", "Reset leaves data", "--reason", "log", "--version", "1.2.0"
        )
        self.report("confirm", case, *BY, "--reason", "seen")
        return case


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    made = Maker(tmp_path)
    made.report("init")
    made.report("promise", "--product", PRODUCT_FILE, *BY)
    return made


def test_from_a_case_to_a_page_and_a_document(maker: Maker) -> None:
    case = maker.confirmed()
    written = json.loads(maker.write(case, "--cve", "CVE-2026-12345", "--json").stdout)
    assert (written["advisory"], written["is_public"], written["revision"]) == ("SA-2026-0001", False, 0)
    draft = json.loads(maker.run("show", case, *PUBLIC).stdout)
    assert draft["document"]["tracking"]["status"] == "draft"
    assert json.loads(maker.build("--json").stdout)["drafts"] == 1
    assert not list((maker.folder / "public").rglob("sa-*"))
    maker.report("resolve", case, *BY, "--release", "1.2.1")
    maker.report("publish", case, *BY, "--link", "https://example.com/advisories/sa-2026-0001.html")
    assert json.loads(maker.build("--json").stdout)["advisories"] == ["SA-2026-0001"]
    page = (maker.folder / "public/advisories/sa-2026-0001.html").read_text()
    assert "CVE-2026-12345" in page and "Install 1.2.1." in page


def test_a_case_under_embargo_is_not_in_the_export_either(maker: Maker) -> None:
    case = maker.confirmed()
    maker.write(case)
    maker.report("export", "--to", maker.folder / "cases.json")
    assert "leaves data" not in (maker.folder / "cases.json").read_text()


def test_a_wrong_cve_number_is_refused_and_nothing_is_recorded(maker: Maker) -> None:
    case = maker.confirmed()
    before = maker.report("show", case)["version"]
    assert "is not a CVE number" in maker.write(case, "--cve", "2026-1", code=2).output
    assert maker.report("show", case)["version"] == before


def test_an_address_without_https_is_refused(maker: Maker) -> None:
    out = ("--out", maker.folder / "public")
    done = maker.run("build", "--product", PRODUCT_FILE, "--base-url", "http://example.com/", *out, code=2)
    assert "https" in done.output and not (maker.folder / "public").exists()


def test_a_case_without_a_text_has_nothing_to_show(maker: Maker) -> None:
    case = maker.confirmed()
    assert "has no text for the public" in maker.run("show", case, *PUBLIC, code=2).output


def test_with_an_openpgp_key_the_documents_are_signed(maker: Maker) -> None:
    key = bench.private_key(maker.folder / "security.asc")
    done = json.loads(maker.build("--openpgp-key", key, "--json").stdout)
    folder = maker.folder / "public/.well-known/csaf"
    assert json.loads((folder / "provider-metadata.json").read_text())["role"] == "csaf_trusted_provider"
    assert (folder / f"openpgp/{done['openpgp_key']}.asc").is_file()
    assert done["openpgp_key"] in maker.build("--openpgp-key", key).output


def test_a_key_that_cannot_be_used_is_refused_before_anything_is_written(maker: Maker) -> None:
    key = bench.revoked(bench.private_key(maker.folder / "security.asc"))
    assert "security.asc is revoked" in maker.build("--openpgp-key", key, code=2).output
    key = bench.private_key(maker.folder / "open.asc")
    key.chmod(0o644)
    assert "set its mode to 0600" in maker.build("--openpgp-key", key, code=2).output
    assert not (maker.folder / "public").exists()


def test_without_the_library_the_build_says_how_to_get_it(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (maker.folder / "security.asc").write_text("x")
    (maker.folder / "security.asc").chmod(0o600)
    monkeypatch.setitem(sys.modules, "pysequoia", None)
    done = maker.build("--openpgp-key", maker.folder / "security.asc", code=75)
    assert "OpenPGP needs pysequoia, which is not installed" in done.output
    assert maker.build().exit_code == 0  # without a key nothing needs it


def test_an_earlier_key_needs_a_present_one(maker: Maker) -> None:
    (maker.folder / "old.asc").write_text("x")
    done = maker.build("--openpgp-earlier", maker.folder / "old.asc", code=2)
    assert "--openpgp-earlier needs --openpgp-key" in done.output


def test_a_weakness_and_the_thanks_come_from_the_commands_into_the_page(maker: Maker) -> None:
    words = ("add", "--message", "-", "--address", "ada@example.com", *BY)
    case = str(maker.report(*words, text="The reset leaves data.\n")["case"])
    maker.report("acknowledge", case, *BY)
    triaged = ("triage", case, *BY, "--title", "Reset leaves data", "--reason", "log", "--version", "1.2.0")
    maker.report(*triaged, "--cwe", "CWE-226")
    maker.report("confirm", case, *BY, "--reason", "seen")
    maker.write(case)
    maker.report("thank", case, *BY, "--name", "Ada L.", "--reason", "her mail")
    shown = CliRunner().invoke(report.app, ["show", case, "--words", *maker.cases])
    assert "CWE-226 Sensitive Information" in shown.stdout and "thanks to" in shown.stdout
    assert shown.stdout.count("Ada L.") == 1
    maker.report("resolve", case, *BY, "--release", "1.2.1")
    maker.report("publish", case, *BY, "--link", "https://example.com/advisories/sa-2026-0001.html")
    maker.build()
    page = (maker.folder / "public/advisories/sa-2026-0001.html").read_text()
    assert "We thank Ada L., who reported" in page and "(CWE-226)" in page


def test_thanks_need_a_name_or_a_withdrawal(maker: Maker) -> None:
    case = maker.confirmed()
    done = CliRunner().invoke(report.app, ["thank", case, *BY, "--reason", "x", *maker.cases])
    assert done.exit_code == 2 and "Give --name or --withdraw." in done.output
