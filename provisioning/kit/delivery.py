"""Read the list of units in a delivery: serial numbers, one a line, or lines of the maker's packing list.

Rules:
1. Text is UTF-8. Empty lines and spaces around a serial number are left out. Other columns of a table are refused,
   because they could be read as serial numbers.
2. A packing list is JSON lines. Its chain is not checked, so a part of it can be read; each line counts by its own
   signature, which the caller checks.
3. Sizes are bounded before anything is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from provisioning.compliance.ledger import LINE_BYTES
from provisioning.compliance.packing import SHIPPED
from provisioning.kit.content import MOST_UNITS, SERIAL
from provisioning.kit.errors import DeliveryError

LIST_BYTES: Final = 256 << 20


@dataclass(frozen=True)
class Listed:
    """One line of a delivery. `line`: its entry in the maker's packing list; None in a plain list."""

    serial: str
    line: Mapping[str, Any] | None = None


def read_delivery(data: bytes) -> list[Listed]:
    """Return the lines of a delivery in order. Raises DeliveryError, which names the line."""
    if len(data) > LIST_BYTES:
        raise DeliveryError(f"the list is longer than {LIST_BYTES} bytes")
    found: list[Listed] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not raw.strip():
            continue
        if len(found) == MOST_UNITS:
            raise DeliveryError(f"the list has more than {MOST_UNITS} units")
        found.append(_listed(raw.strip(), number))
    if not found:
        raise DeliveryError("the list has no serial number")
    return found


def _listed(raw: bytes, number: int) -> Listed:
    if len(raw) > LINE_BYTES:
        raise DeliveryError(f"line {number} is longer than {LINE_BYTES} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise DeliveryError(f"line {number} is not text in UTF-8") from None
    if text.startswith("{"):
        return _packing_line(text, number)
    return Listed(_serial(text, number))


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
