"""The C module's check of CBOR (cbor_check.c), compiled for the host, beside the decoder in Python.

Inside `comparing()` every decoding of this process judges its bytes with both; a difference is an AssertionError.
Without a C compiler it changes nothing.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from device.codec import cbor, cbor_reader
from device.errors import CborError, LimitError
from device.limits import CBOR_DEPTH

CHECKOUT = Path(__file__).resolve().parents[1]
MODULE = CHECKOUT / "device" / "cmodules" / "fbcrypto"
STUB = CHECKOUT / "tests" / "emulated" / "stub" / "host_cbor.c"
# By the number of cbor_check.h; then nesting, entries, good.
REASONS = cbor.REASONS
NESTING, ENTRIES, GOOD = (len(REASONS) + more for more in range(3))


def compile_check(out: Path, *flags: str) -> None:
    """Compile cbor_check.c and its caller for the host, as a library or a program."""
    command = ["gcc", "-g", "-O1", "-Wall", "-Wextra", "-Werror", *flags, f"-I{MODULE}", "-o", str(out)]
    subprocess.run([*command, str(STUB), str(MODULE / "cbor_check.c")], check=True, capture_output=True)


@cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="firstboot-cbor-") as folder:
        path = Path(folder) / "cbor.so"
        trap = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
        compile_check(path, "-shared", "-fPIC", *trap)
        found = ctypes.CDLL(str(path))
    found.host_cbor.argtypes = [ctypes.c_char_p, *[ctypes.c_size_t] * 2, ctypes.c_uint, ctypes.c_bool]
    found.host_cbor.argtypes += [ctypes.POINTER(ctypes.c_size_t)]
    return found


def verdict_in_c(data: bytes, items: int, has_array_keys: bool) -> tuple[int, int]:
    """Return the number of the result, and the offset (0 if the result has none)."""
    offset = ctypes.c_size_t()
    result = _library().host_cbor(data, len(data), items, CBOR_DEPTH, has_array_keys, ctypes.byref(offset))
    return result, 0 if result in (NESTING, ENTRIES, GOOD) else offset.value


def verdict_in_python(data: bytes, items: int, has_array_keys: bool) -> tuple[int, int]:
    """Return the same of the reference."""
    try:
        cbor_reader.read(data, items, has_array_keys, cbor.Tag)
    except (CborError, LimitError) as error:
        return _number(error)
    return GOOD, 0


def _number(error: CborError | LimitError) -> tuple[int, int]:
    if isinstance(error, LimitError):
        return {"CBOR nesting": NESTING, "CBOR entries": ENTRIES}[str(error.fields["what"])], 0
    offset = error.fields["offset"]
    assert isinstance(offset, int)
    return REASONS.index(str(error.fields["reason"])), offset


def _compared(data: bytes, items: int, has_array_keys: bool, tag: Any) -> Any:
    content = bytes(data)
    in_c = verdict_in_c(content, items, has_array_keys)
    in_python = (GOOD, 0)
    try:
        return cbor_reader.read(data, items, has_array_keys, tag)
    except (CborError, LimitError) as error:
        in_python = _number(error)
        raise
    except MemoryError:
        in_python = in_c  # of a test that has no memory on purpose
        raise
    finally:
        assert in_c == in_python, (content.hex(), in_c, in_python)


@contextmanager
def comparing() -> Iterator[None]:
    """Let device.codec.cbor judge all bytes with both."""
    before = cbor._read
    if shutil.which("gcc") is not None:
        cbor._read = _compared
    try:
        yield
    finally:
        cbor._read = before
