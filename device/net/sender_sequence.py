"""OSCORE sender sequence numbers (RFC 8613): reserved durably, in steps, before they are used (appendix B.1.1).

No number is used twice after any power cut. If a reservation fails, or the stored number is lost, nothing is sent. The
numbers outlive the modules of CoAP, which a unit loads for a check only (device/agent/sources.py).
"""

from device import limits
from device.compat import const
from device.errors import CounterLostError, ProtocolError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

# The record of the first number that is not reserved: 8 bytes, big endian (device/records/store.py).
SEQUENCE_RECORD = "oscore.seq"
SEQUENCE_BYTES = 8
_LAST_SEQUENCE = (1 << 40) - 1  # 7.2.1: partial IV of 5 bytes


class SenderSequence:
    """Assigns sender sequence numbers: each one once, and only after it is reserved.

    `first` is the stored "first number not yet reserved", None if it is lost; `reserve(upto)` must store that number
    durably before it returns. If reserve() raises, take() raises the same error and assigns no number.
    """

    def __init__(self, first: "int | None", reserve: "Callable[[int], None]") -> None:
        self._is_lost = first is None
        self._next = first or 0
        self._reserved = first or 0
        self._reserve = reserve

    def take(self) -> int:
        """Return the next number. Raises ProtocolError after the last one (7.2.1), and what reserve() raises.

        Raises CounterLostError if the stored number is lost.
        """
        if self._is_lost:
            raise CounterLostError(name=SEQUENCE_RECORD)
        if self._next > _LAST_SEQUENCE:
            raise ProtocolError(reason="OSCORE sequence numbers used up")
        if self._next == self._reserved:
            upto = min(self._reserved + limits.OSCORE_SEQUENCE_STEP, _LAST_SEQUENCE + 1)
            self._reserve(upto)
            self._reserved = upto
        number = self._next
        self._next = number + 1
        return number
