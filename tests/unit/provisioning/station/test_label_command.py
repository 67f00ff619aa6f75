"""`firstboot station label`: a second label, before the lock is proved and never after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli.station import app
from provisioning.registry.registry import Registry
from provisioning.station.label_forms import FORMS
from provisioning.station.link import FactoryLink
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench with one unit whose run ended between seal and proof."""
    bench = Bench(tmp_path)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FactoryLink, "lock", die)
        with pytest.raises(KeyboardInterrupt):
            bench.station().provision(MemoryUnit().stream())
    return bench


def label(bench: Bench, to: Path, *more: object, serial: str = "FB1-000001") -> Result:
    arguments = [
        "label", serial, "--registry", bench.directory / "registry.db", "--labels", bench.directory / "labels",
        "--to", to, "--by", "O. Operator", *more,
    ]  # fmt: skip
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.mark.parametrize("form", FORMS)
def test_a_label_is_written_for_its_owner_alone_and_noted_with_the_name(
    form: str, sealed: Bench, tmp_path: Path
) -> None:
    result = label(sealed, tmp_path / f"again.{form}", "--format", form)
    assert result.exit_code == 0, result.output
    assert (tmp_path / f"again.{form}").stat().st_mode & 0o777 == 0o600
    begins = {"png": b"\x89PNG", "pdf": b"%PDF", "zpl": b"^XA"}[form]
    assert (tmp_path / f"again.{form}").read_bytes().startswith(begins)
    book = Registry(sealed.directory / "registry.db")
    noted = [each for each in book.phases(book.units()[0].id) if each.name == "reprint"]
    assert [json.loads(each.measurements)["by"] for each in noted] == ["O. Operator"]


def test_the_png_is_the_label_that_was_read_back(sealed: Bench, tmp_path: Path) -> None:
    label(sealed, tmp_path / "again.png", "--format", "png")
    assert (tmp_path / "again.png").read_bytes() == (
        sealed.directory / "labels" / "FB1-000001.png"
    ).read_bytes()


def test_after_the_lock_there_is_no_second_label_and_no_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.station().provision(MemoryUnit().stream())
    result = label(bench, tmp_path / "again.pdf")
    assert result.exit_code == 1 and "Rework gives it a new serial number" in result.stderr
    assert not (tmp_path / "again.pdf").exists()


@pytest.mark.parametrize("more", [("--format", "bmp"), ("--registry", "none.db")])
def test_wrong_input_writes_nothing(more: tuple[str, ...], sealed: Bench, tmp_path: Path) -> None:
    assert label(sealed, tmp_path / "again.pdf", *more).exit_code == 2
    assert not (tmp_path / "again.pdf").exists()


def test_a_file_that_is_there_is_not_replaced_and_nothing_is_noted(sealed: Bench, tmp_path: Path) -> None:
    (tmp_path / "again.pdf").write_bytes(b"mine")
    assert label(sealed, tmp_path / "again.pdf").exit_code == 2
    assert (tmp_path / "again.pdf").read_bytes() == b"mine"
    book = Registry(sealed.directory / "registry.db")
    assert not [each for each in book.phases(book.units()[0].id) if each.name == "reprint"]
