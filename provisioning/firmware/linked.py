"""The sources and archives in a linked firmware, from the linker's map and the compiler's dependency files.

Rules:
1. An object counts if the linker placed at least one byte of it in flash or RAM. A file that is compiled and dropped
   is not in the firmware.
2. A C file that another C file includes counts: the dependency file beside the object names it.
3. Headers do not count: they belong to the library whose C files use them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.firmware import sizes
from provisioning.firmware.errors import FirmwareError

_SOURCES = (".c", ".s", ".S")


@dataclass(frozen=True)
class Linked:
    """The sources and archives of one firmware.

    `sources`: names below the source tree. `archives`: file name to path.
    """

    sources: Sequence[str]
    archives: Mapping[str, Path]


def linked(map_text: str, tree: Path, objects: Path, outputs: Sequence[str] = sizes.OUTPUTS) -> Linked:
    """Return what is in the firmware of this map. `objects`: the folder in which the objects of the tree lie.

    `outputs`: the output sections that are in flash and RAM.
    Raises FirmwareError if the map names no object of the tree: its paths are then those of another build.
    """
    sources: set[str] = set()
    archives: dict[str, Path] = {}
    for name in sizes.linked_objects(map_text, outputs):
        archive, is_member, _ = name.partition("(")
        if is_member:
            archives[Path(archive).name] = Path(archive)
        else:
            sources.update(_sources(objects / name, tree, objects))
    if not sources:
        raise FirmwareError("The linker's map names no object of the source tree.")
    return Linked(sorted(sources), dict(sorted(archives.items())))


def _sources(compiled: Path, tree: Path, objects: Path) -> Iterator[str]:
    # MicroPython's make, CMake, the boot ROM's make
    places = (
        compiled.with_suffix(".P"),
        compiled.with_name(compiled.name + ".d"),
        compiled.with_suffix(".d"),
    )
    dependencies = next((place for place in places if place.exists()), None)
    if dependencies is not None:
        for word in dependencies.read_text().split():
            path = Path(word)
            if path.suffix in _SOURCES and path.is_relative_to(tree):
                yield path.relative_to(tree).as_posix()
    elif compiled.is_relative_to(objects):  # assembler: compiled without a dependency file
        for suffix in _SOURCES:
            name = compiled.relative_to(objects).with_suffix(suffix)
            if (tree / name).exists():
                yield name.as_posix()
