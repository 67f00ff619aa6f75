"""Parts that the tests of the firmware share: built variants signed with their own key, boards, a board's prompt."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.firmware.build import FirmwareBuild, build, build_rom
from provisioning.firmware.emulated import DEFAULT, EMULATED, EmulatedBoard
from provisioning.firmware.errors import MissingToolError, SourcesError
from provisioning.release.image import key_hash, sign_image
from renode.errors import MachineError
from renode.qemu import QemuBoard

CHECKOUT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60  # generous: the machine may be busy with other things
UNDER_TEST = EMULATED[os.environ.get("FIRSTBOOT_TEST_BOARD", DEFAULT.name)]  # tools/ci.sh, nightly

_INTERRUPT, _RAW, _NORMAL, _RUN = b"\x03", b"\x01", b"\x02", b"\x04"


class Kit:
    """A ROM with one image key, and signed images of any variant."""

    def __init__(self, folder: Path, kind: EmulatedBoard = DEFAULT) -> None:
        self.folder, self.kind = folder, kind
        self.key = folder / "image-key.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.rom = build_rom([key_hash(self.key).hex()], root=CHECKOUT, board=kind.name).elf
        self._images: dict[tuple[str, str], Path] = {}

    def firmware(self, variant: str) -> FirmwareBuild:
        return build(variant, root=CHECKOUT, board=self.kind.name)

    def image(self, variant: str, version: str = "1.0.0+1") -> Path:
        """Return the signed image of a variant."""
        if (variant, version) not in self._images:
            raw = self.firmware(variant).image
            self._images[variant, version] = self.sign(raw, f"{variant}-{version}.img", version)
        return self._images[variant, version]

    def sign(self, raw: Path, name: str, version: str = "1.0.0+1") -> Path:
        out = self.folder / name
        sign_image(raw, self.key, version=version, security_counter=0, out=out)
        return out

    @contextmanager
    def board(self, directory: Path, variant: str = "development", **options):
        """Return a programmed board, powered off; it is closed at the end."""
        with QemuBoard(directory, kind=self.kind, **options) as board:
            board.program(self.rom, self.image(variant))
            yield board


class RemoteError(AssertionError):
    """Code at the board's prompt raised an exception (the text is its traceback) or made the board restart."""


class Prompt:
    """Run Python on a board with an open console, through the raw prompt."""

    def __init__(self, board: QemuBoard) -> None:
        self.board = board

    def enter(self) -> "Prompt":
        """Stop the agent and open the raw prompt of a board that was just started."""
        console = self.board.console
        found = console.wait_for(r"^firstboot \S+ on \w+: .*\n|^>>> ", TIMEOUT_S)
        if found.group() != ">>> ":
            console.send(_INTERRUPT)
            console.wait_for(r"^>>> ", TIMEOUT_S)
        console.send(_RAW)
        console.wait_for(r"raw REPL; CTRL-B to exit\n>", TIMEOUT_S)
        return self

    def run(self, code: str, timeout_s: float = TIMEOUT_S) -> str:
        """Return the output of `code`. Raises RemoteError with an exception's traceback or the cause of a restart."""
        console = self.board.console
        console.skip()
        console.send(code.encode() + _RUN)
        found = console.wait_for(r"OK([^\x04]*)\x04([^\x04]*)\x04>|^firmware: .*: restarting\n", timeout_s)
        if found.group(1) is None:
            raise RemoteError(found.group())
        if found.group(2):
            raise RemoteError(found.group(2))
        return found.group(1)

    def evaluate(self, expression: str) -> str:
        """Return the repr of an expression."""
        return self.run(f"print(repr({expression}))").strip()


def need_tools() -> None:
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")


def make_kit(folder: Path, kind: EmulatedBoard) -> Kit:
    """Return the kit of a board; skip the test if a tool is missing."""
    need_tools()
    try:
        return Kit(folder, kind)
    except (MissingToolError, SourcesError) as error:  # a build that fails is a failure
        pytest.skip(f"firmware: {error}")


@pytest.fixture(scope="session")
def kit(tmp_path_factory) -> Kit:
    return make_kit(tmp_path_factory.mktemp("firmware"), UNDER_TEST)


@pytest.fixture(scope="module")
def prompt(kit, tmp_path_factory):
    """A development board at its prompt, one for a whole module: no test leaves a state that another one sees."""
    with kit.board(tmp_path_factory.mktemp("board")) as board:
        board.power_on()
        yield Prompt(board).enter()


def remote_name(error: BaseException) -> str:
    """Return the name and text of the exception in a traceback."""
    lines = [line for line in str(error).splitlines() if re.match(r"\w+", line)]
    return lines[-1] if lines else ""


__all__ = [
    "CHECKOUT",
    "TIMEOUT_S",
    "Kit",
    "MachineError",
    "Prompt",
    "RemoteError",
    "kit",
    "make_kit",
    "prompt",
    "remote_name",
]
