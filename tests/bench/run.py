"""`make bench`: measure, print the table; `--json FILE` keeps the figures as data.

Instructions of the guest under `-icount shift=0` with frozen code that runs by itself: the same in every run. The
board's SysTick gives them in steps of 40. No time of this machine is measured.
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
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.firmware.build import BOARD, build, build_rom
from provisioning.firmware.header import write_header
from provisioning.firmware.sources import source_tree
from provisioning.signing.hss_signer import FORMS, HssSigner
from provisioning.signing.image import ImageKey, image_key, key_hash, sign_image
from provisioning.signing.pki import private_pem, write_private
from renode.qemu import QemuBoard
from tests.bench import station
from tests.bench.rows import results, table

CHECKOUT = Path(__file__).resolve().parents[2]
TICK = 40  # instructions: 1 GHz of guest time over 25 MHz of SysTick
RUN_TIMEOUT_S = 900
BODY_BYTES = 100 * 1024
THIRD_IMAGE_AT = 0x500000  # any free place in NVM: the ROM's code takes an offset
STACK = ("codec", "suit", "trust", "update", "net")
_LINE = re.compile(r"^BENCH (\S+) (\d+) (\d+)$", re.MULTILINE)


def board_figures(work: Path) -> dict[str, float]:
    """Everything below tests/bench/board, on the `bench` firmware."""
    key = _new_key(work / "key.pem")
    rom = build_rom([key_hash(key).hex()], root=CHECKOUT, progress=_say).elf
    raw = build("bench", root=CHECKOUT, progress=_say).image
    image = sign_image(raw, key, version="1.0.0", security_counter=0, out=work / "bench.img")
    with QemuBoard(work / "board", has_network=False, icount_shift=0) as board:
        board.program(rom, image)
        text = _console(board, r"^bench: \d+ done$")
    found: dict[str, float] = {}
    for name, ticks, heap in _LINE.findall(text):
        found[name], found[f"{name}.heap"] = int(ticks) * TICK, int(heap)
    return found


def boot_figures(work: Path) -> dict[str, float]:
    """The boot ROM's own code on an image of 100 KiB, by another main (tests/bench/rom/main.c)."""
    pems = [_new_key(work / f"image-{number}.pem") for number in range(3)]
    trees = [None] + [
        HssSigner.create(work / f"tree-{width}", FORMS[f"H5/W{width}"], work / "witness") for width in (4, 8)
    ]
    keys = [image_key(pem, tree.public if tree else b"") for pem, tree in zip(pems, trees, strict=True)]
    (work / "body.bin").write_bytes((0x20010000).to_bytes(4, "little") + (0x00100209).to_bytes(4, "little"))
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
    """Bytes of the release firmware's update stack, and of the boot ROM with one key."""
    sizes = build("release", root=CHECKOUT, progress=_say).sizes
    rom = build_rom(["ab" * 32], root=CHECKOUT, progress=_say)
    stack = sum(size for part, size in sizes.items() if part in {f"frozen: device.{name}" for name in STACK})
    return {"boot-rom": rom.size_bytes, **({"update-stack": stack} if stack else {})}


def _measuring_rom(build_in: Path, keys: list[ImageKey]) -> Path:
    layout = write_header(build_in / "layout").parent
    variables = {
        "BUILD": build_in,
        "MBEDTLS": source_tree(CHECKOUT, _say).mbedtls,
        "LAYOUT": layout,
        "IMAGE_KEYS": ",".join(key.text for key in keys),
        "MAIN": CHECKOUT / "tests" / "bench" / "rom" / "main.c",
    }
    rom = CHECKOUT / "device" / "boards" / BOARD / "rom"
    command = ["make", "-s", "-C", str(rom), *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: the measuring ROM does not build\n{done.stdout}{done.stderr}")
    return build_in / "rom.elf"


def _console(board: QemuBoard, end: str) -> str:
    board.power_on()
    board.console.wait_for(end, RUN_TIMEOUT_S)
    text = board.console.log_path.read_text().replace("\r", "")
    if "bench: failed" in text:
        raise SystemExit(text)
    return text


def _new_key(path: Path) -> Path:
    write_private(path, private_pem(ec.generate_private_key(ec.SECP256R1())))
    return path


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """0 when everything was measured, whatever was reached; 1 when something was not. `--station`: the factory's."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["--station"]:
        return station.main(words[1:])
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        measured = size_figures() | boot_figures(work) | board_figures(work)
    found = results(measured)
    print(table(found))
    missed = [one.row.name for one in found if one.verdict == "NOT REACHED"]
    absent = [one.row.name for one in found if one.value is None]
    print(f"\nnot reached: {', '.join(missed) or 'none'}; not measured: {', '.join(absent) or 'none'}")
    if options.json:
        rows = [vars(one.row) | {"value": one.value, "verdict": one.verdict} for one in found]
        draft = options.json.with_name(options.json.name + ".new")
        draft.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
        os.replace(draft, options.json)
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
