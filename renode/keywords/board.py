"""Robot keywords for one emulated board, the same on QEMU and Renode.

Images are signed with keys drawn for the run; no keyword ever sees a key or a seed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.firmware.build import build, build_rom
from provisioning.release.image import key_hash, sign_image
from renode.machine import Board
from renode.qemu import QemuBoard
from renode.renode import RenodeBoard

CHECKOUT: Final = Path(__file__).resolve().parents[2]
BACKS: Final[dict[str, type[Board]]] = {"qemu": QemuBoard, "renode": RenodeBoard}
WAIT_S: Final = 120.0  # Renode runs the firmware at a third of QEMU's speed
STORY_TIMEOUT_S: Final = 3600


class BoardLibrary:
    """Keywords; one board per test, closed by `Close The Board`."""

    ROBOT_LIBRARY_SCOPE = "SUITE"

    def __init__(self, back: str = "qemu") -> None:
        if back not in BACKS:
            raise ValueError(f"no back {back!r}: there are {', '.join(BACKS)}")
        self._back = back
        self._work = tempfile.TemporaryDirectory(prefix="fb-robot-")
        self._folder = Path(self._work.name)
        self._rom: Path | None = None
        self._key = self._folder / "image-key.pem"
        self._board: Board | None = None
        self._boards = 0

    # -- before the tests ----------------------------------------------------------------------------

    def build_firmware_and_boot_rom(self) -> None:
        """Build both, or take them from the cache; the ROM knows a key drawn now."""
        _draw_key(self._key)
        self._rom = build_rom([key_hash(self._key).hex()], root=CHECKOUT).elf

    # -- given ---------------------------------------------------------------------------------------

    def a_programmed_board(self) -> None:
        """A new board with release 1 in slot 0, powered off."""
        self._boards += 1
        if self._rom is None:
            raise AssertionError("the suite set-up did not build the boot ROM")
        self._board = BACKS[self._back](self._folder / f"board-{self._boards}")
        self._board.program(self._rom, self._signed(1))

    def release_is_staged_in_slot(self, release: str, slot: str) -> None:
        """Write a release with its staged mark, as an update would have left it."""
        self._here.nvm.install(int(slot), self._signed(int(release)).read_bytes())

    def a_release_with_one_flipped_bit_is_staged_in_slot(self, slot: str) -> None:
        image = bytearray(self._signed(2).read_bytes())
        image[len(image) // 2] ^= 1
        self._here.nvm.install(int(slot), bytes(image))

    # -- when ----------------------------------------------------------------------------------------

    def the_power_comes_on(self) -> None:
        self._here.power_on()

    def the_power_is_cut(self) -> None:
        self._here.cut_power()

    def the_board_is_reset(self) -> None:
        self._here.console.skip()
        self._here.reset()

    # -- then ----------------------------------------------------------------------------------------

    def the_console_shows(self, text: str) -> None:
        """Wait for `text`, literally, behind what was waited for before."""
        self._here.console.wait_for(re.escape(text), WAIT_S)

    def the_console_never_showed(self, text: str) -> None:
        if text in self._here.console.text:
            raise AssertionError(f"the console showed {text!r}")

    def the_demo_passes_with_steps(self, *names: str) -> None:
        """Run `firstboot demo` on this back; it has to pass, and each named step in it."""
        result = self._folder / "demo.json"
        command = [str(Path(sysconfig.get_path("scripts")) / "firstboot"), "demo", "--on", self._back]
        done = subprocess.run(
            [*command, "--json", str(result)], cwd=CHECKOUT, timeout=STORY_TIMEOUT_S, check=False
        )
        _check_story(json.loads(result.read_text()), done.returncode, names)

    def close_the_board(self) -> None:
        """Cut the power and end everything that belongs to the board."""
        board, self._board = self._board, None
        if board is not None:
            if board.console.text:
                sys.stdout.write(board.console.text)  # Robot's log keeps it
            board.close()

    # -- inside --------------------------------------------------------------------------------------

    @property
    def _here(self) -> Board:
        if self._board is None:
            raise AssertionError("there is no board: start with `A Programmed Board`")
        return self._board

    def _signed(self, release: int) -> Path:
        out = self._folder / f"release-{release}.img"
        if not out.exists():
            firmware = build("release", root=CHECKOUT)
            sign_image(firmware.image, self._key, version=f"{release}.0.0", security_counter=1, out=out)
        return out


def _draw_key(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)


def _check_story(found: dict[str, object], exit_code: int, names: Sequence[str]) -> None:
    steps = found.get("steps")
    statuses = {step["name"]: step["status"] for step in steps} if isinstance(steps, list) else {}
    missing = [name for name in names if statuses.get(name) != "passed"]
    if exit_code != 0 or missing:
        raise AssertionError(f"the demo ended with {exit_code}; not passed: {missing}; steps: {statuses}")
