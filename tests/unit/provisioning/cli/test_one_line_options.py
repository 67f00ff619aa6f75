"""A name or a reason is one line: it is stored and printed, so it cannot forge another line."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import typer

from provisioning.cli.main import app, load_commands
from provisioning.cli.one_line import LINE_CHARS, lines, one_line
from provisioning.cli.settings import _check_texts, effective
from provisioning.cli.settings_fields import SettingsError
from provisioning.cli.station_run import RunSettings
from provisioning.registry.models import Batch, Branch, Chain, Incident, Unit

# Options with free text, by their names on the command line.
FREE_TEXTS = {"--by", "--reason", "--station", "--function", "--for", "--title", "--release", "--dns"}
FORGED = "bent\nFB1-000002 passed"


@pytest.mark.parametrize("text", [FORGED, "a\u202eb", "a\x1b[2K", "a\u2028b", "", " "])
@pytest.mark.parametrize("kind", sorted(LINE_CHARS))
def test_a_text_that_is_not_one_line_is_refused(kind: str, text: str) -> None:
    with pytest.raises(typer.BadParameter, match="one line"):
        one_line(kind)(text)


@pytest.mark.parametrize(("kind", "most"), sorted(LINE_CHARS.items()))
def test_a_text_of_the_greatest_length_is_taken_and_one_more_character_is_refused(
    kind: str, most: int
) -> None:
    assert one_line(kind)("x" * most) == "x" * most
    with pytest.raises(typer.BadParameter, match=f"at most {most}"):
        one_line(kind)("x" * (most + 1))


def test_one_line_is_taken_as_it_is() -> None:
    assert one_line("reason")("Gehäuse zerkratzt, Łódź, 外壳") == "Gehäuse zerkratzt, Łódź, 外壳"
    assert one_line("branch")(None) is None


def test_each_text_of_a_repeated_option_is_one_line() -> None:
    assert lines("version")(["1.0.0", "1.2.0+3"]) == ["1.0.0", "1.2.0+3"] and lines("version")(None) is None
    with pytest.raises(typer.BadParameter, match="one line"):
        lines("version")(["1.0.0", FORGED])


def _options(command: click.Command) -> list[tuple[str, click.Parameter]]:
    commands = getattr(command, "commands", None)
    if commands is not None:
        return [found for each in commands.values() for found in _options(each)]
    return [
        (f"{command.name} {each.name}", each)
        for each in command.params
        if FREE_TEXTS & {*each.opts} and each.metavar != "FILE"
    ]


def test_every_command_refuses_a_free_text_of_two_lines() -> None:
    if not app.registered_groups:
        load_commands(app)
    found = _options(typer.main.get_command(app))
    assert len(found) >= 10, [name for name, _ in found]
    taken = []
    for name, option in found:
        try:
            given = [FORGED] if getattr(option, "multiple", False) else FORGED
            option.process_value(click.Context(click.Command(name)), given)
        except typer.BadParameter:
            continue
        taken.append(name)
    assert not taken


def test_a_settings_file_cannot_give_a_text_of_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "firstboot.toml"
    path.write_text('[station.run]\nstation = "line 1\\nline 2"\n')
    values = effective(RunSettings, "station.run", {}, path)
    with pytest.raises(SettingsError, match=r"--station .* one line"):
        _check_texts(RunSettings, values)


def test_the_registry_holds_the_longest_text_of_each_kind() -> None:
    """Each column of the registry is as long as the longest text of its kind."""
    columns = {
        "batch": Batch.__table__.c.number,
        "branch": Branch.__table__.c.name,
        "person": Incident.__table__.c.settled_by,
        "reason": Unit.__table__.c.note,
        "serial": Unit.__table__.c.serial,
        "station": Chain.__table__.c.station,
        "version": Unit.__table__.c.version,
    }
    lengths = {kind: column.type.length for kind, column in columns.items()}
    assert not {kind: length for kind, length in lengths.items() if length < LINE_CHARS[kind]}
