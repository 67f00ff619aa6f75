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


def answered(role: str = "manufacturer", **given: bool) -> dict[str, bool]:
    """Answer every question on the way: those given, no exception, the usual importer or distributor, consumers."""
    answers: dict[str, bool] = {}
    usual = {"own-name": False, "imports": role == "importer", "makes-available": True, "installs": False}
    wanted = (
        NO_EXCEPTION
        | usual
        | {"consumers": True}
        | {name.replace("_", "-"): yes for name, yes in given.items()}
    )
    while (question := next_question(answers, role)) is not None:
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
        while (question := next_question(answers, "importer")) is not None:
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
    found = decide(answered(role, internet=True), role)
    assert (found.applies, found.role) == (True, role)
    assert sections in found.reasons[-1]


@pytest.mark.parametrize("asked_as", ["importer", "distributor"])
@pytest.mark.parametrize(
    ("given", "applies", "role", "source"),
    [
        ({"own_name": True}, True, "manufacturer", "s. 7(3)"),
        ({"imports": True}, True, "importer", "s. 7(4)"),
        ({"imports": False}, True, "distributor", "s. 7(5)"),
        ({"imports": False, "makes_available": False}, False, None, "s. 7(2)"),
        ({"imports": False, "installs": True}, False, None, "s. 7(6)"),
        ({"imports": True, "consumers": False}, False, "importer", "s. 7(4)"),
    ],
)
def test_sc_10_the_role_follows_from_the_answers_of_section_7(
    given: dict[str, bool], applies: bool, role: str | None, source: str, asked_as: str
) -> None:
    found = decide(answered(asked_as, internet=True, **given), asked_as)
    assert (found.applies, found.role) == (applies, role)
    assert any(source in reason for reason in found.reasons)


def test_a_manufacturer_is_not_asked_for_a_role() -> None:
    assert not {"own-name", "imports"} & set(answered(internet=True))


def test_the_command_asks_until_the_decision_and_records_it(tmp_path: Path) -> None:
    to = tmp_path / "scope.json"
    options = ["scope", "--product-name", "FB-1", "--role", "importer", "--by", "E. Example", "--to", str(to)]
    typed = (
        "y\n" + "n\n" * len(EXCEPTIONS) + "n\ny\ny\n"
    )  # internet, no exception, not my name, I import, consumers
    result = RUNNER.invoke(app, [*options, "--reason", "data sheet, customs papers", "--json"], input=typed)
    assert result.exit_code == 0, result.output
    record = json.loads(to.read_text())
    assert record["applies"] is True and record["role"] == "importer" and record["decided_by"] == "E. Example"
    assert (record["asked_as"], record["reason"]) == ("importer", "data sheet, customs papers")
    assert [each["source"] for each in record["duties"]][:2] == ["section 14", "section 15(2)"]
    assert record["answers"]["imports"] == {"answer": True, "source": "s. 7(4)"}
    assert record["answers"]["internet"] == {"answer": True, "source": "s. 5(1), (2)"}


def test_the_command_takes_answers_and_refuses_a_wrong_one_before_it_writes(tmp_path: Path) -> None:
    to = tmp_path / "scope.json"
    options = ["scope", "--product-name", "FB-1", "--by", "E. Example", "--to", str(to)]
    for wrong in ("internet=maybe", "colour=yes", "internet"):
        assert RUNNER.invoke(app, [*options, "--answer", wrong]).exit_code == 2
    assert not to.exists()
    out = RUNNER.invoke(app, [*options, "--answer", "internet=no", "--answer", "transmits=no"])
    assert out.exit_code == 0 and "does not apply" in out.stdout and to.exists()


def test_a_distributor_that_imports_is_told_and_gets_the_duties_of_an_importer(tmp_path: Path) -> None:
    to = tmp_path / "scope.json"
    answers = answered("distributor", internet=True, imports=True)
    given = [
        word for name, yes in answers.items() for word in ("--answer", f"{name}={'yes' if yes else 'no'}")
    ]
    options = [
        "scope",
        "--product-name",
        "FB-1",
        "--role",
        "distributor",
        "--by",
        "E. Example",
        "--to",
        str(to),
    ]
    result = RUNNER.invoke(app, [*options, *given])
    assert result.exit_code == 0, result.output
    assert (
        "you are its importer (s. 7(4))" in result.stdout and "section 15(3), regulation 9" in result.stdout
    )
    assert "[scope]" not in result.stdout
    record = json.loads(to.read_text())
    assert (record["asked_as"], record["role"]) == ("distributor", "importer")
