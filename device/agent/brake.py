"""Stop a confirmed application that hangs from restarting the unit again and again.

Rules:
1. A restart by the watchdog counts against the application that ran. After limits.APP_CRASHES of them the application
   is held back: the firmware runs without it, reports that, and takes updates.
2. The count begins again if the unit ran limits.APP_STEADY_S with the application, at a power-on, and for another
   application or another image. Each of these lets an application that was held back run again.
3. A trial does not count: if it hangs, the boot ROM goes back to the release before it.
4. The count is the record `crashes` of the device region. If it is damaged, the application runs: the next restarts
   count again. Flash is written once for each watchdog restart, and once when the count begins again.
"""

from hashlib import sha256

from device.compat import const
from device.errors import RecordDamagedError
from device.layout import RESET_POWER_ON, RESET_WATCHDOG
from device.limits import APP_CRASHES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Boot
    from device.records.store import Store

_RECORD = "crashes"
_COUNT = const(1)
_RUNNING = const(2)


def running_id(image_digest: bytes, set_digest: bytes) -> bytes:
    """Return 8 bytes that name an image and its running application set."""
    return sha256(image_digest + set_digest).digest()[:8]


class Brake:
    """The count of one unit. Methods raise StorageError."""

    def __init__(self, store: "Store", boot: "Boot") -> None:
        self._store = store
        self._boot = boot
        self.restarts = 0

    def start(self, running: bytes) -> bool:
        """Count one start of the application `running` (a running_id). Return whether it may run."""
        self.restarts = 0 if self._boot.reset_reason == RESET_POWER_ON else self._load(running)
        if self.restarts >= APP_CRASHES:
            return False
        if self._boot.reset_reason == RESET_WATCHDOG:
            self.restarts += 1
            self._store.write_map(_RECORD, {_COUNT: self.restarts, _RUNNING: running})
        elif not self.restarts:
            self.steady()
        return self.restarts < APP_CRASHES

    def steady(self) -> None:
        """Begin the count again: the application ran long enough, or it is another one."""
        self.restarts = 0
        if self._store.has(_RECORD):
            self._store.delete(_RECORD)

    def _load(self, running: bytes) -> int:
        try:
            fields = self._store.read_map(_RECORD) or {}
        except RecordDamagedError:
            return 0
        count = fields.get(_COUNT)
        if fields.get(_RUNNING) != running or isinstance(count, bool) or not isinstance(count, int):
            return 0
        return max(0, count)
