"""Source text with the names that the four packages have below `firstboot`. Standard library only: the build uses it.

Rules:
1. The packages are `device`, `provisioning`, `simulator` and `renode`. A name is changed if it is one of their modules
   in an import statement, or if a whole string literal is such a module, with or without an attribute.
2. Every line keeps its number, so tracebacks and breakpoints lead to the same line as in the checkout.
3. `import device.errors` without `as` is refused: it would bind another name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PACKAGES = ("device", "provisioning", "simulator", "renode")
PREFIX = "firstboot."
_REFERENCE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+(?::[\w.]+)?")


class RenamingError(ValueError):
    """A source file cannot be renamed. The text names the file and the line."""


def module_names(root: Path) -> frozenset[str]:
    """Return the dotted names of all modules of the four packages in the folder `root`."""
    names = set()
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return frozenset(names)


def renamed(text: str, modules: frozenset[str], file: str = "<text>") -> str:
    """Return the Python source `text` with renamed modules. Raises RenamingError, SyntaxError."""
    changes = sorted(_changes(ast.parse(text, file), modules, file), reverse=True)
    lines = [line.encode() for line in text.splitlines(keepends=True)]  # ast counts columns in bytes
    for line, column in changes:
        at = _start(lines, line, column)
        lines[line - 1] = lines[line - 1][:at] + PREFIX.encode() + lines[line - 1][at:]
    return b"".join(lines).decode()


def _start(lines: list[bytes], line: int, column: int) -> int:
    """Return the column of the package's name: after `from` or `import`, or after the quote of a string."""
    found = re.compile(rb"\b(?:device|provisioning|simulator|renode)\b").search(lines[line - 1], column)
    if found is None:
        raise RenamingError(f"line {line}: the name of the package is not on the line of the statement")
    return found.start()


def _changes(tree: ast.AST, modules: frozenset[str], file: str) -> Iterator[tuple[int, int]]:
    """Yield line and column at which the search for a name begins."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level == 0 and (node.module or "").split(".")[0] in PACKAGES:
                yield node.lineno, node.col_offset
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PACKAGES:
                    if alias.asname is None:
                        raise RenamingError(f"{file}:{node.lineno}: use `import {alias.name} as NAME`")
                    yield alias.lineno, alias.col_offset
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if is_reference(node.value, modules):
                yield node.lineno, node.col_offset


def is_reference(text: str, modules: frozenset[str]) -> bool:
    """Return whether `text` names a module of the four packages, or an attribute of one."""
    if not _REFERENCE.fullmatch(text):
        return False
    name = text.partition(":")[0]
    return name in modules or name.rpartition(".")[0] in modules - set(PACKAGES)


def copy_renamed(
    root: Path, packages: Sequence[str], target: Path, keep: Callable[[Path], bool] = lambda _: True
) -> None:
    """Copy `packages` from the folder `root` into `target` with renamed modules. `keep` selects files."""
    modules = module_names(root)
    for package in packages:
        for path in sorted((root / package).rglob("*")):
            if not path.is_file() or "__pycache__" in path.parts or not keep(path):
                continue
            copy = target / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(renamed_file(path, modules))


def renamed_file(path: Path, modules: frozenset[str]) -> bytes:
    """Return the content of a file; of Python modules and of Robot suites with renamed modules."""
    content = path.read_bytes()
    if path.suffix == ".py":
        return renamed(content.decode(), modules, str(path)).encode()
    if path.suffix == ".robot":
        library = re.compile(rb"^(Library\s+)(?=renode\.)", re.MULTILINE)
        return library.sub(rb"\1" + PREFIX.encode(), content)
    return content
