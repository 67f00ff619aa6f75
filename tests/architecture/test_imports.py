"""Who may import whom: the table of docs/design.md "Parts and who may import whom", enforced.

An import under `if TYPE_CHECKING:` does not count (it is gone on a board); one inside a function does.
"""

import ast
from collections.abc import Iterator

import pytest

BASE = ("device.codec", "device.errors", "device.limits", "device.layout", "device.compat")
CORE = ("binascii", "collections", "hashlib", "json")
FORMATS = (*BASE, "device.suit", "device.crypto", "device.trust", "device.identity")
POLICY = "device policy"  # every module of device that has no row of its own
# The composition root and the parts of it that have files of their own.
AGENT = ("device.agent", "device.apps", "device.sources", "device.unit", "device.updater")
HARDWARE = ("machine", "network", "esp32", "rp2", "lwip", "tls", "_mps2", "socket", "ssl", "select", "vfs")

# zone -> what its modules may import, beside modules of the same zone; None means anything but the "never" list.
ALLOWED: dict[str, tuple[str, ...] | None] = {
    "device.codec": (*CORE, *BASE),
    "device.errors": (),
    "device.limits": ("device.compat",),
    "device.layout": CORE,
    "device.compat": ("micropython", "gc"),
    "device.interfaces": ("device.compat",),
    "device.crypto": (*CORE, *BASE, "_fbcrypto"),
    "device.suit": (*CORE, *BASE),
    "device.trust": (*CORE, *BASE, "device.suit", "device.crypto"),
    "device.identity": (*CORE, *BASE, "device.suit", "device.crypto", "device.store"),
    POLICY: (*CORE, *FORMATS, "device.interfaces", "gc"),
    "device.net": (*CORE, *BASE, "device.crypto"),
    "device.transport": (*CORE, *BASE, "device.net", "device.interfaces", "asyncio"),
    "device.web": (*CORE, *BASE, POLICY, "device.identity", "device.interfaces", "microdot", "asyncio"),
    "device.agent": None,
    "device.ports": None,
    "device.boards": None,
    "provisioning": None,
    "simulator": None,
    "renode": None,
}

NEVER: dict[str, tuple[str, ...]] = {
    "device.agent": ("device.ports", "device.boards", "provisioning", "simulator", "renode", *HARDWARE),
    "device.ports": (
        POLICY,
        "device.web",
        "device.trust",
        "device.suit",
        "provisioning",
        "simulator",
        "renode",
    ),
    "device.boards": (
        POLICY,
        "device.web",
        "device.trust",
        "device.suit",
        "provisioning",
        "simulator",
        "renode",
    ),
    "provisioning": ("device.ports", "device.boards", "device.agent", "device.web", "simulator", "renode"),
    "simulator": ("device.boards", "renode"),
    "renode": ("simulator", "device.ports", "device.boards", "device.agent", "device.web", POLICY),
}

# Modules and packages that join parts by their nature, and what each may reach beyond its row.
JOINTS: dict[str, tuple[str, ...]] = {
    "simulator.story": ("renode",),
    "simulator.powercut.on_board": ("renode",),
}


def zone_of(module: str) -> str:
    """The row of the table that `module` belongs to; "" outside the project."""
    parts = module.split(".")
    if parts[0] == "device":
        name = ".".join(parts[:2])
        if name in AGENT:
            return "device.agent"
        return name if name in ALLOWED else POLICY
    return parts[0] if parts[0] in ALLOWED else ""


def is_within(module: str, entry: str) -> bool:
    return zone_of(module) == entry or module == entry or module.startswith(entry + ".")


def _is_typing_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports_of(tree: ast.AST, package: str, known: set[str]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import that runs; `from device import x` gives device.x where that is a module."""
    for node in ast.iter_child_nodes(tree):
        if _is_typing_only(node):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                origin = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], origin]
                ).strip(".")
            submodules = [
                f"{origin}.{alias.name}" for alias in node.names if f"{origin}.{alias.name}" in known
            ]
            yield from ((node.lineno, name) for name in submodules)
            if len(submodules) < len(node.names):
                yield node.lineno, origin
        else:
            yield from imports_of(node, package, known)


def violation(module: str, imported: str) -> str | None:
    """Why `module` may not import `imported`, or None."""
    zone = zone_of(module)
    if is_within(imported, zone) or imported == module.split(".", maxsplit=1)[0]:
        return None
    for joint, reach in JOINTS.items():
        if is_within(module, joint) and any(is_within(imported, entry) for entry in reach):
            return None
    if any(is_within(imported, entry) for entry in NEVER.get(zone, ())):
        return f"{zone} never imports {imported}"
    allowed = ALLOWED[zone]
    if allowed is not None and not any(is_within(imported, entry) for entry in allowed):
        return f"{zone} may not import {imported}"
    return None


def test_every_import_keeps_to_the_table_of_the_design(modules: dict[str, ast.Module]) -> None:
    known = set(modules)
    broken = []
    for module, tree in modules.items():
        package = (
            module if any(name.startswith(module + ".") for name in known) else module.rpartition(".")[0]
        )
        for line, imported in imports_of(tree, package, known):
            reason = violation(module, imported)
            if reason:
                broken.append(f"{module}:{line}: {reason}")
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("device.codec.cbor", "device.update.flow"),
        ("device.trust.verify", "device.ports.mps2"),
        ("device.update.flow", "asyncio"),
        ("device.onboarding", "os"),
        ("device.onboarding", "socket"),
        ("device.net.coap", "device.onboarding"),
        ("device.transport.mqtt", "device.update.flow"),
        ("device.web.app", "device.crypto.backend"),
        ("device.agent", "machine"),
        ("device.ports.mps2", "device.update.flow"),
        ("provisioning.factory.station", "simulator.device"),
        ("renode.qemu", "simulator.device"),
        ("simulator.device", "device.boards.mps2_an385.board"),
        ("simulator.device", "renode.qemu"),
    ],
)
def test_the_table_refuses_a_forbidden_import(module: str, imported: str) -> None:
    assert violation(module, imported)


def test_an_import_inside_a_function_counts_and_a_typing_only_one_does_not() -> None:
    source = "if TYPE_CHECKING:\n    import enum\ndef late():\n    import socket\n"
    assert list(imports_of(ast.parse(source), "device", set())) == [(4, "socket")]


def test_a_submodule_imported_from_its_package_is_seen() -> None:
    tree = ast.parse("from device.ports import mps2")
    assert list(imports_of(tree, "device", {"device.ports", "device.ports.mps2"})) == [
        (1, "device.ports.mps2")
    ]
