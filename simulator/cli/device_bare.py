"""`firstboot device bare`: unprovisioned boards, each with a factory port, for a station to provision."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from device.errors import LinkError
from provisioning.cli.output import print_json_line
from provisioning.keys.key_ring import KeyRing
from simulator.cli.options import On, OnOption, end_by_signal
from simulator.story.errors import WorldError

if TYPE_CHECKING:
    from simulator.story.images import Images

READ_BYTES: Final = 4096
POLL_S: Final = 0.05
LOOK_S: Final = 0.5  # how often the boards are looked at
MOST: Final = 32


class PortServer:
    """A board's factory port as a Unix socket that only this user can open; one station at a time."""

    def __init__(self, path: Path, line: Any) -> None:
        self.path = path
        self._line = line
        self._is_open = True
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, name=path.name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the connection and the thread."""
        self._is_open = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while self._is_open:
            try:
                station, _ = self._listener.accept()
            except OSError:
                return
            with station:
                self._carry(station)

    def _carry(self, station: socket.socket) -> None:
        """Carry bytes both ways until the station or this server closes. A board that is off does not answer."""
        station.settimeout(POLL_S)
        while self._is_open:
            with suppress(TimeoutError):
                try:
                    data = station.recv(READ_BYTES)
                except ConnectionError:
                    return
                if not data:
                    return
                with suppress(LinkError, OSError):
                    self._line.write(data)
            try:
                answer = self._line.read(0)
            except (LinkError, OSError):
                continue
            if answer:
                try:
                    station.sendall(answer)
                except OSError:
                    return


@contextmanager
def bare_boards(
    on: str, folder: Path, count: int, ring: KeyRing, note: Callable[[str], None]
) -> Iterator[list[tuple[Any, PortServer]]]:
    """Yield `count` programmed, powered boards with their ports; all end with the block."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    images = _images(on, ring, folder, note)
    with ExitStack() as stack:
        made = []
        for number in range(1, count + 1):
            machine = stack.enter_context(_machine(on, folder / f"board{number}", images))
            machine.program(images.rom, images.signed[1])
            machine.power_on()
            port = PortServer(folder / f"port{number}", machine.factory_port())
            stack.callback(port.close)
            made.append((machine, port))
        yield made


def _images(on: str, ring: KeyRing, folder: Path, note: Callable[[str], None]) -> Images:
    from simulator.story.images import firmware_images, simulated_images

    (folder / "images").mkdir(exist_ok=True)
    return (simulated_images if on == "sim" else firmware_images)(ring, folder / "images", note)


def _machine(on: str, directory: Path, images: Images) -> Any:
    if on == "sim":
        from simulator.device import SimulatedMachine

        return SimulatedMachine(directory, images.key_hashes)
    if on == "renode":
        from renode.renode import RenodeBoard

        return RenodeBoard(directory)
    from renode.qemu import QemuBoard

    return QemuBoard(directory)


def bare(
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Number of boards.")] = 1,
    on: OnOption = On.sim,
    keys: Annotated[
        Path | None,
        typer.Option(help="Key folder whose image key signs the firmware. Default: development keys."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for ports, flash and logs. Default: a temporary folder."),
    ] = None,
    is_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON document per line: the boards and their image, then each unit's pages.",
        ),
    ] = False,
) -> None:
    """Run unprovisioned boards for `firstboot station run` or `provision`, until Ctrl-C.

    The factory port of each board is a Unix socket. The boards contain only firmware, signed with the first image key.
    After the station is done, a simulated board serves its pages, and the command prints their address for `firstboot
    onboard`. Ctrl-C or SIGTERM ends the command with exit code 0.

    Example: `firstboot device bare --count 3 --keys line/keys`
    """
    end_by_signal()
    directory = folder if folder is not None else Path(tempfile.mkdtemp(prefix="firstboot-bare-"))
    try:
        ring = KeyRing(keys) if keys is not None else KeyRing.generate_development(_development_keys())
        _serve(on.value, directory, count, ring, is_json)
    except KeyboardInterrupt:
        typer.echo("device: ended", err=True)
    except (OSError, RuntimeError) as error:
        raise WorldError(f"device: {error}") from None
    finally:
        if folder is None:
            shutil.rmtree(directory, ignore_errors=True)


def _serve(on: str, directory: Path, count: int, ring: KeyRing, is_json: bool) -> None:
    """Run the boards until Ctrl-C (KeyboardInterrupt). Print their ports and the digest of their image."""
    with bare_boards(on, directory, count, ring, _note) as boards:
        ports = {_hardware_id(machine): f"unix:{port.path}" for machine, port in boards}
        _print_boards(ports, _digest(directory / "images" / "release-1.img"), is_json)
        _note("the boards are waiting at their ports; Ctrl-C ends them")
        shown: set[str] = set()
        while True:
            time.sleep(LOOK_S)
            if on == On.sim:
                _print_pages([machine for machine, _ in boards], shown, is_json)


def _print_boards(ports: dict[str, str], digest: str, is_json: bool) -> None:
    """Print the port of each board, by hardware id, and the digest of their image."""
    if is_json:
        boards = [{"hardware_id": name, "port": port} for name, port in ports.items()]
        print_json_line({"boards": boards, "image_digest": digest})
        return
    for name, port in ports.items():
        typer.echo(f"board {name}  --port {port}")
    typer.echo(f"image --image-digest {digest}")
    sys.stdout.flush()  # a program that reads this through a pipe waits for it


def _print_pages(machines: list[Any], shown: set[str], is_json: bool) -> None:
    """Print the address of each simulated unit's pages once it serves them: after the station is done."""
    for machine in machines:
        host, port = machine.web_address
        name = _hardware_id(machine)
        if not port or name in shown:
            continue
        shown.add(name)
        if is_json:
            print_json_line({"hardware_id": name, "host": f"{host}:{port}"})
        else:
            typer.echo(f"pages {name}  --host {host}:{port}")
            sys.stdout.flush()


def _development_keys() -> Path:
    from simulator.story.maker_keys import KEYS

    return KEYS


def _hardware_id(machine: Any) -> str:
    return bytes(machine.hardware_id).hex()


def _digest(image: Path) -> str:
    from provisioning.release.image import image_info

    return image_info(image.read_bytes()).digest.hex()


def _note(text: str) -> None:
    if text.startswith("signing release"):
        return  # the images are those of the whole story; the boards use the first
    typer.echo(f"device: {text}", err=True)
