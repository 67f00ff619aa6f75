"""Read the list of units in a delivery: serial numbers, one a line, or lines of the maker's packing list.

Rules:
1. Text is UTF-8. Empty lines and SPACES around a serial number are left out. Other columns of a table are refused,
   because they could be read as serial numbers.
2. A packing list is JSON lines. Its chain is not checked, so a part of it can be read; each line counts by its own
   signature, which the caller checks.
3. Sizes are bounded before anything is read.
4. The page of a kit reads lists by the same values (`form_of_lists`), so command and page accept the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.compliance.ledger import LINE_BYTES
from provisioning.compliance.packing import SHIPPED
from provisioning.file_system import read_bounded
from provisioning.kit.content import MOST_UNITS, SERIAL
from provisioning.kit.errors import DeliveryError

LIST_BYTES: Final = 256 << 20
SPACES: Final = (
    " \t\v\f\xa0\u200b\u202f\ufeff"  # also those that a table or a web page leaves around a pasted number
)


@dataclass(frozen=True)
class Listed:
    """One line of a delivery. `line`: its entry in the maker's packing list; None in a plain list."""

    serial: str
    line: Mapping[str, Any] | None = None


def form_of_lists() -> dict[str, Any]:
    """Return the limits and the form of a list, for the page (rule 4)."""
    return {
        "bytes": LIST_BYTES,
        "line_bytes": LINE_BYTES,
        "units": MOST_UNITS,
        "spaces": SPACES,
        "serial": SERIAL.pattern,
        "event": SHIPPED,
    }


def read_delivery_file(path: Path) -> list[Listed]:
    """Return the lines of the list in a file. Raises DeliveryError, OSError."""
    data = read_bounded(path, LIST_BYTES)
    if data is None:
        raise DeliveryError(f"the list is longer than {LIST_BYTES} bytes")
    return read_delivery(data)


def read_delivery(data: bytes) -> list[Listed]:
    """Return the lines of a delivery in order. Raises DeliveryError, which names the line."""
    found: list[Listed] = []
    for number, raw in enumerate(data.splitlines(), 1):
        text = _text(raw, number)
        if not text:
            continue
        if len(found) == MOST_UNITS:
            raise DeliveryError(f"the list has more than {MOST_UNITS} units")
        found.append(_packing_line(text, number) if text.startswith("{") else Listed(_serial(text, number)))
    if not found:
        raise DeliveryError("the list has no serial number")
    return found


def _text(raw: bytes, number: int) -> str:
    if len(raw) > LINE_BYTES:
        raise DeliveryError(f"line {number} is longer than {LINE_BYTES} bytes")
    try:
        return raw.decode().strip(SPACES)
    except UnicodeDecodeError:
        raise DeliveryError(f"line {number} is not text in UTF-8") from None


def _packing_line(text: str, number: int) -> Listed:
    try:
        entry = json.loads(text)["entry"]
        if entry["event"] != SHIPPED:
            raise ValueError
        return Listed(_serial(entry["serial"], number), entry)
    except DeliveryError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DeliveryError(f"line {number} is not a line of a packing list") from None


def _serial(text: object, number: int) -> str:
    if not isinstance(text, str) or SERIAL.fullmatch(text) is None:
        raise DeliveryError(f"line {number} is not a serial number: write one serial number a line")
    return text
