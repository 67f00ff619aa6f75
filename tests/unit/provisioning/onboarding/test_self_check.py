"""`firstboot self-check` and docs/how-to/owner.md against a simulated unit: guidance matches behaviour (SE-12)."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from device.records import support
from provisioning.cli.main import app, load_commands
from provisioning.onboarding.self_check import owner_answers
from tests.running import PASSWORD, FactoryUnit, simulated, simulated_past_support

__all__ = ["simulated", "simulated_past_support"]

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "owner.md"
WELL: dict[str, Any] = {
    "support": {"state": support.SUPPORTED, "sentence": "We will provide security updates."},
    "update": {
        "automatic": True,
        "postponed_until": None,
        "is_stale": False,
        "withheld": [],
        "last_error": None,
    },
}


def run(unit: FactoryUnit, *more: str, typed: str = PASSWORD + "\n") -> Result:
    if not app.registered_groups:
        load_commands(app)
    host, port = unit.address
    words = ["self-check", "--label", str(unit.world.unit.label_path), "--host", f"{host}:{port}", *more]
    return CliRunner().invoke(app, words, input=typed)


def problems(result: Result) -> list[str]:
    return [one["name"] for one in json.loads(result.stdout)["answers"] if not one["is_well"]]


def guide_answers() -> list[str]:
    """Return the answers that the table of the guide lists."""
    part = GUIDE.read_text().partition("## Check that it is secure")[2].partition("\n## ")[0]
    return re.findall(r"^\| ([a-z-]+) \|", part, re.MULTILINE)[1:]


def test_se_12_a_device_that_was_set_up_as_the_guide_says_is_well(simulated: FactoryUnit) -> None:
    unit = simulated.owned()
    unit.wait("the first contact", lambda: unit.world.owner.sign_in(PASSWORD) and is_known(unit))
    result = run(unit, "--json")
    assert result.exit_code == 0, result.output
    assert [one["name"] for one in json.loads(result.stdout)["answers"]] == guide_answers()


def is_known(unit: FactoryUnit) -> bool:
    found = unit.world.owner.status()
    return found["support"]["state"] != support.UNKNOWN and found["update"]["last_error"] is None


def test_se_12_the_command_of_the_guide_runs_as_it_is_written(
    simulated: FactoryUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = simulated.owned()
    (line,) = re.findall(r"^firstboot (self-check .*)$", GUIDE.read_text(), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("label.png").write_bytes(unit.world.unit.label_path.read_bytes())
    if not app.registered_groups:
        load_commands(app)
    host, port = unit.address  # the simulator's label has no address on this machine
    words = [*shlex.split(line), "--host", f"{host}:{port}", "--no-sign-in"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and "ok    The device has an owner" in result.stdout


def test_a_device_without_an_owner_is_not_well_and_gets_no_password(simulated: FactoryUnit) -> None:
    result = run(simulated.fresh(), "--json")
    assert result.exit_code == 1 and problems(result) == ["owner"]
    assert simulated.world.owner.request("GET", "/setup").status == 200


def test_updates_that_the_owner_switched_off_are_a_problem(simulated: FactoryUnit) -> None:
    unit = simulated.owned()
    assert unit.world.owner.sign_in(PASSWORD)
    assert unit.world.owner.request("POST", "/updates", {"action": "off"}).status == 303
    result = run(unit, "--json")
    assert result.exit_code == 1 and "automatic-updates" in problems(result)


def test_an_ended_support_period_is_a_problem(simulated_past_support: FactoryUnit) -> None:
    unit = simulated_past_support.owned()
    assert unit.world.owner.sign_in(PASSWORD)
    unit.wait("the time", lambda: unit.world.owner.status()["support"]["state"] == support.ENDED)
    result = run(unit, "--json")
    assert result.exit_code == 1 and "support-period" in problems(result)


def test_a_wrong_password_and_an_empty_one_are_refused(simulated: FactoryUnit) -> None:
    unit = simulated.owned()
    wrong = run(unit, typed="a wrong password for this unit\n")
    assert wrong.exit_code == 1 and "refused the password" in wrong.stderr
    assert run(unit, typed="\n").exit_code == 2


def test_another_device_gets_nothing(simulated: FactoryUnit) -> None:
    unit = simulated.owned()
    host, port = unit.address
    words = ["self-check", "--host", f"{host}:{port}", "--fingerprint", "ab" * 32]
    result = CliRunner().invoke(app, words, input=PASSWORD + "\n")
    assert result.exit_code == 3 and "STOP" in result.stderr


def names(status: Any) -> list[str]:
    return [one.name for one in owner_answers(status) if not one.is_well]


@pytest.mark.parametrize(
    ("part", "change", "name"),
    [
        ("support", {"state": support.ENDING}, None),
        ("support", {"state": support.ENDED}, "support-period"),
        ("support", {"state": support.UNKNOWN}, "support-period"),
        ("update", {"automatic": False}, "automatic-updates"),
        ("update", {"postponed_until": 5}, "automatic-updates"),
        ("update", {"is_stale": True}, "manufacturer"),
        ("update", {"withheld": ["release"]}, "withheld"),
        ("update", {"last_error": {"text": "SignatureError"}}, "last-problem"),
    ],
)
def test_each_problem_of_a_status_is_found(part: str, change: dict[str, Any], name: str | None) -> None:
    found = names({**WELL, part: {**WELL[part], **change}})
    assert found == ([] if name is None else [name])


@pytest.mark.parametrize(
    "status", [{}, [], None, {"support": [], "update": "x"}, {"support": {}, "update": {}}]
)
def test_what_a_device_does_not_say_is_a_problem(status: Any) -> None:
    assert names(status) == [
        "support-period", "automatic-updates", "manufacturer", "withheld", "last-problem",
    ]  # fmt: skip


def test_text_of_the_device_is_safe_on_a_terminal() -> None:
    error = {"text": "x\x1b]0;owned\x07"}
    answers = owner_answers({**WELL, "update": {**WELL["update"], "last_error": error}})
    assert all(one.text.isprintable() for one in answers)
