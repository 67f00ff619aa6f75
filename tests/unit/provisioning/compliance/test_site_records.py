"""SP-03: the record for devices is published together with the page, and never has another date."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from typer.testing import CliRunner, Result

from provisioning.cli import site as site_commands
from provisioning.cli.keys import app as keys_app
from provisioning.cli.release import app as release_app
from provisioning.compliance.device_record import DeviceRecords
from provisioning.compliance.issue import draw_key
from provisioning.compliance.lifecycle import lifecycle_files
from provisioning.compliance.site import build_site
from provisioning.keys.file_signer import FileSigner
from provisioning.product.product import Product
from provisioning.release.folder_store import FolderStore
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.compliance.test_site import BASE, for_devices, refused, second, site, until
from tests.unit.provisioning.real_maker import REAL

LONGER = until(dt.date(2033, 12, 31))


def test_an_extension_without_a_record_for_devices_is_refused(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    assert "no signed support record for devices was given" in refused(site(tmp_path, LONGER))[0]
    build_site(site(tmp_path, LONGER, device=for_devices(LONGER)))


def test_models_of_one_class_get_the_record_of_their_class(tmp_path: Path) -> None:
    given = for_devices(PRODUCT)
    other = dataclasses.replace(PRODUCT, model="FB-2")
    build_site(site(tmp_path, PRODUCT, other, device=given))
    assert (tmp_path / "site/records/support-FB-2.cose").read_bytes() == given.records[0]
    notice = dataclasses.replace(other, support=dataclasses.replace(other.support, notice_days=1))
    assert refused(site(tmp_path, PRODUCT, notice, device=given)) == [
        "FB-2: the record for devices has 180 days of notice, not 1 (SP-03)"
    ]


def test_of_two_records_of_a_class_the_newest_counts_in_any_order(tmp_path: Path) -> None:
    older = for_devices(until(dt.date(2031, 6, 30)))
    newer = for_devices(until(PRODUCT.support.end_date, sequence=2))
    product = until(PRODUCT.support.end_date, sequence=2)
    for number, records in enumerate(([*older.records, *newer.records], [*newer.records, *older.records])):
        build_site(site(tmp_path / str(number), product, device=dataclasses.replace(newer, records=records)))


def test_two_different_records_of_a_class_with_one_sequence_number_are_refused(tmp_path: Path) -> None:
    other, given = for_devices(until(dt.date(2031, 6, 30))), for_devices(PRODUCT)
    both = dataclasses.replace(given, records=[*given.records, *other.records])
    assert "two different support records" in refused(site(tmp_path, device=both))[0]


def test_the_record_lies_beside_the_page_byte_for_byte(tmp_path: Path) -> None:
    given = for_devices(PRODUCT)
    build_site(site(tmp_path, device=given))
    assert (tmp_path / "site/records/support-FB-1.cose").read_bytes() == given.records[0]


def test_the_dates_for_other_programs_follow_from_the_record_of_the_devices(tmp_path: Path) -> None:
    given = for_devices(PRODUCT)
    build_site(site(tmp_path, device=given))
    records = tmp_path / "site/records"
    assert json.loads((records / "support-FB-1.openeox-draft.json").read_text()) == {
        "$schema": "https://docs.oasis-open.org/openeox/eox-core/v1.0/schema/core.json",
        "end_of_life": "tba",
        "end_of_security_support": "2031-12-31T23:59:59Z",
        "last_updated": "1970-01-01T00:00:01Z",
    }
    text = (records / "support-FB-1.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    component = json.loads(text)["metadata"]["component"]
    assert (component["name"], component["type"]) == ("FB-1", "device")
    values = {one["name"]: one["value"] for one in component["properties"]}
    assert values["cdx:lifecycle:milestone:endOfGuaranteedSupport"] == "2031-12-31"
    assert values["firstboot:support-record-sha256"] == hashlib.sha256(given.records[0]).hexdigest()
    page = (tmp_path / "site/products/FB-1/index.html").read_text()
    assert "records/support-FB-1.cdx.json" in page and "records/support-FB-1.openeox-draft.json" in page


def test_an_extension_changes_the_dates_for_other_programs_with_the_record(tmp_path: Path) -> None:
    build_site(site(tmp_path, device=for_devices(PRODUCT)))
    build_site(site(tmp_path, LONGER, device=for_devices(LONGER)))
    records = tmp_path / "site/records"
    openeox = json.loads((records / "support-FB-1.openeox-draft.json").read_text())
    assert openeox["end_of_security_support"] == "2033-12-31T23:59:59Z"
    assert "2033-12-31" in (records / "support-FB-1.cdx.json").read_text()


def test_the_dates_of_one_record_are_the_same_bytes_every_time() -> None:
    (record,) = for_devices(PRODUCT).records
    assert lifecycle_files(PRODUCT, record) == lifecycle_files(PRODUCT, record)


def test_a_first_publication_needs_no_record(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    assert not (tmp_path / "site/records").exists()


def changed(**fields: object) -> Product:
    return dataclasses.replace(PRODUCT, support=dataclasses.replace(PRODUCT.support, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (LONGER, "the record for devices ends on 2033-12-31, the page on 2031-12-31"),
        (until(dt.date(2030, 12, 31)), "the record for devices ends on 2030-12-31"),
        (changed(sequence=2), "has sequence 2, the definition 1"),
        (changed(notice_days=10), "10 days of notice, not 180"),
        (second(), "which is not published"),
    ],
)
def test_a_record_that_says_something_else_than_the_page_is_refused(
    told: Product, words: str, tmp_path: Path
) -> None:
    problems = refused(site(tmp_path, device=for_devices(told)))
    assert any(words in problem for problem in problems)


def test_a_record_of_another_key_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    stranger = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    assert "cannot be verified" in refused(site(tmp_path, device=for_devices(PRODUCT, signer=stranger)))[0]
    good = for_devices(PRODUCT)
    damaged = DeviceRecords([good.records[0][:-1] + bytes([good.records[0][-1] ^ 1])], good.keys)
    assert "cannot be verified" in refused(site(tmp_path, device=damaged))[0]
    assert "cannot be verified" in refused(site(tmp_path, device=DeviceRecords([b"x"], good.keys)))[0]


# As a command ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a definition, the support key, and the record that it signed."""
    (tmp_path / "product.toml").write_text(REAL)
    made = CliRunner().invoke(keys_app, ["generate", "signing", "--out", str(tmp_path / "support.pem")])
    assert made.exit_code == 0, made.output
    signed = CliRunner().invoke(
        release_app,
        [
            "record", "support", "--first", "--product", str(tmp_path / "product.toml"),
            "--signer", str(tmp_path / "support.pem"),
            "--out", str(tmp_path / "support.cose"),
        ],
    )  # fmt: skip
    assert signed.exit_code == 0, signed.output
    return tmp_path


