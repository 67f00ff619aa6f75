"""One provisioned unit for all tests of the fleet; it takes seconds to make."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.fleet import base as bases
from simulator.fleet.base import Base


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet")


@pytest.fixture(scope="session")
def base(base_folder: Path) -> Base:
    return bases.make(base_folder)
