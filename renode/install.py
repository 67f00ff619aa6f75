"""Install the pinned Renode release in the cache of this installation, and find an installed Renode.

Rules:
1. Nothing is unpacked before the whole archive has the pinned SHA-256. An archive of another content is deleted.
2. A name in the archive never leads out of its folder.
3. The installation is complete or absent: it is unpacked beside its place and then renamed.
4. A Renode on PATH comes first: the user chose it.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import ssl
import stat
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Final

from firstboot.locations import cache_folder
from renode.errors import MachineError
from renode.release import MAX_ARCHIVE_BYTES, MAX_UNPACKED_BYTES, VERSION, Archive, archive, this_machine

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: not known)
PROGRAM: Final = "renode"
_BLOCK_BYTES: Final = 1 << 18
_TIMEOUT_S: Final = 60.0
_NETWORK: Final = (
    urllib.error.URLError,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    http.client.HTTPException,
    ValueError,
)


class InstallError(MachineError):
    """Renode was not installed; nothing was changed. The text says what to do."""


class DownloadError(InstallError):
    """The address cannot be reached from this machine, or the download broke off."""


def folder() -> Path:
    """Return the folder of the pinned release in the cache. It need not exist."""
    return cache_folder() / "emulators" / f"renode-{VERSION}"


def installed() -> Path | None:
    """Return the program of the release that `install` unpacked, or None."""
    chosen = archive()
    path = folder() / (chosen.program if chosen is not None else PROGRAM)
    return path if path.is_file() else None


def find() -> Path | None:
    """Return the Renode to run: the one on PATH, else the installed release, else None."""
    on_path = shutil.which(PROGRAM)
    return Path(on_path) if on_path is not None else installed()


def install(progress: Progress, *, file: Path | None = None, chosen: Archive | None = None) -> Path:
    """Download and unpack the release for this machine, unless it is installed; return its program.

    `file`: an archive that was downloaded elsewhere is used in place of a download. Raises InstallError, OSError.
    """
    chosen = chosen or archive()
    if chosen is None:
        raise InstallError(
            f"Renode {VERSION} has no portable archive for {' on '.join(this_machine())}. "
            "Install Renode by hand and put `renode` on PATH."
        )
    place = folder()
    if (place / chosen.program).is_file():
        return place / chosen.program
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="new-") as work:
        source = file
        if source is None:
            source = Path(work) / chosen.name
            _download(chosen.url, source, progress)
        _check(source, chosen)
        unpacked = Path(work) / "unpacked"
        _unpack(source, unpacked, chosen.name)
        program = unpacked / chosen.program
        if not program.is_file():
            raise InstallError(f"{chosen.name} does not contain {chosen.program}.")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        shutil.rmtree(place, ignore_errors=True)
        unpacked.rename(place)
    return place / chosen.program


def _download(url: str, target: Path, progress: Progress) -> None:
    try:
        # S310: the address is the pinned one.
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, target.open("wb") as out:  # noqa: S310
            total = int(answer.headers.get("Content-Length") or 0)
            done = _copy(answer, out, lambda done: progress(done, total))
        reason = f"it ended after {done} of {total} bytes" if done < total else ""
    except _NETWORK as error:  # other OSErrors are about this machine's disk
        reason = str(getattr(error, "reason", None) or error)
    if reason:
        raise DownloadError(
            f"{url} cannot be downloaded ({reason}). Download it on a machine with internet and name the file: "
            "firstboot emulator install --file FILE"
        )


def _copy(source: IO[bytes], target: IO[bytes], count: Callable[[int], None]) -> int:
    """Copy, and return the number of bytes."""
    done = 0
    while block := source.read(_BLOCK_BYTES):
        done += len(block)
        if done > MAX_ARCHIVE_BYTES:
            raise InstallError(
                f"The archive has more than {MAX_ARCHIVE_BYTES} bytes. It is not the pinned one."
            )
        target.write(block)
        count(done)
    return done


def _check(source: Path, chosen: Archive) -> None:
    with source.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != chosen.sha256:
        raise InstallError(
            f"{source.name} is not the pinned archive: its SHA-256 is {found}, expected {chosen.sha256}."
        )


def _unpack(source: Path, target: Path, name: str) -> None:
    """Unpack the archive without its top folder."""
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(source) as archived:
                _unpack_zip(archived, target)
        else:
            with tarfile.open(source) as archived_tar:
                _unpack_tar(archived_tar, target)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise InstallError(f"{name} cannot be unpacked: {error}") from None


def _unpack_zip(archived: zipfile.ZipFile, target: Path) -> None:
    _check_total(sum(member.file_size for member in archived.infolist()))
    for member in archived.infolist():
        place = _place(member.filename, target)
        if place is None or member.is_dir():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with archived.open(member) as content, place.open("wb") as out:
            shutil.copyfileobj(content, out)


def _unpack_tar(archived: tarfile.TarFile, target: Path) -> None:
    members = archived.getmembers()
    _check_total(sum(member.size for member in members))
    for member in members:
        place = _place(member.name, target)
        if place is None or member.isdir():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if member.issym():
            _check_link(place, member.linkname, target)
            place.symlink_to(member.linkname)
            continue
        content = archived.extractfile(member) if member.isfile() else None
        if content is None:
            raise InstallError(f"The archive contains something other than files: {member.name}")
        with content, place.open("xb") as out:
            shutil.copyfileobj(content, out)
        place.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)


def _check_total(size: int) -> None:
    if size > MAX_UNPACKED_BYTES:
        raise InstallError(f"The archive unpacks to more than {MAX_UNPACKED_BYTES} bytes.")


def _place(name: str, target: Path) -> Path | None:
    """Return where a member goes, None for the top folder itself. Raises InstallError if that is outside `target`."""
    parts = [part for part in PurePosixPath(name).parts if part != "."]
    if any(part == ".." or "\\" in part or ":" in part for part in parts) or name.startswith("/"):
        raise InstallError(f"The archive contains a name that leads out of its folder: {name}")
    if len(parts) < 2:
        return None
    place = target.joinpath(*parts[1:])
    if not place.parent.resolve().is_relative_to(target.resolve()):
        raise InstallError(f"The archive contains a name that leads out of its folder: {name}")
    return place


def _check_link(place: Path, link: str, target: Path) -> None:
    if link.startswith("/") or not (place.parent / link).resolve().is_relative_to(target.resolve()):
        raise InstallError(
            f"The archive contains a link that leads out of its folder: {place.name} -> {link}"
        )
