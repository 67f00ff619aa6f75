"""The cost of a delta payload on the emulated board: instructions, RAM and bytes, with real firmware.

The source and the target are signed images of this firmware, the patch is detools'. They are in unused places of NVM,
where the board's own device/update/patching.py builds the target. Instructions as in run.py.

`.venv/bin/python -m tests.benchmarks.delta` prints them for whole images: a release and the same code
moved by 64 bytes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from device.limits import CHUNK_BYTES
from provisioning.release.delta import create_patch
from provisioning.release.payload import split_chunks
from tests.emulated.firmware_support import Kit, Prompt

TICK: Final = 40  # instructions: 1 GHz of guest time over 25 MHz of SysTick
PLACES: Final = (0x900000, 0xB00000)
PLACE_BYTES: Final = 0x200000
TIMEOUT_S: Final = 300
FREE_BYTES: Final = 8192

_SETUP: Final = """
import gc, time, _mps2
from collections import namedtuple
from hashlib import sha256
from device.layout import MPS2
from device.ports.mps2 import Mps2Flash
from device.update import patching
from device.update.slots import Slots
T = namedtuple("T", ("digest", "size"))
D = namedtuple("D", ("source_digest", "source_size", "chunks", "patch"))
M = namedtuple("M", ("firmware", "delta"))
places = Slots(Mps2Flash(), MPS2, {places}, {place_bytes})
manifest = M(T(bytes.fromhex("{target}"), {target_bytes}),
    D(bytes.fromhex("{source}"), {source_bytes}, None, T(b"", {patch_bytes})))
def bring(*_):
    return iter(())
def make():
    _mps2.watchdog_feed()
    running = patching.make(manifest, places, 1, bring)
    answer = None
    try:
        while True:
            effect = running.send(answer)
            answer = isinstance(effect, patching.TryDelta)
            if isinstance(effect, patching.DeltaDone) and effect.error:
                raise effect.error
            _mps2.watchdog_feed()
    except StopIteration as done:
        return done.value
def spoil():
    places.erase_sector(1, 0)
"""
_COUNT: Final = """
spoil(); gc.collect(); begin = time.ticks_cpu(); made = make(); end = time.ticks_cpu()
print(made, time.ticks_diff(end, begin))
"""
_HEAP: Final = """
spoil(); gc.collect(); before = gc.mem_alloc(); gc.threshold(2048); _mps2.heap_peak_restart()
made = make(); gc.collect(); peak = _mps2.heap_peak(); gc.threshold(-1)
print(made, peak - before)
"""
# One block of FREE_BYTES is reserved, all other free places of the heap are filled, then the block is freed. An
# allocation that does not fit into it raises MemoryError.
_SQUEEZED: Final = """
spoil()
def fill():
    kept, held, at, size = bytearray({free}), [None] * 6000, 0, 1 << 20
    gc.collect()
    while size >= 16 and at < len(held):
        try:
            held[at] = bytearray(size)
            at += 1
        except MemoryError:
            size //= 2
    return held
held = fill()
gc.collect()
free = gc.mem_free()
made = make()
held = None
gc.collect()
print(made, free)
"""


def measure(
    kit: Kit, folder: Path, source: bytes, target: bytes, patch: bytes | None = None
) -> dict[str, int]:
    """Return {"patch": bytes, "wire": bytes with the list, "instructions", "heap": its peak, "squeezed": free before}.

    Raises AssertionError if the board does not build the target, RemoteError for an exception on the board.
    """
    patch = create_patch(source, target) if patch is None else patch
    with kit.board(folder, "development", has_network=False, icount_shift=0) as board:
        limit = PLACE_BYTES - CHUNK_BYTES
        at = limit - (len(patch) + CHUNK_BYTES - 1) // CHUNK_BYTES * CHUNK_BYTES
        board.nvm.write(PLACES[0], source)
        board.nvm.write(PLACES[1] + at, patch)
        board.power_on()
        prompt = Prompt(board).enter()
        prompt.run(_setup(source, target, patch))
        ticks = _figure(prompt.run(_COUNT, TIMEOUT_S))
        heap = _figure(prompt.run(_HEAP, TIMEOUT_S))
        squeezed = _figure(prompt.run(_SQUEEZED.replace("{free}", str(FREE_BYTES)), TIMEOUT_S))
        board.cut_power()
        if board.nvm.read(PLACES[1], len(target)) != target:
            raise AssertionError("the board made something else")
    return {
        "patch": len(patch),
        "wire": len(patch) + len(split_chunks(patch)),
        "instructions": ticks * TICK,
        "heap": heap,
        "squeezed": squeezed,
    }


def _setup(source: bytes, target: bytes, patch: bytes) -> str:
    from hashlib import sha256

    return _SETUP.format(
        places=PLACES,
        place_bytes=PLACE_BYTES,
        target=sha256(target).hexdigest(),
        target_bytes=len(target),
        source=sha256(source).hexdigest(),
        source_bytes=len(source),
        patch_bytes=len(patch),
    )


def _figure(printed: str) -> int:
    made, figure = printed.split()
    if made != "True":
        raise AssertionError(f"the board did not make the target: {printed}")
    return int(figure)


def main() -> None:
    """Measure the whole images; print each figure and the figure to reach."""
    with tempfile.TemporaryDirectory() as folder:
        kit = Kit(Path(folder))
        source = kit.image("release", "1.0.0+1").read_bytes()
        target = kit.image("moved", "2.0.0+2").read_bytes()
        found = measure(kit, Path(folder) / "board", source, target)
    print(f"firmware {len(target)} bytes, patch {found['patch']}, over the wire {found['wire']}")
    print(f"instructions {found['instructions']} ({found['instructions'] / len(target):.0f} a byte)")
    print(f"heap at most {found['heap']} bytes, to reach 8192; applied with {found['squeezed']} bytes free")


if __name__ == "__main__":
    main()
