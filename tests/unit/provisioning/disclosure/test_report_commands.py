"""`firstboot report` as a maker runs it: a whole case by hand, exit codes for cron, JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli.report import app
from tests.unit.provisioning.disclosure.cases_bench import ROOT

PRODUCT = ROOT / "examples" / "product" / "product.toml"
BY = ("--by", "E. Example")


class Desk:
    """The commands in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases = folder / "reports.db"

    def run(self, *arguments: object, code: int = 0, text: str | None = None) -> Result:
        done = CliRunner().invoke(app, [*map(str, arguments), "--cases", str(self.cases)], input=text)
        assert done.exit_code == code, done.output
        return done

    def ask(self, *arguments: object, code: int = 0, text: str | None = None) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code, text=text).stdout)

    def step(self, name: str, case: str, *arguments: object) -> Any:
        return self.ask(name, case, *BY, *arguments)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.run("init")
    made.run("promise", "--product", PRODUCT, *BY)
    return made


def add(desk: Desk, *arguments: object) -> Any:
    return desk.ask("add", "--message", "-", *BY, *arguments, text="The reset leaves data.\n")


def test_a_whole_case_by_hand(desk: Desk, tmp_path: Path) -> None:
    added = add(desk)
    case = added["case"]
    assert added["token"] and added["is_new_case"]
    desk.step("acknowledge", case)
    vector = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
    triaged = desk.step(
        "triage", case, "--title", "Reset", "--reason", "log 4", "--cvss", vector, "--batch", "B1"
    )
    assert (triaged["triage"]["score"], triaged["triage"]["rating"]) == (9.3, "Critical")
    desk.step("confirm", case, "--reason", "seen on TS1-000004")
    aware = desk.step("aware", case, "--duty", "exploited", "--reason", "log 7")
    assert [item["what"] for item in aware["due"]] == [
        "status update",
        "CRA early warning",
        "CRA notification",
    ]
    sheet = desk.ask(
        "worksheet", case, "--product", PRODUCT, "--duty", "exploited", "--stage", "notification"
    )
    values = {field["name"]: field["value"] for field in sheet["fields"]}
    assert values["Manufacturer"] == "Example Devices Ltd" and values["Severity"].startswith(
        "Critical (CVSS:4.0/"
    )
    assert values["Affected batches"] == "B1" and values["Measures that users can take"] == ""
    desk.step("filed", case, "--duty", "exploited", "--stage", "early-warning", "--reference", "R-1")
    desk.step("resolve", case, "--release", "1.2.1")
    desk.step("publish", case, "--link", "https://example.com/advisories/1")
    closed = desk.step("close", case, "--reason", "done")
    assert closed["state"] == "closed"
    # the CRA duties go on after the case was closed
    assert [item["what"] for item in closed["due"]] == ["CRA notification", "CRA final report"]
    assert desk.ask("verify")["events"] == closed["version"] + 1  # and the promise
    assert "SR-" in desk.run("list", "--all").stdout
    assert desk.ask("list") == []


def test_due_ends_with_1_for_cron_and_with_0_if_nothing_is_due(desk: Desk) -> None:
    assert desk.ask("due")["due"] == []
    case = add(desk)["case"]
    assert desk.ask("due")["due"] == []
    found = desk.ask("due", "--within", 24 * 7, code=1)
    assert [(item["case"], item["what"], item["is_overdue"]) for item in found["due"]] == [
        (case, "acknowledgement", False)
    ]


def test_a_report_under_embargo_is_not_exported_unless_it_is_asked_for(desk: Desk, tmp_path: Path) -> None:
    case = add(desk)["case"]
    assert desk.ask("export", "--to", tmp_path / "cases.json")["left_out"] == 1
    assert json.loads((tmp_path / "cases.json").read_text()) == []
    desk.run("export", "--to", tmp_path / "all.json", "--with-embargoed")
    (exported,) = json.loads((tmp_path / "all.json").read_text())
    assert exported["case"] == case and "The reset" not in (tmp_path / "all.json").read_text()
    desk.step("embargo", case, "--until", "2027-03-01", "--reason", "agreed")
    assert desk.ask("export", "--to", tmp_path / "cases.json")["left_out"] == 1
    desk.step("embargo", case, "--lift", "--reason", "agreed")
    assert desk.ask("export", "--to", tmp_path / "cases.json")["left_out"] == 0


def test_a_decision_on_an_old_version_ends_with_1_and_names_both(desk: Desk) -> None:
    case = add(desk)["case"]
    desk.step("acknowledge", case)
    done = desk.run("discard", case, *BY, "--reason", "spam", "--seen", 2, code=1)
    assert "has version 4, and you decided on version 2" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:4.0/AV:N",
        "CVSS:4.0/AV:X/",
        "CVSS:4.0/" + "A" * 400,
    ],
)
def test_a_severity_that_is_no_cvss_4_vector_is_refused(vector: str, desk: Desk) -> None:
    case = add(desk)["case"]
    desk.step("acknowledge", case)
    done = desk.run("triage", case, *BY, "--title", "T", "--reason", "r", "--cvss", vector, code=2)
    assert "CVSS 4.0 vector" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "SR-2026-9999"), "no case"),
        (("promise", "--product", PRODUCT, *BY, "--time-zone", "Europe/Nowhere"), "not a time zone"),
        (("add", "--message", "-", *BY, "--at", "yesterday"), "not a time"),
        (("add", "--message", "-", *BY, "--at", "2026-12-01T09:00"), "no time zone"),
        (("add", "--message", "-", *BY, "--address", "Ada <ada@x>"), "plain mail address"),
        (("embargo", "SR-2026-0001", *BY, "--reason", "r"), "one of --until and --lift"),
        (("publish", "SR-2026-0001", *BY, "--link", "javascript:x"), "https address"),
        (
            ("send", "--smtp", "mail.example.com:25", "--from", "a@example.com", "--security", "none"),
            "--security",
        ),
        (
            ("send", "--smtp", "127.0.0.1:25", "--from", "a@x\nBcc: b@x", "--security", "none"),
            "plain mail address",
        ),
    ],
)
def test_a_wrong_value_ends_with_2(arguments: tuple[object, ...], words: str, desk: Desk) -> None:
    assert words in desk.run(*arguments, code=2, text="text").stderr.replace("\n", " ")


def test_a_text_with_control_characters_does_not_reach_the_terminal(desk: Desk) -> None:
    case = desk.ask("add", "--message", "-", *BY, text="a\x1b]0;owned\x07b")["case"]
    assert "\x1b" not in desk.run("show", case, "--words").stdout


def test_checkpoints_are_files_that_verify_compares(desk: Desk, tmp_path: Path) -> None:
    add(desk)
    desk.run("checkpoint", "--to", tmp_path / "kept")
    assert desk.ask("verify", "--checkpoints", tmp_path / "kept")["checkpoints"] == 2
    desk.run("verify", "--checkpoints", tmp_path, code=2)
