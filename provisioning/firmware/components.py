"""The third-party software that a firmware can contain: where it lies in the source tree, its version and its licence.

Versions are read from the sources that were compiled, so they cannot differ from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.firmware.errors import FirmwareError


@dataclass(frozen=True)
class Origin:
    """One piece of third-party software.

    `folder`: its place in the source tree; the longest match wins. `license`: an SPDX expression. `version`: reads it
    from the tree. `package`: the pinned archive that contains it (`sources.PINS`). `cpe`: vendor and product in NVD's
    dictionary, empty if it has no entry. `note`: how our copy differs from what its authors published.
    """

    folder: str
    name: str
    license: str
    version: Callable[[Path], str]
    package: str
    cpe: str = ""
    note: str = ""


def _numbers(tree: Path, file: str, prefix: str, names: Iterable[str]) -> str:
    text = (tree / file).read_text(encoding="utf-8", errors="replace")
    found = [re.search(rf"#define\s+{prefix}{name}\s+\(?(\d+)\)?", text) for name in names]
    if not all(found):
        raise FirmwareError(f"{file} does not state its version as expected.")
    return ".".join(match[1] for match in found if match)


def _micropython(tree: Path) -> str:
    return _numbers(tree, "py/mpconfig.h", "MICROPY_VERSION_", ("MAJOR", "MINOR", "MICRO"))


def _lwip(tree: Path) -> str:
    return _numbers(tree, "lib/lwip/src/include/lwip/init.h", "LWIP_VERSION_", ("MAJOR", "MINOR", "REVISION"))


def _mbedtls(tree: Path) -> str:
    names = ("MAJOR", "MINOR", "PATCH")
    return _numbers(tree, "lib/mbedtls/include/mbedtls/build_info.h", "MBEDTLS_VERSION_", names)


def _littlefs(tree: Path) -> str:
    text = (tree / "lib/littlefs/lfs2.h").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"#define\s+LFS2_VERSION\s+0x([0-9a-fA-F]{8})", text)
    if found is None:
        raise FirmwareError("lib/littlefs/lfs2.h does not state its version as expected.")
    value = int(found[1], 16)
    return f"{value >> 16}.{value & 0xFFFF}"


def _pico_sdk(tree: Path) -> str:
    text = (tree / "lib/pico-sdk/pico_sdk_version.cmake").read_text(encoding="utf-8", errors="replace")
    found = [re.search(rf"PICO_SDK_VERSION_{name}\s+(\d+)", text) for name in ("MAJOR", "MINOR", "REVISION")]
    if not all(found):
        raise FirmwareError("lib/pico-sdk does not state its version as expected.")
    return ".".join(match[1] for match in found if match)


def _tinyusb(tree: Path) -> str:
    return _numbers(tree, "lib/tinyusb/src/tusb_option.h", "TUSB_VERSION_", ("MAJOR", "MINOR", "REVISION"))


def _cyw43(tree: Path) -> str:
    return _numbers(tree, "lib/cyw43-driver/src/cyw43.h", "CYW43_VERSION_", ("MAJOR", "MINOR", "MICRO"))


def _of_micropython(tree: Path) -> str:
    return f"micropython-{_micropython(tree)}"


def _of_mbedtls(tree: Path) -> str:
    return f"mbedtls-{_mbedtls(tree)}"


ORIGINS: Final = (
    Origin("", "micropython", "MIT", _micropython, "micropython", "micropython:micropython"),
    Origin("lib/lwip", "lwip", "BSD-3-Clause", _lwip, "lwip", "lwip_project:lwip"),
    Origin("lib/mbedtls", "mbedtls", "Apache-2.0 OR GPL-2.0-or-later", _mbedtls, "mbedtls", "arm:mbed_tls"),
    Origin(
        "lib/mbedtls/3rdparty/p256-m",
        "p256-m",
        "Apache-2.0 OR GPL-2.0-or-later",
        _of_mbedtls,
        "mbedtls",
        note="Compiled as a part of device/cmodules/fbcrypto/p256.c, which replaces the multiplication modulo p.",
    ),
    Origin(
        "lib/mbedtls_errors",
        "mbedtls-errors",
        "Apache-2.0",
        _of_micropython,
        "micropython",
        note="MicroPython's table of the error names of Mbed TLS, generated from it.",
    ),
    Origin(
        "lib/littlefs",
        "littlefs",
        "BSD-3-Clause",
        _littlefs,
        "micropython",
        note="MicroPython's copy: every name begins with lfs2.",
    ),
    Origin(
        "lib/libm",
        "micropython-libm",
        "MIT AND SunPro",
        _of_micropython,
        "micropython",
        note="Files of musl, FreeBSD and newlib, collected and changed by MicroPython.",
    ),
    Origin(
        "lib/re1.5",
        "re1.5",
        "BSD-3-Clause",
        _of_micropython,
        "micropython",
        note="MicroPython's copy, which it maintains.",
    ),
    Origin("lib/pico-sdk", "pico-sdk", "BSD-3-Clause", _pico_sdk, "pico-sdk-source"),
    Origin(
        "lib/pico-sdk/src/rp2_common/cmsis/stub",
        "cmsis",
        "Apache-2.0",
        _pico_sdk,
        "pico-sdk-source",
        note="The part of Arm's CMSIS in the Pico SDK; the version is the SDK's.",
    ),
    Origin("lib/tinyusb", "tinyusb", "MIT", _tinyusb, "tinyusb-source"),
    Origin(
        "lib/cyw43-driver",
        "cyw43-driver",
        "LicenseRef-cyw43-driver",
        _cyw43,
        "",
        note="Commercial use is allowed only on chips of Raspberry Pi (LICENSE.RP of the driver).",
    ),
    Origin(
        "lib/oofatfs",
        "oofatfs",
        "LicenseRef-FatFs",
        _of_micropython,
        "micropython",
        note="ChaN's FatFs (licence in lib/oofatfs/ff.c), changed by MicroPython. No firmware here mounts it.",
    ),
    Origin("lib/uzlib", "uzlib", "Zlib", _of_micropython, "micropython", note="MicroPython's copy."),
)


def origin_of(name: str) -> Origin:
    """Return the origin of a file of the source tree. A library that the table lacks has no known licence."""
    parts = name.split("/")
    best = max(
        (one for one in ORIGINS if not one.folder or name.startswith(f"{one.folder}/")),
        key=lambda one: len(one.folder),
    )
    if not best.folder and parts[0] == "lib" and len(parts) > 2:
        return Origin(
            f"lib/{parts[1]}", parts[1], "", _of_micropython, "micropython", note="Not in the table."
        )
    return best
