"""A case store and a registry for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.provisioning.failures.failures_bench import Failures


@pytest.fixture
def failures(tmp_path: Path) -> Failures:
    return Failures(tmp_path)
