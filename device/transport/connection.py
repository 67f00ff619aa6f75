"""One stream and the MQTT session on it: sending in bounded time, reading, keep-alive."""

from device import limits
from device.compat import const
from device.errors import LinkError, LinkTimeoutError
from device.transport.wait import within

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Clock, Stream
    from device.net.mqtt_session import Session

_READ_BYTES = const(1024)  # a larger block is hard to find in an old heap


class Connection:
    """One TLS stream and its MQTT session. Raises LinkError and its subclasses."""

    def __init__(self, stream: "Stream", session: "Session", clock: "Clock") -> None:
        self.stream = stream
        self.session = session
        self._clock = clock
        self._sent_ms = clock.ticks_ms()
        self.is_usable = True

    async def send(self, data: bytes) -> None:
        self._sent_ms = self._clock.ticks_ms()
        await within(self.stream.write(data), limits.REPLY_TIMEOUT_S * 1000, "broker does not read")

    async def read(self, timeout_ms: int) -> bytes:
        """Return the bytes of one read, b"" after `timeout_ms` without data."""
        idle_ms = self._clock.ticks_diff(self._clock.ticks_ms(), self._sent_ms)
        if idle_ms > limits.MQTT_KEEP_ALIVE_S * 500 and not self.session.is_ping_open:
            await self.send(self.session.ping()[1])
        try:
            data: bytes = await within(self.stream.read(_READ_BYTES), timeout_ms, "no data")
        except LinkTimeoutError:
            return b""
        if not data:
            raise LinkError(reason="closed by the broker")
        return data

    async def acknowledge(self) -> None:
        """Send the acknowledgements that the last events made."""
        if self.session.output:
            output, self.session.output = self.session.output, b""
            await self.send(output)
