"""A clock on the chip's RTC with stock MicroPython, for all chip ports. NOT YET RUN ON HARDWARE."""

import time

import machine

_EPOCH_2000_S = 946684800


class RtcClock:
    """interfaces.Clock. Mbed TLS checks certificate dates against the RTC.

    A stock build always checks dates. Without trusted time the RTC is therefore set to `build_time_s` (Unix seconds),
    and a server certificate that was issued later is refused until there is a trusted time. A product's build wraps
    the two date functions of Mbed TLS instead, as the emulated board's build does.
    """

    def __init__(self, build_time_s: int) -> None:
        self._build_time_s = build_time_s

    def ticks_ms(self) -> int:
        """Return milliseconds since the start; they wrap at 2**30."""
        return time.ticks_ms()

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Return the signed distance of two ticks in milliseconds."""
        return time.ticks_diff(later, earlier)

    def set_trusted_time(self, unix_s: "int | None") -> None:
        """Set the RTC to `unix_s` (Unix seconds), or to the build time for None."""
        seconds = self._build_time_s if unix_s is None else unix_s
        # Some ports of MicroPython count from 2000 (esp32), others from 1970 (rp2).
        epoch = _EPOCH_2000_S if time.gmtime(0)[0] == 2000 else 0
        year, month, day, hour, minute, second, weekday = time.gmtime(seconds - epoch)[:7]
        machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
