"""Application sets on the host: a folder of files as the bundle that units take (device/codec/bundle.py).

The folder is the package `app`: it has an `__init__.py` (or `.mpy`) with `async def run(context)`. What a build or an
editor leaves is skipped: names that begin with a dot, `__pycache__`, `*.pyc`. For any other file that a unit would
refuse, the error names the file.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

from device.codec import bundle
from device.errors import FirstbootError
from provisioning.file_system import paths_below
from provisioning.release.capacities import require_capacity
from provisioning.release.payload import APP, Payload, ReleaseError


def collect(folder: Path) -> dict[str, bytes]:
    """Return name in the set -> content, of every file below `folder`. Raises ReleaseError."""
    if not folder.is_dir():
        raise ReleaseError(f"{folder} is not a folder. Name the folder of the application.")
    files: dict[str, bytes] = {}
    for path in paths_below(folder):
        name = path.relative_to(folder).as_posix()
        parts = name.split("/")
        if any(part.startswith(".") or part == "__pycache__" for part in parts) or name.endswith(".pyc"):
            continue
        if path.is_symlink():
            raise ReleaseError(f"{path} is a link. An application set can contain only files.")
        if path.is_dir():
            continue
        if not bundle.is_name(name):
            raise ReleaseError(
                f"{name!r} cannot be a file name in an application set: use lower-case letters, digits, _ - ."
            )
        files[name] = path.read_bytes()
    return files


def build_set(folder: Path) -> Payload:
    """Return the set as a payload: the same bytes for the same files. Raises ReleaseError."""
    files = collect(folder)
    for name, content in files.items():
        if name.endswith(".py"):
            _check_source(name, content)
    _check_start(files)
    try:
        data = bundle.encode(files)
    except FirstbootError as error:
        raise ReleaseError(f"{folder}: {error}") from None
    require_capacity("application set", len(data))
    return Payload.of(APP, data)


def _check_source(name: str, content: bytes) -> ast.Module:
    try:
        return ast.parse(content.decode("utf-8"), name)
    except (UnicodeDecodeError, SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ReleaseError(f"{name}{line}: not valid Python source") from None


def _check_start(files: dict[str, bytes]) -> None:
    """Refuse a set without `run`, which would fail every trial. The content of `.mpy` files is not checked."""
    start = files.get("__init__.py")
    if start is None:
        return
    for node in _check_source("__init__.py", start).body:
        named = getattr(node, "name", None) == "run" and isinstance(node, ast.AsyncFunctionDef)
        imported = isinstance(node, ast.ImportFrom) and any(
            (alias.asname or alias.name) == "run" for alias in node.names
        )
        if named or imported:
            return
    raise ReleaseError("__init__.py has no `async def run(context)`")


def describe(data: bytes) -> list[dict[str, Any]]:
    """Return each file of a bundle: name, bytes, SHA-256, whether the content matches it. Raises CodecError."""
    return [
        {
            "name": file.name,
            "bytes": file.size,
            "sha256": file.digest.hex(),
            "is_whole": hashlib.sha256(data[file.offset : file.offset + file.size]).digest() == file.digest,
        }
        for file in bundle.decode(lambda offset, length: data[offset : offset + length], len(data))
    ]
