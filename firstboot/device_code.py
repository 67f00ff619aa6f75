"""The device code that this process imports: the package's own, or the package's with the changes of a maker.

Rules:
1. A maker's change is a folder with `device/`. A file in it replaces the file with the same name; all other files are
   the package's. The firmware's build and the simulated unit use the same tree.
2. The choice is made before any module of `device` is imported. A later one is refused, because a process would then
   have two versions of the same class.
3. The tree lies in the cache folder under a name made of its content, so processes can share it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "FIRSTBOOT_FIRMWARE"
OPTION = "--firmware"


class DeviceCodeError(RuntimeError):
    """The device code cannot be chosen. The text names the reason."""


def from_arguments(arguments: Sequence[str]) -> Path | None:
    """Return the folder that `--firmware` or FIRSTBOOT_FIRMWARE names; None without either."""
    for at, argument in enumerate(arguments):
        if argument == OPTION and at + 1 < len(arguments):
            return Path(arguments[at + 1])
        if argument.startswith(OPTION + "="):
            return Path(argument.partition("=")[2])
    named = os.environ.get(VARIABLE, "")
    return Path(named) if named else None


def use_device_code(change: Path | None) -> None:
    """Import device code with the files of `change` from now on, in this process and those that it starts.

    None keeps the package's own. Raises DeviceCodeError.
    """
    if change is None:
        return
    from firstboot.locations import own_source_root, use_source_root

    change = change.absolute()
    if not (change / "device").is_dir():
        raise DeviceCodeError(f"{change} has no folder `device`. Name the folder that contains your device/.")
    import device as package

    loaded = [name for name in sys.modules if name.startswith(package.__name__ + ".")]
    tree = merged(own_source_root(), change)
    if loaded and Path(package.__path__[0]) != imported_folder(tree):
        raise DeviceCodeError(f"{loaded[0]} is imported already. Set {VARIABLE} before the process starts.")
    package.__path__ = [str(imported_folder(tree))]
    use_source_root(tree)
    os.environ[VARIABLE] = str(change)


def imported_folder(tree: Path) -> Path:
    """Return the folder that a process imports `device` from."""
    return tree / "imported" / "device"


def merged(root: Path, change: Path) -> Path:
    """Return the folder in the cache with the tree of `root` and the files of `change`.

    `device` in it is what the firmware's build reads, `imported/device` what CPython imports.
    """
    from firstboot.locations import cache_folder

    files = _files(root / "device", root) | _files(change / "device", change)
    examples = _files(root / "examples", root)
    digest = hashlib.sha256(_renames().encode())
    for name, path in sorted({**files, **examples}.items()):
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    tree = cache_folder() / "device-code" / digest.hexdigest()[:16]
    if not tree.is_dir():
        tree.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=tree.parent, prefix="work-"))
        try:
            _fill(work, files, examples)
            try:
                work.rename(tree)
            except OSError:  # another process was faster; its tree has the same content
                if not tree.is_dir():
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return tree


def _renames() -> str:
    """Return the name under which this process imports `device`."""
    import device as package

    return package.__name__


def _files(folder: Path, base: Path) -> dict[str, Path]:
    return {
        path.relative_to(base).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _fill(work: Path, files: dict[str, Path], examples: dict[str, Path]) -> None:
    from firstboot.renaming import copy_renamed

    for name, path in {**files, **examples}.items():
        copy = work / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    if _renames() == "device":
        shutil.copytree(work / "device", work / "imported" / "device")
    else:
        copy_renamed(work, ["device"], work / "imported", keep=lambda path: path.suffix == ".py")