def build(folder: Path, *more: object) -> Result:
    return CliRunner().invoke(
        site_commands.app,
        [
            "build", "--product", str(folder / "product.toml"), "--base-url", BASE,
            "--register", str(folder / "register.jsonl"), "--archive", str(folder / "archive"),
            "--out", str(folder / "site"), "--evidence", str(folder / "evidence"), *map(str, more),
        ],
    )  # fmt: skip


def test_page_and_device_record_are_published_in_one_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_commands, "today_utc", lambda: TODAY)
    given = (
        "--record",
        folder / "support.cose",
        "--trust",
        folder / "support.pem",
        "--store",
        folder / "store",
    )
    result = build(folder, *given)
    assert result.exit_code == 0, result.output
    assert "1 record for devices" in result.output
    served = FolderStore(folder / "store", PRODUCT.class_id)
    assert served.published("support") == (folder / "support.cose").read_bytes()


def test_what_is_refused_reaches_no_device(folder: Path, tmp_path: Path) -> None:
    draw_key(tmp_path / "other.pem", "a phrase of somebody else")
    given = (
        "--record",
        folder / "support.cose",
        "--trust",
        tmp_path / "other.pub",
        "--store",
        folder / "store",
    )
    result = build(folder, *given)
    assert result.exit_code == 1 and "SP-03" in result.stderr
    assert not (folder / "site").exists() and not (folder / "store").exists()
