"""The releases of one unit: the running image, its application set, the confirmed progress, the pending release."""

from collections import namedtuple

from device.compat import const
from device.errors import FirstbootError
from device.update import progress as progress_record
from device.update.app_choice import ApplicationChoice
from device.update.failures import Failures
from device.update.pending import PendingRelease
from device.update.running_image import RunningImage

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import Boot
    from device.records.store import Store
    from device.update.appset import AppSets
    from device.update.slots import BootState

# image: RunningImage; application: ApplicationChoice; pending: PendingRelease; progress: ProgressRecord
Releases = namedtuple("Releases", ("image", "application", "pending", "progress"))


def load(
    boot: "Boot",
    boot_state: "BootState",
    store: "Store",
    sets: "AppSets | None" = None,
    on_confirmed: "Callable[[], None]" = lambda: None,
) -> Releases:
    """Read the records; write nothing. Raises StorageError, RecordDamagedError."""
    image = RunningImage(boot, boot_state)
    progress = progress_record.load(store, boot, boot_state, sets)
    application = ApplicationChoice(image, store, sets, progress)
    pending = PendingRelease(image, application, progress, Failures(store), store, on_confirmed)
    return Releases(image, application, pending, progress)


def start(releases: Releases) -> "list[FirstbootError]":
    """Choose the application set, then finish, continue or give up the pending release. Returns what to report.

    Call it once at every start. It writes marks and records. A failed write is one of the returned errors: it must not
    stop a unit with a confirmed release.
    """
    errors: "list[FirstbootError]" = []
    try:
        errors = releases.progress.begin()
        errors += releases.application.choose(releases.pending.read())
        given_up = releases.pending.reconcile()
    except FirstbootError as error:
        given_up = error
    return errors if given_up is None else errors + [given_up]
