"""The fate of one release on this unit: pending, on trial, confirmed, reverted.

Rules (docs/design.md, Boot):
1. The record `pending` names the release under way. It exists from the verified envelope until confirm or failure. The
   slot's marks are erased before it is written, so any marks in the slot belong to the pending release.
2. A trial confirms in this order: slot mark, manifest sequence, security counter, `pending` deleted. After a power cut
   between two steps the next start completes the rest, because each step can be repeated.
3. A trial that ended by a power cut, a factory reset or without a server proves nothing about the release: it is
   tried again, after a pause that grows with each attempt. Only a failure of the release or of its stored copy gives a
   verdict, with its cause (UP-04).
4. The confirmed manifest sequence and the end of the support period never go down, except to the ceilings of a key set
   that the roots signed (trust/keyset.py).
"""

from collections import namedtuple
from hashlib import sha256

from device.codec.cbor import decode, encode
from device.compat import const
from device.errors import CodecError, RecordDamagedError
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_WATCHDOG

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.trust.keyset import Ceilings
    from device.update.slots import Marks

_IDENTITY_BYTES = const(64)

# What to do with a pending release at a start.
NOTHING = "nothing"
CONTINUE = "continue"  # go on with the transfer
TRIAL = "trial"  # this start is its trial
FINISH = "finish"  # it is confirmed; complete the steps that a power cut left open
RETRY = "retry"  # its trial proved nothing about it; stage it again
FAILED = "failed"

# `outcome`: what the running image recorded about a release; 0 if nothing.
NO_SERVER = 1
APP_FAILED = 2
NO_DELTA = 3  # recorded before the trial: the patch of this release does not make its firmware
INTERRUPTED = 4  # the owner began a factory reset on trial

# Why a release was given up. A failure of its own code is final; a damaged stored copy is not.
REFUSED_BY_ROM = 1
SET_CHANGED = 2
APP_ENDED = 3
WATCHDOG = 4
RESTARTED = 5
UNFIT = 6  # before any trial: too large, or not an image for this unit
TOO_MANY = 7  # its own verdict is not remembered: others with higher numbers are (failures.py, rule 4)
CAUSES = (
    "",
    "refused by the boot ROM",
    "application set changed",
    "application failed",
    "watchdog",
    "restarted before it confirmed",
    "cannot be installed on this unit",
    "too many newer releases failed",
)

LIFTED_BY_OWNER = (REFUSED_BY_ROM, SET_CHANGED, UNFIT, TOO_MANY)

# `slot` of a release that changes only the application set: this plus the index of the application slot.
FIRST_SET = 2
_SLOTS = const(4)

# `identity`: release_id (32 bytes), then the digest of the envelope that offered it (32 bytes); `size`: bytes of its
# firmware or set.
Pending = namedtuple("Pending", ("sequence", "slot", "identity", "size", "attempts", "outcome"))
# `support_end_day`: the latest end of the support period that was ever verified, in days since 1970-01-01.
Progress = namedtuple("Progress", ("manifest_sequence", "support_end_day", "time_floor_s"))

NO_PROGRESS = Progress(0, 0, 0)


def _encode(fields: "tuple[object, ...]") -> bytes:
    return encode({index + 1: value for index, value in enumerate(fields)})


def _decode(data: bytes, form: "tuple[int, ...]", name: str) -> "list[Any]":
    """Return the fields 1, 2, ... of a record. `form`: the length of each that is bytes, 0 for a number.

    Raises RecordDamagedError.
    """
    try:
        fields = decode(data)
    except CodecError:
        raise RecordDamagedError(name=name)
    if not isinstance(fields, dict) or len(fields) != len(form):
        raise RecordDamagedError(name=name)
    values = [fields.get(index + 1) for index in range(len(form))]
    for index in range(len(form)):
        value = values[index]
        if form[index]:
            is_good = isinstance(value, bytes) and len(value) == form[index]
        else:
            is_good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not is_good:
            raise RecordDamagedError(name=name)
    return values


def encode_pending(pending: "Pending") -> bytes:
    return _encode(pending)


def decode_pending(data: bytes) -> "Pending":
    """Return the pending release in a stored record. Raises RecordDamagedError."""
    pending = Pending(*_decode(data, (0, 0, _IDENTITY_BYTES, 0, 0, 0), "pending"))
    if pending.slot >= _SLOTS:
        raise RecordDamagedError(name="pending")
    return pending


