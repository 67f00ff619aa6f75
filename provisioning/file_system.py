"""Files that are written whole or not at all; file locks and durable names, with `fcntl` and on Windows.

Every file that a command writes goes through `replace_file`, `create_file` or `naming`: a full disk, a read-only folder
or a size limit then names the file in its error, and leaves neither half a file nor a draft.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import itertools
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCKED_BYTE: Final = 0x7FFFFFFF  # beyond every content: on Windows, no other process can read a locked byte


PRIVATE: Final = 0o600
# No space, no quota, a size limit, or in use: the same call can succeed later.
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EAGAIN, errno.EBUSY)


@contextlib.contextmanager
def naming(path: Path, *, draft: Path | None = None) -> Iterator[None]:
    """Name `path` in an OSError that names no file, as those of write(2) and fsync(2) do, or that names `draft`.

    `draft`: a file or folder that becomes `path`, and that does not exist any more when a person reads the error.
    """
    try:
        yield
    except OSError as error:
        is_of_draft = draft is not None and str(error.filename or "").startswith(str(draft))
        if error.errno is not None and (error.filename is None or is_of_draft):
            error.filename, error.filename2 = str(path), None
        raise


def replace_file(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write `data` to `path`, replacing an older file. On return it is on disk, with `mode` (None: as new files have).

    On failure `path` is as it was, and no draft is left. A link is followed; a pipe or device is written to. Raises
    OSError, which names `path`.
    """
    target = path.resolve() if path.is_symlink() else path
    draft = target.with_name(f".{target.name}.new")
    with naming(path, draft=draft):
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                file.write(data)
            return
        try:
            _write(draft, os.O_TRUNC, data, mode)
            os.replace(draft, target)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        sync_folder(target.parent)


class NewFile(NamedTuple):
    """A file of `replace_files`: its path, its whole content, and its mode (None: as new files have)."""

    path: Path
    data: bytes
    mode: int | None = None


def replace_files(files: Sequence[NewFile]) -> None:
    """Write files that belong together, replacing older ones. All are complete on disk before the first gets its name.

    On failure every file is as it was, and no draft is left. Raises OSError, which names the file.
    """
    drafts = [file.path.with_name(f".{file.path.name}.new") for file in files]
    try:
        for file, draft in zip(files, drafts, strict=True):
            with naming(file.path, draft=draft):
                _write(draft, os.O_TRUNC, file.data, file.mode)
        for file, draft in zip(files, drafts, strict=True):
            with naming(file.path, draft=draft):
                os.replace(draft, file.path)
    except OSError:
        for draft in drafts:
            with contextlib.suppress(OSError):
                draft.unlink()
        raise
    for folder in {file.path.parent for file in files}:
        sync_folder(folder)


def create_file(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write `data` to the new file `path`; on return it is on disk.

    On failure there is no file. Raises FileExistsError, OSError, which names `path`.
    """
    with naming(path):
        _write(path, os.O_EXCL, data, mode)
        sync_folder(path.parent)


def _write(path: Path, flag: int, data: bytes, mode: int | None) -> None:
    """Write a file, or leave none that this call created."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o666 if mode is None else mode & 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.chmod(path, mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


class Readable(Protocol):
    """A source of `read_stream`: a file, a member of an archive, an answer of a server."""

    def read(self, size: int, /) -> bytes: ...


def read_stream(stream: Readable, limit: int) -> bytes | None:
    """Return the rest of a stream, None if that has more than `limit` bytes; one byte more is read at most."""
    data = stream.read(limit + 1)
    return data if len(data) <= limit else None


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a file, None for one with more than `limit`; no more than that is read. Raises OSError."""
    with path.open("rb") as file:
        return read_stream(file, limit)


def read_if_there(path: Path) -> bytes | None:
    """Return the bytes of a file, None if nothing has its name. Raises OSError, for a link that leads nowhere too.

    A link to a volume that is not mounted is a fault: what it holds must not be taken for what never was.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if is_there(path):
            raise
        return None


def is_there(path: Path) -> bool:
    """Return whether a path names anything; a link that leads nowhere is something.

    Raises OSError if nobody can tell: os.path.lexists takes a folder that cannot be read for an absent file.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def paths_in(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the paths in `folder` whose names match, sorted; none if it does not exist.

    Raises OSError for a folder that cannot be read: Path.glob takes it for an empty one.
    """
    if not folder.exists():
        return []
    return sorted(path for path in folder.iterdir() if fnmatch.fnmatchcase(path.name, pattern))


def paths_below(folder: Path, pattern: str = "*", most: int | None = None) -> list[Path]:
    """Return the paths below `folder`, at every depth, as `paths_in`; no link is followed. Raises OSError.

    `most`: read no more paths than one above this number.
    """
    if not folder.exists():
        return []
    found = (
        Path(root) / name
        for root, folders, names in os.walk(folder, onerror=_refuse)
        for name in (*folders, *names)
    )
    some = itertools.islice(found, None if most is None else most + 1)
    return sorted(path for path in some if fnmatch.fnmatchcase(path.name, pattern))


def _refuse(error: OSError) -> None:
    raise error


def replace_folder(place: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of `files`, by their paths in it, in the place of the folder `place`, which may not exist yet.

    A reader never sees a part of them. On failure `place` is as it was, and no draft is left. Raises OSError, which
    names `place`.
    """
    draft = place.with_name(f".{place.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with naming(place, draft=draft):
            for name, data in files.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                create_file(path, data)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    swap_folder(draft, place)


def swap_folder(draft: Path, place: Path) -> None:
    """Put the complete folder `draft` in the place of the folder `place`, which may not exist yet. Raises OSError."""
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(draft, place)
    shutil.rmtree(old, ignore_errors=True)


def lock(descriptor: int, *, is_waiting: bool = True) -> None:
    """Lock an open file for this process until it is closed. Raises BlockingIOError if it must not wait."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
        return
    _lock_on_windows(descriptor, is_waiting)


def _lock_on_windows(descriptor: int, is_waiting: bool) -> None:
    import msvcrt
    from typing import Any

    system: Any = msvcrt
    at = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        while True:
            try:
                system.locking(descriptor, system.LK_LOCK if is_waiting else system.LK_NBLCK, 1)
                return
            except OSError as error:  # LK_LOCK gives up after ten seconds
                if not is_waiting:
                    raise BlockingIOError(error.errno, "the file is locked") from None
    finally:
        os.lseek(descriptor, at, os.SEEK_SET)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (fsync). Does nothing on Windows, which cannot open folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
