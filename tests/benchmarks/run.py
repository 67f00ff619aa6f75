"""`make bench`: measure rows 1 to 9, print the table and how many are reached; ARGS="--json FILE" writes it as data.

Instructions are those of the guest under `-icount shift=0` with frozen code that runs by itself: the same in every run.
The board's SysTick counts them in steps of 40. Transfers are in virtual time. Only row 9 is wall time of this machine.
ARGS="--write" writes the table into docs/performance.md; ARGS="--only board" measures one part; ARGS="--trends" draws
how costs grow (trends.py).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.firmware.build import build, build_rom
from provisioning.firmware.emulated import c_folder
from provisioning.firmware.header import write_headers
from provisioning.firmware.sources import source_tree
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.keys.pem import private_pem, write_private
from provisioning.release.image import ImageKey, image_key, key_hash, sign_image
from renode.qemu import QemuBoard
from tests.benchmarks import cuts, links, station, trends
from tests.benchmarks.rows import TICK, Result, results, summary, table
from tests.emulated.boot_support import VECTORS

CHECKOUT = Path(__file__).resolve().parents[2]
RUN_TIMEOUT_S = 400
BUILD_NUMBER = 7  # of the benchmark image: an update installs the running image as the release of this number
PAGE = CHECKOUT / "docs" / "performance.md"
TRENDS = CHECKOUT / "docs" / "assets" / "trends.svg"
MARKS = ("<!-- make bench --write: begin -->", "<!-- make bench --write: end -->")
BODY_BYTES = 100 * 1024
THIRD_IMAGE_AT = 0x500000  # any free place in NVM: the ROM's code takes an offset
STACK = ("codec", "suit", "trust", "update", "net")
_LINE = re.compile(r"^BENCH (\S+) (\d+) (\d+)$", re.MULTILINE)
_FIGURE = re.compile(r"^FIGURE (\S+) (-?\d+)$", re.MULTILINE)


ALL_OF_THE_BOARD = r"^bench: \d+ done$"
SHORT_OF_THE_BOARD = (
    r"^FIGURE coap\.ticks \d+$"  # every row of the board except growth and the heap of updates
)


def board_figures(work: Path, end: str = ALL_OF_THE_BOARD) -> dict[str, float]:
    """Run tests/benchmarks/board on the `bench` firmware, up to the line `end`."""
    key = _new_key(work / "key.pem")
    rom = build_rom([key_hash(key).hex()], root=CHECKOUT, progress=_say).elf
    raw = build("bench", root=CHECKOUT, progress=_say).image
    version = f"1.0.0+{BUILD_NUMBER}"
    image = sign_image(raw, key, version=version, security_counter=0, out=work / "bench.img")
    with QemuBoard(work / "board", has_network=False, icount_shift=0) as board:
        board.program(rom, image)
        return figures_of(_console(board, end))


def figures_of(text: str) -> dict[str, float]:
    """Return the figures that the board printed: instructions and bytes by name."""
    found: dict[str, float] = {name: int(value) for name, value in _FIGURE.findall(text)}
    for name, ticks, heap in _LINE.findall(text):
        found[name], found[f"{name}.heap"] = int(ticks) * TICK, int(heap)
    return found


def boot_figures(work: Path) -> dict[str, float]:
    """Run the boot ROM's own code on an image of 100 KiB, with another main (tests/benchmarks/rom/main.c)."""
    pems = [_new_key(work / f"image-{number}.pem") for number in range(3)]
    trees = [None] + [
        HssSigner.create(work / f"tree-{width}", FORMS[f"H5/W{width}"], work / "witness") for width in (4, 8)
    ]
    keys = [image_key(pem, tree.public if tree else b"") for pem, tree in zip(pems, trees, strict=True)]
    (work / "body.bin").write_bytes(VECTORS)
    with open(work / "body.bin", "ab") as body:
        body.write(bytes(BODY_BYTES - 8))
    images = [
        sign_image(
            work / "body.bin", pem, version="1.0.0", security_counter=0, out=work / f"{at}.img", hss=tree
        ).read_bytes()
        for at, (pem, tree) in enumerate(zip(pems, trees, strict=True))
    ]
    with QemuBoard(work / "rom-board", has_network=False, icount_shift=0) as board:
        shutil.copyfile(_measuring_rom(work / "rom", keys), board.rom_path)
        board.nvm.erase_all()
        board.nvm.install(0, images[0])
        board.nvm.install(1, images[1])
        board.nvm.write(THIRD_IMAGE_AT, images[2] + b"\xff" * (-len(images[2]) % 32))
        text = _console(board, r"^bench: (?:done|failed.*)$")
    return {name: int(ticks) * TICK for name, ticks, _ in _LINE.findall(text)}


def size_figures() -> dict[str, float]:
    """Return the bytes of the release firmware's update stack, and of the boot ROM with one key."""
    sizes = build("release", root=CHECKOUT, progress=_say).sizes
    rom = build_rom(["ab" * 32], root=CHECKOUT, progress=_say)
    stack = sum(size for part, size in sizes.items() if part in {f"frozen: device.{name}" for name in STACK})
    return {"boot-rom": rom.size_bytes, **({"update-stack": stack} if stack else {})}


