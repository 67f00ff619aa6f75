"""Every command with inputs that nobody should give it: no traceback, a code of the one table, and nothing is written.

`make test` gives each command one kind of input, another one for each command; `make nightly` gives it every kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.main import app
from tests.unit.provisioning.cli.test_every_command import COMMANDS

HUGE_BYTES = 32 << 20
CONTENTS = {
    "empty": b"",
    "binary": bytes(range(256)) * 64,
    "byte order mark": b"\xef\xbb\xbf[product]\nmodel = 'x'\n",
    "deep JSON": b"[" * 100_000,
    "JSON of another form": b"[1, {}, null]",
    "surrogate": b'{"a": "\\ud800"}',
    "long number": b'{"version": ' + b"9" * 5000 + b"}",
    "deep CBOR": b"\x81" * 100_000,
    "damaged PEM": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
}
KINDS = [*CONTENTS, "huge", "folder", "pipe", "missing"]
OUTPUTS = {"--out", "--to", "--keep"}
# These begin work that no input can stop early, or need a device or network at the other end.
LONG = ("demo", "powercut", "emulator", "fleet", "device run", "serve run", "onboard", "board")
PATHS = [path for path in COMMANDS if not path.removeprefix("firstboot ").startswith(LONG)]


def is_path(parameter: Any) -> bool:
    return "Path" in str(parameter.type_descriptor.annotation)


def inputs_of(path: str) -> list[Any]:
    """Return the parameters of a command that name a file or folder to read."""
    return [one for one in COMMANDS[path].params if is_path(one) and not OUTPUTS & set(one.opts)]


TRIED = [path for path in PATHS if inputs_of(path)]


@pytest.fixture
def inputs(tmp_path: Path) -> Iterator[dict[str, Path]]:
    folder = tmp_path / "inputs"
    folder.mkdir()
    found = {kind: folder / kind for kind in KINDS}
    for kind, content in CONTENTS.items():
        found[kind].write_bytes(content)
    with found["huge"].open("wb") as file:
        file.truncate(HUGE_BYTES)
    found["folder"].mkdir()
    os.mkfifo(found["pipe"])
    yield found


def plain(parameter: Any) -> str:
    """Return a value that the type of a parameter allows."""
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return str(next(iter(kind)).value)
    return "1" if kind in (int, float) else "x"


def line(path: str, given: Path) -> list[str]:
    """Return the arguments of a command that name `given` for each input."""
    options, rest = path.split()[1:], ["--"]
    for one in COMMANDS[path].params:
        value = str(given) if is_path(one) and not OUTPUTS & set(one.opts) else plain(one)
        if one.param_type_name == "argument":
            rest += [value] if one.required or is_path(one) else []
        elif not getattr(one, "is_flag", False) and (one.required or value == str(given)):
            options += [max(one.opts, key=len), value]
    return options + rest


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refuses(path: str, given: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one command in an empty folder with a home of its own, and check what this file's text says."""
    home = work / "home"
    home.mkdir(parents=True)
    monkeypatch.chdir(work)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    arguments = line(path, given)
    done = CliRunner().invoke(app, arguments, input="")
    assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, done.exception)
    assert done.exit_code in [int(code) for code in ExitCode], arguments
    assert "Traceback" not in done.output and "Value error" not in done.output
    if done.exit_code:
        assert names(work) == ["home"], (arguments, done.output)


@pytest.mark.parametrize("at", range(len(TRIED)), ids=TRIED)
def test_a_command_refuses_a_wrong_input_and_writes_nothing(
    at: int, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses(TRIED[at], inputs[KINDS[at % len(KINDS)]], tmp_path / "work", monkeypatch)


@pytest.mark.nightly
@pytest.mark.parametrize("path", TRIED)
def test_a_command_refuses_every_wrong_input_and_writes_nothing(
    path: str, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, given in inputs.items():
        refuses(path, given, tmp_path / kind.replace(" ", "-"), monkeypatch)


def test_most_commands_are_tried() -> None:
    assert len(TRIED) > 100
