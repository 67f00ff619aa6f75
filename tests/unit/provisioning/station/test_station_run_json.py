"""`firstboot station run --json` for programs: the content and order of its lines, and its end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from device.owner.setup_code import normalise
from provisioning import fair_time
from provisioning.cli.station import app
from provisioning.registry.registry import Registry
from provisioning.station.labels import code_on_label
from tests.unit.provisioning.station.test_station_commands import ServedUnit
from tests.unit.provisioning.station.test_station_run import run

RUNNER = CliRunner()
KEYS = {"port", "state", "serial", "phase", "phases_done", "message", "advice", "for_sale", "seconds"}
TOTALS = {"passed", "failed", "refused", "seconds", "units_per_hour", "yield_percent"}
COMMAND = [sys.executable, "-c", "from provisioning.cli.main import main; main()"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[list[ServedUnit]]:
    units = [ServedUnit(tmp_path / f"port{number}") for number in range(3)]
    yield units
    for unit in units:
        unit.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert RUNNER.invoke(app, ["init", str(tmp_path / "station"), "--development"]).exit_code == 0
    return tmp_path / "station"


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_port_tells_its_states_in_order_and_counts_its_phases(
    folder: Path, served: list[ServedUnit]
) -> None:
    result = run(folder, [unit.address for unit in served], "--json", "--count", "3")
    *views, last = documents(result.stdout)
    assert (
        all(set(view) == KEYS for view in views) and set(last) == {"totals"} and set(last["totals"]) == TOTALS
    )
    states, done = defaultdict(list), defaultdict(list)
    for view in views:
        if states[view["port"]][-1:] != [view["state"]]:
            states[view["port"]].append(view["state"])
        if view["state"] == "running":
            done[view["port"]].append(view["phases_done"])
    assert set(states) == {unit.address for unit in served}
    assert all(one == ["empty", "ready", "running", "passed", "stopped"] for one in states.values())
    assert all(one == sorted(one) and set(one) == set(range(16)) for one in done.values())


def test_no_line_holds_a_set_up_code(folder: Path, served: list[ServedUnit]) -> None:
    pytest.importorskip("zxingcpp", reason="zxing-cpp is not installed: labels cannot be decoded here")
    result = run(folder, [served[0].address], "--json", "--count", "1")
    code = code_on_label(folder / "labels" / "FB1-000001.png")
    assert code is not None
    letters = re.sub(r"[^A-Z0-9]", "", result.output.upper())
    assert normalise(code)[:7] not in letters and code[:7] not in letters


def test_one_failure_among_passes_is_exit_code_1_and_is_in_the_totals(
    folder: Path, served: list[ServedUnit]
) -> None:
    served[1].unit.entropy.is_seeded = False
    result = run(folder, [unit.address for unit in served], "--json", "--count", "3")
    totals = documents(result.stdout)[-1]["totals"]
    assert result.exit_code == 1
    assert (totals["passed"], totals["failed"], totals["yield_percent"]) == (2, 1, 66.7)


@pytest.mark.parametrize("fault", ["product", "keys", "batch", "registry", "port", "template"])
def test_what_cannot_be_used_is_exit_code_2_with_one_reason_and_no_line(fault: str, folder: Path) -> None:
    more: list[str] = []
    if fault == "product":
        (folder / "product.toml").write_text("[product]\nname = 1\n")
    elif fault == "keys":
        (folder / "keys" / "support.pem").write_text("no key")
    elif fault == "batch":
        assert (
            run(folder, ["unix:/nowhere"], "--image-digest", "zz").exit_code == 2
        )  # before anything is opened
        book = Registry(folder / "registry.db")
        book.open_batch("2026-001", "another", bytes(32), is_development=True)
        book.close()
    elif fault == "registry":
        (folder / "registry.db").write_bytes(b"not a database" * 100)
    elif fault == "template":
        (folder / "label.toml").write_text("[label]\n")
        more = ["--label-template", str(folder / "label.toml")]
    result = run(folder, ["here" if fault == "port" else "unix:/nowhere"], "--json", "--count", "1", *more)
    assert (result.exit_code, result.stdout) == (2, "") and result.stderr.strip()
    assert "Traceback" not in result.stderr


def _heed_interrupts() -> None:
    """Undo what a shell does to a program that it starts in the background: it makes it ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_after_the_run_with_the_totals_and_exit_code_0(
    folder: Path, served: list[ServedUnit]
) -> None:
    goes_on, lock = threading.Event(), served[0].unit.lock

    def lock_later() -> None:
        fair_time.wait(goes_on, 240)
        lock()

    served[0].unit.lock = lock_later  # type: ignore[method-assign]
    command = [*COMMAND, "station", "run", "--json", "--development", "--port", served[0].address]
    for option, name in {
        "--product": "product.toml",
        "--keys": "keys",
        "--registry": "registry.db",
        "--labels": "labels",
        "--oscore-key": "server/oscore.pub",
    }.items():
        command += [option, str(folder / name)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - it sets one signal
    )
    assert process.stdout is not None and process.stderr is not None
    with process:
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1].get("phase") == "verify":
                process.send_signal(signal.SIGINT)
                goes_on.set()
                break
        lines += [json.loads(line) for line in process.stdout]
        words = process.stderr.read()
    assert process.returncode == 0, words
    assert lines[-1]["totals"]["passed"] == 1 and served[0].unit.is_locked()
    assert "Ending after the runs in progress" in words and "Traceback" not in words
