"""A second print of a label, possible until the lock of the unit is proved.

Rules:
1. Only the label of a reserved or complete unit can be printed again. After the lock is proved the label belongs to
   the owner; then only rework, which retires the serial number, makes a new one.
2. The file must be the label of this unit: its code is the live one (reserved), or its bytes are those that were read
   back (complete).
3. Each reprint is recorded with the unit's runs before the bytes are returned.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from provisioning.registry.models import COMPLETE, RESERVED, Unit
from provisioning.registry.registry import Registry
from provisioning.station.label_forms import label_as
from provisioning.station.labels import LabelError, code_on_label
from provisioning.station.phases import Outcome, PhaseResult

REPRINT = "reprint"


class ReprintError(Exception):
    """The label is not printed again. The text is for the operator."""


def reprint(registry: Registry, labels_dir: Path, serial: str, form: str = "pdf", *, by: str = "") -> bytes:
    """Return the unit's label in a form of `label_forms.FORMS`. It is a secret. `by`: the person who asked, if known.

    Raises ReprintError, OSError.
    """
    unit = next((unit for unit in registry.units() if unit.serial == serial), None)
    if unit is None:
        raise ReprintError(f"The registry knows no unit {serial}.")
    if unit.status not in (RESERVED, COMPLETE):
        raise ReprintError(
            f"Unit {serial} is {unit.status}: its label cannot be printed again. Rework gives it a new serial number."
        )
    path = labels_dir / (unit.label_name or f"{serial}.png")
    try:
        is_its_label = _is_its_label(registry, unit, path)
    except FileNotFoundError:
        is_its_label = False
    except (LabelError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReprintError(f"The label of unit {serial} cannot be read: {reason}.") from None
    if not is_its_label:
        raise ReprintError(f"The label of unit {serial} is missing or outdated; start the unit again.")
    try:
        data = label_as(path, form)
    except LabelError as error:
        raise ReprintError(f"The label of unit {serial} cannot be printed: {error}.") from None
    noted = {"serial": serial, "form": form, "status": unit.status, "by": by}
    result = PhaseResult(REPRINT, Outcome.PASS, 0.0, noted)
    registry.add_phases(secrets.token_hex(8), unit.id, [result])
    return data


def _is_its_label(registry: Registry, unit: Unit, path: Path) -> bool:
    if unit.status == COMPLETE:
        return registry.is_label(unit.id, path.read_bytes())
    code = code_on_label(path)
    return code is not None and registry.is_live_code(unit.id, code)
