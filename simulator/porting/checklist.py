"""The steps of the porting checklist and their checks, read from the modules in device/boards/checklist.

The modules are read as text: they run on the board, and this package imports no board.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from firstboot.locations import source_root

MODULES: Final = (
    "clock",
    "entropy",
    "flash",
    "records",
    "boot",
    "watchdog",
    "facts",
    "key_store",
    "button",
    "indicator",
    "network",
    "wifi",
    "start",
)
_PAGE: Final = "docs/porting.md#step-{number}-{anchor}"


@dataclass(frozen=True)
class Step:
    """One step: its number (from 1), its module, its title, and the page that tells how."""

    number: int
    module: str
    title: str

    @property
    def page(self) -> str:
        """Return the page and the place on it."""
        return _PAGE.format(number=self.number, anchor=self.module.replace("_", "-"))


@dataclass(frozen=True)
class Check:
    """One check of a step, a function of its module.

    `need`: "", "burn", "host" or "hand". `look`: what is to be seen after it, "" for nothing. `after`: the function
    that continues after a restart, "" without a restart.
    """

    step: Step
    function: str
    need: str
    look: str
    after: str

    @property
    def sentence(self) -> str:
        """Return what the check shows."""
        return self.function.replace("_", " ").replace("boards own", "board's own").replace("chips", "chip's")

    @property
    def name(self) -> str:
        """Return the name of the check in a test report."""
        return f"{self.step.number:02d} {self.step.module}: {self.sentence}"


def folder() -> Path:
    """Return the folder with the modules of the checks."""
    return source_root() / "device" / "boards" / "checklist"


@cache
def checks() -> tuple[Check, ...]:
    """Return every check in the order of the steps."""
    found: list[Check] = []
    for number, module in enumerate(MODULES, 1):
        tree = ast.parse((folder() / f"{module}.py").read_text(encoding="utf-8"))
        title = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
        found += _of_step(Step(number, module, title), tree)
    return tuple(found)


def _of_step(step: Step, tree: ast.Module) -> list[Check]:
    needs, looks, restarts = (_table(tree, name) for name in ("NEEDS", "LOOKS", "RESTARTS"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    later = set(restarts.values())
    return [
        Check(step, name, needs.get(name, ""), looks.get(name, ""), restarts.get(name, ""))
        for name in names
        if not name.startswith("_") and name not in later
    ]


def _table(tree: ast.Module, name: str) -> dict[str, Any]:
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == name
        ):
            table: dict[str, Any] = ast.literal_eval(node.value)
            return table
    return {}
