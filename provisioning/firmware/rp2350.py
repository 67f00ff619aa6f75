"""Build the firmware for boards with an RP2350, with CMake, from pinned sources (`rp2_sources.py`).

Rules:
1. The rules of `build.py`: the key of a build is the hash of its inputs, no date and no path reaches the bytes, and
   one build at a time.
2. The variant `release` has no console, USB or serial; `development` has a prompt on USB. Neither is sealed: an image
   that a chip with secure boot starts is made by `firstboot rp2350 image`.
3. Nothing here ran on a chip. The board's folder in device/boards/ says so in each file.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.firmware import provenance, sbom, sizes
from provisioning.firmware.build import FirmwareBuild
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.files import (
    cmodules,
    digest_of,
    file_hashes,
    fresh_folder,
    locked,
    mirror,
    write_if_changed,
)
from provisioning.firmware.frozen import (
    ASYNCIO,
    MICRODOT,
    RADIO_MODULES,
    FrozenFile,
    manifest_text,
    microdot_base,
)
from provisioning.firmware.linked import linked
from provisioning.firmware.rp2_sources import PACKAGE_PINS, Checkouts, rp2_tree
from provisioning.firmware.sources import (
    MICROPYTHON_VERSION,
    PINS,
    Progress,
    SourceTree,
    cache_folder,
    sha256_file,
)
from provisioning.firmware.toolchain import (
    build_environment,
    compiler,
    library_versions,
    make,
    mpy_cross_path,
    require_tools,
    run_tool,
)
from provisioning.firmware.uf2 import uf2

VARIANTS: Final = {"release": 3, "development": 0}  # optimisation level of the Python code
SLOT_BYTES: Final = 1536 * 1024  # partitions.json
_TRAILER_BYTES: Final = 4096
_RECIPE: Final = 1  # raise when the way of building changes the bytes
_PORT_MODULES: Final = (
    "__init__",
    "appfiles",
    "blocks",
    "fuses",
    "littlefs",
    "rp2",
    "rp2_otp",
    "rtc",
    "slots",
    "socket_group",
    "sockets",
)
_FLASH_SECTIONS: Final = (".text", ".boot2", ".rodata", ".binary_info", ".ARM.exidx", ".data", ".flash_end")
_RAM_SECTIONS: Final = (".ram_vector_table", ".data", ".bss")


@dataclass(frozen=True)
class Rp2Board:
    """One board: its folder in device/boards, the ports beside those of every board, whether it has a radio."""

    name: str
    ports: tuple[str, ...] = ()
    has_radio: bool = False


BOARDS: Final = {
    board.name: board
    for board in (
        Rp2Board("rp2350"),
        Rp2Board("rp2350w", ("access_point", "rp2_wifi", "wlan"), has_radio=True),
    )
}


def build_rp2350(
    board: str,
    variant: str,
    *,
    root: Path,
    progress: Progress,
    checkouts: Checkouts | None = None,
    into: Path | None = None,
) -> FirmwareBuild:
    """Return the firmware of a board in BOARDS. It is built if the cache does not have it.

    `into`: an empty folder; the firmware is then built in it, whatever the cache has.

    Raises FirmwareError: SourcesError, MissingToolError (names the Debian package), CompileError.
    """
    if variant not in VARIANTS:
        raise FirmwareError(
            f"The board {board} has no variant {variant!r}. Use one of: {', '.join(VARIANTS)}."
        )
    chosen, checkouts = BOARDS[board], checkouts or Checkouts()
    if chosen.has_radio and checkouts.cyw43 is None:
        raise FirmwareError(
            f"The board {board} needs the driver of its radio, which Debian does not have: name a checkout with "
            "--cyw43. Its licence allows commercial use only on chips of Raspberry Pi."
        )
    require_tools()
    require_tools((("cmake", "cmake"), *((("g++", "g++"),) if chosen.has_radio else ())))
    root = root.absolute()
    folder = cache_folder(root) / "firmware"
    with locked(folder):
        tree = rp2_tree(root, progress, checkouts)
        return Rp2Firmware(root, tree, chosen, variant, into or folder).build(progress)


class Rp2Firmware:
    """One board and variant on one source tree: its files, and the key of its content."""

    def __init__(self, root: Path, tree: SourceTree, board: Rp2Board, variant: str, folder: Path) -> None:
        self.root, self.tree, self.board, self.variant, self.folder = root, tree, board, variant, folder
        self.mpy_cross = mpy_cross_path()
        boards = root / "device" / "boards"
        self.folders = [boards / name for name in dict.fromkeys(("rp2350", board.name))]
        self.board_files = file_hashes([*self.folders, cmodules(root)])
        self.files = sorted(self._frozen(), key=lambda file: file.name)
        self.manifest = manifest_text(self.files)
        self.key = digest_of(
            {
                "recipe": _RECIPE,
                "sources": tree.key,
                "compiler": compiler(),
                "board": self.board_files,
                "manifest": self.manifest.splitlines()[0],
                "names": [file.name for file in self.files],
                "variant": variant,
                "mpy-cross": sha256_file(self.mpy_cross),
            }
        )

    def _frozen(self) -> Iterator[FrozenFile]:
        level = VARIANTS[self.variant]
        ports = {f"{name}.py" for name in (*_PORT_MODULES, *self.board.ports)}
        for path in (self.root / "device").rglob("*.py"):
            parts = path.relative_to(self.root).parts
            if "/".join(parts) in RADIO_MODULES and not self.board.has_radio:
                continue
            is_port = parts[1] == "ports"
            if (is_port and parts[2] in ports) or (not is_port and parts[1] != "boards"):
                yield FrozenFile(self.root, "/".join(parts), level)
        for name in ("boards/__init__.py", *self._board_modules()):
            yield FrozenFile(self.root, f"device/{name}", level)
        yield FrozenFile(self.root / "device" / "boards" / "rp2350", "_boot.py", level)
        yield FrozenFile(self.root / "device" / "boards" / self.board.name, "main.py", level)
        yield from (FrozenFile(self.tree.path / "extmod", f"asyncio/{name}", 3) for name in ASYNCIO)
        yield from (FrozenFile(microdot_base(), f"microdot/{name}", level) for name in MICRODOT)

    def _board_modules(self) -> list[str]:
        names = ["boards/rp2350/__init__.py", "boards/rp2350/unit.py", f"boards/{self.board.name}/board.py"]
        return list(dict.fromkeys([*names, f"boards/{self.board.name}/__init__.py"]))

    def build(self, progress: Progress) -> FirmwareBuild:
        name = f"{self.board.name}-{self.variant}-{self.key[:16]}"
        out = self.folder / name
        if not (out / "build.json").exists():
            progress(f"building the firmware ({self.board.name}, {self.variant}); this takes a few minutes")
            with fresh_folder(out) as work:
                self._compile(work)
                self._collect(work)
                shutil.rmtree(work / "build")
        stored = json.loads((out / "build.json").read_text())
        return FirmwareBuild(
            self.variant,
            out / "firmware.bin",
            out / "firmware.elf",
            stored["sha256"],
            stored["sizes"],
            stored["ram"],
            out / "provenance.json",
        )

    def _compile(self, work: Path) -> None:
        sources = work / "src" / "device"
        for folder in self.folders:
            mirror(folder, sources / "boards" / folder.name)
        mirror(cmodules(self.root), sources / "cmodules")
        library = work / "lib"
        library.mkdir()
        (library / "README.md").write_text("MicroPython's build looks for this file.\n")
        run_tool(
            ["arm-none-eabi-ar", "rc", str(library / "libstdc++.a")]
        )  # named when linking, nothing in it is used
        write_if_changed(work / "manifest.py", self.manifest)
        environment = build_environment() | {
            "MICROPY_MPYCROSS": str(self.mpy_cross),
            "CFLAGS": self._prefixes(work),
            "CXXFLAGS": self._prefixes(work),
            "ASMFLAGS": self._prefixes(work),
        }
        options = {
            "CMAKE_BUILD_TYPE": "MinSizeRel",
            "CMAKE_EXE_LINKER_FLAGS": f"-L{library}",
            "FIRSTBOOT_PRODUCT": int(self.variant == "release"),
            "MICROPY_BOARD": self.board.name.upper(),
            "MICROPY_BOARD_DIR": sources / "boards" / self.board.name,
            "MICROPY_FROZEN_MANIFEST": work / "manifest.py",
            "MICROPY_LIB_DIR": library,
            "PICO_NO_PICOTOOL": 1,
            "PICO_SDK_PATH_OVERRIDE": self.tree.path / "lib" / "pico-sdk",
            "USER_C_MODULES": sources / "boards" / "rp2350" / "micropython.cmake",
        }
        command = ["cmake", "-S", str(self.tree.path / "ports/rp2"), "-B", str(work / "build")]
        run_tool([*command, *(f"-D{name}={value}" for name, value in options.items())], environment)
        make(work / "build", {}, environment)

    def _prefixes(self, work: Path) -> str:
        return f"-ffile-prefix-map={work}=. -ffile-prefix-map={self.tree.path}=micropython"

    def _collect(self, work: Path) -> None:
        build = work / "build"
        shutil.copy(build / "firmware.bin", work / "firmware.bin")
        shutil.copy(build / "firmware.elf", work / "firmware.elf")
        map_text = (build / "firmware.elf.map").read_text()
        image = (work / "firmware.bin").read_bytes()
        if len(image) > SLOT_BYTES - _TRAILER_BYTES:
            raise FirmwareError(f"The firmware has {len(image)} bytes, a slot of {self.board.name} less.")
        (work / "firmware.uf2").write_bytes(uf2(image))
        (work / "firmware.map").write_text(map_text)
        names = [file.name for file in self.files]
        stored = {
            "sha256": sha256_file(work / "firmware.bin"),
            "sizes": sizes.by_part(map_text, names, _FLASH_SECTIONS),
            "ram": sizes.ram_by_symbols(map_text, _RAM_SECTIONS),
        }
        sha256 = str(stored["sha256"])
        (work / "provenance.json").write_text(provenance.written(self._provenance(sha256)))
        (work / sbom.FILE_NAME).write_text(self._sbom(sha256, map_text, build))
        (work / "build.json").write_text(json.dumps(stored, indent=1) + "\n")
        for name in ("src", "lib"):
            shutil.rmtree(work / name)

    def _provenance(self, sha256: str) -> dict[str, Any]:
        pinned = {pin.file_name: pin.sha256 for pin in (*PINS, *PACKAGE_PINS)}
        sources: Mapping[str, str] = pinned if self.tree.is_pinned else {"checkouts": self.tree.key}
        return provenance.statement(
            "firmware.bin",
            sha256,
            parameters={"board": self.board.name, "variant": self.variant},
            tools={"compiler": compiler(), "mpy-cross": sha256_file(self.mpy_cross), "recipe": str(_RECIPE)},
            inputs={
                **sources,
                **{f"board/{name}": digest for name, digest in self.board_files.items()},
                **{f"frozen/{file.name}": sha256_file(file.path) for file in self.files},
            },
        )

    def _sbom(self, sha256: str, map_text: str, build: Path) -> str:
        wrapped = (self.root / "device" / "boards" / "rp2350" / "micropython.cmake").read_text()
        return sbom.written(
            sbom.Contents(
                name=f"firstboot-firmware-{self.board.name}-{self.variant}",
                variant=f"{self.board.name}-{self.variant}",
                image_sha256=sha256,
                linked=linked(map_text, self.tree.path, build, (*_FLASH_SECTIONS, *_RAM_SECTIONS)),
                tree=self.tree,
                ours=self.board_files,
                frozen={file.name: sha256_file(file.path) for file in self.files},
                versions=library_versions(),
                tools={"arm-none-eabi-gcc": compiler(), "mpy-cross": MICROPYTHON_VERSION},
                wrapped=re.findall(r"--wrap=(\w+)", wrapped),
            )
        )
