"""Public facts of a unit, in the forms in which people write them: input of the check of set-up codes.

Sources: the unit's row and its batch in the registry, and the statement that the batch carries (model, type, maker).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.codec import cose
from device.errors import CodecError
from device.limits import STATEMENT_BYTES

if TYPE_CHECKING:
    from provisioning.registry.models import Unit
    from provisioning.registry.registry import Registry

_NAMED = ("model", "brand", "type", "name", "id")  # members of a statement that name product and maker


@dataclass(frozen=True)
class Moment:
    """A time of the run, in unix seconds."""

    unix_s: int


Value = str | bytes | Moment


def batch_facts(registry: Registry, batch: str) -> list[tuple[str, Value]]:
    """Return the facts that all units of a batch share: its number, model and time, and the names in its statement."""
    found: list[tuple[str, Value]] = [("batch", batch)]
    for row in registry.batches():
        if row.number == batch:
            found += [("model", row.model), ("time of the batch", Moment(row.opened_s))]
    found += [(f"{name} in the statement", text) for name, text in _statement_names(registry, batch)]
    return list(dict.fromkeys(found))


def unit_facts(unit: Unit) -> list[tuple[str, Value]]:
    """Return the facts of one unit: numbers, hardware, times, certificate."""
    found: list[tuple[str, Value]] = [
        ("serial number", unit.serial),
        ("hardware id", unit.hardware_id),
        ("device id", unit.device_id),
        ("time of the run", Moment(unit.reserved_s)),
    ]
    if unit.web_fingerprint:
        found.append(("certificate", unit.web_fingerprint))
    return found


def _statement_names(registry: Registry, batch: str) -> Iterator[tuple[str, str]]:
    data = registry.stored_document(batch, "statement")
    try:
        payload = cose.decode(data or b"", STATEMENT_BYTES).payload or b""
        document = json.loads(payload)
    except (CodecError, ValueError, RecursionError):
        return
    yield from _names(document)


def _names(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, entry in value.items():
            if isinstance(entry, str) and name in _NAMED:
                yield name, entry
            else:
                yield from _names(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _names(entry)


def forms(name: str, value: Value) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of a fact in every common form: letters, digits, hexadecimal, MAC address, date, time."""
    if isinstance(value, Moment):
        yield from ((name, form) for form in _time_forms(value.unix_s))
    elif isinstance(value, bytes):
        yield from ((name, form) for form in _byte_forms(value))
    else:
        yield from ((name, form) for form in _text_forms(value))


def _text_forms(text: str) -> Iterator[bytes]:
    digits = re.sub(r"\D", "", text)
    shown = [text, text.lower(), text.upper(), re.sub(r"[\W_]", "", text), digits, digits.lstrip("0")]
    shown += re.findall(r"[^\W_]+", text)
    shown += [part.lstrip("0") for part in re.findall(r"[0-9]+", text)]
    yield from (form.encode() for form in dict.fromkeys(shown) if form)
    if digits and len(digits) < 20:
        yield int(digits).to_bytes(8, "big")
        yield int(digits).to_bytes(4, "big") if int(digits) < 1 << 32 else b""


def _byte_forms(data: bytes) -> Iterator[bytes]:
    for part in dict.fromkeys((data, data[:6], data[-6:], data[:4], data[-4:])):
        yield part
        yield part.hex().encode()
        yield part.hex().upper().encode()
        if len(part) == 6:  # a MAC address
            for glue in (":", "-"):
                yield part.hex(glue).encode()
                yield part.hex(glue).upper().encode()


def _time_forms(unix_s: int) -> Iterator[bytes]:
    for second in range(unix_s - 1, unix_s + 2):
        at = dt.datetime.fromtimestamp(second, dt.UTC)
        patterns = [
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%d %H:%M:%S",
            "%Y%m%d%H%M%S",
            "%H:%M:%S",
        ]
        if second == unix_s:
            patterns += [
                "%Y-%m-%d",
                "%Y%m%d",
                "%d.%m.%Y",
                "%d/%m/%Y",
                "%m/%d/%Y",
                "%d%m%Y",
                "%y%m%d",
                "%G-W%V",
                "%Y-%m",
            ]
        yield from (at.strftime(pattern).encode() for pattern in patterns)
        yield from (
            str(second).encode(),
            f"{second:x}".encode(),
            second.to_bytes(4, "big"),
            second.to_bytes(8, "little"),
        )
    yield str(unix_s * 1000).encode()
    yield str(unix_s // 86400).encode()
