"""Commands on a full disk: the file is named, the exit code says "try again later", and nothing is left."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.main import app
from provisioning.registry import backup, engine

NAMED = {  # a command, and the file or folder that it must name
    "keys generate signing --out OUT/author.pem": "author.pem",
    "keys generate server OUT/server": "server/oscore.pub",
    "keys init OUT/maker --product product.toml": "maker",
    "keys ca issue client publisher --keys maker/keys --out OUT/client": "client/publisher.crt",
    "registry init --registry OUT/other.db": "other.db",
    "registry backup --registry registry.db --to OUT/backup": "backup",
    "registry checkpoint --registry registry.db --to OUT": "checkpoint-",
    "registry export json --registry registry.db --to OUT/units.json": "units.json",
    "station init OUT/line": "line/product.toml",
}


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maker")
    runner = CliRunner()
    for line in (f"station init {folder}", f"keys init {folder}/maker --product {folder}/product.toml"):
        assert runner.invoke(app, line.split()).exit_code == 0
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("line", NAMED)
def test_a_command_names_the_file_that_does_not_fit(
    line: str, maker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def full(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(tmp_path)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.chdir(maker)
    result = CliRunner().invoke(app, line.replace("OUT", str(tmp_path)).split())
    assert result.exit_code == ExitCode.TRY_LATER, result.output
    assert f"{tmp_path}/{NAMED[line]}" in result.output and "No space left" in result.output
    assert files(tmp_path) == {}


def test_a_rotation_that_does_not_fit_leaves_the_key_folder_as_it_was(
    maker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(maker)
    for role in ("author", "root"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _failing_after(3))
            result = CliRunner().invoke(app, ["keys", "rotate", role, "--keys", f"{maker}/maker/keys"])
        assert result.exit_code == ExitCode.TRY_LATER and "No space left" in result.output
        assert files(maker) == before


def _failing_after(count: int) -> object:
    left = iter(range(count - 1))

    def fsync(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fsync


def test_a_database_that_does_not_fit_can_be_tried_again_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SQLITE_SETTINGS", (*engine.SQLITE_SETTINGS, "max_page_count = 3"))
    result = CliRunner().invoke(app, ["registry", "init", "--registry", f"{tmp_path}/registry.db"])
    assert result.exit_code == ExitCode.TRY_LATER and "registry.db" in result.output
    assert "full" in result.output and files(tmp_path) == {}


def test_a_backup_that_does_not_fit_is_named_and_removed(
    maker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr(backup, "_copy_database", full)
    line = ["registry", "backup", "--registry", f"{maker}/registry.db", "--to", f"{tmp_path}/monday"]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == ExitCode.TRY_LATER and f"{tmp_path}/monday" in result.output
    assert list(tmp_path.iterdir()) == []
