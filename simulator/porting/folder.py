"""Make a board's folder: the files that a maker fills in, and the checklist as tests."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from firstboot.locations import own_source_root
from simulator.porting.errors import FolderError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TAKEN: Final = ("board", "port", "main", "device", "chips", "checklist", "skeleton")
_PLACEHOLDER: Final = "BOARD_NAME"
_MANIFEST: Final = """# What this board freezes. `firstboot board sources` prints the variables that name the sources.
import os

if "FIRSTBOOT_DIR" not in os.environ:
    raise SystemExit("Set FIRSTBOOT_DIR and FIRSTBOOT_MICRODOT: `firstboot board sources` prints them.")
include(
    os.environ["FIRSTBOOT_DIR"] + "/device/boards/chips/manifest.py",
    root=os.environ["FIRSTBOOT_DIR"],
    folder={folder!r},
    ports={ports!r},
    guide="{guide}",
    own=1,
)
"""
_README: Final = """# {name}

A board for Firstboot, begun like `{like}`. The path from here to the first signed update is `docs/porting.md`.

| file | what |
|---|---|
| `port.py` | the ports, one part for each step; write them from the top |
| `board.py` | facts and pins |
| `main.py` | joins the ports with the agent; usually stays as it is |
| `manifest.py` | what MicroPython freezes |
| `test_checklist.py` | the steps as tests |
{more}
```sh
firstboot board check . --port /dev/ttyACM0    # your board{emulated}
pytest --firstboot-board /dev/ttyACM0          # the same steps as tests, with your own beside them
eval "$(firstboot board sources)"              # before a build: where the sources are
```
"""


@dataclass(frozen=True)
class Kind:
    """A kind of board: the ports that it freezes, files that are copied from a board of this project, texts of others.

    In the texts `$ENV{FIRSTBOOT_DIR}` is where the sources are when the maker builds.
    """

    ports: tuple[str, ...]
    family: str = ""
    guide: str = "../porting.md"
    copied: tuple[str, ...] = ()  # in device/boards
    texts: tuple[tuple[str, str], ...] = ()


_CHIP_PORTS: Final = ("appfiles", "blocks", "fuses", "littlefs", "rtc", "slots", "socket_group", "sockets")
_RP2350_CMAKE: Final = """# MicroPython's ports/rp2 reads this file. Set PICO_BOARD to yours.
set(PICO_BOARD pico2)
include($ENV{FIRSTBOOT_DIR}/device/boards/rp2350/common.cmake)
"""
_ESP32_CMAKE: Final = """# MicroPython's ports/esp32 reads this file. Set IDF_TARGET to your chip.
set(IDF_TARGET esp32c3)
set(FIRSTBOOT_PARTITIONS partitions-4MiB.csv)
include($ENV{FIRSTBOOT_DIR}/device/boards/esp32/common.cmake)
"""
KINDS: Final = {
    "mcuboot": Kind(("appfiles", "blocks", "fuses", "littlefs", "slots", "socket_group", "sockets")),
    "rp2350": Kind(
        (*_CHIP_PORTS, "rp2", "rp2_otp"),
        "rp2350",
        "rp2350.md",
        ("rp2350/_boot.py", "rp2350/board.h", "rp2350/partitions.json"),
        (
            ("mpconfigboard.cmake", _RP2350_CMAKE),
            ("mpconfigboard.h", '#define MICROPY_HW_BOARD_NAME "BOARD_NAME"\n\n#include "board.h"\n'),
        ),
    ),
    "esp32": Kind(
        (*_CHIP_PORTS, "esp32", "esp32_fuses", "esp32_wifi", "wlan"),
        "esp32",
        "esp32.md",
        ("esp32/_boot.py", "esp32/console.h", "esp32c3/sdkconfig.chip"),
        (
            ("mpconfigboard.cmake", _ESP32_CMAKE),
            (
                "mpconfigvariant_PRODUCT.cmake",
                "include($ENV{FIRSTBOOT_DIR}/device/boards/esp32/product.cmake)\n",
            ),
            (
                "mpconfigboard.h",
                '#define MICROPY_HW_BOARD_NAME "BOARD_NAME"\n#define MICROPY_HW_MCU_NAME "ESP32C3"\n\n'
                '#include "console.h"\n',
            ),
        ),
    ),
}


def new(path: Path, like: str) -> list[Path]:
    """Make the folder `path` for a new board and return its files, sorted. Its last name is the board's.

    Raises FolderError: a name that Python or MicroPython cannot use, or a folder that exists.
    """
    name = path.name
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise FolderError(
            f"{name!r} cannot be a board's name: take 1 to 32 lower-case letters, digits and _, a letter first, "
            f"and none of {', '.join(_TAKEN)}."
        )
    if path.exists():
        raise FolderError(f"{path} exists. `board new` never changes a folder that is there.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{name}-"))
    except OSError as error:
        raise FolderError(f"{path} cannot be made: {error.strerror}.") from None
    try:
        _fill(work, name, like)
        work.chmod(0o755)
        os.rename(work, path)
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise FolderError(f"{path} cannot be made: {error.strerror}.") from None
    return sorted(path.iterdir())


def next_step(like: str, folder: str) -> str:
    """Return what a maker does with a new folder. A chip's ports need its own firmware: no other board loads them."""
    if _is_of_a_chip(like):
        return f"build a firmware with a prompt (docs/porting.md), then firstboot board check {folder} --port LINE"
    return f"firstboot board check {folder} --on qemu, or --port with your board"


def _is_of_a_chip(like: str) -> bool:
    return bool(KINDS[like].copied)


def _fill(folder: Path, name: str, like: str) -> None:
    kind = KINDS[like]
    boards = own_source_root() / "device" / "boards"
    skeleton = boards / "skeleton"
    sources = [skeleton / "main.py", skeleton / "test_checklist.py"]
    sources += sorted((skeleton / like).glob("*.py")) + [boards / file for file in kind.copied]
    texts = {source.name: source.read_text(encoding="utf-8") for source in sources}
    texts.update(kind.texts)
    texts["manifest.py"] = _MANIFEST.format(folder=kind.family, ports=kind.ports, guide=kind.guide)
    more = "".join(
        f"| `{file}` | of the chip's build |\n" for file in sorted(texts) if not file.endswith(".py")
    )
    emulated = ", with a firmware of its own" if _is_of_a_chip(like) else "; --on qemu: the emulated one"
    texts["README.md"] = _README.format(name=name, like=like, more=more, emulated=emulated)
    for file, text in texts.items():
        (folder / file).write_text(text.replace(_PLACEHOLDER, name), encoding="utf-8")


def sources() -> dict[str, Path]:
    """Return the two variables that a build of a board's folder needs. Raises FolderError."""
    spec = find_spec("microdot")
    if spec is None or spec.origin is None:
        raise FolderError("The package microdot is not installed; requirements/runtime.txt has its version.")
    return {"FIRSTBOOT_DIR": own_source_root(), "FIRSTBOOT_MICRODOT": Path(spec.origin).parent.parent}
