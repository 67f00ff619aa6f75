"""What went wrong last, and the events that the owner can read.

Rule: every shown error has the event that clears it. A link error ends with the next good check over any source, since
the unit is served. Another error of a source ends with the next good check over that source. An error of the start ends
with the first check that could report it.
"""

from device.compat import const
from device.errors import LinkError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.errors import FirstbootError
    from device.records.events import Events
    from device.records.timekeeper import TimeKeeper


class Journal:
    """`last_error`: the newest error that still holds, or None. `entries` survive a restart."""

    def __init__(self, events: "Events", time: "TimeKeeper") -> None:
        self._events = events
        self._time = time
        self._source = ""  # of the last error; "" for one that no source caused
        self._checked = ""  # the source of the check under way
        self._is_clean = True  # nothing went wrong in the check under way
        self.last_error: "FirstbootError | None" = None

    @property
    def entries(self) -> "list[list[object]]":
        """The events, newest last: [unix s or 0, error number, text]."""
        return self._events.entries

    def begin(self, source: str) -> None:
        """A check over `source` begins."""
        self._checked, self._is_clean = source, True

    def end(self) -> None:
        """The check under way was completed: clear the last error if the check shows that it is over."""
        is_over = self._source in ("", self._checked) or isinstance(self.last_error, LinkError)
        if self._is_clean and is_over:
            self.last_error = None
        self._checked = ""

    def record(self, error: "FirstbootError") -> None:
        """Add an event that is not the error of a check: it has a state of its own that ends it."""
        self._events.add(error, self._time.now_s())

    def show(self, error: "FirstbootError") -> None:
        """Keep `error` as the last one: it still holds."""
        self.last_error, self._source, self._is_clean = error, self._checked, False

    def note(self, error: "FirstbootError") -> None:
        """Keep `error` as the last one. It becomes an event too, unless it is only about the link."""
        self.show(error)
        if not isinstance(error, LinkError):
            self.record(error)
