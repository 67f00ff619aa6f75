"""The fate of one release on this unit: pending, on trial, confirmed, reverted.

Rules (docs/design.md, Boot):
1. The record `pending` names the release under way. It exists from the verified envelope until confirm or failure. The
   slot's marks are erased before it is written, so any marks in the slot belong to the pending release.
2. A trial confirms in this order: slot mark, manifest sequence, security counter, `pending` deleted. After a power cut
   between two steps the next start completes the rest, because each step can be repeated.
3. A release that started and did not confirm is not tried again, unless it only missed its server. Then it is tried at
   most limits.TRIAL_ATTEMPTS times.
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

# What to do with a pending release at a start.
NOTHING = "nothing"
CONTINUE = "continue"  # go on with the transfer
TRIAL = "trial"  # this start is its trial
FINISH = "finish"  # it is confirmed; complete the steps that a power cut left open
RETRY = "retry"  # it only missed its server; stage it again
FAILED = "failed"

# `outcome`: what the running image recorded about a release; 0 if nothing.
NO_SERVER = 1
APP_FAILED = 2
NO_DELTA = 3  # recorded before the trial: the patch of this release does not make its firmware

# `slot` of a release that changes only the application set: this plus the index of the application slot.
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
    """A release was confirmed; forget the one that failed before it."""
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
    """The same release with a recorded outcome."""
    return Pending(pending.sequence, pending.slot, pending.digest, pending.size, pending.attempts, outcome)


def next_attempt(pending: "Pending") -> "Pending":
    """The same release, about to be tried once more."""
    return Pending(pending.sequence, pending.slot, pending.digest, pending.size, pending.attempts + 1, 0)


def decide(pending: "Pending | None", running_slot: int, is_trial: bool, marks: "Marks") -> str:
    """Return what to do with a pending release at a start (one of the constants above).

    `marks` are those of its slot. `running_slot` and `is_trial` describe the running image, or the running application
    set for a release that changes only the set.
    """
    if pending is None:
        return NOTHING
    if pending.slot == running_slot:
        if marks.is_confirmed:
            return FINISH
        return TRIAL if is_trial else FAILED
    if marks.is_confirmed or not (marks.is_staged or marks.is_tried):
        return CONTINUE  # not staged yet, or damaged after it was confirmed: fetch what is missing
    if marks.is_tried and pending.outcome == NO_SERVER and pending.attempts < TRIAL_ATTEMPTS:
        return RETRY
    return FAILED  # tried and not confirmed, or staged and refused by the boot ROM


def failure_reason(pending: "Pending", marks: "Marks", reset_reason: int) -> str:
    """Return why a release was given up, as words for events and reports."""
    if not marks.is_tried:
        return "refused by the boot ROM" if pending.slot < FIRST_SET else "application set changed"
    if pending.outcome == NO_SERVER:
        return "no server in the trial window"
    if pending.outcome == APP_FAILED:
        return "application failed"
    if reset_reason == RESET_WATCHDOG:
        return "watchdog"
    return "restarted before it confirmed"
