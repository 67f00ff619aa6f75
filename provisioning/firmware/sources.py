"""The C sources of the firmware: MicroPython, lwIP and Mbed TLS, pinned by SHA-256, cached by content.

Rules:
1. Only pinned sources are built: the hash of a tarball is checked each time before it is unpacked.
2. With all pinned tarballs in the cache, no network is used. Missing ones come from the machine's Debian mirror.
3. If the mirror has another version, the message names it. If nothing helps, the message lists what was tried.
4. A local MicroPython checkout (FIRSTBOOT_MICROPYTHON) can replace the tarballs; the build's key depends on it.

This repository contains no third-party sources. The cache is $FIRSTBOOT_CACHE, `.cache/` of a checkout, or the user's
cache folder if the program comes from a wheel.
"""

import contextlib
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firstboot.locations import cache_folder as cache_of_installation
from firstboot.locations import source_root
from provisioning.firmware import aptsource
from provisioning.firmware.errors import CheckoutError, SourcesError

Progress = Callable[[str], None]

MICROPYTHON_VERSION = "1.25.0"


@dataclass(frozen=True)
class Pin:
    """One upstream tarball: Debian source package, file name, SHA-256, and its folder in the tree."""

    package: str
    file_name: str
    sha256: str
    place: str


NO_PIN = Pin("", "", "", "")  # of software that is in no pinned archive

PINS = (
    Pin(
        "micropython",
        "micropython_1.25.0+ds.orig.tar.xz",
        "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
        "",
    ),
    Pin(
        "lwip",
        "lwip_2.2.1+dfsg1.orig.tar.xz",
        "83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1",
        "lib/lwip",
    ),
    Pin(
        "mbedtls",
        "mbedtls_3.6.6.orig.tar.bz2",
        "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a",
        "lib/mbedtls",
    ),
)


@dataclass(frozen=True)
class SourceTree:
    """An unpacked MicroPython tree with lwIP and Mbed TLS in its lib/, and the hash of its content."""

    path: Path
    key: str
    is_pinned: bool

    @property
    def mbedtls(self) -> Path:
        return self.path / "lib" / "mbedtls"


def cache_folder(root: Path) -> Path:
    """Return the cache of the source tree `root`: this installation's, or `.cache` of another checkout.

    A tree with a maker's changes lies in this installation's cache and shares the compiled objects.
    """
    is_changed_tree = root.absolute().parent == cache_of_installation() / "device-code"
    if root == source_root() or is_changed_tree or os.environ.get("FIRSTBOOT_CACHE", ""):
        return cache_of_installation()
    return root.absolute() / ".cache"


def source_tree(root: Path, progress: Progress, *, checkout: Path | None = None) -> SourceTree:
    """Return the unpacked sources and fetch those that the cache lacks. Raises SourcesError, MissingToolError.

    `checkout`, or the folder named by FIRSTBOOT_MICROPYTHON, replaces the pinned tarballs.
    """
    named = os.environ.get("FIRSTBOOT_MICROPYTHON", "")
    if checkout is None and named:
        checkout = Path(named)
    if checkout is not None:
        return _local_tree(checkout.absolute(), progress)
    folder = cache_folder(root) / "sources"
    key = hashlib.sha256("".join(pin.sha256 for pin in PINS).encode()).hexdigest()
    tree = folder / f"tree-{key[:16]}"
    if not (tree / ".complete").exists():
        tarballs = fetch(folder, progress)
        progress("unpacking MicroPython, lwIP and Mbed TLS")
        _unpack(tarballs, tree)
    return SourceTree(tree, key, True)


