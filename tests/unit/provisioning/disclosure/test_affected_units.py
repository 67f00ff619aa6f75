"""The batches and units that a triage counts in the registry."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from provisioning.disclosure.affected import affected
from provisioning.disclosure.errors import CaseInputError
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import FACTS, finish, open_batch, reserve


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two units of B1 with 1.0.0+0, one of B2 with 1.1.0+0, and one of B2 that did not pass."""
    made = Registry.create(tmp_path / "registry.db")
    for batch in ("B1", "B2"):
        open_batch(made, batch)
    finish(made, 1, "code1")
    finish(made, 2, "code2")
    unit = reserve(made, 3, "code3", "B2")
    made.complete(unit.unit_id, dataclasses.replace(FACTS, version="1.1.0+0"))
    made.record_pass(unit.unit_id, {"serial": unit.serial, "device_id": unit.device_id.hex(), "station": "s"})
    made.complete(reserve(made, 4, "code4", "B2").unit_id, dataclasses.replace(FACTS, version="1.2.0+0"))
    return made


def test_without_a_choice_every_passed_unit_counts(registry: Registry) -> None:
    assert affected(registry, [], []) == {
        "batches": {
            "B1": {"model": "M", "units": {"1.0.0+0": 2}},
            "B2": {"model": "M", "units": {"1.1.0+0": 1}},
        },
        "units": 3,
    }


def test_only_the_named_batches_and_versions_count(registry: Registry) -> None:
    assert affected(registry, ["B1"], [])["units"] == 2
    found = affected(registry, [], ["1.1.0+0"])
    assert (list(found["batches"]), found["units"]) == (["B2"], 1)


def test_a_batch_that_the_registry_does_not_have_is_refused(registry: Registry) -> None:
    with pytest.raises(CaseInputError, match="no batch B9"):
        affected(registry, ["B9"], [])


@pytest.mark.parametrize("version", ["9.9.9", "1.2.0+0"])
def test_a_version_that_no_passed_unit_has_is_refused(registry: Registry, version: str) -> None:
    with pytest.raises(CaseInputError, match="no passed unit with version"):
        affected(registry, [], [version])
