"""The imports of device/ from outside of the project. For imports inside it the contracts of import-linter
(pyproject.toml) have the rules; `make check` and the first test here run them.

An import under `if TYPE_CHECKING:` does not count (it is gone on a board); one inside a function does.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

OURS = ("device", "provisioning", "simulator", "renode")
CORE = ("binascii", "collections", "hashlib", "json")
HARDWARE = (
    "machine",
    "network",
    "esp32",
    "rp2",
    "lwip",
    "tls",
    "_mps2",
    "socket",
    "ssl",
    "select",
    "vfs",
    "bluetooth",
)

# package or module of device/ -> its allowed imports from outside; None: all except HARDWARE.
OUTSIDE: dict[str, tuple[str, ...] | None] = {
    "device.codec": (*CORE, "_fbcrypto"),
    "device.errors": (),
    "device.limits": (),
    "device.layout": CORE,
    "device.compat": ("micropython", "gc", "sys"),
    "device.interfaces": (),
    "device.version": (),
    "device.crypto": (*CORE, "_fbcrypto"),
    "device.suit": CORE,
    "device.trust": CORE,
    "device.records": (*CORE, "gc"),
    "device.owner": (*CORE, "gc"),
    "device.factory": (*CORE, "gc"),
    "device.update": (*CORE, "gc"),
    "device.net": CORE,
    "device.transport": (*CORE, "asyncio"),
    "device.web": (*CORE, "microdot", "asyncio"),
    "device.agent": None,
}
ANYTHING = ("device.ports", "device.boards")


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every import that runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
        else:
            yield from imports_of(node)


def violation(module: str, imported: str) -> str | None:
    """Return why `module` may not import `imported`, or None."""
    top = imported.split(".", maxsplit=1)[0]
    zone = ".".join(module.split(".")[:2])
    if top in OURS or zone in ANYTHING or zone == "device":
        return None
    allowed = OUTSIDE[zone]
    if allowed is None:
        return f"{zone} never imports {imported}" if top in HARDWARE else None
    return None if top in allowed else f"{zone} may not import {imported}"


def test_every_contract_of_import_linter_is_kept(root: Path) -> None:
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [command, "--no-logo", "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    assert " 0 broken" in result.stdout


def test_device_code_imports_only_what_its_row_allows(modules: dict[str, ast.Module]) -> None:
    broken = [
        f"{module}:{line}: {reason}"
        for module, tree in modules.items()
        if module.startswith("device")
        for line, imported in imports_of(tree)
        if (reason := violation(module, imported))
    ]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("device.update.flow", "asyncio"),
        ("device.owner.onboarding", "os"),
        ("device.owner.onboarding", "socket"),
        ("device.codec.cbor", "micropython"),
        ("device.web.app", "os"),
        ("device.agent.agent", "machine"),
    ],
)
def test_a_row_refuses_what_it_does_not_name(module: str, imported: str) -> None:
    assert violation(module, imported)


def test_an_import_inside_a_function_counts_and_a_typing_only_one_does_not() -> None:
    source = "if TYPE_CHECKING:\n    import enum\ndef late():\n    import socket\n"
    assert list(imports_of(ast.parse(source))) == [(4, "socket")]
