"""The guided decision of scope: each way through the questions ends in the decision of the Act (SC-10)."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.statement import app
from provisioning.compliance.scope import EXCEPTIONS, QUESTIONS, ScopeError, decide, next_question

NO_EXCEPTION = {each.name: False for each in EXCEPTIONS}
RUNNER = CliRunner()


def answered(**given: bool) -> dict[str, bool]:
    """Answer every question on the way: those given, no exception, consumers."""
    answers: dict[str, bool] = {}
    wanted = NO_EXCEPTION | {"consumers": True} | {name.replace("_", "-"): yes for name, yes in given.items()}
    while (question := next_question(answers)) is not None:
        answers[question.name] = wanted[question.name]
    return answers


@pytest.mark.parametrize(
    ("given", "applies", "connectable"),
    [
        ({"internet": True}, True, "internet"),
        ({"internet": False, "transmits": False}, False, None),
        ({"internet": False, "transmits": True, "direct_ip": True}, True, "network"),
        (
            {"internet": False, "transmits": True, "direct_ip": False, "several": True, "direct_other": True},
            True,
            "network",
        ),
        (
            {"internet": False, "transmits": True, "direct_ip": False, "several": False, "linked": False},
            False,
            None,
        ),
        (
            {"internet": False, "transmits": True, "direct_ip": False, "several": False, "linked": True},
            True,
            "network",
        ),
        ({"internet": True, "consumers": False}, False, "internet"),
        *[({"internet": True, each.name.replace("-", "_"): True}, False, "internet") for each in EXCEPTIONS],
    ],
)
def test_sc_10_the_answers_lead_to_the_decision_of_the_act(
    given: dict[str, bool], applies: bool, connectable: str | None
) -> None:
    found = decide(answered(**given), "manufacturer")
    assert (found.applies, found.connectable) == (applies, connectable)
    assert all("s." in reason or "section" in reason for reason in found.reasons)


def test_every_way_through_the_questions_ends_and_asks_nothing_twice() -> None:
    names = [each.name for each in QUESTIONS if each not in EXCEPTIONS]
    for values in itertools.product((True, False), repeat=len(names)):
        wanted = NO_EXCEPTION | dict(zip(names, values, strict=True))
        answers: dict[str, bool] = {}
        while (question := next_question(answers)) is not None:
            assert question.name not in answers
            answers[question.name] = wanted[question.name]
        decide(answers, "importer")


@pytest.mark.parametrize(
    "answers",
    [{}, {"internet": True}, {"internet": True, "transmits": True}, {"colour": True}],
)
def test_missing_unknown_and_meaningless_answers_are_refused(answers: dict[str, bool]) -> None:
    with pytest.raises(ScopeError):
        decide(answers, "manufacturer")
    with pytest.raises(ScopeError):
        decide(answered(internet=True) | {"transmits": True}, "manufacturer")


@pytest.mark.parametrize(("role", "sections"), [("importer", "14 to 20"), ("distributor", "21 to 25")])
def test_an_importer_and_a_distributor_get_their_own_duties(role: str, sections: str) -> None:
    assert sections in decide(answered(internet=True), role).reasons[-1]


def test_the_command_asks_until_the_decision_and_records_it(tmp_path: Path) -> None:
    to = tmp_path / "scope.json"
    options = ["scope", "--product-name", "FB-1", "--role", "importer", "--by", "E. Example", "--to", str(to)]
    result = RUNNER.invoke(app, [*options, "--json"], input="y\n" + "n\n" * len(EXCEPTIONS) + "y\n")
    assert result.exit_code == 0, result.output
    record = json.loads(to.read_text())
    assert record["applies"] is True and record["role"] == "importer" and record["decided_by"] == "E. Example"
    assert record["answers"]["internet"] == {"answer": True, "source": "s. 5(1), (2)"}


def test_the_command_takes_answers_and_refuses_a_wrong_one_before_it_writes(tmp_path: Path) -> None:
    to = tmp_path / "scope.json"
    options = ["scope", "--product-name", "FB-1", "--by", "E. Example", "--to", str(to)]
    for wrong in ("internet=maybe", "colour=yes", "internet"):
        assert RUNNER.invoke(app, [*options, "--answer", wrong]).exit_code == 2
    assert not to.exists()
    out = RUNNER.invoke(app, [*options, "--answer", "internet=no", "--answer", "transmits=no"])
    assert out.exit_code == 0 and "does not apply" in out.stdout and to.exists()
