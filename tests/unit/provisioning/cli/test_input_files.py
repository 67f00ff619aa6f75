"""Inputs of commands are regular files: a pipe without a writer, a socket or a device is refused, and nothing waits."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.input_files import regular_inputs
from provisioning.cli.main import app, load_commands
from tests.patience import communicate

DEFINITION = "report drill --product {path} --to {path}-drill"
MANY = (
    DEFINITION,
    "keys show {path}",
    "conformance check {path} --anchor {path}",
    "release inspect {path}",
    "registry import-secrets {path} --key {path} --store store",
    "rp2350 partitions --key {path} --out table.bin",
    "station run --config {path}",
    "nvm ls {path}",
    "replay {path}",
)


def run(line: str, path: Path) -> tuple[int, str]:
    if not app.registered_groups:
        load_commands(app)
    done = CliRunner().invoke(app, shlex.split(line.format(path=shlex.quote(str(path)))))
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def pipe_in(folder: Path) -> Path:
    path = folder / "pipe"
    os.mkfifo(path, 0o600)
    return path


@pytest.mark.parametrize("line", MANY)
def test_a_pipe_without_a_writer_is_refused_by_every_command(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = pipe_in(tmp_path)
    code, output = run(line, path)
    assert code == 2
    assert output.endswith(f"{path} is a pipe: give a regular file, or /dev/stdin\n")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["zero", "full", "urandom"])
def test_a_device_that_never_ends_is_refused(name: str, tmp_path: Path) -> None:
    link = tmp_path / "product.toml"
    link.symlink_to(f"/dev/{name}")
    code, output = run(DEFINITION, link)
    assert code == 2
    assert output.endswith(f"{link} is a device: give a regular file, or /dev/stdin\n")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("product.toml")
        assert run(DEFINITION, Path("product.toml"))[1].endswith(
            "product.toml is a socket: give a regular file, or /dev/stdin\n"
        )


def test_a_pipe_inside_a_folder_is_refused(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    os.mkfifo(keys / "server-ca.crt")
    os.mkfifo(keys / "device-ca.crt")
    code, output = run("keys ca show --keys {path}", keys)
    assert code == 2
    assert "is a pipe" in output


def test_an_empty_device_is_an_empty_file(tmp_path: Path) -> None:
    code, output = run("release inspect {path}", Path("/dev/null"))
    assert code == 1
    assert "is a device" not in output


def test_a_pipe_that_the_caller_opened_is_read() -> None:
    done = subprocess.Popen(
        [sys.executable, "-m", "firstboot", "release", "inspect", "/dev/stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    _, errors = communicate(done, 60, b"\xff")
    assert done.returncode == 1
    assert b"Cbor" in errors


def test_a_serial_line_is_opened_for_reading_and_writing(tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        with regular_inputs():
            os.close(os.open(os.ttyname(slave), os.O_RDWR | os.O_NOCTTY))
    finally:
        os.close(master)
        os.close(slave)


def test_after_the_command_pipes_are_read_again(tmp_path: Path) -> None:
    path = pipe_in(tmp_path)
    with regular_inputs():
        pass
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with path.open("wb", buffering=0) as writer, path.open("rb", buffering=0) as other:
            writer.write(b"x")
            assert other.read(1) == b"x"
    finally:
        os.close(reader)


def test_a_value_that_is_refused_is_named_without_words_of_the_library() -> None:
    code, output = run("release inspect {path}", Path("a\0b"))
    assert code == 2
    assert "embedded null byte" in output and "Value error" not in output
