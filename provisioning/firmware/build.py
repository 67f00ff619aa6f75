"""Build the firmware and the boot ROM: compiled once for the same inputs, cached, and the same bytes on every machine.

Rules:
1. The key of a build is the hash of all its inputs. A build whose key is in the cache is not repeated.
2. All variants share the objects of MicroPython and the libraries, and make keeps them between builds. Make compares
   times, so it compiles copies that are written only if their content changed. A changed file with an old date (from
   another checkout or a backup) is therefore compiled too.
3. No date, no path and no version-control state reaches the bytes (SOURCE_DATE_EPOCH, -ffile-prefix-map).
4. One build at a time in a cache: a lock file keeps parallel callers apart.
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provisioning.firmware import provenance, sbom, sizes
from provisioning.firmware.emulated import DEFAULT, EMULATED, EmulatedBoard, c_folder
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
    VARIANTS,
    Variant,
    bench_module_names,
    frozen_files,
    manifest_text,
    test_module_names,
    with_names,
)
from provisioning.firmware.header import generated_texts, write_headers
from provisioning.firmware.linked import linked
from provisioning.firmware.rom_bill import rom_bill
from provisioning.firmware.sources import (
    MICROPYTHON_VERSION,
    PINS,
    Progress,
    SourceTree,
    cache_folder,
    sha256_file,
    source_tree,
)
from provisioning.firmware.toolchain import compiler, library_versions, make, mpy_cross_path, require_tools

_IMAGE_KEY = re.compile(r"[0-9a-f]{64}(:0000000[12][0-9a-f]{112})?")  # as the ROM's Makefile takes it
_RECIPE = 2  # raise when the way of building changes the bytes


@dataclass(frozen=True)
class FirmwareBuild:
    """One built firmware. `sizes`, `ram`: bytes by part, from the linker's map. `provenance`: file with its inputs.

    `image` is the raw image without header space, as `imgtool sign -H 0x200 --pad-header` takes it.
    """

    variant: str
    image: Path
    elf: Path
    sha256: str
    sizes: Mapping[str, int]
    ram: Mapping[str, int]
    provenance: Path

    @property
    def uf2(self) -> Path:
        """The image for BOOTSEL mode, of boards that have one; the file is absent for others."""
        return self.image.with_suffix(".uf2")

    @property
    def sbom(self) -> Path:
        """The bill of materials (CycloneDX), beside the provenance."""
        return self.provenance.with_name(sbom.FILE_NAME)


@dataclass(frozen=True)
class RomBuild:
    """The boot ROM with the hashes of its image keys. `size_bytes`: code and constants."""

    elf: Path
    sha256: str
    size_bytes: int

    @property
    def sbom(self) -> Path:
        """The bill of materials (CycloneDX), about the bytes of the ELF file."""
        return self.elf.with_name(sbom.FILE_NAME)


def _no_progress(_text: str) -> None:
    pass


def build(
    variant: str = "release",
    *,
    root: Path,
    progress: Progress = _no_progress,
    objects: Path | None = None,
    board: str = DEFAULT.name,
) -> FirmwareBuild:
    """Return the firmware of a variant (a name in `frozen.VARIANTS`). It is built if the cache does not have it.

    `objects`: a folder that takes the place of the cache, except for the pinned sources.
    Raises FirmwareError: SourcesError, MissingToolError (names the Debian package), CompileError.
    """
    chosen = _known(board)
    if variant not in VARIANTS:
        raise FirmwareError(f"There is no firmware variant {variant!r}. Use one of: {', '.join(VARIANTS)}.")
    root = root.absolute()
    require_tools()
    folder = objects or cache_folder(root) / "firmware"
    with locked(folder):
        tree = source_tree(root, progress)
        return Firmware(root, tree, VARIANTS[variant], folder, chosen).build(progress)


def build_rom(
    image_keys: Sequence[str],
    *,
    root: Path,
    progress: Progress = _no_progress,
    board: str = DEFAULT.name,
) -> RomBuild:
    """Return the boot ROM that accepts images signed by these keys.

    An entry is the SHA-256 in hex of a DER public key. With `:` and a raw HSS key in hex after it, images of this key
    also need an HSS/LMS signature (provisioning.release.image.image_key). Raises FirmwareError as `build` does.
    """
    if not 1 <= len(image_keys) <= 3 or any(not _IMAGE_KEY.fullmatch(text) for text in image_keys):
        raise FirmwareError(
            "The boot ROM takes one to three key hashes of 64 lower-case hex digits, each with an optional :HSS-KEY."
        )
    chosen = _known(board)
    root = root.absolute()
    require_tools()
    with locked(cache_folder(root) / "firmware"):
        tree = source_tree(root, progress)
        return _build_rom(root, tree, image_keys, progress, chosen)


def _build_rom(
    root: Path, tree: SourceTree, keys: Sequence[str], progress: Progress, board: EmulatedBoard
) -> RomBuild:
    folder = c_folder(root)
    key = digest_of(
        {
            "recipe": _RECIPE,
            "sources": tree.key,
            "files": file_hashes([folder / "rom", folder / "include", cmodules(root)]),
            "layout": generated_texts(board),
            "keys": list(keys),
            "compiler": compiler(),
            "sbom": 1,
        }
    )
    out = cache_folder(root) / "firmware" / f"rom-{key[:16]}"
    if not (out / "rom.elf").exists():
        progress(f"building the boot ROM{_of(board)}")
        with fresh_folder(out) as work:
            layout = write_headers(work / "layout", board)
            variables = {"BUILD": work / "build", "MBEDTLS": tree.mbedtls, "LAYOUT": layout}
            make(folder / "rom", {**variables, "IMAGE_KEYS": ",".join(keys)})
            shutil.copy(work / "build" / "rom.elf", work / "rom.elf")
            (work / sbom.FILE_NAME).write_text(rom_bill(work, root, folder, tree))
            shutil.rmtree(work / "build")
    elf = out / "rom.elf"
    return RomBuild(elf, sha256_file(elf), sizes.code_bytes(elf))


class Firmware:
    """One variant on one source tree: its folders, its files and the key of its content."""

    def __init__(
        self,
        root: Path,
        tree: SourceTree,
        variant: Variant,
        folder: Path | None = None,
        board: EmulatedBoard = DEFAULT,
    ) -> None:
        self.root, self.tree, self.variant, self.board = root, tree, variant, board
        self.port = c_folder(root) / "port"
        self.folder = folder or cache_folder(root) / "firmware"
        self.mpy_cross = mpy_cross_path()
        self.port_files = port_files = file_hashes([self.port, c_folder(root) / "include", cmodules(root)])
        compiled_by = {
            "recipe": _RECIPE,
            "sources": tree.key,
            "compiler": compiler(),
            "makefiles": [
                sha256_file(self.port / "Makefile"),
                port_files["cmodules/fbcrypto/micropython.mk"],
            ],
            "names": sorted(port_files),
            "trace": variant.is_traced,
            "board": board.name,
            "cpu": board.cpu_flags,
        }
        # A new compiler or Makefile gets a new folder of objects.
        self.objects = self.folder / f"objects-{digest_of(compiled_by)[:16]}"
        self.generated = self.folder / "generated"
        self._write_generated()
        files = frozen_files(root, tree.path, variant, self.generated, board)
        self.files = with_names(files, self.generated / board.name / variant.name)
        self.manifest = manifest_text(self.files)
        self.key = digest_of(
            {
                **compiled_by,
                "port": port_files,
                "layout": generated_texts(board),
                "manifest": self.manifest.splitlines()[0],
                "names": [file.name for file in self.files],
                "variant": asdict(variant),
                "mpy-cross": sha256_file(self.mpy_cross),
                "provenance": 1,
                "sbom": 1,
                "ram": 1,
            }
        )

    def _write_generated(self) -> None:
        self.generated.mkdir(parents=True, exist_ok=True)
        for name, modules in (
            ("dual_modules.py", test_module_names(self.root)),
            ("bench_modules.py", bench_module_names(self.root)),
        ):
            text = f'"""Generated: the modules that this build runs."""\n\nMODULES = {modules!r}\n'
            write_if_changed(self.generated / name, text)

    def build(self, progress: Progress) -> FirmwareBuild:
        out = self.folder / f"{self.variant.name}-{self.key[:16]}"
        if not (out / "build.json").exists():
            progress(
                f"building the firmware ({self.variant.name}){_of(self.board)}; the first build takes about a minute"
            )
            self._compile()
            with fresh_folder(out) as work:
                self._collect(work)
        stored = json.loads((out / "build.json").read_text())
        return FirmwareBuild(
            self.variant.name,
            out / "firmware.bin",
            out / "firmware.elf",
            stored["sha256"],
            stored["sizes"],
            stored["ram"],
            out / "provenance.json",
        )

    def _variant_folder(self) -> Path:
        return self.objects / "variants" / self.variant.name

    def _compile(self) -> None:
        layout = write_headers(self.objects / "layout", self.board)
        folder = self._variant_folder()
        folder.mkdir(parents=True, exist_ok=True)
        console = int(self.variant.is_console_open)
        text = f"#define FIRSTBOOT_OPEN_CONSOLE {console}\n"
        text += f'#define FIRSTBOOT_MAIN "{self.variant.main_on(self.board)}"\n'
        text += f"#define FIRSTBOOT_MOVED_BYTES {self.variant.moved_bytes}\n"
        if self.variant.heap_bytes:
            text += f"#define FIRSTBOOT_HEAP_BYTES {self.variant.heap_bytes}\n"
        if not self.variant.is_collected:
            text += "#define FIRSTBOOT_COLLECT_BYTES 0\n"
        text += f"#define FIRSTBOOT_RADIO {int(self.variant.has_radio)}\n"
        text += f"#define FIRSTBOOT_POWER_CUTS {int(self.variant.has_power_cuts)}\n"
        write_if_changed(folder / "variant.h", text)
        write_if_changed(folder / "manifest.py", self.manifest)
        variables = {
            "TOP": self.tree.path,
            "BUILD": self.objects / "common",
            "VARIANT_BUILD": folder,
            "LAYOUT": layout,
            "USER_C_MODULES": self.objects / "board" / "cmodules",
            "MICROPY_MPYCROSS": self.mpy_cross,
            "PYTHON": sys.executable,
            "TRACE": int(self.variant.is_traced),
        }
        (self.objects / "common").mkdir(exist_ok=True)
        for name in ("port", "include"):
            mirror(self.port.parent / name, self.objects / "board" / name)
        mirror(cmodules(self.root), self.objects / "board" / "cmodules")
        make(self.objects / "board" / "port", variables)

    def _collect(self, work: Path) -> None:
        folder = self._variant_folder()
        for name in ("firmware.bin", "firmware.elf", "firmware.map"):
            shutil.copy(folder / name, work / name)
        names = [file.name for file in self.files]
        map_text = (work / "firmware.map").read_text()
        stored = {
            "sha256": sha256_file(work / "firmware.bin"),
            "sizes": sizes.by_part(map_text, names),
            "ram": sizes.ram_by_part(map_text),
        }
        (work / "provenance.json").write_text(provenance.written(self._provenance(str(stored["sha256"]))))
        (work / sbom.FILE_NAME).write_text(self._sbom(str(stored["sha256"]), map_text))
        (work / "build.json").write_text(json.dumps(stored, indent=1) + "\n")

    def _provenance(self, sha256: str) -> dict[str, Any]:
        named = {} if self.board is DEFAULT else {"board": self.board.name}
        pinned = {pin.file_name: pin.sha256 for pin in PINS} if self.tree.is_pinned else {}
        generated = {
            f"generated/{name}": hashlib.sha256(text.encode()).hexdigest()
            for name, text in generated_texts(self.board).items()
        }
        return provenance.statement(
            "firmware.bin",
            sha256,
            parameters={**named, "variant": self.variant.name},
            tools={"compiler": compiler(), "mpy-cross": sha256_file(self.mpy_cross), "recipe": str(_RECIPE)},
            inputs={
                **(pinned or {"micropython checkout": self.tree.key}),
                **{f"board/{name}": digest for name, digest in self.port_files.items()},
                **{f"frozen/{file.name}": sha256_file(file.path) for file in self.files},
                **generated,
            },
        )

    def _sbom(self, sha256: str, map_text: str) -> str:
        variant = self.variant.name if self.board is DEFAULT else f"{self.board.name}-{self.variant.name}"
        return sbom.written(
            sbom.Contents(
                name=f"firstboot-firmware-{variant}",
                variant=variant,
                image_sha256=sha256,
                linked=linked(map_text, self.tree.path, self.objects / "common"),
                tree=self.tree,
                ours=self.port_files,
                frozen={file.name: sha256_file(file.path) for file in self.files},
                versions=library_versions(),
                tools={"arm-none-eabi-gcc": compiler(), "mpy-cross": MICROPYTHON_VERSION},
                wrapped=re.findall(r"--wrap=(\w+)", (self.port / "Makefile").read_text()),
            )
        )


def _known(board: str) -> EmulatedBoard:
    """Return the emulated board of this name. Raises FirmwareError."""
    if board not in EMULATED:
        raise FirmwareError(f"There is no emulated board {board!r}. Use one of: {', '.join(EMULATED)}.")
    return EMULATED[board]


def _of(board: EmulatedBoard) -> str:
    return "" if board is DEFAULT else f" of {board.name}"
