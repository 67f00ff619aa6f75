"""Checkpoints: what anyone can check with an exported ledger, and what a restored registry cannot hide."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from provisioning.keys.file_signer import FileSigner
from provisioning.registry import export
from provisioning.registry.chains import open_checkpoint
from provisioning.registry.errors import ChainError
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import finish, open_batch


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry.create(tmp_path / "r" / "registry.db", now=lambda: 1000)
    open_batch(registry)
    for number in (1, 2, 3):
        finish(registry, number, f"code{number}")
    yield registry
    registry.close()


def refused(action: object) -> str:
    with pytest.raises(ChainError) as caught:
        action()  # type: ignore[operator]
    return str(caught.value)


def test_a_whole_ledger_agrees_with_its_checkpoints(registry: Registry) -> None:
    first = registry.checkpoint()
    finish(registry, 4, "code4")
    second = registry.checkpoint()
    report = registry.verify([first, second], [registry.signer.key_id])
    assert (report.records, report.checkpoints) == (4, 4)  # two stored, two from elsewhere
    assert report.signers == (registry.signer.key_id.hex(),)


def test_an_exported_ledger_is_checked_without_the_registry(registry: Registry) -> None:
    kept = registry.checkpoint()
    report = export.verify_chains_json(export.chains_json(registry), [kept], [registry.signer.key_id])
    assert report.chains == {"station": 3}


def test_an_old_registry_that_was_put_back_is_found(registry: Registry, tmp_path: Path) -> None:
    registry.checkpoint()
    registry.close()
    shutil.copytree(registry.path.parent, tmp_path / "old")
    registry = Registry(registry.path)
    finish(registry, 4, "code4")
    kept = registry.checkpoint()
    old = Registry(tmp_path / "old" / "registry.db")
    assert old.verify().records == 3  # without a checkpoint it looks complete
    assert "an old registry was restored" in refused(lambda: old.verify([kept]))
    finish(old, 5, "code5")  # using it further does not hide it
    assert "is not the one that checkpoint" in refused(lambda: old.verify([kept]))


TAMPERING = {
    "changed": lambda records: records[1].__setitem__(1, records[1][1].replace("SN-000002", "SN-000009")),
    "dropped inside": lambda records: records.pop(1),
    "dropped at the end": lambda records: records.pop(),
    "moved": lambda records: records.insert(0, records.pop()),
    "signature of another record": lambda records: records[1].__setitem__(4, records[2][4]),
    "doubled": lambda records: records.append(records[-1]),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_a_ledger_that_was_changed_on_its_way_is_found(name: str, registry: Registry) -> None:
    kept = registry.checkpoint()
    document = json.loads(export.chains_json(registry))
    TAMPERING[name](document["chains"][0]["records"])
    assert refused(lambda: export.verify_chains_json(json.dumps(document), [kept]))


def test_a_ledger_signed_again_by_another_key_is_found(registry: Registry, tmp_path: Path) -> None:
    """All records are recomputed with another key: consistent, and not the maker's."""
    kept = registry.checkpoint()
    stranger = Registry.create(tmp_path / "s" / "registry.db", now=lambda: 1000)
    open_batch(stranger)
    for number in (1, 2, 3):
        finish(stranger, number, f"code{number}")
    forged = export.chains_json(stranger)
    assert export.verify_chains_json(forged).records == 3
    assert "not trusted" in refused(
        lambda: export.verify_chains_json(forged, trusted=[registry.signer.key_id])
    )
    assert "another key" in refused(lambda: export.verify_chains_json(forged, [kept]))


def test_a_checkpoint_that_was_changed_does_not_hold(registry: Registry) -> None:
    document = json.loads(registry.checkpoint())
    document["checkpoint"]["chains"]["station"]["records"] = 2
    assert "signature is wrong" in refused(lambda: open_checkpoint(json.dumps(document)))


@pytest.mark.parametrize(
    "data", ["", "{}", "[]", '{"checkpoint": {}, "signature": "00"}', '{"checkpoint": 1}']
)
def test_damaged_checkpoints_and_chains_are_refused(data: str) -> None:
    assert "damaged" in refused(lambda: open_checkpoint(data))
    assert "not an export of chains" in refused(lambda: export.verify_chains_json(data))


def test_a_checkpoint_that_was_taken_out_of_the_registry_is_missed(registry: Registry) -> None:
    for _ in range(3):
        registry.checkpoint()
    with registry.writing() as session:
        session.execute(text("DELETE FROM checkpoint WHERE number = 2"))
    assert "does not follow" in refused(registry.verify)


def test_a_station_with_another_key_begins_a_chain_under_another_name(registry: Registry) -> None:
    key = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    place = registry.path
    registry.close()
    other = Registry(place, signer=key, now=lambda: 1000)
    finish(other, 7, "code7", "line2")
    assert other.verify().chains == {"line2": 1, "station": 3}
    other.close()
