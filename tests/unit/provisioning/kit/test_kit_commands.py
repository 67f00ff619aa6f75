"""`firstboot kit`: the commands of the maker and of the importer, with their exit codes."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli import kit_build, kit_check
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.kit import app
from provisioning.cli.statement import app as statement_app
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.public_keys import public_pem
from provisioning.kit.signed import SIGNED
from provisioning.registry import stops
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.kit.kit_bench import KitFactory

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kit_build, kit_check):
        monkeypatch.setattr(module, "today_utc", lambda: TODAY)


@pytest.fixture
def factory(tmp_path: Path) -> KitFactory:
    return KitFactory(tmp_path)


def build(factory: KitFactory, folder: Path, party: str = "nord", *more: str) -> Result:
    """Run `kit build` with only the public half of the signatory's key, as a station has it."""
    keys = folder / "keys"
    if not keys.exists():
        KeyRing.generate_development(keys)
        (keys / "signatory.pem").unlink()
        (keys / "signatory.pub").write_bytes(public_pem(factory.signer.public))
    sources = ["--registry", str(factory.registry.path), "--packing", str(factory.packing.path)]
    places = ["--site", str(factory.site), "--keys", str(keys), "--out", str(factory.folder)]
    return RUNNER.invoke(app, ["build", party, *sources, *places, *more])


def check(factory: KitFactory, folder: Path, *more: str) -> Result:
    return RUNNER.invoke(app, ["check", str(factory.folder), *more, *factory.key_files(folder)])


def test_the_maker_builds_a_kit_and_the_importer_checks_a_unit(factory: KitFactory, tmp_path: Path) -> None:
    built = build(factory, tmp_path)
    assert built.exit_code == ExitCode.DONE, built.output
    found = check(factory, tmp_path, factory.serial)
    assert found.exit_code == ExitCode.DONE and f"ok  {factory.serial}: in order." in found.stdout


def test_the_json_of_the_build_names_units_and_the_last_day(factory: KitFactory, tmp_path: Path) -> None:
    facts = json.loads(build(factory, tmp_path, "nord", "--json").stdout)
    assert (facts["units"], facts["stopped"], facts["unnamed"]) == (2, 0, 0)
    assert facts["valid_until"] == (TODAY + dt.timedelta(30)).isoformat()


def test_a_delivery_with_a_wrong_unit_ends_with_exit_code_1(factory: KitFactory, tmp_path: Path) -> None:
    factory.build()
    delivery = tmp_path / "delivery.txt"
    delivery.write_text(f"{factory.serial}\n{factory.other}\n")
    found = check(factory, tmp_path, "--list", str(delivery), "--json")
    assert found.exit_code == ExitCode.FAILED
    facts = json.loads(found.stdout)
    assert facts["results"] == {"in-order": 1, "unknown": 1} and facts["is_current"] is True
    assert [each["result"] for each in facts["units"]] == ["in-order", "unknown"]


def test_a_recalled_unit_is_reported_as_recalled(factory: KitFactory, tmp_path: Path) -> None:
    stops.stop(
        factory.registry, "CF-2026-0001", PRODUCT.model, [PRODUCT.batch], stops.RECALLED, by="E. Example"
    )
    factory.build()
    found = check(factory, tmp_path, factory.serial)
    assert found.exit_code == ExitCode.FAILED and f"NO  {factory.serial}: recalled." in found.stdout


def test_without_serial_numbers_the_kit_itself_is_checked(factory: KitFactory, tmp_path: Path) -> None:
    factory.build()
    assert check(factory, tmp_path).exit_code == ExitCode.DONE
    (factory.folder / "index.html").write_text("another page")
    found = check(factory, tmp_path)
    assert found.exit_code == ExitCode.FAILED and "is not the file" in found.stderr


def test_the_duties_of_the_consignee_are_printed_on_request(factory: KitFactory, tmp_path: Path) -> None:
    factory.build()
    assert "section 16" not in check(factory, tmp_path).stdout
    assert "section 16" in check(factory, tmp_path, "--duties").stdout
    facts = json.loads(check(factory, tmp_path, "--duties", "--json").stdout)
    assert {"source": "section 15(3), regulation 9", "requirement": "SC-06"}.items() <= {
        name: value
        for each in facts["duties"]
        if each["requirement"] == "SC-06"
        for name, value in each.items()
    }.items()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["FB1-000001", "--list", "x"], ExitCode.WRONG_INPUT),
        (["--list", "missing.txt"], ExitCode.WRONG_INPUT),
        (["not a serial"], ExitCode.WRONG_INPUT),
    ],
)
def test_wrong_input_ends_with_exit_code_2(
    more: list[str], code: int, factory: KitFactory, tmp_path: Path
) -> None:
    factory.build()
    assert check(factory, tmp_path, *more).exit_code == code


def test_a_folder_that_is_no_kit_ends_with_exit_code_2(factory: KitFactory, tmp_path: Path) -> None:
    factory.folder.mkdir()
    found = check(factory, tmp_path)
    assert found.exit_code == ExitCode.WRONG_INPUT and SIGNED in found.stderr


def test_an_unknown_party_and_a_missing_packing_list_end_with_exit_code_2(
    factory: KitFactory, tmp_path: Path
) -> None:
    assert build(factory, tmp_path, "south").exit_code == ExitCode.WRONG_INPUT
    factory.packing.path.unlink()
    assert build(factory, tmp_path).exit_code == ExitCode.WRONG_INPUT
    assert not factory.folder.exists()


def test_kept_statements_are_listed_with_their_day(factory: KitFactory, tmp_path: Path) -> None:
    factory.build()
    keep = ["keep", str(factory.folder), "--to", str(tmp_path / "kept"), *factory.key_files(tmp_path)]
    first = RUNNER.invoke(app, [*keep, "--json"])
    assert first.exit_code == ExitCode.DONE and json.loads(first.stdout)[0]["is_new"] is True
    assert "was kept before, until 2036-11-22" in RUNNER.invoke(app, keep).stdout
    listed = RUNNER.invoke(statement_app, ["list", "--archive", str(tmp_path / "kept")])
    assert listed.exit_code == ExitCode.DONE and "kept until 2036-11-22" in listed.stdout
