"""The Python modules that a check needs on the board: those of the maker's folder, and parts of device/."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from firstboot.locations import source_root
from simulator.porting.errors import FolderError

_NOT_SENT: Final = ("manifest.py", "_boot.py")
_NEEDED: Final = ("port.py", "board.py", "main.py")
_MAX_BYTES: Final = 65536


def board_modules(folder: Path) -> dict[str, str]:
    """Return file name -> text of the modules of a board's folder. Raises FolderError."""
    if not folder.is_dir():
        raise FolderError(f"{folder} is not a folder.")
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise FolderError(
                f"{folder} has no {name}. `firstboot board new` makes a folder with every file."
            )
    found = {}
    for path in sorted(folder.glob("*.py")):
        if path.name in _NOT_SENT or path.name.startswith("test_") or path.name == "conftest.py":
            continue
        if path.stat().st_size > _MAX_BYTES:
            raise FolderError(f"{path} has more than {_MAX_BYTES} bytes.")
        found[path.name] = _checked(path)
    return found


def _checked(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        ast.parse(text)
    except UnicodeDecodeError:
        raise FolderError(f"{path} is not UTF-8.") from None
    except (SyntaxError, ValueError) as error:
        raise FolderError(f"{path} is not Python: {error}.") from None
    return text


def imported_files(sources: Iterable[str]) -> dict[str, str]:
    """Return file name -> text of every module of device/ that the sources import, directly or not."""
    root = source_root()
    found: dict[str, str] = {}
    todo = [name for text in sources for name in _imports(text)]
    while todo:
        name = todo.pop()
        for file in _files(root, name):
            if file not in found:
                found[file] = (root / file).read_text(encoding="utf-8")
                todo += _imports(found[file])
    return found


def _files(root: Path, name: str) -> list[str]:
    """Return the files that an import of the module `name` reads: those of its packages, and its own."""
    parts = name.split(".")
    packages = ["/".join([*parts[: at + 1], "__init__.py"]) for at in range(len(parts))]
    wanted = [*packages, "/".join(parts) + ".py"]
    return [file for file in wanted if (root / file).is_file()]


def _imports(text: str) -> list[str]:
    """Return the modules of device/ that run-time imports of `text` may name."""
    found: list[str] = []
    tree = ast.parse(text)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "device":
            found.append(str(node.module))
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == "device"]
    return found
