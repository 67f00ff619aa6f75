"""The bill of materials of a boot ROM: the files whose code or data the linker placed in it, ours and others' (UP-14).

The compiler's dependency files name every file of an object, headers and generated files too, so the bill has what was
compiled and not what lies in the folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from provisioning.firmware import sbom, sizes
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.files import cmodules, file_hashes
from provisioning.firmware.linked import linked
from provisioning.firmware.sources import SourceTree, sha256_file
from provisioning.firmware.toolchain import compiler, library_versions

NAME: Final = "firstboot-boot-rom"


def rom_bill(work: Path, root: Path, board: Path, tree: SourceTree) -> str:
    """Return the bill, as JSON text, of the boot ROM that was just built in `work`. Raises FirmwareError, OSError.

    `work` has `rom.elf`, the generated files in `layout` and `build`, and the objects and `rom.map` in `build`.
    """
    build = work / "build"
    map_text = (build / "rom.map").read_text()
    compiled = set(_compiled(map_text, build))
    folders = [board / "rom", board / "include", cmodules(root)]
    hashes = file_hashes(folders)
    ours = {
        name: digest
        for name, digest in hashes.items()
        if any((folder.parent / name).resolve() in compiled for folder in folders)
    }
    generated = {
        f"generated/{path.name}": sha256_file(path)
        for path in sorted(compiled)
        if path.is_relative_to(work.resolve())
    }
    if not ours:
        raise FirmwareError("The compiler's dependency files name no source file of the boot ROM.")
    return sbom.written(
        sbom.Contents(
            name=NAME,
            code=f"{NAME}-code",
            image_sha256=sha256_file(work / "rom.elf"),
            linked=linked(map_text, tree.path, build),
            tree=tree,
            ours={**ours, **generated},
            frozen={},
            versions=library_versions(),
            tools={"arm-none-eabi-gcc": compiler()},
        )
    )


def _compiled(map_text: str, build: Path) -> Iterator[Path]:
    """Yield every file that the compiler read for an object of the ROM, as an absolute path without `..`."""
    for name in sizes.linked_objects(map_text):
        dependencies = (build / name).with_suffix(".d")
        if "(" not in name and dependencies.exists():
            for word in dependencies.read_text().split():
                if word != "\\" and not word.endswith(":"):
                    yield Path(word).resolve()
