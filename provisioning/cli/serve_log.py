"""The log of `firstboot serve`: one line for each event on standard error, as text or JSON.

Rules:
1. A line never contains a secret: facts have none, passwords and PINs of addresses are hidden, and an exception is
   written as its type and text, without the values of a traceback.
2. A peer cannot fill the disk: after BURST refusals in WINDOW_S the others are counted, and one line reports how many.
3. Of a file that is sent in blocks only the first block is logged. Metrics count every block.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from provisioning.cli.errors import printable, redacted
from provisioning.servers import observer
from provisioning.servers.observer import Fact

OURS: Final = __name__.rpartition(".cli.")[0]  # in a wheel the packages have longer names (ADR 24)
LOGGER: Final = f"{OURS}.serve"
BURST: Final = 20
WINDOW_S: Final = 10.0
_WARNINGS: Final = {observer.REFUSED, observer.BROKER_DOWN, "not_ready", "stop_late"}
_ERRORS: Final = {observer.NOT_SIGNED, observer.TAKEOVER, "reload_failed"}
_UNLOGGED: Final = {observer.REQUEST}  # each ends as one of the other events


class LineFormatter(logging.Formatter):
    """One line for one record."""

    def __init__(self, *, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line without secrets, line ends and control characters."""
        event = getattr(record, "event", "log")
        facts: dict[str, Any] = dict(getattr(record, "facts", {}))
        if event == "log":
            facts["text"] = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            failure = record.exc_info[1]
            facts["error"] = f"{type(failure).__name__}: {failure}"
        facts = {name: _clean(value) for name, value in facts.items()}
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        if self._is_json:
            return json.dumps({"time": when, "level": record.levelname.lower(), "event": event, **facts})
        words = " ".join(f"{name}={value}" if name != "text" else str(value) for name, value in facts.items())
        return f"{when} {record.levelname} {event} {words}".rstrip()


def _clean(value: Any) -> Any:
    return value if isinstance(value, int) else printable(redacted(str(value))).replace("\n", " ")


class EventLog:
    """An observer that writes events into the log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = logging.getLogger(LOGGER)
        self._clock = clock
        self._lock = threading.Lock()
        self._window_s = clock()
        self._refusals = 0

    def __call__(self, event: str, /, **facts: Fact) -> None:
        """Log one event."""
        if event in _UNLOGGED or (event == observer.SENT and facts.get("start") != 0):
            return
        if event == observer.REFUSED and not self._is_within_burst():
            return
        level = logging.ERROR if event in _ERRORS else logging.WARNING if event in _WARNINGS else logging.INFO
        self._log.log(level, event, extra={"event": event, "facts": facts})

    def _is_within_burst(self) -> bool:
        with self._lock:
            now_s = self._clock()
            if now_s - self._window_s > WINDOW_S:
                unlogged = max(0, self._refusals - BURST)
                self._window_s, self._refusals = now_s, 0
                if unlogged:
                    facts = {"count": unlogged}
                    self._log.warning("refused_more", extra={"event": "refused_more", "facts": facts})
            self._refusals += 1
            return self._refusals <= BURST


def begin(*, is_json: bool) -> EventLog:
    """Send the log of this process to standard error and return the observer that fills it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(is_json=is_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(logging.INFO)
    for name in ("tracker", "coap_boundary"):
        logging.getLogger(f"{OURS}.servers.{name}").setLevel(logging.ERROR)  # their refusals are events
    return EventLog()
