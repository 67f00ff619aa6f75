"""The SQL queries for one unit, rendered once when this module is loaded."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sqlalchemy import Table, and_, bindparam, func, insert, literal, outerjoin, select, update
from sqlalchemy.orm import aliased

from provisioning.registry.models import (
    COMPLETE,
    PASSED,
    QUARANTINED,
    RETIRED,
    Base,
    Batch,
    Chain,
    CodeFingerprint,
    NumberRange,
    PhaseEntry,
    ProductionRecord,
    SealedSecret,
    SerialCounter,
    Setting,
    Unit,
)
from provisioning.registry.numbers import KEPT_HERE, ROLE_NAME
from provisioning.registry.writer import Query


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - for the type checker
    return table


def _insert(model: type[Base], *names: str) -> Query:
    return Query(insert(_table(model)).inline().values({name: bindparam(name) for name in names}))


_UNIT = (Unit.id, Unit.device_id, Unit.serial, Unit.batch, Unit.status, Unit.note)
BY_ID = Query(select(*_UNIT).where(Unit.id == bindparam("unit_id")))
_NOTHING = select(literal(1).label("one")).subquery("asked")
_OTHER = aliased(Unit)
_NEWEST = select(_OTHER).where(_OTHER.status != RETIRED).order_by(_OTHER.id.desc()).limit(1)
# Everything that a reservation depends on, in one row. A board that is not known has no unit columns.
LOOK = Query(
    select(
        select(CodeFingerprint.unit_id)
        .where(CodeFingerprint.fingerprint == bindparam("fingerprint"))
        .scalar_subquery(),
        select(Batch.is_closed).where(Batch.number == bindparam("wanted_batch")).scalar_subquery(),
        select(Setting.value).where(Setting.name == ROLE_NAME).scalar_subquery(),
        select(SerialCounter.next_number)
        .where(SerialCounter.prefix == bindparam("serial_prefix"))
        .scalar_subquery(),
        _NEWEST.with_only_columns(_OTHER.reserved_s).scalar_subquery(),
        _NEWEST.with_only_columns(_OTHER.serial).scalar_subquery(),
        *_UNIT,
    )
    .select_from(
        outerjoin(
            _NOTHING,
            Unit,
            and_(Unit.hardware_id == bindparam("hardware_id"), Unit.status != RETIRED),
        )
    )
    .order_by(Unit.id.desc())
    .limit(1)
)
_RANGE = (
    select(NumberRange.first_number, NumberRange.next_number)
    .where(
        NumberRange.prefix == bindparam("serial_prefix"), NumberRange.next_number <= NumberRange.last_number
    )
    .order_by(NumberRange.first_number)
    .limit(1)
)
# Ranges that a branch may use for any batch, for this batch, and that the main registry keeps for this batch.
RANGE = Query(_RANGE.where(NumberRange.batch.is_(None)))
BATCH_LEASE = Query(_RANGE.where(NumberRange.batch == bindparam("wanted_batch")))
BATCH_RANGE = Query(
    _RANGE.where(NumberRange.batch == bindparam("wanted_batch"), NumberRange.holder == KEPT_HERE)
)
HEAD = Query(  # the station's open chain and its last record
    select(Chain.name, Chain.public_key, ProductionRecord.number, ProductionRecord.hash)
    .select_from(
        outerjoin(
            Chain,
            ProductionRecord,
            and_(
                ProductionRecord.chain == Chain.name,
                ProductionRecord.number
                == select(func.max(ProductionRecord.number))
                .where(ProductionRecord.chain == Chain.name)
                .correlate(Chain)
                .scalar_subquery(),
            ),
        )
    )
    .where(Chain.station == bindparam("station"), Chain.is_open)
)
CHAINS = Query(select(func.count()).select_from(Chain).where(Chain.station == bindparam("station")))
BY_ID_WITH_HASH = Query(
    select(*_UNIT, ProductionRecord.hash)
    .select_from(outerjoin(Unit, ProductionRecord, ProductionRecord.unit_id == Unit.id))
    .where(Unit.id == bindparam("unit_id"))
)

NEW_COUNTER = _insert(SerialCounter, "prefix", "next_number")
COUNT_ON = Query(
    update(SerialCounter)
    .where(SerialCounter.prefix == bindparam("serial_prefix"))
    .values(next_number=bindparam("following"))
)
RANGE_ON = Query(
    update(NumberRange)
    .where(NumberRange.prefix == bindparam("serial_prefix"), NumberRange.first_number == bindparam("first"))
    .values(next_number=bindparam("following"))
)
NEW_UNIT = Query(
    insert(_table(Unit))
    .values(
        {
            name: bindparam(name)
            for name in (
                "hardware_id", "device_id", "serial", "batch", "status", "is_development", "reserved_s",
            )
        }
    )
    .returning(Unit.id)
)  # fmt: skip
NEW_CODE = _insert(CodeFingerprint, "fingerprint", "unit_id", "is_live", "generated_s")
BURN = Query(
    update(CodeFingerprint)
    .where(CodeFingerprint.unit_id == bindparam("unit"), CodeFingerprint.is_live)
    .values(is_live=False)
)
SET_STATUS = Query(update(Unit).where(Unit.id == bindparam("unit_id")).values(status=bindparam("new_status")))
COMPLETE_COLUMNS: Final = (
    "version", "image_digest", "device_certificate", "web_fingerprint", "record_hash", "statement_sha256",
    "support_end_day", "label_name", "label_mac", "key_origin",
)  # fmt: skip
SET_COMPLETE = Query(
    update(Unit)
    .where(Unit.id == bindparam("unit_id"))
    .values(status=COMPLETE, **{name: bindparam(f"new_{name}") for name in COMPLETE_COLUMNS})
)
DROP_SECRET = Query(_table(SealedSecret).delete().where(SealedSecret.device_id == bindparam("device")))
NEW_SECRET = _insert(SealedSecret, "device_id", "server_key_id", "sealed")
SET_PASSED = Query(
    update(Unit).where(Unit.id == bindparam("unit_id")).values(status=PASSED, passed_s=bindparam("passed"))
)
SET_QUARANTINED = Query(
    update(Unit).where(Unit.id == bindparam("unit_id")).values(status=QUARANTINED, note=bindparam("why"))
)
NEW_CHAIN = _insert(Chain, "name", "station", "public_key", "is_open")
NEW_RECORD = _insert(
    ProductionRecord, "chain", "number", "unit_id", "body", "previous_hash", "hash", "signature"
)
RUN_COLUMNS: Final = ("run", "unit_id", "ended_s")  # equal in all phases of a run
PHASE_COLUMNS: Final = ("name", "outcome", "seconds", "measurements", "error")
MOST_PHASES: Final = 8  # psycopg parses a query with more than 50 parameters again each time


@lru_cache(MOST_PHASES)
def new_phases(count: int) -> Query:
    """Return the query that inserts `count` phases of a run, 1 to MOST_PHASES.

    Parameters: RUN_COLUMNS, and COLUMN_NUMBER from 0.
    """
    run: dict[str, object] = {name: bindparam(name) for name in RUN_COLUMNS}
    rows = [run | {name: bindparam(f"{name}_{at}") for name in PHASE_COLUMNS} for at in range(count)]
    return Query(insert(_table(PhaseEntry)).inline().values(rows))
