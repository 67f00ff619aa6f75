"""The sources of an RP2350 firmware: those of `sources.py` with the Pico SDK and TinyUSB of Debian, in one tree.

Rules:
1. The SDK and TinyUSB are Debian's binary packages of their sources, pinned by SHA-256. Missing ones come from the
   machine's Debian mirror; with all of them in the cache, no network is used.
2. The tree has MicroPython's own layout: lib/pico-sdk, lib/tinyusb, lib/cyw43-driver. Files of other trees are linked,
   or copied if the cache is on another file system.
3. A driver for the radio is not in Debian. A checkout of it is taken as it is, and is part of the tree's key.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.firmware import aptsource
from provisioning.firmware.errors import CheckoutError, MissingToolError, SourcesError
from provisioning.firmware.sources import Pin, Progress, SourceTree, cache_folder, sha256_file, source_tree

CYW43_FOLDER: Final = "lib/cyw43-driver"
PACKAGE_PINS: Final = (
    Pin(
        "pico-sdk-source",
        "pico-sdk-source_2.1.1-1_all.deb",
        "507a3ca37636641bc90239d7c04dc9dc28c5008087a8162102ea94d2273153d3",
        "lib/pico-sdk",
    ),
    Pin(
        "tinyusb-source",
        "tinyusb-source_0.18.0+dfsg-1_all.deb",
        "01ce2c645df68f14a8a7dcfc8fb355713152543757955820479a87949a61154e",
        "lib/tinyusb",
    ),
)
# Where the packages have the sources.
_INSIDE: Final = {"pico-sdk-source": "usr/src/pico-sdk", "tinyusb-source": "usr/src/tinyusb"}


@dataclass(frozen=True)
class Checkouts:
    """A maker's own checkouts: MicroPython with its submodules, and the cyw43 driver. None: the pinned sources."""

    micropython: Path | None = None
    cyw43: Path | None = None


def rp2_tree(root: Path, progress: Progress, checkouts: Checkouts) -> SourceTree:
    """Return the tree for ports/rp2, put together if the cache lacks it. Raises SourcesError, MissingToolError."""
    base = source_tree(root, progress, checkout=checkouts.micropython)
    if not (base.path / "ports/rp2/CMakeLists.txt").exists():
        raise CheckoutError("the named MicroPython checkout lacks ports/rp2")
    packages = fetch_packages(cache_folder(root) / "sources", progress)
    digest = hashlib.sha256(base.key.encode())
    for pin in PACKAGE_PINS:
        digest.update(pin.sha256.encode())
    if checkouts.cyw43 is not None:
        digest.update(_driver_key(checkouts.cyw43).encode())
    key = digest.hexdigest()
    tree = cache_folder(root) / "sources" / f"tree-rp2-{key[:16]}"
    if not (tree / ".complete").exists():
        progress("putting MicroPython, the Pico SDK and TinyUSB into one tree")
        _assemble(base.path, packages, checkouts.cyw43, tree)
    return SourceTree(tree, key, base.is_pinned and checkouts.cyw43 is None)


def fetch_packages(
    folder: Path, progress: Progress, *, apt_folder: Path = aptsource.APT_FOLDER
) -> dict[str, Path]:
    """Return package -> verified .deb in `folder`, downloading the missing ones. Raises SourcesError."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [pin for pin in PACKAGE_PINS if not _is_good(folder / pin.file_name, pin)]
    if missing:
        progress(f"fetching {', '.join(pin.package for pin in missing)} ({aptsource.SUITE}) from the mirror")
        with tempfile.TemporaryDirectory(dir=folder) as work:
            try:
                arrived = aptsource.download_packages(
                    [pin.package for pin in missing], Path(work), apt_folder=apt_folder
                )
            except SourcesError as error:
                raise SourcesError(
                    f"the packages {', '.join(pin.package for pin in missing)} are not in the cache ({folder}) "
                    f"and cannot be fetched: {error}. Put the pinned .deb files there."
                ) from None
            for pin in missing:
                _take(pin, arrived, folder)
    return {pin.package: folder / pin.file_name for pin in PACKAGE_PINS}


def _is_good(path: Path, pin: Pin) -> bool:
    return path.exists() and sha256_file(path) == pin.sha256


def _take(pin: Pin, arrived: list[Path], folder: Path) -> None:
    for path in arrived:
        if path.name.startswith(pin.package + "_") and _is_good(path, pin):
            os.replace(path, folder / pin.file_name)
            return
    offered = [path.name for path in arrived if path.name.startswith(pin.package + "_")]
    raise SourcesError(
        f"the mirror has another version: {pin.file_name} is pinned, it offers {', '.join(offered) or 'nothing'}"
    )


def _driver_key(checkout: Path) -> str:
    if not (checkout / "src/cyw43.h").exists():
        raise CheckoutError("the named cyw43-driver checkout lacks src/cyw43.h")
    digest = hashlib.sha256()
    for path in sorted(checkout.rglob("*")):
        if path.is_file() and ".git" not in path.relative_to(checkout).parts:
            digest.update(f"{path.relative_to(checkout)}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def _assemble(base: Path, packages: dict[str, Path], cyw43: Path | None, tree: Path) -> None:
    """Build the tree beside its place, then rename it, so that it is complete or absent."""
    if shutil.which("dpkg-deb") is None:
        raise MissingToolError("dpkg-deb", "dpkg")
    work = Path(tempfile.mkdtemp(dir=tree.parent))
    try:
        content = work / "tree"
        _link(base, content)
        for pin in PACKAGE_PINS:
            unpacked = work / pin.package
            subprocess.run(
                ["dpkg-deb", "-x", packages[pin.package], unpacked], check=True, capture_output=True
            )
            shutil.rmtree(content / pin.place, ignore_errors=True)
            shutil.move(unpacked / _INSIDE[pin.package], content / pin.place)
        # An empty folder of the package; the SDK looks for TinyUSB here, MicroPython names its own.
        shutil.rmtree(content / "lib/pico-sdk/lib/tinyusb", ignore_errors=True)
        if cyw43 is not None:
            shutil.rmtree(content / CYW43_FOLDER, ignore_errors=True)
            _link(cyw43, content / CYW43_FOLDER)
        (content / ".complete").write_text("")
        shutil.rmtree(tree, ignore_errors=True)
        content.rename(tree)
    except subprocess.CalledProcessError:
        raise SourcesError("a pinned package cannot be unpacked") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    def place(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(
        source, target, symlinks=True, copy_function=place, ignore=shutil.ignore_patterns(".git", ".complete")
    )