def encode_progress(progress: "Progress") -> bytes:
    return _encode(tuple(progress) + (0,))  # the fourth field is the failed release of version 0.1


def decode_progress(data: bytes) -> "Progress":
    """Return the progress in a stored record. Raises RecordDamagedError."""
    return Progress(*_decode(data, (0, 0, 0, 0), "progress")[:3])


def with_manifest(progress: "Progress", sequence: int) -> "Progress":
    """Return the progress after release `sequence` was confirmed."""
    return Progress(sequence, progress.support_end_day, progress.time_floor_s)


def with_support_end(progress: "Progress", end_day: int) -> "Progress":
    """Return the progress after a support record was verified; an earlier end day changes nothing."""
    return Progress(progress.manifest_sequence, max(progress.support_end_day, end_day), progress.time_floor_s)


def with_time_floor(progress: "Progress", time_floor_s: int) -> "Progress":
    return Progress(progress.manifest_sequence, progress.support_end_day, time_floor_s)


def with_ceilings(progress: "Progress", ceilings: "Ceilings") -> "Progress":
    """Return the progress, lowered to the `ceilings` of a key set: the root keys trust nothing above them."""
    sequence, end_day = progress.manifest_sequence, progress.support_end_day
    if ceilings.manifest_sequence is not None:
        sequence = min(sequence, ceilings.manifest_sequence)
    if ceilings.support_end_day is not None:
        end_day = min(end_day, ceilings.support_end_day)
    return Progress(sequence, end_day, progress.time_floor_s)


def release_id(sequence: int, firmware: bytes, app: "bytes | None") -> bytes:
    """Return the identity of a release: the SHA-256 over its number and the digests of firmware and set."""
    return sha256(sequence.to_bytes(8, "big") + firmware + (app or b"")).digest()


def with_outcome(pending: "Pending", outcome: int) -> "Pending":
    """Return the same release with a recorded outcome."""
    return Pending(pending.sequence, pending.slot, pending.identity, pending.size, pending.attempts, outcome)


def next_attempt(pending: "Pending") -> "Pending":
    """Return the same release with one more attempt and no outcome."""
    return Pending(pending.sequence, pending.slot, pending.identity, pending.size, pending.attempts + 1, 0)


def decide(
    pending: "Pending | None", running_slot: int, is_trial: bool, marks: "Marks", reset_reason: int
) -> str:
    """Return what to do with a pending release at a start (one of the constants above).

    `marks` are those of its slot. `running_slot` and `is_trial` describe the running image, or the running application
    set for a release that changes only the set. `reset_reason`: layout.RESET_* of this start.
    """
    if pending is None:
        return NOTHING
    if pending.slot == running_slot:
        if marks.is_confirmed:
            return FINISH
        return TRIAL if is_trial else FAILED
    if marks.is_confirmed or not (marks.is_staged or marks.is_tried):
        return CONTINUE  # not staged yet, or damaged after it was confirmed: fetch what is missing
    if marks.is_tried and is_transient(pending, reset_reason):
        return RETRY
    return FAILED  # tried and not confirmed, or staged and refused by the boot ROM


def is_transient(pending: "Pending", reset_reason: int) -> bool:
    """Return whether the trial ended for a reason that proves nothing about the release (rule 3)."""
    if pending.outcome == APP_FAILED:
        return False
    return pending.outcome in (NO_SERVER, INTERRUPTED) or reset_reason in (RESET_POWER_ON, RESET_EXTERNAL)


def failure_cause(pending: "Pending", marks: "Marks", reset_reason: int) -> int:
    """Return why a release was given up: one of the numbers in CAUSES."""
    if not marks.is_tried:
        return REFUSED_BY_ROM if pending.slot < FIRST_SET else SET_CHANGED
    if pending.outcome == APP_FAILED:
        return APP_ENDED
    return WATCHDOG if reset_reason == RESET_WATCHDOG else RESTARTED


def retry_reason(pending: "Pending") -> str:
    """Return why a release is tried again, as words for events and reports."""
    if pending.outcome == NO_SERVER:
        return "no server in the trial window"
    return "factory reset on trial" if pending.outcome == INTERRUPTED else "power lost on trial"