def fetch(folder: Path, progress: Progress, *, apt_folder: Path = aptsource.APT_FOLDER) -> dict[str, Path]:
    """Return package -> verified tarball in `folder`, downloading the missing ones. Raises SourcesError."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [pin for pin in PINS if not _is_good(folder / pin.file_name, pin)]
    if missing:
        progress(f"fetching {', '.join(pin.package for pin in missing)} ({aptsource.SUITE}) from the mirror")
        with tempfile.TemporaryDirectory(dir=folder) as work:
            arrived = _download([pin.package for pin in missing], Path(work), folder, apt_folder)
            for pin in missing:
                _take(pin, arrived, folder)
    return {pin.package: folder / pin.file_name for pin in PINS}


def _download(packages: list[str], work: Path, folder: Path, apt_folder: Path) -> list[Path]:
    try:
        return aptsource.download(packages, work, apt_folder=apt_folder)
    except SourcesError as error:
        raise SourcesError(
            f"the sources of {', '.join(packages)} are not in the cache ({folder}) and cannot be fetched: {error}. "
            "Put the pinned tarballs there, or name a MicroPython checkout in FIRSTBOOT_MICROPYTHON."
        ) from None


def _take(pin: Pin, arrived: list[Path], folder: Path) -> None:
    for path in arrived:
        if path.name == pin.file_name and _is_good(path, pin):
            os.replace(path, folder / pin.file_name)
            return
    offered = [
        path.name for path in arrived if path.name.startswith(pin.package + "_") and ".orig." in path.name
    ]
    raise SourcesError(
        f"the mirror has another version: {pin.file_name} is pinned, it offers {', '.join(offered) or 'nothing'}"
        + (" with another content" if pin.file_name in offered else "")
    )


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_good(path: Path, pin: Pin) -> bool:
    return path.exists() and sha256_file(path) == pin.sha256


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack below `folder` and nowhere else. Raises SourcesError.

    The archives are pinned by hash; this check limits the damage of a wrong pin. The names are checked here because
    Python 3.11.2 (Debian 12) has no filters; newer versions also filter links and modes.
    """
    for member in archive.getmembers():
        if member.name.startswith("/") or ".." in Path(member.name).parts:
            raise SourcesError(f"an archive contains a name outside its folder: {member.name}")
    if hasattr(tarfile, "data_filter"):
        archive.extraction_filter = tarfile.data_filter
    archive.extractall(folder)  # noqa: S202


def _unpack(tarballs: dict[str, Path], tree: Path) -> None:
    """Unpack into a folder beside `tree`, then rename it, so that a tree is complete or absent."""
    work = Path(tempfile.mkdtemp(dir=tree.parent))
    try:
        for pin in PINS:
            with tarfile.open(tarballs[pin.package]) as archive:
                _extract(archive, work / pin.package)
        content = _only_folder(work / "micropython")
        for pin in PINS[1:]:
            shutil.rmtree(content / pin.place, ignore_errors=True)
            shutil.move(_only_folder(work / pin.package), content / pin.place)
        (content / ".complete").write_text("")
        # Another process may have unpacked the same content first; then that tree is used.
        with contextlib.suppress(OSError):
            content.rename(tree)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _only_folder(folder: Path) -> Path:
    found = [path for path in folder.iterdir() if path.is_dir()]
    if len(found) != 1:
        raise SourcesError(f"a tarball has {len(found)} folders instead of one")
    return found[0]


def _local_tree(path: Path, progress: Progress) -> SourceTree:
    for needed in (
        "py/mpconfig.h",
        "lib/lwip/src/core/tcp.c",
        "lib/mbedtls/library/ssl_tls.c",
        "lib/littlefs/lfs2.c",
    ):
        if not (path / needed).exists():
            raise CheckoutError(f"the named MicroPython checkout lacks {needed}: fetch its submodules")
    progress("using the named MicroPython checkout instead of the pinned sources")
    digest = hashlib.sha256()
    for file in _relevant_files(path):
        digest.update(f"{file.relative_to(path)}\0{sha256_file(file)}\n".encode())
    return SourceTree(path, digest.hexdigest(), False)


def _relevant_files(path: Path) -> Iterator[Path]:
    for folder in (
        "py",
        "extmod",
        "shared",
        "tools",
        "lib/lwip/src",
        "lib/mbedtls",
        "lib/littlefs",
        "lib/libm",
    ):
        for file in sorted((path / folder).rglob("*")):
            if file.suffix in (".c", ".h", ".py", ".mk", ".s") and file.is_file():
                yield file
