"""`firstboot station check-batch`, `quarantine` and `rework`: checks and decisions after units were made."""

from __future__ import annotations

from pathlib import Path

from provisioning.cli.errors import RefusedError
from provisioning.cli.options import (
    BatchOption,
    ByOption,
    FilesOption,
    JsonOption,
    LabelsOption,
    ReasonOption,
    RegistryOption,
    SerialArgument,
)
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.counted import counted
from provisioning.registry.decisions import hold, note_check
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import LIVE, QUARANTINED, RETIRED, Unit
from provisioning.registry.registry import Registry
from provisioning.station.batch_check import BatchReport, Coded, check_codes
from provisioning.station.labels import LabelError, code_on_label
from provisioning.station.public_facts import batch_facts, unit_facts


def check_batch(
    registry: RegistryOption,
    batch: BatchOption,
    labels: LabelsOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Read every label of a batch and check that its set-up codes look random: no repeats, no pattern, no
    origin in public facts.

    The result is a signed record (PW-06 to PW-10). A batch ships only after a check that saw every code.

    Example: `firstboot station check-batch --registry registry.db --batch B1 --labels labels`
    """
    with opened(registry, files) as source:
        report = check_labels(source, batch, labels)
        note_check(
            source, batch, report.serials, [f"{found.rule}: {found.text}" for found in report.findings]
        )
    tried = f"{report.candidates:,} values that they might follow from were tried"
    lines = [
        *(f"not checked: {name}" for name in report.not_made),
        *(f"tried: {way}" for way in report.tried),
        *report.limits,
        f"{counted(report.codes, 'code')}: {counted(len(report.findings), 'finding')}; {tried}",
    ]
    document = {
        "codes": report.codes,
        "findings": [{"check": one.check, "rule": one.rule, "text": one.text} for one in report.findings],
        "not_made": report.not_made,
        "candidates": report.candidates,
        "tried": report.tried,
        "limits": report.limits,
    }
    print_report(lines, document, is_json)
    if not report.is_good:
        raise RefusedError([f"{found.rule}: {found.text}" for found in report.findings])


def check_labels(registry: Registry, batch: str, labels: Path) -> BatchReport:
    """Check the codes on the labels of a batch's units. Raises RegistryError for a label that cannot be read."""
    units = [unit for unit in registry.units(batch) if unit.status in LIVE and unit.label_name is not None]
    if not units:
        raise RegistryError(f"batch {batch} has no labelled unit")
    by_serial = {unit.serial: unit for unit in units}
    shared = batch_facts(registry, batch)
    coded = [Coded(unit.serial, (*shared, *unit_facts(unit)), _code(unit, labels)) for unit in units]
    return check_codes(coded, lambda entry: registry.is_live_code(by_serial[entry.serial].id, entry.code))


def _code(unit: Unit, labels: Path) -> str:
    path = labels / str(unit.label_name)
    try:
        code = code_on_label(path)
    except LabelError as error:
        raise RegistryError(f"the label of {unit.serial} cannot be read: {error}") from None
    except OSError as error:
        raise RegistryError(f"the label of {unit.serial} cannot be read: {path}: {error.strerror}") from None
    if code is None:
        raise RegistryError(f"the label of {unit.serial} shows no code")
    return code


def quarantine(
    serial: SerialArgument,
    registry: RegistryOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Stop a unit, finished or not. Its batch does not ship before the unit was reworked.

    Example: `firstboot station quarantine FB1-000001 --registry registry.db --by "E. Example" --reason "wrong case"`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        hold(source, serial, by=by, reason=reason)
    lines = [
        f"Unit {serial} is in quarantine and its set-up codes are void. Next: `firstboot station rework`"
    ]
    print_report(lines, {"serial": serial, "status": QUARANTINED}, is_json)


def rework(
    serial: SerialArgument,
    registry: RegistryOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Retire a unit's identity permanently. Its board can then be provisioned with a new serial number.

    Example: `firstboot station rework FB1-000001 --registry registry.db --by "E. Example" --reason "new case"`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        unit = source.retire(serial, by=by, reason=reason)
    is_withdrawn = unit.passed_s is not None
    lines = [f"Unit {serial} is retired and its set-up codes are void. Destroy its label."]
    if is_withdrawn:
        lines.append("It had passed, so it is withdrawn too: export to the broker and the CoAP server now.")
    print_report(lines, {"serial": serial, "status": RETIRED, "is_withdrawn": is_withdrawn}, is_json)
