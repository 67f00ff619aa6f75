"""The built wheel: one import package, the same bytes each time, and it works in a stranger's folder."""

from __future__ import annotations

import ast
import hashlib
import shutil
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from firstboot.renaming import PACKAGES, is_reference, module_names
from tests.wheel.conftest import ROOT, Installed, build

# What Windows lacks. The program runs with it removed; the rest of Windows is not simulated.
WITHOUT_UNIX = """
import asyncio, os, shutil, socket, subprocess, sys, types  # subprocess looks for msvcrt
def pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        return one, server.accept()[0]
socket.socketpair = pair
sys.modules.update(dict.fromkeys(("fcntl", "pwd", "termios", "resource")))
for module, name in ((os, "fork"), (os, "memfd_create"), (os, "O_DIRECTORY"), (os, "geteuid"), (socket, "AF_UNIX")):
    delattr(module, name)
msvcrt = types.ModuleType("msvcrt")
msvcrt.LK_LOCK, msvcrt.LK_NBLCK, msvcrt.locking = 1, 2, lambda descriptor, mode, length: None
sys.modules["msvcrt"] = msvcrt
which = shutil.which
shutil.which = lambda name, **options: None if name == "mosquitto" else which(name, **options)
sys.argv = ["firstboot", "demo", "--on", "sim"]
from firstboot.__main__ import main
main()
"""


def _sources(wheel: Path) -> dict[str, ast.Module]:
    with zipfile.ZipFile(wheel) as archive:
        names = [one for one in archive.namelist() if one.endswith(".py") and "/_source/" not in one]
        return {name: ast.parse(archive.read(name)) for name in names}


def test_the_wheel_has_one_import_package(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {one for one in tops if not one.endswith(".dist-info")} == {"firstboot"}


def test_no_module_of_the_wheel_imports_a_package_by_its_name_in_the_checkout(installed: Installed) -> None:
    found, sources, modules = [], _sources(installed.wheel), module_names(ROOT)
    assert len(sources) > 300
    for name, tree in sources.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.Constant) and is_reference(str(node.value), modules):
                names = [str(node.value)]
            else:
                continue
            found += [f"{name}:{node.lineno}: {one}" for one in names if one.split(".")[0] in PACKAGES]
    assert not found


def test_the_wheel_has_no_file_of_the_tests_and_no_bytecode(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = archive.namelist()
    own = [name for name in names if "/_source/examples/" not in name]  # the template of a product has tests
    assert not [name for name in names if name.endswith((".pyc", ".elf", ".pem"))]
    assert not [name for name in own if "/tests/" in name]
    assert "firstboot/_source/device/boards/mps2_an385/rom/Makefile" in names
    assert "firstboot/_source/examples/lamp/data/day.bin" in names


def test_the_metadata_names_licence_types_readme_and_entry_points(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(info))
        points = archive.read(info.replace("METADATA", "entry_points.txt")).decode()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "](docs/" not in str(metadata.get_payload()), (
        "a link of the README that an index page cannot follow"
    )
    assert any(name.endswith("licenses/LICENSE") for name in names) and "firstboot/py.typed" in names
    assert "firstboot = firstboot.__main__:main" in points
    assert "demo = firstboot.simulator.cli.demo:demo" in points


def test_two_builds_in_two_folders_give_the_same_wheel_and_source_archive(
    installed: Installed, tmp_path: Path
) -> None:
    first = build("sdist", tmp_path / "one")
    with tarfile.open(first) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(tmp_path / "unpacked")  # noqa: S202 - the archive was made above
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    wheel = build("wheel", tmp_path / "two", unpacked)
    again = build("sdist", tmp_path / "two", unpacked)
    assert _digest(wheel) == _digest(installed.wheel)
    assert _digest(again) == _digest(first)


def test_the_date_of_the_files_in_the_wheel_is_source_date_epoch(tmp_path: Path) -> None:
    wheel = build("wheel", tmp_path, SOURCE_DATE_EPOCH="1764547200")
    with zipfile.ZipFile(wheel) as archive:
        assert {info.date_time[:3] for info in archive.infolist()} == {(2025, 12, 1)}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "part", ["demo", "device", "firmware", "keys", "release", "station", "powercut", "nvm"]
)
def test_every_part_of_the_program_starts(installed: Installed, maker_folder: Path, part: str) -> None:
    text = installed.run("-m", "firstboot", part, "--help", cwd=maker_folder.parent)
    assert f"firstboot {part}" in text


def test_the_demo_passes_in_a_folder_with_a_makers_own_device_and_tests_and_writes_nothing_into_the_package(
    installed: Installed, maker_folder: Path
) -> None:
    before = sorted(installed.package.parent.rglob("*"))
    script = installed.python.with_name("firstboot")
    text = installed.run(str(script), "demo", "--on", "sim", cwd=maker_folder, PYTHONPATH=str(maker_folder))
    assert "PASSED" in text
    assert sorted(installed.package.parent.rglob("*")) == before


def test_the_demo_on_the_simulator_passes_without_what_only_unix_has(
    installed: Installed, tmp_path: Path
) -> None:
    assert "PASSED" in installed.run("-c", WITHOUT_UNIX, cwd=tmp_path)


def test_the_cache_of_an_installed_wheel_is_the_users_cache_folder(
    installed: Installed, tmp_path: Path
) -> None:
    text = installed.run(
        "-c",
        "from firstboot.locations import cache_folder, source_root; print(cache_folder(), source_root())",
        cwd=tmp_path,
        FIRSTBOOT_CACHE="",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert text.split() == [str(tmp_path / "cache" / "firstboot"), str(installed.package / "_source")]


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_the_wheel_builds_the_firmware_that_the_checkout_builds(installed: Installed, tmp_path: Path) -> None:
    from provisioning.firmware.build import build as build_firmware

    text = installed.run("-m", "firstboot", "firmware", "build", cwd=tmp_path)
    assert build_firmware("release", root=ROOT).sha256 in text
