"""`firstboot station run` in a terminal and as JSON lines: many boards on sockets at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from provisioning.cli.station import app
from tests.unit.provisioning.station.test_station_commands import ServedUnit

RUNNER = CliRunner()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[list[ServedUnit]]:
    units = [ServedUnit(tmp_path / f"port{number}") for number in range(2)]
    yield units
    for unit in units:
        unit.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert RUNNER.invoke(app, ["init", str(tmp_path / "station"), "--development"]).exit_code == 0
    return tmp_path / "station"


def run(folder: Path, addresses: list[str], *more: str) -> Result:
    ports = [word for address in addresses for word in ("--port", address)]
    return RUNNER.invoke(
        app,
        [
            "run", *ports, "--product", str(folder / "product.toml"), "--keys", str(folder / "keys"),
            "--registry", str(folder / "registry.db"), "--labels", str(folder / "labels"), "--development",
            "--oscore-key", str(folder / "server" / "oscore.pub"), *more,
        ],
    )  # fmt: skip


def test_json_lines_tell_each_change_and_end_with_the_totals(folder: Path, served: list[ServedUnit]) -> None:
    result = run(folder, [unit.address for unit in served], "--json", "--count", "2")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    passed = [line for line in lines if line.get("state") == "passed"]
    assert {line["serial"] for line in passed} == {"FB1-000001", "FB1-000002"}
    assert not any(line["for_sale"] for line in passed)
    assert (lines[-1]["totals"]["passed"], lines[-1]["totals"]["yield_percent"]) == (2, 100)
    assert all(unit.unit.is_locked() for unit in served)


def test_the_terminal_shows_ports_and_counts(folder: Path, served: list[ServedUnit]) -> None:
    result = run(folder, [served[0].address], "--count", "1")
    assert result.exit_code == 0 and "1 passed, 0 failed" in result.stdout
    assert "PASS" in result.stderr and "units per hour" in result.stderr


def test_a_unit_that_fails_gives_its_exit_code_and_advice(folder: Path, served: list[ServedUnit]) -> None:
    served[0].unit.entropy.is_seeded = False
    result = run(folder, [served[0].address], "--json", "--count", "1")
    assert result.exit_code == 1
    failed = next(
        line for line in map(json.loads, result.stdout.splitlines()) if line.get("state") == "failed"
    )
    assert "no entropy" in failed["message"] and failed["advice"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--web", "8123"], "set-login"),
        (["--web", "here"], "PORT or HOST:PORT"),
        (["--web", "0"], "PORT or HOST:PORT"),
        (["--web", "0.0.0.0:8123", "--login", "x"], "--tls-certificate"),
        (["--image-digest", "zz"], "non-hexadecimal"),
    ],
)
def test_what_is_not_safe_to_serve_is_refused(more: list[str], words: str, folder: Path) -> None:
    result = run(folder, ["unix:/nowhere"], *more)
    assert result.exit_code == 2 and words in result.stderr


def test_the_login_is_asked_for_and_not_shown(folder: Path) -> None:
    typed = "a password for the station"
    result = RUNNER.invoke(app, ["set-login", str(folder / "login")], input=f"{typed}\n{typed}\n")
    assert result.exit_code == 0 and typed not in result.output
    assert (folder / "login").stat().st_mode & 0o777 == 0o600
    assert RUNNER.invoke(app, ["set-login", str(folder / "login")], input="short\nshort\n").exit_code == 2


def test_a_label_template_gives_the_label_its_size(folder: Path, served: list[ServedUnit]) -> None:
    from tests.unit.provisioning.station.test_labels import SMALL

    (folder / "label.toml").write_text(SMALL)
    result = run(
        folder, [served[0].address], "--json", "--count", "1", "--label-template", str(folder / "label.toml")
    )
    assert result.exit_code == 0, result.output
    with Image.open(folder / "labels" / "FB1-000001.png") as image:
        assert image.size == (480, 320)
    (folder / "label.toml").write_text(SMALL.replace("{serial}", ""))
    refused = run(folder, [served[0].address], "--label-template", str(folder / "label.toml"))
    assert refused.exit_code == 2 and "{serial}" in refused.stderr
