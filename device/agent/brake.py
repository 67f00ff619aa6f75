"""Stop a confirmed application that crashes from restarting the unit again and again.

Rules:
1. A restart by the watchdog or by software counts against the application that ran before it, which the record names.
   After limits.APP_CRASHES of them the application is held back: the firmware runs without it, reports that, and takes
   updates.
2. The count begins again if the unit ran limits.APP_STEADY_S with the application, at a power-on, and for another
   application or another image. Each of these lets an application that was held back run again.
3. A trial does not count, and the restart that ends it does not count against the release before it: if it hangs, the
   boot ROM goes back. A restart for a release that the boot ROM then refused is not a crash either.
4. The record `crashes` of the device region holds the count and what ran last. If it is damaged, the application runs:
   the next restarts count again. Flash is written once for each crash, once when the count begins again, and once when
   another application starts.
"""

from hashlib import sha256

from device.compat import const
from device.errors import RecordDamagedError
from device.layout import RESET_POWER_ON, RESET_SOFTWARE, RESET_WATCHDOG
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

    def start(self, running: bytes, is_trial: bool = False, is_crash: bool = True) -> bool:
        """Count this start of the application `running` (running_id). Return whether it may run.

        `is_crash`: False for a restart that the firmware itself asked for.
        """
        reason, last = self._boot.reset_reason, self._load(running)
        self.restarts = 0 if reason == RESET_POWER_ON or is_trial else max(last, 0)
        if self.restarts >= APP_CRASHES:
            return False
        if (
            last >= 0
            and not is_trial
            and (reason == RESET_WATCHDOG or (reason == RESET_SOFTWARE and is_crash))
        ):
            self.restarts += 1
        if self.restarts != last:
            self._store.write_map(_RECORD, {_COUNT: self.restarts, _RUNNING: running})
        return self.restarts < APP_CRASHES

    def steady(self) -> None:
        """Begin the count again: the application ran long enough."""
        fields = self._store.read_map(_RECORD) or {}
        if fields.get(_COUNT):
            self._store.write_map(_RECORD, {_COUNT: 0, _RUNNING: fields.get(_RUNNING)})
        self.restarts = 0

    def _load(self, running: bytes) -> int:
        """Return the count for `running`, -1 if something else ran last."""
        try:
            fields = self._store.read_map(_RECORD) or {}
        except RecordDamagedError:
            return -1
        count = fields.get(_COUNT)
        if fields.get(_RUNNING) != running or isinstance(count, bool) or not isinstance(count, int):
            return -1
        return max(0, count)
