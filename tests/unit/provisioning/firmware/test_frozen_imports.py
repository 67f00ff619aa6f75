"""A firmware contains every module that it imports at its start: a missing one is found here, not on a board."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.agent import sources
from device.update import service
from provisioning.firmware import frozen
from provisioning.firmware.emulated import DEFAULT
from tests.benchmarks.heap import load_order

ROOT = Path(__file__).resolve().parents[4]


def emulated_board() -> set[str]:
    return set(frozen._device_names(ROOT, DEFAULT)) - frozen.RADIO_MODULES


def emulated_board_with_a_radio() -> set[str]:
    found = frozen.frozen_files(ROOT, ROOT, frozen.VARIANTS["radio"], ROOT)
    return {file.name for file in found if file.name.startswith("device/")}


def esp32_boards() -> set[str]:
    manifests = [ROOT / "device/boards" / name / "manifest.py" for name in ("esp32", "chips")]
    lists = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for manifest in manifests
        for node in ast.parse(manifest.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
    }
    names = {f"device/ports/{port}.py" for port in ("__init__", *lists["PORTS"])}
    names |= {f"device/{module}.py" for module in lists["MODULES"]}
    for part in lists["PARTS"]:
        names |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "device" / part).glob("*.py")}
    return names


def imported_at_start(name: str) -> Iterator[str]:
    """Yield the files of device/ that a module imports when it is imported itself; not in functions or for types."""
    for node in ast.parse((ROOT / name).read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "device":
            base = (node.module or "").replace(".", "/")
            for alias in node.names:
                submodule = f"{base}/{alias.name}.py"
                is_module = (ROOT / submodule).is_file()
                yield submodule if is_module else f"{base}.py" if (ROOT / f"{base}.py").is_file() else base


def test_the_modules_for_a_radio_exist_and_are_left_out_of_the_emulated_board() -> None:
    names = set(frozen._device_names(ROOT, DEFAULT))
    assert names >= frozen.RADIO_MODULES
    found = frozen.frozen_files(ROOT, ROOT, frozen.VARIANTS["release"], ROOT)
    assert not {file.name for file in found} & frozen.RADIO_MODULES


@pytest.mark.parametrize("firmware", [emulated_board, emulated_board_with_a_radio, esp32_boards])
def test_each_module_of_a_firmware_imports_only_modules_of_the_firmware(firmware: object) -> None:
    names = firmware()  # type: ignore[operator]
    assert len(names) > 90
    missing = [
        f"{name}: {wanted}"
        for name in sorted(names)
        for wanted in imported_at_start(name)
        if wanted.endswith(".py") and wanted not in names
    ]
    assert not missing


UNLOADED = pytest.mark.parametrize("names", [service._BRIEF, sources.COAP_MODULES])


@UNLOADED
def test_no_module_of_the_firmware_keeps_what_a_check_unloads(names: tuple[str, ...]) -> None:
    loaded = set(load_order())
    assert "device.update.service" in loaded
    assert not loaded & set(names)


@UNLOADED
def test_what_a_check_unloads_exists_and_refers_to_nothing_else_that_only_it_needs(
    names: tuple[str, ...],
) -> None:
    for name in names:
        assert name in load_order(name)
    only = {module for name in names for module in load_order(name)} - set(load_order())
    assert only == set(names)


def test_every_module_of_a_firmware_has_its_dotted_name_in_flash(tmp_path: Path) -> None:
    files = frozen.frozen_files(ROOT, ROOT, frozen.VARIANTS["release"], ROOT)
    named = frozen.with_names(files, tmp_path)
    assert [file.name for file in named] == sorted(file.name for file in named)
    assert {file.name for file in named} - {file.name for file in files} == {frozen.NAMES}
    function = ast.parse((tmp_path / frozen.NAMES).read_text()).body[1]
    assert isinstance(function, ast.FunctionDef)  # so that a board runs nothing of it
    found = {alias.name for line in function.body if isinstance(line, ast.Import) for alias in line.names}
    assert found == {
        file.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files
    }
    assert {"device.agent.agent", "device.update", "microdot", "asyncio.core"} <= found
