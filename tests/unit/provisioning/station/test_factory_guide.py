"""docs/factory.md as an operator with an empty folder follows it, with the boards that replace hardware."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from provisioning.cli import main as cli
from tests import patience

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "factory.md"
TIMEOUT_S = 300
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def test_the_five_minutes_of_the_guide_work_in_an_empty_folder(tmp_path: Path) -> None:
    found = re.search(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    root = str(GUIDE.parents[1])
    result = patience.run(
        ["bash", "-eu", "-c", found.group(1)],
        TIMEOUT_S,
        cwd=tmp_path,
        env={**os.environ, "PATH": PATH, "PYTHONPATH": root},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 passed, 0 failed" in result.stdout
    assert "FB1-000001" in result.stdout and "FB1-000002" in result.stdout
    assert "2 codes: 0 findings" in result.stdout and "whole: 2 production records" in result.stdout
    assert {path.name for path in (tmp_path / "line" / "labels").iterdir()} == {
        "FB1-000001.png",
        "FB1-000002.png",
    }


def commands_of_the_guide() -> list[list[str]]:
    text = GUIDE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"`(firstboot [^`]*)`", text) + re.findall(
        r"^ *(firstboot [^\n]*)", text, re.MULTILINE
    )
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("words", commands_of_the_guide(), ids=" ".join)
def test_every_option_that_the_guide_names_exists(words: list[str]) -> None:
    app = cli.typer.Typer()
    cli.load_commands(app)
    command = get_command(app)
    names = list(words[1:])
    while names and names[0] in getattr(command, "commands", {}):
        command = command.commands[names.pop(0)]  # type: ignore[attr-defined]
    assert not hasattr(command, "commands"), f"{' '.join(words)} names no command"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in names if word.startswith("--")} <= known, " ".join(words)
