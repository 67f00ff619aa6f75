"""Rules for every command: few options or a settings object, help with an example, plain words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from provisioning.cli import exit_codes
from provisioning.cli.commands import Command
from provisioning.cli.main import app, entries, load_commands, summary

MOST_OPTIONS = 8
EXEMPT = {"--help", "--config", "--show-config"}
# Commands without --json, and why.
WITHOUT_JSON = {
    "firstboot station schema": "its output is JSON already",
    "firstboot serve recipe": "its output is the file that was asked for",
    "firstboot station set-login": "a person types a password; the only result is the file that the person named",
}
# Words of a foreign grammar, and words that have another meaning here (docs/vocabulary.md).
BANNED = (
    r"\bbehind\b", r"\banew\b", r"\btold\b", r"\bis none\b", r"\bwhoever\b", r"\bwho (runs|finds|comes|asks)\b",
    r"\bstands\b", r"\bdraw(s|n)?\b", r"\bdrew\b", r"\bpapers?\b", r"\bwhere there is\b", r"\balone\b",
    r"\bdoes not hold\b", r"\bdrill a backup\b", r"\bsays? (that|what|so)\b", r"\bmust not be\b", r"\bthat runs\b",
)  # fmt: skip


def walk(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, node
    for name, child in getattr(node, "commands", {}).items():
        if not child.hidden:
            yield from walk(child, f"{path} {name}")


def everything() -> dict[str, Any]:
    if not app.registered_groups:
        load_commands(app)
    return dict(walk(get_command(app), "firstboot"))


ALL = everything()
COMMANDS = {path: node for path, node in ALL.items() if not hasattr(node, "commands")}
GROUPS = {path: node for path, node in ALL.items() if hasattr(node, "commands")}


def options_of(node: Any) -> set[str]:
    return {max(one.opts, key=len) for one in node.params if one.param_type_name == "option"}


def texts_of(node: Any) -> Iterator[str]:
    yield node.help or ""
    yield from (getattr(one, "help", None) or "" for one in node.params)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_with_many_options_has_a_settings_object(path: str) -> None:
    options = options_of(COMMANDS[path])
    if len(options - EXEMPT) > MOST_OPTIONS:
        assert {"--config", "--show-config"} <= options


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_that_reports_something_does_it_as_json_too(path: str) -> None:
    assert ("--json" in options_of(COMMANDS[path])) == (path not in WITHOUT_JSON)


def test_every_command_without_json_exists_and_has_a_reason() -> None:
    assert set(WITHOUT_JSON) <= set(COMMANDS) and all(WITHOUT_JSON.values())


@pytest.mark.parametrize("path", [path for path in COMMANDS if "--show-config" in options_of(COMMANDS[path])])
def test_the_settings_of_every_command_are_shown_as_json_too(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [*path.split()[1:], "--show-config", "--json"]
    for one in COMMANDS[path].params:
        arguments += ["x"] if one.param_type_name == "argument" and one.required else []
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert all(set(value) == {"value", "source"} for value in json.loads(result.stdout).values())


@pytest.mark.parametrize("path", ALL)
def test_help_begins_with_one_sentence_and_has_an_example(path: str) -> None:
    help_text = ALL[path].help or ""
    first = re.sub(r"\s+", " ", help_text.split("\n\n")[0])
    assert first.endswith("."), "the first paragraph is not a sentence"
    assert path == "firstboot" or re.search(r"^Example: `firstboot ", help_text, re.MULTILINE)


@pytest.mark.parametrize("path", COMMANDS)
def test_the_example_of_a_command_shows_this_command(path: str) -> None:
    found = re.search(r"^Example: `([^`]*)`", COMMANDS[path].help or "", re.MULTILINE)
    assert found is not None and found[1].startswith(path)
    given = set(re.findall(r"(?<= )--[a-z0-9-]+", re.sub(r"\s+", " ", found[1])))
    assert given <= {option for one in COMMANDS[path].params for option in one.opts}


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_has_a_help_text(path: str) -> None:
    assert not [one.name for one in COMMANDS[path].params if not getattr(one, "help", None)]


@pytest.mark.parametrize("path", ALL)
def test_help_has_no_banned_word(path: str) -> None:
    found = [
        (pattern, text)
        for text in texts_of(ALL[path])
        for pattern in BANNED
        if re.search(pattern, text.lower())
    ]
    assert not found


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_inside_the_error_boundary(path: str) -> None:
    assert isinstance(COMMANDS[path], Command)


@pytest.mark.parametrize("path", GROUPS)
def test_the_help_of_every_group_ends_with_the_exit_codes(path: str) -> None:
    assert GROUPS[path].epilog == exit_codes.help_text()


@pytest.mark.parametrize("name", entries())
def test_the_list_of_commands_describes_each_without_importing_it(name: str) -> None:
    text = summary(entries()[name])
    assert text.endswith(".") and text[0].isupper()
    assert not [pattern for pattern in BANNED if re.search(pattern, text.lower())]


OLD = {
    "release init": "firstboot keys init",
    "release keygen": "firstboot keys generate signing",
    "release keyset": "firstboot keys sign-set",
    "release rotate": "firstboot keys rotate",
    "release revoke": "firstboot keys revoke",
    "release drill": "firstboot keys drill",
    "station ca": "firstboot keys ca",
    "statement draw-key": "firstboot keys generate signatory",
    "registry station-key": "firstboot keys assign-station",
    "registry server-key": "firstboot keys generate server",
    "registry revoke": "firstboot registry withdraw",
    "registry drill": "firstboot registry check-backup",
    "registry release-batch": "firstboot registry ship-batch",
}


@pytest.mark.parametrize("old", OLD)
def test_an_old_spelling_names_the_new_one(old: str) -> None:
    result = CliRunner().invoke(app, [*old.split(), "--some", "option"])
    assert (result.exit_code, result.stderr) == (2, f"moved: use `{OLD[old]}`\n")
    assert OLD[old] in ALL


def test_completion_is_mentioned_in_the_help_and_can_be_shown() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout
    completed = CliRunner().invoke(
        app,
        [],
        prog_name="firstboot",
        env={"_FIRSTBOOT_COMPLETE": "complete_bash", "COMP_WORDS": "firstboot keys ge", "COMP_CWORD": "2"},
    )
    assert "generate" in completed.stdout
