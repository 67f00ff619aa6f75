"""Finished units that are read again: a planted bad one is found and stopped, and stops its batch (PR-05)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.station import app
from provisioning.registry import branches, decisions
from provisioning.station.labels import LabelReaderError
from provisioning.station.link import FactoryLink
from provisioning.station.sample import Sample, SampleError, sample
from tests.unit.provisioning.station.station_bench import PRODUCT, Bench, MemoryUnit
from tests.unit.provisioning.station.test_station_commands import ServedUnit, folder, provision, served

__all__ = ["folder", "served"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def made(bench: Bench) -> MemoryUnit:
    unit = MemoryUnit()
    bench.station().provision(unit.stream())
    return unit


def read(bench: Bench, unit: MemoryUnit) -> Sample:
    link = FactoryLink(unit.stream(), timeout_s=0.05, attempts=2)
    return sample(link, bench.registry, bench.directory / "labels", by="E. Example")


def test_a_unit_that_is_as_it_left_the_line_passes_and_is_noted(bench: Bench) -> None:
    found = read(bench, made(bench))
    assert found.findings == ()
    (noted,) = decisions.decisions(bench.registry, decisions.SAMPLE)
    assert (noted.facts["serial"], noted.facts["by"]) == (found.serial, "E. Example")
    assert bench.registry.units()[0].status == "passed" and bench.registry.verify().decisions == 1


def other_key(unit: MemoryUnit, bench: Bench) -> None:
    unit.store.write("device.key", made(bench).store.require("device.key"))


def other_records(unit: MemoryUnit, bench: Bench) -> None:
    unit.store.write("sealed", made(bench).store.require("sealed"))


def other_label(unit: MemoryUnit, bench: Bench) -> None:
    made(bench)
    labels = bench.directory / "labels"
    (labels / "FB1-000001.png").write_bytes((labels / "FB1-000002.png").read_bytes())


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (other_key, "does not prove"),
        (other_records, "does not prove"),
        (other_label, "does not show its live set-up code"),
    ],
)
def test_a_planted_bad_unit_is_stopped_and_keeps_its_batch_here(
    plant: Callable[[MemoryUnit, Bench], None], words: str, bench: Bench
) -> None:
    unit = made(bench)
    plant(unit, bench)
    unit.start()
    found = read(bench, unit)
    assert len(found.findings) == 1 and words in found.findings[0]
    assert bench.registry.units()[0].status == "quarantined"
    bench.registry.close_batch(PRODUCT.batch)
    assert any(words in problem for problem in branches.ship_problems(bench.registry, PRODUCT.batch))


def test_a_unit_that_takes_a_write_although_it_says_locked_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = made(bench)
    monkeypatch.setattr(FactoryLink, "write", lambda *_: None)
    assert read(bench, unit).findings == ("it accepted a write although it reports that it is locked",)


def test_a_label_that_was_destroyed_after_the_print_is_not_a_finding(bench: Bench) -> None:
    unit = made(bench)
    (bench.directory / "labels" / "FB1-000001.png").unlink()
    assert read(bench, unit).findings == ()


def test_a_unit_that_is_not_finished_or_not_known_is_no_sample(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="not locked"):
        read(bench, MemoryUnit())
    stranger = made(Bench(tmp_path / "other"))
    with pytest.raises(SampleError, match="does not know"):
        read(bench, stranger)
    unit = made(bench)
    bench.registry.retire("FB1-000001", by="E", reason="bent")
    with pytest.raises(SampleError, match="retired"):
        read(bench, unit)
    assert decisions.decisions(bench.registry, decisions.SAMPLE) == []


def test_the_command_says_what_it_found(folder: Path, served: ServedUnit) -> None:
    provision(folder, served.address, "--development")
    arguments = [
        "sample", "--port", served.address, "--registry", str(folder / "registry.db"),
        "--labels", str(folder / "labels"), "--by", "E. Example",
    ]  # fmt: skip
    passed = CliRunner().invoke(app, arguments)
    assert passed.exit_code == 0 and "as it left the line" in passed.output
    (folder / "labels" / "FB1-000001.png").write_bytes(b"no label")
    failed = CliRunner().invoke(app, [*arguments, "--json"])
    assert failed.exit_code == 1 and json.loads(failed.stdout)["findings"]
    assert CliRunner().invoke(app, arguments).exit_code == 1  # it is in quarantine now


@pytest.mark.parametrize(
    "failure", [PermissionError(13, "Permission denied"), LabelReaderError("install zxing-cpp")]
)
def test_a_label_that_the_station_cannot_read_says_nothing_against_the_unit(
    failure: Exception, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> str:
        raise failure

    unit = made(bench)
    monkeypatch.setattr("provisioning.station.sample.code_on_label", fail)
    with pytest.raises(SampleError, match="cannot be read"):
        read(bench, unit)
    assert bench.registry.units()[0].status == "passed"
    assert decisions.decisions(bench.registry, decisions.SAMPLE) == []
