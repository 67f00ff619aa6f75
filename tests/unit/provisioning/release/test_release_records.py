"""`firstboot release record`: support record and security contact of a product, signed for publishing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from device.codec import cose
from device.records import contact, support
from provisioning.cli.release import app
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.support_register import publish
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.product.example import EXAMPLE
from provisioning.product.product import load_product

Sign = Callable[..., Result]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maker") / "keys"
    KeyRing.generate_development(folder)
    return folder


@pytest.fixture
def sign(keys: Path, tmp_path: Path) -> Sign:
    """Sign a record of the example product with `changes` in its text; it is at tmp_path/out."""

    def run(kind: str, *options: object, changes: dict[str, str] | None = None) -> Result:
        text = EXAMPLE
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        product = tmp_path / "product.toml"
        product.write_text(text)
        arguments = ["record", kind, "--product", product, "--signer", keys / "support.pem"]
        if "--previous" not in options and "--first" not in options:
            (tmp_path / "out").unlink(missing_ok=True)
            options = ("--first", *options)
        arguments += ["--out", tmp_path / "out", *options]
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def payload(path: Path, typ: str) -> Any:
    found = cose.decode(path.read_bytes())
    assert found.typ == typ
    return found.payload


def test_a_support_record_says_what_the_product_definition_says(sign: Sign, tmp_path: Path) -> None:
    result = sign("support", "--time", "1800000000", "--json")
    assert result.exit_code == 0, result.output
    found = support.decode(payload(tmp_path / "out", support.TYP))
    assert (support.date_text(found.end_day), found.sequence) == ("2031-12-31", 1)
    assert found.published_s == 1_800_000_000
    assert json.loads(result.stdout)["sequence"] == 1


def test_a_contact_is_signed_by_the_support_key(sign: Sign, keys: Path, tmp_path: Path) -> None:
    assert sign("contact").exit_code == 0
    found = contact.decode(payload(tmp_path / "out", contact.TYP))
    assert found.contact == "mailto:security@example.com"
    signer = cose.decode((tmp_path / "out").read_bytes()).signers[0]
    assert signer.key_id == FileSigner.load(keys / "support.pem").key_id


def test_a_period_that_was_shortened_is_not_signed(sign: Sign, tmp_path: Path) -> None:
    assert sign("support").exit_code == 0
    before = (tmp_path / "out").rename(tmp_path / "before")
    shorter = {"2031-12-31": "2031-11-30", "sequence = 1": "sequence = 2"}
    result = sign("support", "--previous", before, changes=shorter)
    assert result.exit_code == 1
    assert "shortened" in result.output
    assert not (tmp_path / "out").exists()


def test_an_extended_period_needs_the_next_sequence_number(sign: Sign, tmp_path: Path) -> None:
    assert sign("support").exit_code == 0
    before = (tmp_path / "out").rename(tmp_path / "before")
    longer = {"2031-12-31": "2032-06-30"}
    result = sign("support", "--previous", before, changes=longer)
    assert (result.exit_code, "sequence" in result.output) == (1, True)
    assert (
        sign("support", "--previous", before, changes=longer | {"sequence = 1": "sequence = 2"}).exit_code
        == 0
    )


def test_a_changed_contact_needs_the_next_sequence_number(sign: Sign, tmp_path: Path) -> None:
    assert sign("contact").exit_code == 0
    before = (tmp_path / "out").rename(tmp_path / "before")
    moved = {"mailto:security@example.com": "https://example.com/report"}
    assert sign("contact", "--previous", before, changes=moved).exit_code == 1
    numbered = {
        'report = "mailto:security@example.com"': 'report = "https://example.com/report"\nsequence = 2'
    }
    assert sign("contact", "--previous", before, changes=numbered).exit_code == 0


def test_another_kind_of_record_is_no_previous_one(sign: Sign, tmp_path: Path) -> None:
    assert sign("contact").exit_code == 0
    before = (tmp_path / "out").rename(tmp_path / "before")
    assert sign("support", "--previous", before).exit_code == 1


@pytest.mark.parametrize("kind", ["support", "contact"])
def test_a_previous_record_counts_only_with_a_signature_of_the_support_key(
    kind: str, sign: Sign, tmp_path: Path
) -> None:
    assert sign(kind).exit_code == 0
    before = (tmp_path / "out").rename(tmp_path / "before")
    data = before.read_bytes()
    before.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    refused = sign(kind, "--previous", before)
    assert refused.exit_code == 2 and "not signed by the support key" in refused.output + refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_previous_record_of_another_support_key_needs_that_public_key(
    sign: Sign, keys: Path, tmp_path: Path
) -> None:
    KeyRing.generate_development(tmp_path / "others")
    assert sign("support", "--signer", tmp_path / "others" / "support.pem").exit_code == 0
    before = (tmp_path / "out").rename(tmp_path / "before")
    later = {"sequence = 1": "sequence = 2"}
    assert sign("support", "--previous", before, changes=later).exit_code == 2
    old_key = tmp_path / "others" / "support.pem"
    result = sign("support", "--previous", before, "--previous-key", old_key, changes=later)
    assert result.exit_code == 0, result.output + result.stderr


@pytest.mark.parametrize("kind", ["support", "contact"])
def test_a_record_without_the_one_before_it_is_signed_only_as_the_first(
    kind: str, sign: Sign, keys: Path, tmp_path: Path
) -> None:
    arguments = [
        "record",
        kind,
        "--product",
        str(tmp_path / "product.toml"),
        "--signer",
        str(keys / "support.pem"),
    ]
    (tmp_path / "product.toml").write_text(EXAMPLE)
    refused = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "new")])
    assert refused.exit_code == 2 and "--previous" in refused.output + refused.stderr
    assert sign(kind).exit_code == 0
    before = (tmp_path / "out").read_bytes()
    assert sign(kind, "--first").exit_code == 2 and (tmp_path / "out").read_bytes() == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("kind", "later"),
    [
        ("support", {"2031-12-31": "2031-11-30", "sequence = 1": "sequence = 2"}),
        (
            "contact",
            {'report = "mailto:security@example.com"': 'report = "https://example.com/report"\nsequence = 2'},
        ),
    ],
)
def test_a_record_with_a_later_number_is_not_signed_as_the_first_under_another_name(
    kind: str, later: dict[str, str], sign: Sign, tmp_path: Path
) -> None:
    refused = sign(kind, "--first", "--out", tmp_path / "other", changes=later)
    assert refused.exit_code == 2
    assert "has the sequence number 2, and the first record has 1" in " ".join(
        (refused.output + refused.stderr).split()
    )
    assert not (tmp_path / "other").exists()


SHORTER = {"end_date = 2031-12-31": "end_date = 2030-12-31", 'period = "P5Y"': 'period = "P4Y"'}


def register_of_the_example(folder: Path) -> Path:
    (folder / "published.toml").write_text(EXAMPLE)
    publish(
        Ledger(folder / "register.jsonl"), [load_product(folder / "published.toml")], dt.date(2026, 12, 1)
    )
    return folder / "register.jsonl"


@pytest.mark.parametrize("renamed", [{}, {'model = "FB-1"': 'model = "FB-1b"'}], ids=["model", "class"])
def test_a_first_record_that_ends_before_the_published_day_is_not_signed(
    renamed: dict[str, str], sign: Sign, tmp_path: Path
) -> None:
    register = register_of_the_example(tmp_path)
    refused = sign("support", "--register", register, changes=SHORTER | renamed)
    assert refused.exit_code == 1
    assert "until 2031-12-31, and this record ends on 2030-12-31" in " ".join(refused.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_first_record_that_ends_on_the_published_day_is_signed(sign: Sign, tmp_path: Path) -> None:
    result = sign("support", "--register", register_of_the_example(tmp_path))
    assert result.exit_code == 0 and "not compared" not in result.output


def test_a_first_record_without_a_register_says_that_nothing_was_compared(sign: Sign) -> None:
    result = sign("support")
    assert result.exit_code == 0 and "not compared with what you published" in " ".join(result.output.split())


def test_a_register_that_is_not_there_is_refused(sign: Sign, tmp_path: Path) -> None:
    assert sign("support", "--register", tmp_path / "mistyped.jsonl").exit_code == 2
    assert not (tmp_path / "out").exists()
