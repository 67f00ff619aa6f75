"""The five releases of the story, as signed boot images.

Release 4 hangs at start: on the board it is a build of its own whose main never feeds the watchdog, in the
simulator its note says so. The others carry the same firmware under their own version; on the board it lies 64 bytes
further on in releases 2, 3 and 5, so that a unit which keeps the chunks that it has finds none of the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioning.keys.key_ring import KeyRing
from provisioning.release.image import key_hash, sign_image
from simulator.device import release_body

HANGING = 4
ROOT = Path(__file__).resolve().parents[2]  # the checkout: sources to build and the cache of what was built
# release: security counter. Release 3 closes a hole, so older images never start again once it is confirmed.
COUNTERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}


@dataclass(frozen=True)
class Images:
    """Signed images by release number; `rom` is None in the simulator, whose boot ROM is Python."""

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
    """Images for SimulatedMachine."""
    bodies = {}
    for number in COUNTERS:
        bodies[number] = directory / f"body-{number}.bin"
        bodies[number].write_bytes(release_body(hangs=number == HANGING))
    hashes = tuple(key_hash(path) for path in ring.image_key_paths)
    signed = _sign_all(ring, bodies, directory, note)
    return Images(None, signed, hashes, "five releases signed by imgtool for the simulated boot ROM")


def firmware_images(ring: KeyRing, directory: Path, note: Callable[[str], None]) -> Images:
    """Boot ROM and firmware for the emulated board, built or taken from the cache."""
    from provisioning.firmware.build import build, build_rom

    hashes = tuple(key_hash(path) for path in ring.image_key_paths)
    rom = build_rom([digest.hex() for digest in hashes], root=ROOT, progress=note)
    release = build("release", root=ROOT, progress=note)
    moved = build("moved", root=ROOT, progress=note)
    hang = build("hang", root=ROOT, progress=note)
    variants = {2: moved, 3: moved, HANGING: hang, 5: moved}
    bodies = {number: variants.get(number, release).image for number in COUNTERS}
    signed = _sign_all(ring, bodies, directory, note)
    size = release.image.stat().st_size
    summary = (
        f"firmware {size // 1024} KiB, SHA-256 {release.sha256[:16]}…; boot ROM SHA-256 {rom.sha256[:16]}…; "
        "five releases signed by imgtool"
    )
    return Images(rom.elf, signed, hashes, summary)
