"""Read a passed unit again and compare it with the registry (PR-05).

Checks: the unit is locked and signs a fresh hello with the key of its certificate over the records that were written;
it refuses a write; the label on file shows the code that the registry knows as its live one. A unit that fails a
check is quarantined in the name of the person who sampled it, so its batch does not ship. Each sample is a signed
record.

Image and console are not read: a locked unit's factory port does not show them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import UnidentifiedImageError

from device.errors import FirstbootError, LinkError, LockedError
from device.limits import NONCE_BYTES
from provisioning.registry import decisions
from provisioning.registry.models import PASSED
from provisioning.station.aftermath import claimed_device_id
from provisioning.station.labels import LabelReaderError, code_on_label
from provisioning.station.phases import CheckFailedError
from provisioning.station.steps_lock import check_hello

if TYPE_CHECKING:
    from provisioning.registry.models import Unit
    from provisioning.registry.registry import Registry
    from provisioning.station.link import FactoryLink


class SampleError(Exception):
    """The unit could not be sampled; nothing was decided about it."""


@dataclass(frozen=True)
class Sample:
    """The result of reading a unit again. `findings`: one sentence each; empty if the unit passed."""

    serial: str
    findings: tuple[str, ...]


def sample(link: FactoryLink, registry: Registry, labels_dir: Path, *, by: str) -> Sample:
    """Read the unit on the port again, record the result, and quarantine the unit if it failed.

    Raises SampleError if the unit has not passed or is unknown, LinkError if it does not answer.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    answer = link.hello(nonce)
    unit = _unit(answer, registry)
    findings = [
        *_about_proof(answer["hello"], nonce, unit),
        *_about_writing(link),
        *_about_label(unit, registry, labels_dir),
    ]
    decisions.note_sample(registry, unit.serial, by=by, findings=findings)
    if findings:
        decisions.hold(registry, unit.serial, by=by, reason=f"sample: {findings[0]}")
    return Sample(unit.serial, tuple(findings))


def _unit(answer: dict[str, object], registry: Registry) -> Unit:
    if not isinstance(answer.get("hello"), bytes):
        raise SampleError("The unit is not locked: only units that passed are sampled.")
    device_id = claimed_device_id(answer["hello"])
    unit = None if device_id is None else registry.find(device_id=device_id)
    if unit is None:
        raise SampleError("The registry does not know this unit.")
    if unit.status != PASSED:
        raise SampleError(f"Unit {unit.serial} is {unit.status}: only units that passed are sampled.")
    return unit


def _about_proof(hello: bytes, nonce: bytes, unit: Unit) -> list[str]:
    try:
        check_hello(hello, nonce, unit.device_certificate or b"", unit.device_id, unit.record_hash or b"")
    except (CheckFailedError, FirstbootError):
        return ["it does not prove that it has the key and the records of its production"]
    return []


WRITTEN: Final = "setup"


def _about_writing(link: FactoryLink) -> list[str]:
    try:
        link.write(WRITTEN, bytes(1))
    except LockedError:
        return []
    except LinkError:
        raise
    except FirstbootError:
        return ["it did not refuse a write"]
    return ["it accepted a write although it reports that it is locked"]


def _about_label(unit: Unit, registry: Registry, labels_dir: Path) -> list[str]:
    path = labels_dir / str(unit.label_name)
    try:
        code = code_on_label(path)
    except FileNotFoundError:
        return []  # the file was destroyed after it was printed, as it should be
    except UnidentifiedImageError:
        code = None
    except (LabelReaderError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SampleError(f"The label {path.name} cannot be read ({reason}). Nothing was decided.") from None
    if code is None or not registry.is_live_code(unit.id, code):
        return ["the label on file does not show its live set-up code"]
    return []
