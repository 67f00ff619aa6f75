"""What went wrong last, and the events that the owner can read."""

from device.compat import const
from device.errors import LinkError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.errors import FirstbootError
    from device.records.events import Events
    from device.records.timekeeper import TimeKeeper


class Journal:
    """`last_error`: the newest error, until an envelope is accepted without one. `entries` survive a restart."""

    def __init__(self, events: "Events", time: "TimeKeeper") -> None:
        self._events = events
        self._time = time
        self.last_error: "FirstbootError | None" = None

    @property
    def entries(self) -> "list[list[object]]":
        """The events, newest last: [unix s or 0, error number, text]."""
        return self._events.entries

    def note(self, error: "FirstbootError") -> None:
        """Keep `error` as the last one. It becomes an event too, unless it is only about the link."""
        self.last_error = error
        if not isinstance(error, LinkError):
            self._events.add(error, self._time.now_s())
