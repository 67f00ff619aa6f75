"""A case store for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.provisioning.disclosure.cases_bench import Cases


@pytest.fixture
def cases(tmp_path: Path) -> Cases:
    return Cases(tmp_path / "reports.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Cases:
    if request.param == "sqlite":
        return Cases(tmp_path / "reports.db")
    return Cases(request.getfixturevalue("postgres_cluster").new_database(), tmp_path / "files")
