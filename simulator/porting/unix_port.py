"""MicroPython's unix port for `firstboot board check --on unix`: built from the pinned sources, with `_fbcrypto`.

Debian's package `micropython` is older than 1.25 and lacks the module `vfs`, which the checks need. asyncio and
microdot are frozen; device code is imported from the sources of this installation.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from firstboot.locations import source_root
from provisioning.firmware.files import cmodules, locked, mirror
from provisioning.firmware.frozen import MICRODOT, microdot_base
from provisioning.firmware.sources import SourceTree, cache_folder, sha256_file, source_tree
from provisioning.firmware.toolchain import make, mpy_cross_path, require_tools

VARIANT_FOLDER: Final = Path(__file__).resolve().parent / "unix"
TOOLS: Final = (("gcc", "gcc libc6-dev"), ("make", "make"))
FOLDER: Final = "ports/unix"
_PROGRAM: Final = "micropython"
_MANIFEST: Final = """include("$(MPY_DIR)/extmod/asyncio/manifest.py")
freeze(".", ("microdot/__init__.py", "microdot/microdot.py"))
"""


def variables_of(program: str) -> dict[str, str]:
    """Return make's variables for a build of our variant, named `program`."""
    return {
        "VARIANT": "firstboot",
        "VARIANT_DIR": str(VARIANT_FOLDER),
        "PROG": program,
        "MICROPY_STANDALONE": "0",
    }


def unix_program(progress: Callable[[str], None]) -> Path:
    """Return the program; the first call builds it. Raises FirmwareError: a missing tool or source, a failed build."""
    require_tools(TOOLS)
    root = source_root()
    folder = cache_folder(root) / "firmware"
    with locked(folder / "unix"):
        tree = source_tree(root, progress)
        built = folder / f"unix-{_key(tree, root)}"
        if not (built / _PROGRAM).is_file():
            progress("building MicroPython's unix port; the first build takes a minute or two")
            _build(tree, root, built)
    return built / _PROGRAM


def make_port(port: Path, objects: Path, root: Path, manifest: str, variables: Mapping[str, str]) -> None:
    """Build a port of MicroPython with our C module into `objects`. Raises CompileError.

    `port`: its folder in MicroPython. `root`: the sources with the C module. `manifest`: what is frozen.
    """
    (objects / "cmodules").mkdir(parents=True, exist_ok=True)
    mirror(cmodules(root), objects / "cmodules")
    (objects / "manifest.py").write_text(manifest)
    (objects / "README.md").write_text("In place of micropython-lib, of which nothing is frozen.\n")
    places = {
        "BUILD": objects,
        "FROZEN_MANIFEST": objects / "manifest.py",
        "USER_C_MODULES": objects / "cmodules",
        "MICROPY_MPYCROSS": mpy_cross_path(),
        "MPY_LIB_DIR": objects,
    }
    make(port, {**variables, **places})


def _build(tree: SourceTree, root: Path, built: Path) -> None:
    (built / "microdot").mkdir(parents=True, exist_ok=True)
    for path in _microdot():
        shutil.copyfile(path, built / "microdot" / path.name)
    make_port(tree.path / FOLDER, built, root, _MANIFEST, variables_of(_PROGRAM))


def _microdot() -> list[Path]:
    return [microdot_base() / "microdot" / name for name in MICRODOT]


def _key(tree: SourceTree, root: Path) -> str:
    version = subprocess.run(["gcc", "--version"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(f"{tree.key} {_MANIFEST}".encode() + version)
    files = [
        *_microdot(),
        *VARIANT_FOLDER.iterdir(),
        *(path for path in cmodules(root).rglob("*") if path.is_file()),
    ]
    for path in sorted(files):
        digest.update(f"{path.name} {sha256_file(path)}\n".encode())
    return digest.hexdigest()[:16]
