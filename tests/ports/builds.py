"""MicroPython's unix port, and its qemu port for 32-bit RISC-V, with `_fbcrypto` and the dual tests frozen in.

They are for tests only. Their objects are cached.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioning.firmware.files import cmodules, locked
from provisioning.firmware.frozen import VARIANTS, frozen_files, manifest_text, test_module_names
from provisioning.firmware.sources import SourceTree, cache_folder, sha256_file, source_tree
from provisioning.firmware.toolchain import require_tools
from simulator.porting import unix_port

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]


@dataclass(frozen=True)
class Port:
    """One of MicroPython's ports: its folder there, and the program that it makes.

    `tools`: (program, Debian package) of what the build and the run need. `here`: our folder.
    """

    name: str
    folder: str
    program: str
    variables: Mapping[str, str]
    tools: tuple[tuple[str, str], ...]
    compiler: str

    here: Path


UNIX = Port(
    "unix",
    unix_port.FOLDER,
    "dual",
    unix_port.variables_of("dual"),
    unix_port.TOOLS,
    "gcc",
    unix_port.VARIANT_FOLDER,
)
RV32 = Port(
    "rv32",
    "ports/qemu",
    "firmware.elf",
    {"BOARD": "VIRT_RV32", "BOARD_DIR": str(HERE / "rv32")},
    (
        ("qemu-system-riscv32", "qemu-system-misc"),
        ("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"),
        ("make", "make"),
    ),
    "riscv64-unknown-elf-gcc",
    HERE / "rv32",
)


def program(port: Port) -> Path:
    """Return the built program of `port`. Raises FirmwareError: a missing tool or source, a failed build."""
    require_tools(port.tools)
    folder = cache_folder(CHECKOUT) / "firmware"
    with locked(folder / f"dual-{port.name}"):
        tree = source_tree(CHECKOUT, lambda text: None)
        return _built(port, tree, folder)


def _built(port: Port, tree: SourceTree, folder: Path) -> Path:
    generated = folder / "generated-dual"
    generated.mkdir(parents=True, exist_ok=True)
    names = test_module_names(CHECKOUT)
    (generated / "dual_modules.py").write_text(
        f'"""Generated: the modules that this build runs."""\n\nMODULES = {names!r}\n'
    )
    manifest = manifest_text(frozen_files(CHECKOUT, tree.path, VARIANTS["test"], generated))
    # Objects are kept: after a change of device/ or of a test only the frozen code is compiled again.
    objects = folder / f"objects-dual-{port.name}-{_key(port, tree)}"
    unix_port.make_port(tree.path / port.folder, objects, CHECKOUT, manifest, port.variables)
    return objects / port.program


def _key(port: Port, tree: SourceTree) -> str:
    digest = hashlib.sha256(f"{tree.key} {sorted(port.variables)}".encode())
    done = subprocess.run([port.compiler, "--version"], capture_output=True, check=True)
    digest.update(done.stdout)
    for path in sorted([*port.here.iterdir(), *cmodules(CHECKOUT).glob("*/*.mk")]):
        if path.is_file():
            digest.update(f"{path.name} {sha256_file(path)}\n".encode())
    return digest.hexdigest()[:16]
