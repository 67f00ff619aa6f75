"""The ship gate: it ships a unit or a batch, or returns every reason against it (SC-04, SP-11).

Rules:
1. It checks four aspects: the unit's verification, the statement it carries, the published support period of its
   type, and the values that no other unit may share. It reports every fault, not only the first.
2. A batch ships whole or not at all. Retired units are left out.
3. Each unit that ships gets a line in the packing list, signed by the station: serial, batch, statement, consignee. A
   serial leads to its statement and a statement to its serials (SC-07), and a batch to everybody who got units of it
   (CF-03).
4. No archive of issued statements holds a demonstration, so a unit that carries one can never ship.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from device.crypto import der
from device.errors import FirstbootError
from device.records.support import date_text
from provisioning.compliance.archive import Archive, Archived, ArchiveError
from provisioning.compliance.carried import check_files, check_signature
from provisioning.compliance.ledger import Ledger, LedgerError, Line
from provisioning.compliance.packing import SHIPPED, sign_line
from provisioning.compliance.statement import StatementError, label_expiries
from provisioning.compliance.support_register import Publication, RegisterError, current
from provisioning.registry.models import PASSED
from provisioning.registry.registry import RegistryError
from provisioning.registry.sale import note_shipped

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.signer import Signer
    from provisioning.registry.consignees import Consignee
    from provisioning.registry.models import Unit
    from provisioning.registry.registry import Registry

RETIRED: Final = "retired"


@dataclass(frozen=True)
class Refusal:
    """A reason why a unit (with serial "": the whole batch) may not ship. `aspect` is one of the four of rule 1, or
    "consignee" for a unit that went to another one.
    """

    serial: str
    aspect: str
    sentence: str


class ShipError(Exception):
    """Nothing was shipped. `refusals`: every reason."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__(f"nothing was shipped: {len(self.refusals)} reasons")


@dataclass
class Gate:
    """The gate of one factory. `register`: lines of the published support register; `today`: the day in UTC;
    `consignee`: the party that the units go to.
    """

    registry: Registry
    archive: Archive
    register: Sequence[Line]
    packing: Ledger
    keys: Sequence[AnchorKey]
    today: dt.date
    consignee: Consignee
    batch_faults: Callable[[str], Iterable[str]] = lambda _: ()
    signer: Signer | None = None  # signs the packing list; None: the registry's station key
    _twice: dict[str, Counter[bytes]] = field(default_factory=dict, repr=False)

    def ship(self, *, serial: str | None = None, batch: str | None = None) -> list[str]:
        """Ship one unit or a whole batch. Returns the serial numbers with a new line. Raises ShipError, OSError.

        A unit that already shipped gets no second line, so an interrupted command can be repeated.
        """
        units = [unit for unit in self.registry.units() if serial == unit.serial or batch == unit.batch]
        units = [unit for unit in units if batch is None or unit.status != RETIRED]
        refusals = list(self._common(serial, batch, units))
        left: list[Unit] = []
        if not refusals:
            entries = self.packing.entries()
            gone = {entry["serial"]: str(entry["device_id"]) for entry in entries}
            refusals = [*self._contradictions(units, gone), *self._elsewhere(serial, entries)]
        if not refusals:
            left = [unit for unit in units if unit.serial in gone]
            units = [unit for unit in units if unit.serial not in gone]
            self._count()
            refusals = [refusal for unit in units for refusal in self.refusals(unit)]
        if refusals:
            raise ShipError(refusals)
        signer = self.signer or self.registry.signer
        lines = [sign_line(self._line(unit), signer) for unit in units]
        if lines:
            self.packing.append(*lines)
        note_shipped(self.registry, [unit.device_id for unit in (*left, *units)])
        return [unit.serial for unit in units]

    def _contradictions(self, units: Sequence[Unit], gone: Mapping[str, str]) -> Iterator[Refusal]:
        """Yield units that the registry and the packing list know differently. `gone`: device id by serial number."""
        marked = {row.number: row.shipped_s for row in self.registry.batches()}  # without a line: ship-batch
        for unit in units:
            if gone.get(unit.serial, unit.device_id.hex()) != unit.device_id.hex():
                yield Refusal(
                    unit.serial,
                    "uniqueness",
                    f"The packing list has another unit with this serial number: device {gone[unit.serial]}."
                    " Give each registry its own packing list and serial prefix.",
                )
            elif unit.shipped_s not in (None, marked.get(unit.batch)) and unit.serial not in gone:
                yield Refusal(
                    unit.serial,
                    "uniqueness",
                    f"It was shipped before, but {self.packing.path.name} has no line for it. Name the packing list"
                    " that it was shipped with, or restore that list.",
                )

    def _elsewhere(self, serial: str | None, entries: Iterable[Mapping[str, Any]]) -> Iterator[Refusal]:
        """Yield the one unit that was asked for, if it went to another consignee."""
        for entry in entries:
            went = entry.get("consignee", {}).get("id", self.consignee.id)
            if entry["serial"] == serial and went != self.consignee.id:
                yield Refusal(str(serial), "consignee", f"It was shipped to {went} already.")

    def refusals(self, unit: Unit) -> Iterator[Refusal]:
        """Yield every reason why this unit may not ship."""
        if not self._twice:
            self._count()
        for aspect, check in _CHECKS:
            for sentence in check(self, unit):
                yield Refusal(unit.serial, aspect, sentence)

    def _common(self, serial: str | None, batch: str | None, units: Sequence[Unit]) -> Iterator[Refusal]:
        """Yield the faults of the records themselves, which concern every unit."""
        if not units:
            yield Refusal("", "verification", f"The registry has no unit of {batch or serial}.")
        for aspect, check in (
            ("verification", self.registry.verify_chain),
            ("statement", self.archive.verify),
            ("support period", lambda: current(self.register)),
            ("verification", self.packing.lines),
        ):
            try:
                check()
            except (RegistryError, ArchiveError, LedgerError, RegisterError, OSError) as error:
                yield Refusal("", aspect, f"The records cannot be trusted: {error}.")
        for number in sorted({unit.batch for unit in units}):
            for fault in self.batch_faults(number):
                words = fault.removeprefix(f"batch {number} ")
                yield Refusal("", "uniqueness", f"Batch {number}{' ' if words != fault else ': '}{words}.")

    def _count(self) -> None:
        """Count each value that must be unique, over the whole registry."""
        every = self.registry.units()
        for name in UNIQUE:
            self._twice[name] = Counter(getattr(unit, name) for unit in every if getattr(unit, name))
        self._twice[DEVICE_KEY] = Counter(device_key(unit) for unit in every)

    def statement_of(self, unit: Unit) -> Archived | None:
        """Return the issued statement that the unit carries."""
        return None if unit.statement_sha256 is None else self.archive.by_sha256(unit.statement_sha256.hex())

    def how_often(self, name: str, value: bytes) -> int:
        return self._twice[name][value]

    def published(self, model: str) -> Publication | None:
        return current(self.register).get(model)

    def _line(self, unit: Unit) -> dict[str, Any]:
        statement = self.statement_of(unit)
        assert statement is not None  # noqa: S101 - _check_statement has seen it
        return {
            "event": SHIPPED,
            "serial": unit.serial,
            "device_id": unit.device_id.hex(),
            "model": statement.model,
            "batch": unit.batch,
            "statement": {"id": statement.id, "sha256": statement.sha256},
            "support_end": date_text(unit.support_end_day or 0),
            "image_sha256": (unit.image_digest or b"").hex(),
            "consignee": self.consignee.line(),
            "on": self.today.isoformat(),
        }


