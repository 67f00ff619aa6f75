"""A new board's folder, made outside of the checkout."""

from __future__ import annotations

import ast
import json
import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.main import app
from simulator.porting.errors import FolderError
from simulator.porting.folder import KINDS, new, sources
from simulator.porting.modules import board_modules, imported_files

RUNNER = CliRunner()


@pytest.mark.parametrize("like", KINDS)
def test_a_new_folder_has_every_file_and_the_boards_name(tmp_path: Path, like: str) -> None:
    files = {path.name: path.read_text() for path in new(tmp_path / "lamp", like)}
    needed = {"port.py", "board.py", "main.py", "manifest.py", "README.md", "test_checklist.py"}
    assert needed <= set(files)
    assert 'NAME = "lamp"' in files["board.py"]
    assert not [
        name for name, text in files.items() if "BOARD_NAME" in text.replace("MICROPY_HW_BOARD_NAME", "")
    ]
    for name, text in files.items():
        if name.endswith(".py"):
            ast.parse(text)


@pytest.mark.parametrize("like", KINDS)
def test_no_path_of_this_machine_is_in_a_new_folder(tmp_path: Path, like: str) -> None:
    here = str(Path(__file__).resolve().parents[4])
    for path in new(tmp_path / "lamp", like):
        assert here not in path.read_text() and str(tmp_path) not in path.read_text(), path.name


def test_a_new_folder_can_be_read_by_others(tmp_path: Path) -> None:
    new(tmp_path / "lamp", "mcuboot")
    assert stat.S_IMODE((tmp_path / "lamp").stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["Lamp", "1lamp", "la-mp", "a" * 33, "port", "device", "lämp"])
def test_a_name_that_python_or_micropython_cannot_use_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FolderError, match="cannot be a board's name"):
        new(tmp_path / name, "mcuboot")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_exists_is_never_changed(tmp_path: Path) -> None:
    (tmp_path / "lamp").mkdir()
    with pytest.raises(FolderError, match="exists"):
        new(tmp_path / "lamp", "mcuboot")
    assert os.listdir(tmp_path) == ["lamp"] and not os.listdir(tmp_path / "lamp")


def test_the_command_prints_the_files(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["board", "new", str(tmp_path / "lamp"), "--like", "rp2350", "--json"])
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["board"] == "lamp" and document["like"] == "rp2350"
    assert sorted(Path(name).name for name in document["files"]) == sorted(os.listdir(tmp_path / "lamp"))


def test_the_sources_of_a_build_are_named_for_a_shell() -> None:
    done = RUNNER.invoke(app, ["board", "sources"])
    assert done.exit_code == 0
    for name, path in sources().items():
        assert f"export {name}={path}" in done.stdout
        assert path.is_dir()


# What is sent to the board -----------------------------------------------------------------------------------------
def test_manifest_and_tests_are_not_sent(tmp_path: Path) -> None:
    new(tmp_path / "lamp", "mcuboot")
    assert sorted(board_modules(tmp_path / "lamp")) == ["board.py", "main.py", "port.py"]


@pytest.mark.parametrize("name", ["port.py", "board.py", "main.py"])
def test_a_folder_without_a_needed_file_is_refused(tmp_path: Path, name: str) -> None:
    new(tmp_path / "lamp", "mcuboot")
    (tmp_path / "lamp" / name).unlink()
    with pytest.raises(FolderError, match=name):
        board_modules(tmp_path / "lamp")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"def", "not Python"), (b"\xff", "not UTF-8"), (b"x\x00", "not Python"), (b"#" * 65537, "more than")],
)
def test_a_file_that_is_no_module_is_refused_before_anything_is_sent(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    new(tmp_path / "lamp", "mcuboot")
    (tmp_path / "lamp" / "port.py").write_bytes(content)
    with pytest.raises(FolderError, match=reason):
        board_modules(tmp_path / "lamp")


def test_a_board_without_device_gets_what_its_modules_import_and_no_more(tmp_path: Path) -> None:
    text = (
        "from device.ports.littlefs import Regions\nif TYPE_CHECKING:\n    from device.agent import agent\n"
    )
    found = imported_files([text])
    assert {
        "device/__init__.py",
        "device/ports/__init__.py",
        "device/ports/littlefs.py",
        "device/errors.py",
    } <= set(found)
    assert not [name for name in found if name.startswith(("device/agent", "device/web"))]
