"""Files of a build: hashes, copies that keep their date, the lock of a folder, folders that are complete or absent."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from provisioning import file_system
from provisioning.firmware.sources import sha256_file


def cmodules(root: Path) -> Path:
    """Return the folder of the C modules, as MicroPython's builds take it in USER_C_MODULES."""
    return root / "device" / "cmodules"


def file_hashes(folders: Sequence[Path]) -> dict[str, str]:
    """Return FOLDER/NAME -> SHA-256 (hex) of every file in the folders."""
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": sha256_file(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def digest_of(value: object) -> str:
    """Return the SHA-256 (hex) of a value that JSON can express."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_if_changed(path: Path, text: str) -> None:
    """Write a text file, unless it has this content already: then it keeps its date."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def mirror(source: Path, target: Path) -> None:
    """Copy the text files of `source` to `target`. Only files that differ are written, so only they get a new date."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_if_changed(copy, path.read_text())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of builds, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        file_system.lock(file.fileno())
        yield


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """A work folder that is renamed to `path` after the block, so that `path` is complete or absent."""
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix="work-"))
    try:
        yield work
        shutil.rmtree(path, ignore_errors=True)
        work.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
