"""The Renode release that this project pins: version, address, size and SHA-256 of its portable archives.

The suites ran on Renode 1.15.3 and 1.16.1 that were built from source; the portable archives themselves were not run
here. To pin another release, change this file only.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import Final

VERSION: Final = "1.16.1"
ADDRESS: Final = f"https://github.com/renode/renode/releases/download/v{VERSION}/"
MAX_ARCHIVE_BYTES: Final = 400_000_000
MAX_UNPACKED_BYTES: Final = 2_000_000_000


@dataclass(frozen=True)
class Archive:
    """One portable archive: its file name, the SHA-256 of the file, and the program in it."""

    name: str
    sha256: str
    program: str = "renode"

    @property
    def url(self) -> str:
        return ADDRESS + self.name


ARCHIVES: Final = {
    ("linux", "x86_64"): Archive(
        f"renode-{VERSION}.linux-portable-dotnet.tar.gz",
        "00e113cdbd0f5354cf2f64bbe3f5a070d8958409542fca66e45ac97d982938c0",
    ),
    ("linux", "arm64"): Archive(
        f"renode-{VERSION}.linux-arm64-portable-dotnet.tar.gz",
        "fff3a098c96ed0a4ffbdff3f028c9c5fde432db09587c7bd7c99406180f90007",
    ),
    ("win32", "x86_64"): Archive(
        f"renode-{VERSION}.windows-portable-dotnet.zip",
        "d09b7934cfd560cd06bde8f131ef78f521f10d423d5aac6096f2a583224aeb3e",
        "renode.exe",
    ),
}
_MACHINES: Final = {"amd64": "x86_64", "aarch64": "arm64"}


def this_machine() -> tuple[str, str]:
    """Return the operating system and the processor of this machine, as ARCHIVES names them."""
    machine = platform.machine().lower()
    return sys.platform, _MACHINES.get(machine, machine)


def archive() -> Archive | None:
    """Return the archive for this machine, or None if the release has none."""
    return ARCHIVES.get(this_machine())
