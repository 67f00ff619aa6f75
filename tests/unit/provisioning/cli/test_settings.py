"""Settings of a command: command line over file over default, typed errors, and what --show-config prints."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner, Result

from provisioning.cli.addresses import signer_place
from provisioning.cli.commands import CommandGroup
from provisioning.cli.settings import effective, with_settings
from provisioning.cli.settings_fields import SettingsError
from provisioning.cli.settings_file import UnknownKeyError
from provisioning.cli.station import app as station_app
from provisioning.cli.station_settings import RunSettings

ASKED = ["provision", "--port", "tcp:localhost:1", "--show-config", "--json"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, path: str = "firstboot.toml") -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return Path(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(station_app, list(arguments))


def shown(*arguments: str) -> dict[str, dict[str, str | None]]:
    result = run(*ASKED, *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, dict[str, str | None]] = json.loads(result.stdout)
    return found


# Precedence --------------------------------------------------------------------------------------------------


def test_a_default_applies_when_nothing_else_is_given() -> None:
    assert shown()["station"] == {"value": "station", "source": "default"}


def test_the_file_of_the_working_directory_beats_the_default() -> None:
    write('[station]\nstation = "line-2"\n')
    assert shown()["station"] == {"value": "line-2", "source": "firstboot.toml [station]"}


def test_the_table_of_a_command_beats_that_of_its_group() -> None:
    write('[station]\nstation = "line-2"\n[station.provision]\nstation = "line-3"\n')
    assert shown()["station"] == {"value": "line-3", "source": "firstboot.toml [station.provision]"}


def test_a_byte_order_mark_and_line_ends_of_windows_are_accepted() -> None:
    write('\ufeff[station]\r\nstation = "line-2"\r\n')
    assert shown()["station"]["value"] == "line-2"


def test_the_table_of_another_command_does_not_apply() -> None:
    write('[station.run]\nstation = "line-3"\n')
    assert shown()["station"] == {"value": "station", "source": "default"}


def test_the_command_line_beats_the_file() -> None:
    write('[station]\nstation = "line-2"\n')
    assert shown("--station", "line-9")["station"] == {"value": "line-9", "source": "command line"}


def test_a_default_on_the_command_line_beats_the_file() -> None:
    write('[station]\nstation = "line-2"\n')
    assert shown("--station", "station")["station"] == {"value": "station", "source": "command line"}


def test_config_names_another_file_and_the_own_one_is_not_read(tmp_path: Path) -> None:
    write("this is not TOML")
    other = write('[station]\nstation = "line-2"\n', "elsewhere/line.toml")
    assert shown("--config", str(other))["station"]["value"] == "line-2"


def test_a_path_in_the_file_is_relative_to_the_file(tmp_path: Path) -> None:
    other = write('[station]\nkeys = "keys"\nregistry = "registry.db"\n', "line/firstboot.toml")
    found = shown("--config", str(other))
    assert (found["keys"]["value"], found["registry"]["value"]) == ("line/keys", "line/registry.db")


def test_an_address_in_the_file_is_not_a_path() -> None:
    other = write('[station]\nregistry = "postgresql://db/units"\n', "line/firstboot.toml")
    assert shown("--config", str(other))["registry"]["value"] == "postgresql://db/units"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.pem", "maker/a.pem"),
        ("hss:tree", "hss:maker/tree"),
        ("file:b.pem", "file:maker/b.pem"),
        ("pkcs11:token=x", "pkcs11:token=x"),
    ],
)
def test_the_path_of_a_signer_is_relative_to_the_file(text: str, expected: str) -> None:
    assert signer_place(text, Path("maker")) == expected


# Errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ('[station]\nlabel = "x"\n', "label", "labels"),
        ('[station.provision]\noscore-keys = "x"\n', "oscore-keys", "oscore-key"),
        ("[station.runn]\n", "runn", "run"),
        ("[statoin]\n", "statoin", "station"),
        ('[station.provision]\nimage_digest = "x"\n', "image_digest", "image-digest"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(text: str, key: str, nearest: str) -> None:
    write(text)
    result = run(*ASKED)
    assert result.exit_code == 2
    assert f"unknown key `{key}`" in result.stderr and f"`{nearest}`" in result.stderr


def test_an_unknown_key_is_a_typed_error() -> None:
    path = write('[station.run]\nlogn = "x"\n')
    with pytest.raises(UnknownKeyError, match="login"):
        effective(RunSettings, "station.run", {}, path)


@pytest.mark.parametrize(
    ("line", "key"),
    [("count = -1", "count"), ('count = "3"', "count"), ('scan = "yes"', "scan"), ("port = 'one'", "port")],
)
def test_a_value_of_another_type_names_its_key_and_table(line: str, key: str) -> None:
    write(f"[station.run]\n{line}\n")
    result = run("run", "--show-config")
    assert result.exit_code == 2
    assert f"`{key}` in [station.run]" in result.stderr


class Word(StrEnum):
    """The words of an option."""

    one = "one"


@dataclass(frozen=True, kw_only=True)
class WordSettings:
    """An option that takes one of several words."""

    word: Annotated[Word, typer.Option(help="A word.")] = Word.one


def test_an_option_of_several_words_is_a_text_in_the_file() -> None:
    with_settings(WordSettings, "device.words")
    path = write('[device.words]\nword = "one"\n')
    assert effective(WordSettings, "device.words", {}, path)["word"].value is Word.one
    path = write('[device.words]\nword = "two"\n')
    with pytest.raises(SettingsError, match="'one'"):
        effective(WordSettings, "device.words", {}, path)


@pytest.mark.parametrize("text", ["station = 1", "a = ", "\x00", "[station]\nrun = 3"])
def test_a_file_of_another_form_is_refused(text: str) -> None:
    write(text)
    result = run(*ASKED)
    assert result.exit_code == 2 and "firstboot.toml" in result.stderr


def test_a_file_that_config_names_must_exist() -> None:
    result = run(*ASKED, "--config", "nowhere.toml")
    assert result.exit_code == 2 and "nowhere.toml" in result.stderr


def test_the_old_settings_file_is_refused_with_the_new_place() -> None:
    write("signers: []", "release.yaml")
    result = run(*ASKED, "--config", "release.yaml")
    assert result.exit_code == 2 and "[release.sign]" in result.stderr


def test_every_missing_option_is_named_at_once() -> None:
    result = run("provision", "--port", "tcp:localhost:1")
    assert result.exit_code == 2
    for option in ("--product", "--keys", "--registry", "--labels"):
        assert option in result.stderr


# --show-config -----------------------------------------------------------------------------------------------


def test_show_config_names_what_is_missing_and_runs_nothing() -> None:
    found = shown()
    assert found["product"] == {"value": None, "source": "missing"}
    assert list(Path().iterdir()) == []


@dataclass(frozen=True, kw_only=True)
class SecretSettings:
    broker: Annotated[str, typer.Option("--broker")]
    token_pin: Annotated[str, typer.Option("--token-pin")]
    signer: Annotated[str, typer.Option("--signer")]


def test_show_config_prints_no_secret() -> None:
    app = CommandGroup("Secrets.")
    app.command("a")(with_settings(SecretSettings, "keys.a")(lambda settings: None))
    app.command("b")(lambda: None)
    given = [
        "--broker",
        "mqtt://me:hunter2@host",
        "--token-pin",
        "4711",
        "--signer",
        "pkcs11:x?pin-value=0815",
    ]
    result = CliRunner().invoke(app, ["a", *given, "--show-config"])
    assert result.exit_code == 0, result.output
    assert not [secret for secret in ("hunter2", "4711", "0815") if secret in result.output]
    assert "mqtt://me:***@host" in result.output and "(hidden)" in result.output


# Start-up ----------------------------------------------------------------------------------------------------


def test_settings_do_not_import_pydantic_before_there_is_a_file() -> None:
    code = "import sys, provisioning.cli.settings\nprint('pydantic' in sys.modules)"
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_programs_own_help_imports_no_command() -> None:
    code = (
        "import sys\nfrom provisioning.cli.main import app\n"
        "try:\n app(['--help'])\nexcept SystemExit: pass\n"
        "heavy = ('sqlalchemy', 'cryptography', 'pydantic', 'simulator.cli.demo')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.splitlines()[-1] == "[]"
