"""Check units and whole deliveries against a kit, without the maker's registry and without a network (SC-11).

Rules:
1. The kit's signature was checked before (`signed.py`); here its statements are, each under the signatory's key.
2. A delivery that is a packing list is checked line by line under the station's keys, which the signed kit names.
3. `answers.py` has the answers, their order and their words.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.codec.cose import ALG_ESP256
from device.trust.anchors import ROLE_SIGNATORY
from provisioning.compliance.carried import check_files, check_signature
from provisioning.compliance.packing import PackingError, check_line
from provisioning.compliance.statement import StatementError
from provisioning.keys.key_id import AnchorKey, key_id
from provisioning.kit import answers
from provisioning.kit.content import StatementFacts, UnitFacts
from provisioning.kit.errors import KitError

if TYPE_CHECKING:
    from provisioning.kit.delivery import Listed
    from provisioning.kit.signed import Kit


@dataclass(frozen=True)
class Found:
    """The answers of a kit about one unit. `results`: the first decides (answers.py, rule 1); `sentences`: one each."""

    serial: str
    results: tuple[str, ...]
    sentences: tuple[str, ...]
    statement: str | None

    @property
    def is_in_order(self) -> bool:
        """Return whether nothing speaks against the unit."""
        return self.results == (answers.IN_ORDER,)

    def facts(self) -> dict[str, Any]:
        """Return the answers as plain values, for a JSON document."""
        listed = [
            {"result": result, "sentence": sentence}
            for result, sentence in zip(self.results, self.sentences, strict=True)
        ]
        return {
            "serial": self.serial,
            "result": self.results[0],
            "is_in_order": self.is_in_order,
            "statement": self.statement,
            "answers": listed,
        }


def check_statements(kit: Kit, signatories: Iterable[AnchorKey]) -> None:
    """Check every statement of the kit and the files that show it (rule 1). Raises KitError, OSError."""
    trusted = tuple(signatories)
    for statement in kit.content.statements:
        try:
            check_signature(kit.archived(statement), trusted)
            check_files(kit.archived(statement), trusted)
        except StatementError as error:
            raise KitError("; ".join(error.problems)) from None


def check_delivery(kit: Kit, delivery: Sequence[Listed], today: dt.date) -> list[Found]:
    """Return the answers for each unit of a delivery, in its order and each unit once."""
    counts = Counter(each.serial for each in delivery)
    units = {each.serial: each for each in kit.content.units}
    statements = {each.id: each for each in kit.content.statements}
    lines: dict[str, list[Listed]] = {}
    for each in delivery:
        lines.setdefault(each.serial, []).append(each)
    keys = _station_keys(kit)
    found = []
    for serial, count in counts.items():
        unit = units.get(serial)
        statement = None if unit is None else statements[unit.statement]
        of_lines = {result for each in lines[serial] for result in _about_line(each, kit, statement, keys)}
        if count > 1:
            of_lines.add(answers.LISTED_TWICE)
        found.append(_found(kit, serial, unit, statement, today, of_lines))
    return found


def _station_keys(kit: Kit) -> list[AnchorKey]:
    points = [bytes.fromhex(each) for each in kit.content.station_keys]
    return [AnchorKey(key_id(point), ALG_ESP256, ROLE_SIGNATORY, point) for point in points]


def _about_line(
    listed: Listed, kit: Kit, statement: StatementFacts | None, keys: Sequence[AnchorKey]
) -> Iterator[str]:
    """Yield what speaks against a unit in its line of the packing list (rule 2)."""
    if listed.line is None:
        return
    try:
        check_line(listed.line, keys)
    except PackingError:
        yield answers.WRONG_LINE
        return
    named = listed.line.get("consignee")
    if isinstance(named, dict) and named.get("id") != kit.content.consignee:
        yield answers.OTHER_CONSIGNEE
        return
    stated = listed.line.get("statement")
    if statement is not None and (not isinstance(stated, dict) or stated.get("sha256") != statement.sha256):
        yield answers.WRONG_LINE


def _found(
    kit: Kit,
    serial: str,
    unit: UnitFacts | None,
    statement: StatementFacts | None,
    today: dt.date,
    of_lines: set[str],
) -> Found:
    applying = of_lines | set(_about_kit(kit, today))
    facts = _facts(kit, serial, statement)
    if unit is None or statement is None:
        if answers.OTHER_CONSIGNEE not in applying:
            applying.add(answers.UNKNOWN)
    else:
        applying |= set(_about_unit(unit, statement, facts, today))
    results = tuple(each for each in answers.RESULTS if each in applying) or (answers.IN_ORDER,)
    sentences = tuple(answers.sentence(each, facts) for each in results)
    return Found(serial, results, sentences, None if statement is None else statement.id)


def _about_kit(kit: Kit, today: dt.date) -> Iterator[str]:
    if today < kit.content.issued:
        yield answers.CLOCK
    if today > kit.content.valid_until:
        yield answers.KIT_OLD


def _about_unit(
    unit: UnitFacts, statement: StatementFacts, facts: dict[str, str], today: dt.date
) -> Iterator[str]:
    if unit.state is not None:
        yield unit.state
    if dt.date.fromisoformat(facts["support_end"]) < today:
        yield answers.SUPPORT_ENDED
    if any(label.expires < today for label in statement.labels):
        yield answers.LABEL_EXPIRED


def _facts(kit: Kit, serial: str, statement: StatementFacts | None) -> dict[str, str]:
    """Return the facts for the sentences; those of an unknown unit's statement are empty."""
    content = kit.content
    facts = {
        "serial": serial,
        "maker": content.maker,
        "issued": content.issued.isoformat(),
        "valid_until": content.valid_until.isoformat(),
    }
    if statement is None:
        return facts | dict.fromkeys(("model", "batch", "statement", "support_end", "label_end"), "")
    return facts | {
        "model": statement.model,
        "batch": statement.batch,
        "statement": statement.id,
        "support_end": content.support_ends[statement.model].isoformat(),
        "label_end": min((label.expires.isoformat() for label in statement.labels), default=""),
    }
