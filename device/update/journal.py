"""The last error, and the events that the owner can read.

Rule: every error that is shown has a way to be cleared. A successful check over any source clears a link error. A
successful check over the same source clears another error of that source. The first check that could report an error
of the start clears it.
"""

from device.compat import const
from device.errors import LinkError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.errors import FirstbootError
    from device.records.events import Events
    from device.records.timekeeper import TimeKeeper


class Journal:
    """The errors of one unit. `last_error`: the newest that still applies, or None. `entries` survive a restart."""

    def __init__(self, events: "Events", time: "TimeKeeper") -> None:
        self._events = events
        self._time = time
        self._source = ""  # of the last error; "" for one that no source caused
        self._checked = ""  # the source of the check under way
        self._is_clean = True  # nothing went wrong in the check under way
        self.last_error: "FirstbootError | None" = None

    @property
    def entries(self) -> "list[list[object]]":
        """Return the events, newest last: [unix s or 0, error number, text]."""
        return self._events.entries

    def begin(self, source: str) -> None:
        """Note that a check over `source` begins."""
        self._checked, self._is_clean = source, True

    def end(self) -> bool:
        """Complete the check under way. Return whether nothing went wrong in it.

        If so, clear the last error as the rule above says.
        """
        is_over = self._source in ("", self._checked) or isinstance(self.last_error, LinkError)
        if self._is_clean and is_over:
            self.last_error = None
        self._checked = ""
        return self._is_clean

    def record(self, error: "FirstbootError") -> None:
        """Add an event that is not the error of a check, and so does not change `last_error`."""
        self._events.add(error, self._time.now_s())

    def show(self, error: "FirstbootError") -> None:
        """Set `error` as the last error."""
        self.last_error, self._source, self._is_clean = error, self._checked, False

    def note(self, error: "FirstbootError") -> None:
        """Set `error` as the last error. It becomes an event too, unless it is a link error."""
        self.show(error)
        if not isinstance(error, LinkError):
            self.record(error)
