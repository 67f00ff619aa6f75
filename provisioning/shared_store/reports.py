"""The reports of units in a server database: a report is acknowledged only after it is committed.

Rules:
1. The newest KEPT reports of each unit stay. So a hostile unit with a valid certificate replaces its own reports only.
2. A mark names the database and the number of a report. A reader waits for the reports that are being stored, so that
   none with a lower number appears behind its mark.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, text

from provisioning.servers.errors import ReportError
from provisioning.servers.report_log import Mark
from provisioning.shared_store.database import SharedDatabase, SharedStoreError
from provisioning.shared_store.models import ReportRow

KEPT: Final = 256
_ROWS: Final = select(
    ReportRow.number, ReportRow.time_s, ReportRow.device, ReportRow.source, ReportRow.report
)


class SharedReports:
    """The reports in `database`. Threads and processes may use it side by side. Raises SharedStoreError."""

    def __init__(
        self, database: SharedDatabase, *, kept: int = KEPT, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._kept = kept
        self._now = now
        self.name = database.name

    def append(self, device: str, source: str, data: bytes) -> None:
        """Add a report and return when it is durable. Raises ReportError, and then changes nothing."""
        values = {"time_s": int(self._now()), "device": device, "source": source, "report": data}
        own = select(ReportRow.number).where(ReportRow.device == device).order_by(ReportRow.number.desc())
        oldest = own.offset(self._kept).limit(1).scalar_subquery()
        try:
            with self._database.changing() as connection:
                connection.execute(insert(ReportRow).values(values))
                connection.execute(
                    delete(ReportRow).where(ReportRow.device == device, ReportRow.number <= oldest)
                )
        except SharedStoreError as error:
            raise ReportError(f"a report cannot be kept: {error}") from error

    def latest(self, count: int) -> Iterator[dict[str, Any]]:
        """Yield the newest `count` reports, oldest first, as provisioning/servers/report_log.py, rule 1."""
        with self._database.reading() as connection:
            rows = connection.execute(_ROWS.order_by(ReportRow.number.desc()).limit(count)).all()
        yield from map(_entry, reversed(rows))

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield every report, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execution_options(yield_per=1000).execute(_ROWS.order_by(ReportRow.number))
            yield from map(_entry, rows)

    def entries_after(self, mark: Mark | None) -> tuple[list[dict[str, Any]], Mark | None]:
        """Return the reports after `mark`, oldest first, and the mark behind them.

        None, or a mark of another database or log: every report.
        """
        after = mark.size if mark is not None and mark.head == self._database.id else 0
        with self._database.changing() as connection:
            if self._database.is_postgresql:  # rule 2; SQLite has one writer at a time
                connection.execute(text("LOCK TABLE report IN SHARE MODE"))
            query = _ROWS.where(ReportRow.number > after).order_by(ReportRow.number)
            rows = connection.execute(query).all()
        last = rows[-1].number if rows else after
        return [_entry(row) for row in rows], Mark(self._database.id, last)


def _entry(row: Row[int, int, str, str, bytes]) -> dict[str, Any]:
    return {"time": row.time_s, "device": row.device, "source": row.source, "report": row.report.hex()}
