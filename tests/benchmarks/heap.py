"""The Python heap by purpose: what the modules of each package take on the emulated board, once they are loaded.

    python -m tests.benchmarks.heap [--json]

The development firmware is started, its prompt forgets every module and imports them again, each after those that it
imports. So a module's figure is its names, functions, classes and tables; its code is in flash. Modules that are only
imported inside a function are not counted: a unit in use does without them, or loads them when they are needed.
"""

from __future__ import annotations

import ast
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.emulated.firmware_support import CHECKOUT, Kit, Prompt

_MAIN = "device.boards.mps2_an385.main"
_OTHERS = ("asyncio", "asyncio.event", "asyncio.funcs", "asyncio.lock", "asyncio.stream", "microdot")
_FORGET = """
import gc, sys
for name in list(sys.modules):
    del sys.modules[name]
for name in list(globals()):
    if name not in ("__name__", "gc", "sys"):
        del globals()[name]
gc.collect()
print(gc.mem_alloc(), gc.mem_alloc() + gc.mem_free())
"""
_COST = """
def cost(name):
    gc.collect()
    before = gc.mem_alloc()
    __import__(name)
    gc.collect()
    return gc.mem_alloc() - before
"""


def load_order(main: str = _MAIN) -> list[str]:
    """Return the modules of device/ that `main` loads, each after those that it imports itself."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        path = _file(name)
        if path is None or name in seen:
            return
        seen.add(name)
        visit(name.rpartition(".")[0])
        for imported in _imports(path):
            visit(imported)
        order.append(name)

    visit(main)
    return order


def _file(name: str) -> Path | None:
    if name.partition(".")[0] != "device":
        return None
    path = CHECKOUT / name.replace(".", "/")
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((one for one in found if one.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def measure(prompt: Prompt) -> dict[str, int]:
    """Return the bytes of heap by module, "interpreter" for what is there before, and "size" of the whole heap."""
    before, size = (int(word) for word in prompt.run(_FORGET).split())
    prompt.run(_COST)
    found = {"size": size, "interpreter": before}
    for name in (*_OTHERS, *load_order()):
        found[name] = int(prompt.run(f"print(cost({name!r}))"))
    return found


def by_package(found: dict[str, int]) -> dict[str, int]:
    """Return the figures of measure() by package: `device.web`, `asyncio` and so on, without the heap's size."""
    totals: dict[str, int] = {}
    for name, size in found.items():
        parts = name.split(".")
        package = ".".join(parts[:2]) if parts[0] == "device" else parts[0]
        if name != "size":
            totals[package] = totals.get(package, 0) + size
    return dict(sorted(totals.items(), key=lambda row: -row[1]))


def main() -> None:
    """Print a line for each package, largest first, or one JSON document with every module."""
    with tempfile.TemporaryDirectory() as folder:
        kit = Kit(Path(folder))
        with kit.board(Path(folder) / "board", has_network=False) as board:
            board.power_on()
            found = measure(Prompt(board).enter())
    if "--json" in sys.argv:
        print(json.dumps({"modules": found, "packages": by_package(found)}, indent=2))
        return
    rows = list(by_package(found).items())
    rows.append(("total heap of loaded modules", sum(size for _, size in rows)))
    for package, size in rows:
        print(f"{size:9,d}  {package}")


if __name__ == "__main__":
    main()
