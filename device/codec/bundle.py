"""The bundle: the files of an application as one payload. The index comes first, so a reader never holds it whole.

    [1, << [[name, size, SHA-256], ...] >>, << content of all files, one after the other >>]

in deterministic CBOR: an array of the version, the encoded index in a byte string, and a byte string. Rules:
1. Names are in ascending order, each once; no name is the folder of another. A name is 1 to limits.APP_NAME_BYTES of
   lower-case letters, digits and _ - . in parts between slashes; no part begins with a dot. So no name leads out of
   the set, and no name changes its meaning on a file system that ignores case.
2. Every byte of the contents belongs to one file, in the order of the index; nothing follows the last one.
3. "__init__.py" or "__init__.mpy" is among them: the set is the package `app`, and nothing else (device/agent/apps.py).
4. The number of files, the bytes of one file and the bytes of the index are checked against limits.py before use.
"""

from collections import namedtuple
from hashlib import sha256

from device.codec import cbor
from device.compat import const
from device.errors import BundleError, CborError, LimitError
from device.limits import APP_FILE_BYTES, APP_FILES, APP_INDEX_BYTES, APP_NAME_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    Read = Callable[[int, int], bytes]  # (offset, length) -> bytes of the bundle

# One file: `offset` of its content counts from the start of the bundle, in bytes; `digest` is its SHA-256.
File = namedtuple("File", ("name", "offset", "size", "digest"))

VERSION = 1
_START = b"\x83\x01"  # an array of three, the version
_BYTES = const(0x40)  # major type 2
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-."
STARTS = ("__init__.py", "__init__.mpy")  # of a package, either of them


def encode(files: "dict[str, bytes]") -> bytes:
    """Return the bundle of `files` (name -> content). Raises BundleError, LimitError, as decode would."""
    names = sorted(files)
    index = cbor.encode([[name, len(files[name]), sha256(files[name]).digest()] for name in names])
    if len(index) > APP_INDEX_BYTES:
        raise LimitError(what="index of a bundle", limit=APP_INDEX_BYTES)
    contents = b"".join([files[name] for name in names])
    bundle = _START + cbor.encode(index) + cbor.encode(contents)
    decode(lambda offset, length: bundle[offset : offset + length], len(bundle))
    return bundle


def decode(read: "Read", size: int) -> "tuple[File, ...]":
    """Return the files of a bundle of `size` bytes, by name. Neither content nor digests are checked.

    Raises BundleError, LimitError, CborError.
    """
    if read(0, min(len(_START), size)) != _START:
        raise BundleError(reason="no bundle of version 1")
    start, length = _byte_string(read, len(_START), size)
    if length > APP_INDEX_BYTES:
        raise LimitError(what="index of a bundle", limit=APP_INDEX_BYTES)
    index = cbor.decode(read(start, length), APP_INDEX_BYTES)
    offset, contents = _byte_string(read, start + length, size)
    files = _files(index, offset)
    if sum([file.size for file in files]) != contents or offset + contents != size:
        raise BundleError(reason="contents and index do not agree")
    return files


def _byte_string(read: "Read", offset: int, size: int) -> "tuple[int, int]":
    """Return where the content of the byte string at `offset` begins, and its length. It ends inside `size` bytes."""
    head = read(offset, min(9, size - offset)) if offset < size else b""
    if not head or head[0] & 0xE0 != _BYTES:
        raise BundleError(reason="not a byte string", offset=offset)
    information = head[0] & 0x1F
    extra = 0 if information < 24 else 1 << (information - 24)
    if information > 26 or len(head) < 1 + extra:  # four bytes of length are more than any NVM has
        raise BundleError(reason="length", offset=offset)
    length = int.from_bytes(head[1 : 1 + extra], "big") if extra else information
    if extra and (length < 24 or (extra > 1 and not length >> (4 * extra))):
        raise CborError(reason="not the shortest form", offset=offset)
    if length > size - offset - 1 - extra:
        raise BundleError(reason="truncated", offset=offset)
    return offset + 1 + extra, length


def _files(index: "Any", offset: int) -> "tuple[File, ...]":
    if not isinstance(index, list) or not index:
        raise BundleError(reason="no files")
    if len(index) > APP_FILES:
        raise LimitError(what="files of a bundle", limit=APP_FILES)
    files: "list[File]" = []
    for entry in index:
        name, size, digest = _entry(entry)
        if files and name <= files[-1].name:
            raise BundleError(reason="order of names", file=name)
        files.append(File(name, offset, size, digest))
        offset += size
    names = [file.name for file in files]
    if not any([start in names for start in STARTS]):
        raise BundleError(reason="no __init__.py")
    for folder in folders(names):
        if folder in names:
            raise BundleError(reason="a folder has the name of a file", file=folder)
    return tuple(files)


def _entry(entry: "Any") -> "tuple[str, int, bytes]":
    if not isinstance(entry, list) or len(entry) != 3:
        raise BundleError(reason="entry of the index")
    name, size, digest = entry
    if not is_name(name):
        raise BundleError(reason="name of a file")  # not shown: it could hold anything
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise BundleError(reason="size", file=name)
    if size > APP_FILE_BYTES:
        raise LimitError(what="file " + name, limit=APP_FILE_BYTES)
    if not isinstance(digest, bytes) or len(digest) != 32:
        raise BundleError(reason="digest", file=name)
    return name, size, digest


def is_name(name: "Any") -> bool:
    """Return whether a file of a bundle may have this name (rule 1)."""
    if not isinstance(name, str) or not 1 <= len(name) <= APP_NAME_BYTES:
        return False
    for part in name.split("/"):
        if not part or part[0] == "." or any([letter not in _LETTERS for letter in part]):
            return False
    return True


def folders(names: "list[str]") -> "list[str]":
    """Return every folder that the names of files imply, each once, sorted."""
    found = set()
    for name in names:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            found.add("/".join(parts[:depth]))
    return sorted(found)
