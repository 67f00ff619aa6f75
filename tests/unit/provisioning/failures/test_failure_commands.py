"""`firstboot failure`: a whole failure by hand, from the suspicion to the record, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli.failure import app
from provisioning.registry import branches
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT_FILE
from tests.unit.provisioning.failures.failures_bench import BY, Failures

RUNNER = CliRunner()
NUMBER = "CF-2026-0001"


class Desk:
    """The commands on the stores of a test."""

    def __init__(self, failures: Failures, folder: Path) -> None:
        self.failures, self.folder = failures, folder

    def run(self, command: str, *options: str, code: int = 0, is_about_one: bool = True) -> Result:
        number = [NUMBER] if is_about_one else []
        places = ["--cases", str(self.folder / "reports.db")]
        if command not in ("show", "list", "record"):
            places += ["--registry", str(self.folder / "registry.db")]
        result = RUNNER.invoke(app, [command, *number, *places, *options])
        assert result.exit_code == code, result.output
        return result

    def text(self, words: str) -> str:
        path = self.folder / "text.txt"
        path.write_text(words)
        return str(path)

    def decides(self, command: str, *options: str, code: int = 0) -> Result:
        return self.run(command, "--by", BY, *options, code=code)

    def notifies(self, code: int = 0) -> Any:
        result = self.decides(
            "notify", "--packing", str(self.failures.packing.path), "--product", str(PRODUCT_FILE),
            "--to", str(self.folder / "notices"), "--json", code=code,
        )  # fmt: skip
        return json.loads(result.stdout)


@pytest.fixture
def desk(failures: Failures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("time.time", failures.clock)
    return Desk(failures, tmp_path)


def test_a_whole_failure_by_hand(desk: Desk, tmp_path: Path) -> None:
    opened = desk.run(
        "open",
        "--batch",
        "B1",
        "--message",
        desk.text("Two labels show one code."),
        "--by",
        BY,
        is_about_one=False,
    )
    assert f"{NUMBER} is open" in opened.stdout
    assert NUMBER in branches.ship_problems(desk.failures.registry, "B1")[0]
    desk.decides("evidence", "--message", desk.text("Labels 7 and 9 are the same."))
    desk.decides(
        "confirm", "--details", desk.text("Two units have one code."), "--risks", desk.text("Strangers sign in."),
        "--reason", "seen",
    )  # fmt: skip
    assert "nobody is notified" in desk.run("due", code=1, is_about_one=False).stdout
    assert [each["party"] for each in desk.notifies()["notices"]] == ["authority", "c-17", "hillside", "nord"]
    assert not any(each["is_new"] for each in desk.notifies()["notices"])
    assert (tmp_path / "notices" / f"{NUMBER}-authority.txt").is_file()
    desk.decides("authority", "--at", "2026-12-01T10:00Z", "--reference", "OPSS-1")
    desk.decides("recall", "--reason", "no update helps")
    desk.decides("step", "--message", desk.text("New labels."))
    desk.decides("result", "--step", "1", "--successful")
    desk.decides("remedy", "--reason", "all replaced")
    closed = desk.decides("close", "--reason", "all replaced")
    assert "may ship again: B1" in closed.stdout
    assert not [each for each in branches.ship_problems(desk.failures.registry, "B1") if NUMBER in each]
    desk.run("record", "--to", str(tmp_path / "records"))
    record = json.loads((tmp_path / "records" / f"{NUMBER}.json").read_text())
    assert record["missing"] == [] and record["authority_reference"] == "OPSS-1"
    assert "Keep until: 2036-12-01" in desk.run("show").stdout


def test_a_record_that_lacks_something_ends_with_exit_code_1(desk: Desk, tmp_path: Path) -> None:
    desk.failures.open()
    result = desk.run("record", "--to", str(tmp_path / "records"), code=1)
    assert "the outcome (s. 12(2)(a))" in result.stderr


def test_units_without_a_consignee_end_the_command_with_exit_code_1_after_the_notices(desk: Desk) -> None:
    desk.failures.open()
    desk.decides("confirm", "--details", desk.text("a"), "--risks", desk.text("b"), "--reason", "seen")
    desk.failures.ship("SN-000077", "B1", None)
    document = desk.notifies(code=1)
    assert document["without_consignee"] == ["SN-000077"] and len(document["notices"]) == 4


def test_bad_input_changes_nothing(desk: Desk) -> None:
    desk.run(
        "open",
        "--message",
        desk.text("x"),
        "--by",
        BY,
        "--report",
        "a",
        "--sample",
        "b",
        code=2,
        is_about_one=False,
    )
    assert "no investigation" in desk.decides("clear", "--reason", "x", code=2).stderr
    desk.failures.open()
    desk.decides("authority", "--at", "yesterday", "--reference", "r", code=2)
    desk.decides("close", "--reason", "hurry", code=1)
    desk.decides("clear", "--reason", "two\nlines", code=2)
    assert "open" in desk.run("list", is_about_one=False).stdout


def test_lift_is_only_for_stops_that_the_log_does_not_have(desk: Desk) -> None:
    desk.failures.open()
    desk.decides("lift", "--reason", "hurry", code=1)
    assert NUMBER in branches.ship_problems(desk.failures.registry, "B1")[0]
