"""Boards that a session can check, with what the checks need around them: restart, button, light, a server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from firstboot.locations import source_root
from provisioning import fair_time
from simulator.porting.errors import BoardError, NoAnswerError
from simulator.porting.lines import ConsoleLine, Line, SerialLine, UnixLine
from simulator.porting.peer import Peer
from simulator.porting.prompt import Prompt
from simulator.porting.unix_port import unix_program

_SERIAL_PAUSE_S: Final = 0.01
_RETURN_S: Final = 30.0  # until a serial line is there again after a restart
_SETTLE_S: Final = 1.0
_LACKS: Final = {
    "burn": "it writes what cannot be erased: --burn allows it on a board that you can spare",
    "hand": "a person must press the button: --hand asks you at the terminal",
    "host": "it needs a server that the board reaches: --host with this computer's address",
}
_QEMU_STARTS: Final = r"firmware: (version|.*: restarting)"
_PRESS_S: Final = 1.0


@dataclass(frozen=True)
class Permissions:
    """Permissions and offers of the maker; `ask` shows an order or a question to a person and returns the answer."""

    may_burn: bool = False
    host: str = ""
    ask: Callable[[str, bool], bool] | None = None


class Target(Protocol):
    """A board. `feeds_at_prompt`: waiting at the prompt feeds its watchdog. `sees`: looks() has an answer."""

    feeds_at_prompt: bool
    sees: bool

    def prompt(self) -> Prompt:
        """Return a new prompt on the board's line. Raises BoardError."""

    def restart(self) -> None:
        """Restart the board, as a power cut does or as near to it as possible. Raises BoardError."""

    def lack(self, need: str) -> str:
        """Return why a check with this need cannot run here, "" if it can."""

    def bench(self, need: str) -> dict[str, Any]:
        """Return what a check with this need is given."""

    def act(self, order: str) -> None:
        """Carry out "press the button" or "release the button"."""

    def looks(self, what: str) -> bool:
        """Return whether "the light is on" or "the light is off"."""

    def close(self) -> None: ...


class _Served:
    """The part that all targets share: the TLS server, started when a check needs it."""

    def __init__(self, permissions: Permissions, bind: str) -> None:
        self._permissions = permissions
        self._bind = bind
        self._peer: Peer | None = None

    def lack(self, need: str) -> str:
        allowed = {
            "burn": self._permissions.may_burn,
            "hand": self._permissions.ask is not None,
            "host": bool(self._permissions.host),
        }
        return "" if allowed.get(need, True) else _LACKS[need]

    def bench(self, need: str) -> dict[str, Any]:
        if need != "host":
            return {}
        if self._peer is None:
            self._peer = Peer(self._bind)
        return {"host": self._permissions.host, **self._peer.bench}

    def _end_peer(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None


class SerialTarget(_Served):
    """A board on a serial line."""

    feeds_at_prompt = False

    def __init__(self, address: str, permissions: Permissions, settle_s: float = _SETTLE_S) -> None:
        """Open the line. `settle_s`: what a restart is given until the line is used again. Raises BoardError."""
        super().__init__(permissions, permissions.host)
        self._address = address
        self._settle_s = settle_s
        self._line: Line | None = SerialLine(address)
        self.sees = permissions.ask is not None

    def prompt(self) -> Prompt:
        end_s = fair_time.now() + _RETURN_S
        while self._line is None:
            try:
                self._line = SerialLine(self._address)
            except BoardError:
                if fair_time.now() > end_s:
                    raise
                time.sleep(self._settle_s)
        return Prompt(_Losing(self, self._line), pause_s=_SERIAL_PAUSE_S)

    def restart(self) -> None:
        """Restart through `machine.reset()`, not by a power cut."""
        prompt = self.prompt()
        try:
            prompt.enter(_RETURN_S)
            prompt.run("import machine\nmachine.reset()", self._settle_s)
        except NoAnswerError:
            pass  # it is restarting
        except BoardError:
            pass  # a line over USB goes away with the board
        self.lose()
        time.sleep(self._settle_s)

    def lose(self) -> None:
        """Close the line; the next prompt opens it again."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def act(self, order: str) -> None:
        if self._permissions.ask is not None:
            self._permissions.ask(order, False)

    def looks(self, what: str) -> bool:
        return self._permissions.ask is not None and self._permissions.ask(what, True)

    def close(self) -> None:
        self.lose()
        self._end_peer()


class _Losing:
    """A line that is forgotten when it fails, so that the next prompt opens a new one."""

    def __init__(self, target: SerialTarget, line: Line) -> None:
        self._target, self._line = target, line

    def write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except BoardError:
            self._target.lose()
            raise

    def read(self, timeout_s: float) -> bytes:
        try:
            return self._line.read(timeout_s)
        except BoardError:
            self._target.lose()
            raise

    def close(self) -> None:
        self._target.lose()


class UnixTarget(_Served):
    """MicroPython's unix port: a new process is a restart. It shows what needs no chip."""

    feeds_at_prompt = True
    sees = False

    def __init__(
        self,
        program: Path | None,
        permissions: Permissions,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`program`: None is the pinned MicroPython, built if the cache lacks it. Raises FirmwareError."""
        super().__init__(Permissions(permissions.may_burn, "127.0.0.1"), "127.0.0.1")
        self._program = program or unix_program(progress)
        self._line: UnixLine | None = None

    def prompt(self) -> Prompt:
        if self._line is None:
            self._line = UnixLine(self._program, [source_root()])
        return Prompt(self._line)

    def restart(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def act(self, order: str) -> None:
        """Nobody presses a button here."""

    def looks(self, what: str) -> bool:
        return False

    def close(self) -> None:
        self.restart()
        self._end_peer()


class QemuTarget(_Served):
    """The emulated board with a development build, which it makes if the cache lacks it. It has its own image key."""

    feeds_at_prompt = True
    sees = True

    def __init__(self, progress: Callable[[str], None]) -> None:
        """Build and switch on. Raises FirmwareError, MachineError."""
        from renode.qemu import QemuBoard

        super().__init__(Permissions(may_burn=True, host="10.0.2.2", ask=lambda text, _: True), "127.0.0.1")
        self._work = tempfile.TemporaryDirectory(prefix="firstboot-board-")
        folder = Path(self._work.name)
        self._board = QemuBoard(folder / "board")
        try:
            self._board.program(*_firmware(folder, progress))
            self._board.power_on()
        except BaseException:
            self.close()
            raise

    def prompt(self) -> Prompt:
        return Prompt(ConsoleLine(self._board.console), restarted=_QEMU_STARTS)

    def restart(self) -> None:
        self._board.cut_power()
        self._board.power_on()

    def act(self, order: str) -> None:
        if order == "press the button":
            self._board.press_button(_PRESS_S)

    def looks(self, what: str) -> bool:
        return self._board.is_light_on() == (what == "the light is on")

    def close(self) -> None:
        self._board.close()
        self._end_peer()
        self._work.cleanup()


def _firmware(folder: Path, progress: Callable[[str], None]) -> tuple[Path, Path]:
    """Return the boot ROM and a signed development build for it. Raises FirmwareError."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from provisioning.firmware.build import build, build_rom
    from provisioning.release.image import key_hash, sign_image

    key = folder / "image-key.pem"
    key.touch(mode=0o600)
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    raw = build("development", root=source_root(), progress=progress).image
    rom = build_rom([key_hash(key).hex()], root=source_root(), progress=progress).elf
    image = folder / "firmware.img"
    sign_image(raw, key, version="1.0.0+1", security_counter=1, out=image)
    return rom, image
