"""The five releases of the story, as signed boot images.

Release 4 hangs at start. On the board it is a separate build whose main function never feeds the watchdog; in the
simulator the image's body asks for it. The other releases contain the same firmware under their own version. On the
board, releases 2, 3 and 5 have it 64 bytes further on, so that a unit cannot reuse any chunk of the release before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device.errors import ImageFormatError
from firstboot.locations import source_root
from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from provisioning.keys.key_ring import KeyRing
from provisioning.release.image import image_info, key_hash, sign_image
from simulator.device import release_body
from simulator.story.errors import WorldError

HANGING = 4
# By release: the security counter. Release 3 fixes a vulnerability: once it is confirmed, older images never start.
COUNTERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}


@dataclass(frozen=True)
class Images:
    """Signed images by release number. `rom` is None in the simulator, whose boot ROM is Python."""

    rom: Path | None
    signed: dict[int, Path]
    key_hashes: tuple[bytes, ...]
    summary: str


def _sign_all(
    ring: KeyRing, bodies: dict[int, Path], directory: Path, note: Callable[[str], None]
) -> dict[int, Path]:
    signed = {}
    for number, body in bodies.items():
        note(f"signing release {number}")
        signed[number] = sign_image(
            body,
            ring.image_key_paths[0],
            version=f"{number}.0.0+{number}",
            security_counter=COUNTERS[number],
            out=directory / f"release-{number}.img",
        )
    return signed


def simulated_images(ring: KeyRing, directory: Path, note: Callable[[str], None]) -> Images:
    """Sign the images for SimulatedMachine into `directory`."""
    bodies = {}
    for number in COUNTERS:
        bodies[number] = directory / f"body-{number}.bin"
        bodies[number].write_bytes(release_body(hangs=number == HANGING))
    hashes = tuple(key_hash(path) for path in ring.image_key_paths)
    signed = _sign_all(ring, bodies, directory, note)
    return Images(None, signed, hashes, "five releases signed by imgtool for the simulated boot ROM")


def firmware_images(
    ring: KeyRing,
    directory: Path,
    note: Callable[[str], None],
    *,
    root: Path | None = None,
    variant: str = "release",
    board: EmulatedBoard = DEFAULT,
) -> Images:
    """Build boot ROM and firmware for an emulated board, or take them from the cache; sign the images.

    `root`: the source tree, in place of this installation's. `variant`: in place of the release (`cut`, `radio`).
    """
    from provisioning.firmware.build import build, build_rom

    root = root or source_root()
    hashes = tuple(key_hash(path) for path in ring.image_key_paths)
    rom = build_rom([digest.hex() for digest in hashes], root=root, progress=note, board=board.name)
    release = build(variant, root=root, progress=note, board=board.name)
    moved = release if variant != "release" else build("moved", root=root, progress=note, board=board.name)
    hang = build("hang", root=root, progress=note, board=board.name)
    variants = {2: moved, 3: moved, HANGING: hang, 5: moved}
    bodies = {number: variants.get(number, release).image for number in COUNTERS}
    signed = _sign_all(ring, bodies, directory, note)
    size = release.image.stat().st_size
    summary = (
        f"firmware {size // 1024} KiB, SHA-256 {release.sha256[:16]}…; boot ROM SHA-256 {rom.sha256[:16]}…; "
        "five releases signed by imgtool"
    )
    return Images(rom.elf, signed, hashes, summary)


def require_key(image: Path, key_hashes: tuple[bytes, ...]) -> None:
    """Raise WorldError unless `image` is a boot image that one of the keys signed."""
    try:
        info = image_info(image.read_bytes())
    except (OSError, ImageFormatError) as error:
        raise WorldError(f"{image} is not a signed boot image: {error}") from None
    if info.key_hash not in key_hashes:
        raise WorldError(
            f"{image} is signed with a key that is not in the key folder. The boot ROM refuses it."
        )
