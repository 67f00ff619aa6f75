"""The time that a tracker signs: the system clock, checked before each signature.

A unit accepts a signed time as the new floor of its own clock. If a clock is 30 days ahead, every unit that received
one record from it refuses the right time for 30 days. Rules:
1. The system clock must be synchronised (adjtimex(2)); otherwise no time is signed.
2. The system clock must advance as the machine's steady clock does. A difference of more than JUMP_S is a jump:
   nothing is signed until the clock is back, or `accept` confirms the time. The base, a moment on both clocks, is kept
   in a file beside that of rule 3, so a restart of the service does not end the refusal. A restart of the machine
   starts the steady clock again; then rule 3 decides.
3. The latest signed time is kept in a file, rounded up to RESERVE_S and written before the signature. After a start, a
   clock that is earlier, or more than PAUSE_S later, is refused until `accept` confirms the time. If this file alone
   is missing, it is lost: the service does not start before `accept`.
docs/signing.md describes how root keys undo a wrong time that was signed in spite of these rules.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from provisioning.file_system import is_there, read_if_there
from provisioning.keys.lms_state import write_durably
from provisioning.servers.errors import ServerError

JUMP_S: Final = 30  # a leap second and any slew stay below this
REBASE_S: Final = 3600  # a slewed clock drifts at most 500 ppm (adjtimex(2)): 1.8 s an hour
RESERVE_S: Final = 3600
PAUSE_S: Final = (
    14 * 86400
)  # longest pause of a tracker after which its clock is trusted without a person's confirmation
DAY_S: Final = 86400

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 256  # struct timex has 208 bytes on 64-bit Linux
_TIMEX_STATUS_OFFSET: Final = 40  # modes, offset, freq, maxerror, esterror before it, each in 8 bytes


class ClockError(ServerError):
    """The clock cannot be trusted, so no time is signed. The text names the reason and the next step."""


def system_time_s() -> int:
    """Return seconds since 1970."""
    return int(time.time())


def steady_s() -> float:
    """Return seconds since the machine started, suspended time included; nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return a text that is different after each start of the machine; empty if the kernel has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def is_synchronised() -> bool:
    """Return whether the kernel reports that a time service (NTP, PTP) keeps the clock synchronised."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: read only
    state = libc.adjtimex(timex)
    status = int.from_bytes(timex.raw[_TIMEX_STATUS_OFFSET : _TIMEX_STATUS_OFFSET + 4], "little")
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC


class SigningClock:
    """The checked clock: call it for the time to sign. It raises ClockError; several threads may call it."""

    def __init__(
        self,
        state: Path | None = None,
        *,
        now: Callable[[], int] = system_time_s,
        steady: Callable[[], float] = steady_s,
        is_synchronised: Callable[[], bool] = is_synchronised,
        boot_id: Callable[[], str] = boot_id,
    ) -> None:
        """`state`: the file of rule 3; None keeps nothing. Raises ClockError for a damaged file, OSError."""
        self._state = state
        self._now = now
        self._steady = steady
        self._is_synchronised = is_synchronised
        self._lock = threading.Lock()
        self._boot_id = boot_id()
        # The base: system time and steady time of one moment.
        self._base = None if state is None else _read_base(state, self._boot_id)
        self._signed_until_s = None if state is None else _read(state)
        if state is not None and self._signed_until_s is None and is_there(_base_path(state)):
            raise ClockError(f"{state} is lost: check the clock, then confirm it: {_confirm(state)}")

    def __call__(self) -> int:
        """Return the time in unix seconds. Raises ClockError, OSError."""
        with self._lock:
            now_s, steady_s = self._now(), self._steady()
            if not self._is_synchronised():
                raise ClockError("the clock of this machine is not synchronised: start its time service")
            if self._base is None:
                self._check_pause(now_s)
                self._reserve(
                    now_s
                )  # before the base: a base without the latest time means that the time was lost
                self._set_base(now_s, steady_s)
            assert self._base is not None  # noqa: S101 - set above
            self._check_jump(now_s, steady_s, *self._base)
            self._reserve(now_s)
            return now_s

    def _check_pause(self, now_s: int) -> None:
        """Check rule 3."""
        until_s = self._signed_until_s
        if until_s is None or until_s - RESERVE_S - JUMP_S <= now_s <= until_s + PAUSE_S:
            return
        days = (now_s - until_s) / DAY_S
        raise ClockError(
            f"the clock is {abs(days):.1f} days {'after' if days > 0 else 'before'} the latest time that was signed: "
            f"check it, then confirm it: {_confirm(self._state)}"
        )

    def _check_jump(self, now_s: int, steady_s: float, base_s: int, base_steady_s: float) -> None:
        """Check rule 2."""
        elapsed_s = steady_s - base_steady_s
        jump_s = now_s - base_s - elapsed_s
        if abs(jump_s) > JUMP_S:
            raise ClockError(
                f"the clock jumped by {jump_s:+.0f} s: correct it, or check it and confirm it: {_confirm(self._state)}"
            )
        if elapsed_s > REBASE_S:
            self._set_base(now_s, steady_s)

    def _set_base(self, now_s: int, steady_s: float) -> None:
        self._base = (now_s, steady_s)
        if self._state is not None and self._boot_id:
            write_durably(_base_path(self._state), f"{self._boot_id} {now_s} {steady_s}\n".encode())

    def _reserve(self, now_s: int) -> None:
        if self._state is not None and (self._signed_until_s is None or now_s > self._signed_until_s):
            until_s = now_s + RESERVE_S
            write_durably(self._state, b"%d\n" % until_s)
            self._signed_until_s = until_s

    @staticmethod
    def accept(state: Path, now_s: int) -> None:
        """Confirm that `now_s` is the right time, in spite of the time signed last. Raises OSError.

        A running service has to be restarted afterwards.
        """
        _base_path(state).unlink(missing_ok=True)
        write_durably(state, b"%d\n" % now_s)


def _read(state: Path) -> int | None:
    data = read_if_there(state)
    try:
        return None if data is None else int(data)
    except ValueError:
        raise ClockError(f"{state} is damaged: check the clock, then confirm it: {_confirm(state)}") from None


def _confirm(state: Path | None) -> str:
    """Return the command that confirms the time."""
    return (
        "start the tracker again" if state is None else f"firstboot serve accept-clock --state {state.parent}"
    )


def _base_path(state: Path) -> Path:
    return state.with_name(state.name + ".base")


def _read_base(state: Path, boot_id: str) -> tuple[int, float] | None:
    """Return the base if it was stored since the machine started, else None. Raises ClockError."""
    data = read_if_there(_base_path(state))
    if data is None:
        return None
    try:
        kept, now_text, steady_text = data.decode("ascii").split()
        return (int(now_text), float(steady_text)) if kept == boot_id else None
    except ValueError:
        raise ClockError(
            f"{_base_path(state)} is damaged: check the clock, then confirm it: {_confirm(state)}"
        ) from None
