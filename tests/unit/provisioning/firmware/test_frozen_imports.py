"""A firmware contains every module that it imports at its start: a missing one is found here, not on a board."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.firmware import frozen

ROOT = Path(__file__).resolve().parents[4]


def emulated_board() -> set[str]:
    return set(frozen._device_names(ROOT)) - frozen.RADIO_MODULES


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
    names = set(frozen._device_names(ROOT))
    assert names >= frozen.RADIO_MODULES
    found = frozen.frozen_files(ROOT, ROOT, frozen.VARIANTS["release"], ROOT)
    assert not {file.name for file in found} & frozen.RADIO_MODULES


@pytest.mark.parametrize("firmware", [emulated_board, esp32_boards])
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