DEVICE_KEY: Final = "device key"


def device_key(unit: Unit) -> bytes:
    """Return the public key (65 bytes) in the unit's certificate; empty if it cannot be read."""
    try:
        return bytes(der.certificate_facts(unit.device_certificate or b"").public_key)
    except FirstbootError:
        return b""


UNIQUE: Final = ("device_id", "device_certificate", "web_fingerprint", "record_hash", "label_mac")


def _check_verification(gate: Gate, unit: Unit) -> Iterator[str]:
    if unit.status != PASSED:
        yield f"Its lock was never verified: its state in the registry is {unit.status}."
        return
    if unit.is_development:
        yield "It was made with development keys or a development build and is not for sale."
    if unit.withdrawn_s is not None:
        yield "It was withdrawn: servers no longer accept it."
    passed = {phase.name for phase in gate.registry.phases(unit.id) if phase.outcome == "PASS"}
    for name in ("verify", "label", "prove"):
        if name not in passed:
            yield f"It never passed the phase {name}."


def _check_statement(gate: Gate, unit: Unit) -> Iterator[str]:
    statement = gate.statement_of(unit)
    if statement is None:
        yield "The statement it carries is not an issued one of this maker; it may be a demonstration."
        return
    if statement.batch != unit.batch:
        yield f"It carries the statement of batch {statement.batch}."
    newest = gate.archive.latest(statement.model, statement.batch)
    if newest is not None and newest.id != statement.id:
        yield f"The statement it carries was superseded by {newest.id}."
    try:
        check_signature(statement, gate.keys)
        check_files(statement, gate.keys)
    except StatementError as error:
        yield f"Its statement cannot be verified: {'; '.join(error.problems)}."
        return
    document = statement.document()
    for requirement, last_day in label_expiries(document).items():
        if last_day < gate.today.isoformat():
            yield f"The label that its statement relies on for {requirement} expired on {last_day} (SC-09)."
    if document["firmware"]["image_sha256"] != (unit.image_digest or b"").hex():
        yield "Its image is not the one in its statement's evidence."
    if document["support_period"]["end_date"] != date_text(unit.support_end_day or 0):
        yield "Its support record and its statement name different last days (SP-07)."


def _check_support(gate: Gate, unit: Unit) -> Iterator[str]:
    statement = gate.statement_of(unit)
    model = "" if statement is None else statement.model
    published = gate.published(model)
    if published is None:
        yield f"No support period is published for {model or 'its type'} (SP-11)."
        return
    if published.end_date < gate.today:
        yield f"The support period of {model} ended on {published.end_date.isoformat()} (SP-11)."
    stated = date_text(unit.support_end_day or 0)
    if published.end_date.isoformat() < stated:
        yield f"The published support period ends before {stated}, the last day in its statement (SP-07)."


def _check_uniqueness(gate: Gate, unit: Unit) -> Iterator[str]:
    _, live = gate.registry.codes_generated(unit.id)
    if live != 1:
        yield f"It has {live} live set-up codes instead of one (PW-10)."
    for name in UNIQUE:
        value = getattr(unit, name)
        if not value:
            yield f"The registry does not have its {name.replace('_', ' ')}."
        elif gate.how_often(name, value) != 1:
            yield f"Another unit has the same {name.replace('_', ' ')}."
    key = device_key(unit)
    if not key:
        yield "The key in its certificate cannot be read."
    elif gate.how_often(DEVICE_KEY, key) != 1:
        yield "Another unit has the same device key (SE-02)."


_CHECKS: Final[tuple[tuple[str, Callable[[Gate, Unit], Iterator[str]]], ...]] = (
    ("verification", _check_verification),
    ("statement", _check_statement),
    ("support period", _check_support),
    ("uniqueness", _check_uniqueness),
)
