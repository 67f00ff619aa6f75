"""MicroPython's manifest tool on the boards of bought chips."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.sources import source_tree

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def micropython() -> Path:
    """Return the pinned MicroPython tree; skip the test without it."""
    try:
        return source_tree(ROOT, lambda text: None).path
    except FirmwareError as error:
        pytest.skip(f"MicroPython's sources: {error}")


def frozen_by_manifest(board: str, port: str, micropython: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names of the files that the manifest of a board freezes; `port`: MicroPython's folder of it."""
    monkeypatch.syspath_prepend(str(micropython / "tools"))
    import manifestfile  # type: ignore[import-not-found]
    import microdot

    monkeypatch.setenv("FIRSTBOOT_MICRODOT", str(Path(str(microdot.__file__)).parent.parent))
    folder = ROOT / "device" / "boards" / board
    places = {"MPY_DIR": micropython, "MPY_LIB_DIR": micropython, "PORT_DIR": micropython / "ports" / port}
    variables = {name: str(path) for name, path in places.items()} | {"BOARD_DIR": str(folder)}
    manifest = manifestfile.ManifestFile(manifestfile.MODE_FREEZE, variables)
    manifest.execute(str(folder / "manifest.py"))
    return {file.target_path for file in manifest.files()}


def policy_files() -> set[str]:
    """Return every module of device/ that belongs to no port and no board."""
    names = (path.relative_to(ROOT) for path in (ROOT / "device").rglob("*.py"))
    return {name.as_posix() for name in names if name.parts[1] not in ("ports", "boards")}
