"""Robot keywords for one emulated board, the same on QEMU and Renode.

Images are signed with keys that are generated for the run. No keyword receives a key or a seed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firstboot.locations import source_root
from provisioning.firmware.build import build, build_rom
from provisioning.release.image import key_hash, sign_image
from renode.machine import Board
from renode.qemu import QemuBoard
from renode.renode import RenodeBoard

EMULATORS: Final[dict[str, type[Board]]] = {"qemu": QemuBoard, "renode": RenodeBoard}
WAIT_S: Final = 120.0  # Renode runs the firmware at a third of the speed of QEMU
STORY_TIMEOUT_S: Final = 3600


class BoardLibrary:
    """Keywords; one board per test, closed by `Close The Board`."""

    ROBOT_LIBRARY_SCOPE = "SUITE"

    def __init__(self, emulator: str = "qemu") -> None:
        if emulator not in EMULATORS:
            raise ValueError(f"no emulator {emulator!r}; choose one of {', '.join(EMULATORS)}")
        self._emulator = emulator
        self._work = tempfile.TemporaryDirectory(prefix="fb-robot-")
        self._folder = Path(self._work.name)
        self._rom: Path | None = None
        self._key = self._folder / "image-key.pem"
        self._board: Board | None = None
        self._boards = 0

    # -- before the tests ----------------------------------------------------------------------------

    def build_firmware_and_boot_rom(self) -> None:
        """Build both, or take them from the cache. The ROM accepts a key that is generated now."""
        _generate_key(self._key)
        self._rom = build_rom([key_hash(self._key).hex()], root=source_root()).elf

    # -- given ---------------------------------------------------------------------------------------

    def a_programmed_board(self) -> None:
        """Create a board with release 1 in slot 0, powered off."""
        self._boards += 1
        if self._rom is None:
            raise AssertionError(
                "the boot ROM is missing: use the keyword `Build Firmware And Boot ROM` first"
            )
        self._board = EMULATORS[self._emulator](self._folder / f"board-{self._boards}")
        self._board.program(self._rom, self._signed(1))

    def release_is_staged_in_slot(self, release: str, slot: str) -> None:
        """Write a release and its staged mark, as an update leaves them."""
        self._here.nvm.install(int(slot), self._signed(int(release)).read_bytes())

    def a_release_with_one_flipped_bit_is_staged_in_slot(self, slot: str) -> None:
        """Write release 2 with one wrong bit and its staged mark."""
        image = bytearray(self._signed(2).read_bytes())
        image[len(image) // 2] ^= 1
        self._here.nvm.install(int(slot), bytes(image))

    # -- when ----------------------------------------------------------------------------------------

    def the_power_comes_on(self) -> None:
        """Power on with an empty RAM."""
        self._here.power_on()

    def the_power_is_cut(self) -> None:
        """Power off at once."""
        self._here.cut_power()

    def the_board_is_reset(self) -> None:
        """Pull the reset line; later waits look at new text only."""
        self._here.console.skip()
        self._here.reset()

    # -- then ----------------------------------------------------------------------------------------

    def the_console_shows(self, text: str) -> None:
        """Wait for the literal `text` after the text of the last wait."""
        self._here.console.wait_for(re.escape(text), WAIT_S)

    def the_console_never_showed(self, text: str) -> None:
        """Fail if the console printed `text` at any time."""
        if text in self._here.console.text:
            raise AssertionError(f"the console showed {text!r}")

    def the_demo_passes_with_steps(self, *names: str) -> None:
        """Run `firstboot demo` on this emulator. It must pass, and so must each named step."""
        result = self._folder / "demo.json"
        command = [sys.executable, "-P", "-m", "firstboot", "demo", "--on", self._emulator]
        done = subprocess.run([*command, "--json", str(result)], timeout=STORY_TIMEOUT_S, check=False)
        _check_story(json.loads(result.read_text()), done.returncode, names)

    def close_the_board(self) -> None:
        """Cut the power and end all processes of the board."""
        board, self._board = self._board, None
        if board is not None:
            if board.console.text:
                sys.stdout.write(board.console.text)  # Robot's log keeps it
            board.close()

    def close(self) -> None:
        """End what is left, and remove the folder of the suite."""
        self.close_the_board()
        self._work.cleanup()

    # -- inside --------------------------------------------------------------------------------------

    @property
    def _here(self) -> Board:
        if self._board is None:
            raise AssertionError("no board yet: use the keyword `A Programmed Board` first")
        return self._board

    def _signed(self, release: int) -> Path:
        out = self._folder / f"release-{release}.img"
        if not out.exists():
            firmware = build("release", root=source_root())
            sign_image(firmware.image, self._key, version=f"{release}.0.0", security_counter=1, out=out)
        return out


def _generate_key(path: Path) -> None:
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
