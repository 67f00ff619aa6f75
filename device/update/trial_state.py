"""The fate of one release on this unit: pending, on trial, confirmed, reverted.

Rules (docs/design.md, Boot):
1. `pending` names the release that is being installed; it exists from the verified envelope to confirm or failure.
   The slot's marks are erased before it is written, so marks that are found belong to the pending release.
2. A trial confirms in this order: trailer mark, manifest sequence, security counter, `pending` removed. A power cut
   between any two is completed at the next start, because each step can be repeated.
3. A release that started and did not confirm is not retried by itself, unless it only missed its server: then it is
   tried again, at most limits.TRIAL_ATTEMPTS times.
4. The confirmed manifest sequence never goes down.
"""

from collections import namedtuple

from device.codec.cbor import decode, encode
from device.compat import const
from device.errors import CodecError, RecordDamagedError
from device.layout import RESET_WATCHDOG
from device.limits import TRIAL_ATTEMPTS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.update.slots import Marks

# What to do with a pending release at the start.
NOTHING = "nothing"
CONTINUE = "continue"  # the transfer goes on
TRIAL = "trial"  # this is the trial run
FINISH = "finish"  # confirmed; complete what a power cut left open
RETRY = "retry"  # it only missed its server; stage it again
FAILED = "failed"

# Why a trial ended, as far as the trial image could say itself.
NO_SERVER = 1
APP_FAILED = 2
NO_DELTA = 3  # said before the trial: the patch of this release does not make its firmware

# `slot` of a release that changes the application set alone: this and the number of the set's place.
FIRST_SET = 2

Pending = namedtuple("Pending", ("sequence", "slot", "digest", "size", "attempts", "outcome"))
Progress = namedtuple(
    "Progress", ("manifest_sequence", "support_sequence", "time_floor_s", "failed_sequence")
)

NO_PROGRESS = Progress(0, 0, 0, 0)


def _encode(fields: "tuple[object, ...]") -> bytes:
    return encode({index + 1: value for index, value in enumerate(fields)})


def _decode(data: bytes, count: int, name: str) -> "list[object]":
    try:
        fields = decode(data)
    except CodecError:
        raise RecordDamagedError(name=name)
    if not isinstance(fields, dict) or len(fields) != count:
        raise RecordDamagedError(name=name)
    values = [fields.get(index + 1) for index in range(count)]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, bytes)):
            raise RecordDamagedError(name=name)
    return values


def encode_pending(pending: "Pending") -> bytes:
    return _encode(pending)


def decode_pending(data: bytes) -> "Pending":
    """Raises RecordDamagedError."""
    return Pending(*_decode(data, 6, "pending"))


def encode_progress(progress: "Progress") -> bytes:
    return _encode(progress)


def decode_progress(data: bytes) -> "Progress":
    """Raises RecordDamagedError."""
    return Progress(*_decode(data, 4, "progress"))


def with_manifest(progress: "Progress", sequence: int) -> "Progress":
    """A release was confirmed; what failed before it is of no interest any more."""
    return Progress(sequence, progress.support_sequence, progress.time_floor_s, 0)


def with_failed(progress: "Progress", sequence: int) -> "Progress":
    return Progress(progress.manifest_sequence, progress.support_sequence, progress.time_floor_s, sequence)


def with_support(progress: "Progress", sequence: int) -> "Progress":
    return Progress(progress.manifest_sequence, sequence, progress.time_floor_s, progress.failed_sequence)


def with_time_floor(progress: "Progress", time_floor_s: int) -> "Progress":
    return Progress(
        progress.manifest_sequence, progress.support_sequence, time_floor_s, progress.failed_sequence
    )


def with_outcome(pending: "Pending", outcome: int) -> "Pending":
    """The same release with what its trial image says of itself."""
    return Pending(pending.sequence, pending.slot, pending.digest, pending.size, pending.attempts, outcome)


def next_attempt(pending: "Pending") -> "Pending":
    """The same release, about to be tried once more."""
    return Pending(pending.sequence, pending.slot, pending.digest, pending.size, pending.attempts + 1, 0)


def decide(pending: "Pending | None", running_slot: int, is_trial: bool, marks: "Marks") -> str:
    """What the start finds: `marks` are those of the pending release's slot, `running_slot` and `is_trial` those of the
    image that runs, or of the application set for a release that changes that alone.
    """
    if pending is None:
        return NOTHING
    if pending.slot == running_slot:
        if marks.is_confirmed:
            return FINISH
        return TRIAL if is_trial else FAILED
    if marks.is_confirmed or not (marks.is_staged or marks.is_tried):
        return CONTINUE  # not staged yet, or confirmed once and damaged since: fetch what is missing
    if marks.is_tried and pending.outcome == NO_SERVER and pending.attempts < TRIAL_ATTEMPTS:
        return RETRY
    return FAILED  # tried and not confirmed, or staged and refused by the boot ROM


def failure_reason(pending: "Pending", marks: "Marks", reset_reason: int) -> str:
    """One word for why a release did not stay, for events and reports."""
    if not marks.is_tried:
        return "refused by the boot ROM" if pending.slot < FIRST_SET else "application set changed"
    if pending.outcome == NO_SERVER:
        return "no server in the trial window"
    if pending.outcome == APP_FAILED:
        return "application failed"
    if reset_reason == RESET_WATCHDOG:
        return "watchdog"
    return "restarted before it confirmed"
