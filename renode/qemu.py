"""A board on QEMU: NVM as a file, serial lines over socket pairs.

QEMU inherits the lines as descriptors: they have no path and no port, so nothing else can connect to them.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final, Protocol

from device.layout import MPS2
from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from renode.errors import EmulatorError, ToolMissingError
from renode.gateway import Gateway
from renode.gdbstub import write_memory
from renode.machine import Board, HostLines, private_file
from renode.qmp import Qmp

PROGRAM: Final = "qemu-system-arm"
LINES: Final = ("console", "network", "factory")  # UART0, 1, 2
MORE_LINES: Final = ("radio", "improv")  # UART3, 4, which only firmware of the variant `radio` uses
INSTRUCTION_SHIFT: Final = 1  # an instruction takes 2 ns of guest time, as on an idle host without this clock
_END_TIMEOUT_S: Final = 10.0
_LAST_OUTPUT_BYTES: Final = 2000


class LineEnd(Protocol):
    """The host's end of a serial line."""

    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        """Use the connected `line` of a board that was just powered on, and close it in the end."""

    def detach(self) -> None:
        """Close the line, if there is one."""


class QemuBoard(Board):
    """A board on QEMU 7.2 or later."""

    def __init__(
        self,
        directory: Path,
        *,
        has_network: bool = True,
        has_seed: bool = True,
        icount_shift: int | None = None,
        kind: EmulatedBoard = DEFAULT,
        gateway: Gateway | None = None,
        more_lines: Mapping[str, LineEnd] | None = None,
    ) -> None:
        """As Board. An instruction takes 2**INSTRUCTION_SHIFT ns of guest time; an idle guest waits in the host's time.

        So guest limits, the watchdog's above all, follow the guest's work, and a busy host does not exceed them.
        With `icount_shift` an instruction takes 2**icount_shift ns, and an idle guest skips to its next timer: the
        same work takes the same guest time in every run. `more_lines`: the host's ends of lines of MORE_LINES.
        """
        super().__init__(directory, has_network=has_network, has_seed=has_seed, kind=kind, gateway=gateway)
        self._more_lines = dict(more_lines or {})
        self._icount_shift = icount_shift
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: Qmp | None = None
        self._log_path = directory / "qemu.log"

    @property
    def is_powered(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """Return the process id of the running emulator, None if it is off."""
        return self._process.pid if self._process is not None and self.is_powered else None

    def _start(self, page: bytes) -> HostLines:
        with contextlib.ExitStack() as on_error, contextlib.ExitStack() as always:
            ours, theirs = {}, {}
            for name in self._line_names:
                ours[name], theirs[name] = socket.socketpair()
                on_error.callback(ours[name].close)
                always.callback(theirs[name].close)
            descriptors = tuple(line.fileno() for line in theirs.values())
            chardevs = {name: f"socket,id={name},fd={line.fileno()},mux=on" for name, line in theirs.items()}
            on_error.callback(self._stop)
            self._launch(page, chardevs, descriptors)
            for name, end in self._more_lines.items():
                end.attach(ours[name], is_mux=True)
            on_error.pop_all()
        return HostLines(ours["console"], ours["factory"], ours.get("network"), is_mux=True)

    @property
    def _line_names(self) -> list[str]:
        """The lines that this board has, in the order of their UARTs."""
        lines = [name for name in LINES if name != "network" or self._gateway is not None]
        return lines + [name for name in MORE_LINES if name in self._more_lines]

    def _detach(self) -> None:
        super()._detach()
        for end in self._more_lines.values():
            end.detach()

    def _launch(self, page: bytes, chardevs: dict[str, str], descriptors: tuple[int, ...] = ()) -> None:
        """Start QEMU with these lines; return when it has set the machine up. The caller stops it after an error.

        `chardevs` has the values of -chardev, those of the lines by name; QEMU inherits `descriptors` for them.
        """
        program = find_program()
        with contextlib.ExitStack() as always:
            ours, theirs = socket.socketpair()
            always.callback(theirs.close)
            self._qmp = Qmp(ours)
            page_fd = always.enter_context(private_file(page, "power-on-page"))
            log = always.enter_context(self._log_path.open("wb"))
            command = [program, *self._arguments(chardevs, theirs.fileno(), page_fd)]
            (self.directory / "command-line.txt").write_text(shlex.join(command) + "\n")
            self._process = _spawn(command, log, (*descriptors, theirs.fileno(), page_fd))
            theirs.close()  # the monitor then ends when QEMU ends
            try:
                self._qmp.negotiate()  # QEMU has read the page by then
            except EmulatorError as error:
                raise EmulatorError(f"{error}; QEMU's last output: {self._last_output()}") from None

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(_END_TIMEOUT_S)
        if self._qmp is not None:
            self._qmp.close()
            self._qmp = None

    def read_word(self, address: int) -> int:
        """As Board.read_word."""
        text = self._command(f"x /1wx {address:#x}")  # as the guest, so on the secure side if that is there
        try:
            return int(text.split(":")[1], 16)
        except (IndexError, ValueError):
            raise EmulatorError(f"QEMU printed no word: {text.strip()!r}") from None

    def _write(self, address: int, data: bytes) -> None:
        with self._debug_stub() as path:
            write_memory(path, address, data)

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        self._command("stop")
        try:
            yield
        finally:
            self._command("cont")  # if the debug stub's detach has not continued it already

    def read_memory(self, address: int, length: int) -> bytes:
        """Return `length` bytes of physical memory. Raises EmulatorError.

        QEMU writes them to a file in a private temporary folder, which is removed on return.
        """
        if self._qmp is None:
            raise EmulatorError("the board is off")
        with tempfile.TemporaryDirectory(prefix="ram-") as folder:
            path = Path(folder) / "memory"
            self._qmp.execute("pmemsave", val=address, size=length, filename=str(path))
            return path.read_bytes()

    @contextlib.contextmanager
    def _debug_stub(self) -> Iterator[str]:
        """Yield the path of a socket to QEMU's debug stub, in a private folder; stop the stub on exit."""
        with tempfile.TemporaryDirectory(prefix="gdb-") as folder:  # a socket's path has 108 bytes at most
            path = f"{folder}/stub"
            self._command(f"gdbserver unix:{path},server=on,wait=off")
            try:
                yield path
            finally:
                self._command("gdbserver none")

    def _command(self, line: str) -> str:
        if self._qmp is None:
            raise EmulatorError("the board is off")
        return str(self._qmp.execute("human-monitor-command", **{"command-line": line}))

    def _reset(self) -> None:
        if self._qmp is not None:
            self._qmp.execute("system_reset")

    def _arguments(self, chardevs: dict[str, str], qmp_fd: int, page_fd: int) -> list[str]:
        nvm = f"memory-backend-file,id=nvm,mem-path={_escaped(self.nvm.path)},size={MPS2.size_bytes},share=on"
        arguments = ["-nodefaults", "-no-user-config", "-display", "none"]
        arguments += ["-object", nvm, "-machine", f"{self.kind.machine},memory-backend=nvm"]
        arguments += ["-kernel", str(self.rom_path)]
        page = f"loader,file=/proc/self/fd/{page_fd},addr={self.kind.address('POWER_ON_ADDRESS'):#x},force-raw=on"
        arguments += ["-device", page]
        arguments += ["-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"]
        lines = (*LINES, *MORE_LINES) if self._more_lines else LINES
        nulls = {name: f"null,id={name}" for name in lines if name not in chardevs}
        for chardev in (nulls | chardevs).values():
            arguments += ["-chardev", chardev]
        for name in lines:
            arguments += ["-serial", f"chardev:{name}"]
        return arguments + self._time_arguments()

    def _time_arguments(self) -> list[str]:
        """Return the arguments about guest time."""
        if self._icount_shift is None:
            return ["-icount", f"shift={INSTRUCTION_SHIFT},sleep=on"]
        return ["-icount", f"shift={self._icount_shift},sleep=off"]

    def _exit_code(self, timeout_s: float) -> int | None:
        """Return the exit code of QEMU once it has ended, None if it still runs after `timeout_s`."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _last_output(self) -> str:
        try:
            return (
                self._log_path.read_bytes()[-_LAST_OUTPUT_BYTES:].decode("utf-8", "replace").strip() or "none"
            )
        except OSError:
            return "none"


def find_program() -> str:
    """Return the path of QEMU. Raises ToolMissingError."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise ToolMissingError(PROGRAM, "Debian package qemu-system-arm")
    return program


def _escaped(path: Path) -> str:
    """Return a path as an option value of QEMU, in which commas are doubled."""
    return str(path).replace(",", ",,")


def _spawn(command: list[str], log: IO[bytes], pass_fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start a process that the kernel kills when this process ends (if util-linux's setpriv is installed).

    For the kernel the parent is the thread that forked, so one thread that lives to the end starts them all.
    """
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "KILL"] if setpriv is not None else []
    return _spawner.submit(
        subprocess.Popen,
        [*prefix, *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=pass_fds,
    ).result()


_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