def _measuring_rom(build_in: Path, keys: list[ImageKey]) -> Path:
    layout = write_headers(build_in / "layout")
    variables = {
        "BUILD": build_in,
        "MBEDTLS": source_tree(CHECKOUT, _say).mbedtls,
        "LAYOUT": layout,
        "IMAGE_KEYS": ",".join(key.text for key in keys),
        "MAIN": CHECKOUT / "tests" / "benchmarks" / "rom" / "main.c",
    }
    rom = c_folder(CHECKOUT) / "rom"
    command = ["make", "-s", "-C", str(rom), *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: the measuring ROM does not build\n{done.stdout}{done.stderr}")
    return build_in / "rom.elf"


def _console(board: QemuBoard, end: str) -> str:
    """Return the board's output up to its end. Raises SystemExit if it failed."""
    board.power_on()
    board.console.wait_for(rf"{end}|^firmware: main ended", RUN_TIMEOUT_S)
    text = board.console.log_path.read_text().replace("\r", "")
    if "bench: failed" in text or "firmware: main ended" in text:
        raise SystemExit(f"bench: the board failed\n{text}")
    return text


def _new_key(path: Path) -> Path:
    write_private(path, private_pem(ec.generate_private_key(ec.SECP256R1())))
    return path


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


Measure = Callable[[Path], dict[str, float]]
PARTS: dict[str, tuple[str, Measure]] = {
    "sizes": ("sizes of firmware and boot ROM", lambda work: size_figures()),
    "rom": ("the boot ROM's code on images of 100 KiB", boot_figures),
    "board": ("signatures, slot, manifest, transfer and update on the board", board_figures),
    "links": ("transfers over links, in virtual time", lambda work: links.figures()),
    "cuts-sim": ("power cuts in the simulator", lambda work: cuts.figures(work, "cuts-sim", cuts.SIM)),
    "cuts-qemu": ("power cuts on the board", lambda work: cuts.figures(work, "cuts-qemu", cuts.BOARD)),
}


def measure(parts: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the figures of the named parts, and the reason for each part without figures."""
    found: dict[str, float] = {}
    absent: dict[str, str] = {}
    for number, name in enumerate(parts, 1):
        began = time.monotonic()
        _say(f"[{number}/{len(parts)}] {PARTS[name][0]} ...")
        with tempfile.TemporaryDirectory(prefix="firstboot-bench-") as folder:
            try:
                found |= PARTS[name][1](Path(folder))
            except cuts.NotMeasuredError as error:
                absent[name] = str(error)
        _say(f"[{number}/{len(parts)}] {absent.get(name, 'done')}, {time.monotonic() - began:.0f} s")
    return found, absent


def write_page(page: Path, found: list[Result], ending: str) -> None:
    """Write the table between the two marks of `page`. Raises SystemExit if they are missing."""
    text = page.read_text()
    if any(text.count(mark) != 1 for mark in MARKS):
        raise SystemExit(f"bench: {page.name} has no place for the table ({MARKS[0]})")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    head = subprocess.run(
        ["git", "-C", str(page.parent), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    when = datetime.now(UTC).date().isoformat()
    what = (
        f"Measured on {when}, commit {head.stdout.strip() or 'unknown'}; QEMU mps2-an385 (Cortex-M3) with "
        "`-icount shift=0`, arm-none-eabi-gcc."
    )
    body = f"{MARKS[0]}\n{what}\n\n{table(found)}\n\n```\n{ending}\n```\n{MARKS[1]}"
    _replace(page, before + body + after)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    os.replace(draft, path)


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if every row of the chosen parts was measured, reached or not; 1 if one was not.

    `--station` as the first argument runs the factory's benchmarks (tests/benchmarks/station.py) with the others.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["--station"]:
        return station.main(words[1:])
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be repeated")
    parser.add_argument(
        "--trends", action="store_true", help="draw how costs grow into docs/assets/trends.svg"
    )
    options = parser.parse_args(words)
    if options.trends and options.only and "board" not in options.only:
        parser.error("--trends draws figures of the board")
    if options.write and options.only:
        parser.error("--write needs every part: the page keeps whole tables")
    measured, absent = measure(options.only or list(PARTS))
    found = [one for one in results(measured) if one.value is not None or not options.only]
    print(table(found))
    ending = summary(found, absent)
    print(f"\n{ending}")
    grown = trends.series(measured)
    if grown:
        print(f"\n{trends.table(grown)}")
    if grown and options.trends:
        _replace(TRENDS, trends.drawing(grown))
    if options.json:
        rows = [vars(one.row) | {"value": one.value, "verdict": one.verdict} for one in found]
        _replace(options.json, json.dumps({"rows": rows, "not_measured": absent}, indent=1) + "\n")
    if options.write:
        write_page(PAGE, found, ending)
    return 1 if absent or any(one.value is None for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
