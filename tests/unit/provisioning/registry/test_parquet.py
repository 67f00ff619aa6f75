"""Units as Parquet: with pyarrow the same rows as in CSV, without it a message that names the package to install."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest
from pyarrow import parquet  # in requirements/dev.txt: at run time it stays an extra
from typer.testing import CliRunner

from provisioning.cli.registry import app
from provisioning.registry.export import COLUMNS, units_csv, units_parquet
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import finish, open_batch, reserve


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry.create(tmp_path / "registry.db")
    open_batch(made)
    finish(made, 1, "code1")
    reserve(made, 2, "code2")
    return made


def test_without_pyarrow_the_command_says_what_to_install(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = tmp_path / "units.parquet"
    result = CliRunner().invoke(
        app, ["export", "parquet", "--registry", str(registry.path), "--to", str(out)]
    )
    assert result.exit_code == 2 and "pip install pyarrow" in result.stderr
    assert not out.exists()


def test_a_parquet_file_holds_the_rows_of_the_csv(registry: Registry) -> None:
    table = parquet.read_table(io.BytesIO(units_parquet(registry)))
    assert tuple(table.column_names) == COLUMNS
    rows = table.to_pylist()
    for row, line in zip(rows, csv.DictReader(io.StringIO(units_csv(registry))), strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == line
