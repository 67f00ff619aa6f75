"""The Python files in the firmware, and the manifest that MicroPython's build reads.

This module sorts the list. MicroPython's manifest functions use the order of the file system, so two machines would
build different bytes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from provisioning.firmware.emulated import DEFAULT, EmulatedBoard, c_folder
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.files import write_if_changed
from provisioning.firmware.sources import sha256_file

# The tests and what they compare with need memory too; a measurement starts its own collections.
_TEST_HEAP_BYTES = 3 * 1024 * 1024  # all dual tests stay loaded
_BENCH_HEAP_BYTES = 2 * 1024 * 1024
# At a prompt the interpreter compiles what is typed, beside the whole firmware, and keeps names and line numbers.
_PROMPT_HEAP_BYTES = 224 * 1024
# The agent with a radio, and a form with the list of networks, beside what a release has.
_RADIO_HEAP_BYTES = 192 * 1024
_UNIT = ""  # the main module of the board
_BOARD_MODULES = ("__init__.py", "board.py", "main.py")
_PORT_MODULES = ("__init__.py", "appfiles.py", "littlefs.py", "mps2.py", "sockets.py")
# Of the variant with a model of a radio only.
_RADIO_PORT_MODULES = ("access_point.py", "mps2_radio.py", "radio_line.py")
# For a board with a radio (boards/esp32/manifest.py freezes them); the agent imports them only there.
RADIO_MODULES = frozenset(
    (
        "device/agent/improv.py",
        "device/agent/improv_ble.py",
        "device/agent/portal.py",
        "device/agent/wifi.py",
        "device/net/captive_dns.py",
        "device/net/improv.py",
        "device/net/improv_ble.py",
        "device/net/wifi.py",
        "device/web/landing.py",
        "device/web/network.py",
        "device/web/network_page.py",
    )
)
ASYNCIO = ("__init__.py", "core.py", "event.py", "funcs.py", "lock.py", "stream.py")
NAMES = "module_names.py"
MICRODOT = ("__init__.py", "microdot.py")


@dataclass(frozen=True)
class FrozenFile:
    """One frozen module: file, name on the board (with slashes and .py), mpy-cross optimisation level."""

    base: Path
    name: str
    level: int

    @property
    def path(self) -> Path:
        return self.base / self.name


@dataclass(frozen=True)
class Variant:
    """One firmware: its main module ("" for the board's own), whether the console is open, the optimisation level of
    its Python.

    Level 3 removes line numbers and asserts; level 0 keeps both for tracebacks.
    """

    name: str
    main: str
    is_console_open: bool
    level: int
    has_tests: bool = False
    has_bench: bool = False
    moved_bytes: int = 0  # offset of the code against the other variants
    heap_bytes: int = 0  # 0: the board's own (board.py)
    is_collected: bool = True  # as often as the board says; else only a full heap is collected
    has_radio: bool = False  # a model of a radio, over a serial line to the host
    has_power_cuts: bool = False  # the NVM driver stops the unit at the operation that the machine orders
    is_traced: bool = (
        False  # MicroPython has sys.settrace: every object differs from those of the other variants
    )
    parts: tuple[str, ...] = ()  # further modules of the folder of variants

    def main_on(self, board: EmulatedBoard) -> str:
        """Return the file of the main module as it is frozen for `board`."""
        return self.main or f"device/boards/{board.name}/main.py"


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("release", _UNIT, False, 3),
        Variant("hang", "hang.py", False, 3),
        Variant("moved", _UNIT, False, 3, moved_bytes=64),
        Variant("cut", _UNIT, False, 3, has_power_cuts=True),
        Variant("radio", "radio.py", False, 3, heap_bytes=_RADIO_HEAP_BYTES, has_radio=True),
        Variant("development", _UNIT, True, 0, heap_bytes=_PROMPT_HEAP_BYTES),
        Variant("test", "dual.py", False, 0, has_tests=True, heap_bytes=_TEST_HEAP_BYTES, is_collected=False),
        Variant(
            "lines",
            "lines.py",
            False,
            0,
            has_tests=True,
            heap_bytes=_TEST_HEAP_BYTES,
            is_collected=False,
            is_traced=True,
            parts=("dual.py",),
        ),
        Variant(
            "bench",
            "bench.py",
            False,
            3,
            has_tests=True,
            has_bench=True,
            heap_bytes=_BENCH_HEAP_BYTES,
            is_collected=False,
        ),
    )
}


def frozen_files(
    root: Path, micropython: Path, variant: Variant, generated: Path, board: EmulatedBoard = DEFAULT
) -> list[FrozenFile]:
    """Return every frozen file of a variant, sorted by name. `generated` contains the files that the build writes."""
    if variant.has_radio and board is not DEFAULT:
        raise FirmwareError(f"Only the board {DEFAULT.name} has the variant {variant.name!r}.")
    has_modules = variant.has_radio or variant.has_tests
    names = [name for name in _device_names(root, board) if has_modules or name not in RADIO_MODULES]
    if variant.has_radio:
        names += [f"device/ports/{name}" for name in _RADIO_PORT_MODULES]
    files = [FrozenFile(root, name, variant.level) for name in names]
    files += [FrozenFile(micropython / "extmod", f"asyncio/{name}", 3) for name in ASYNCIO]
    files += [FrozenFile(microdot_base(), f"microdot/{name}", variant.level) for name in MICRODOT]
    variants = c_folder(root) / "variants"
    if variant.main:
        files += [FrozenFile(variants, name, variant.level) for name in (variant.main, *variant.parts)]
    if variant.has_tests:
        tests = root / "tests" / "dual"
        if not tests.is_dir():
            raise FirmwareError(f"The variant {variant.name!r} contains the tests. Build it in a checkout.")
        files += [FrozenFile(tests, path.name, variant.level) for path in tests.glob("*.py")]
        files.append(FrozenFile(generated, "dual_modules.py", variant.level))
    if variant.has_bench:
        bench = root / "tests" / "benchmarks" / "board"
        files += [FrozenFile(bench, path.name, variant.level) for path in bench.glob("*.py")]
        files.append(FrozenFile(generated, "bench_modules.py", variant.level))
    files.sort(key=lambda file: file.name)
    doubled = {file.name for file, after in pairwise(files) if file.name == after.name}
    if doubled:
        raise FirmwareError(f"two frozen files have the same name: {', '.join(sorted(doubled))}")
    return files


def with_names(files: list[FrozenFile], folder: Path) -> list[FrozenFile]:
    """Return `files` and one more, written into `folder`, that names each of them as an import does.

    No firmware imports it. What a frozen file names is in flash; an import of any other name puts it on the heap, where
    it stays: 2.5 KB for all modules of a unit.
    """
    names = [file.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files]
    lines = [f"    import {name} as _\n" for name in names if name != "__init__"]
    folder.mkdir(parents=True, exist_ok=True)
    write_if_changed(
        folder / NAMES, '"""Generated: the names of all modules."""\n\n\ndef names():\n' + "".join(lines)
    )
    return sorted([*files, FrozenFile(folder, NAMES, 3)], key=lambda file: file.name)


def _device_names(root: Path, board: EmulatedBoard) -> Iterator[str]:
    for path in sorted((root / "device").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        parts = name.split("/")
        if parts[1] == "ports" and parts[2] not in _PORT_MODULES:
            continue
        if (
            parts[1] == "boards"
            and len(parts) > 3
            and (parts[2] != board.name or parts[3] not in _BOARD_MODULES)
        ):
            continue
        yield name


def microdot_base() -> Path:
    """Return the folder that contains the package microdot. Raises FirmwareError if it is not installed."""
    spec = find_spec("microdot")
    if spec is None or spec.origin is None:
        raise FirmwareError("microdot is not installed (requirements/runtime.txt)")
    return Path(spec.origin).parent.parent


def test_module_names(root: Path) -> list[str]:
    """Return the dual test modules in the order in which the board runs them."""
    return sorted(path.stem for path in (root / "tests" / "dual").glob("test_*.py"))


def bench_module_names(root: Path) -> list[str]:
    """Return the benchmark modules in the order in which the board runs them."""
    return sorted(path.stem for path in (root / "tests" / "benchmarks" / "board").glob("bench_*.py"))


def manifest_text(files: list[FrozenFile]) -> str:
    """Return a manifest.py: one `freeze` for each file, and a digest of all contents so that make sees a change."""
    digest = hashlib.sha256()
    lines = []
    for file in files:
        digest.update(f"{file.name} {file.level} {sha256_file(file.path)}\n".encode())
        lines.append(f'freeze("{file.base}", "{file.name}", opt={file.level})')
    return f"# content {digest.hexdigest()}\n" + "\n".join(lines) + "\n"
