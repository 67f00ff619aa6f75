"""What a port promises: units, blocking behaviour, and every error it may raise.

Policy receives these as arguments; only device.ports implements them (and the simulator's twins).
Constructors touch no hardware; `start()` does where there is one.
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Awaitable, Callable, Iterable, Protocol, Sequence

    class Flash(Protocol):
        """The whole NVM, NOR rules enforced by the driver. Blocking. Raises FlashError."""

        size_bytes: int
        sector_bytes: int
        unit_bytes: int

        def read(self, offset: int, length: int) -> bytes: ...
        def write(self, offset: int, data: bytes) -> None:
            """Program whole erased units; reads back and raises FlashError on a difference."""

        def erase(self, offset: int) -> None:
            """Erase the sector at `offset` (aligned)."""

    class Records(Protocol):
        """Named durable records of one littlefs region. A write is atomic: old or new, never neither.

        Raises RecordDamagedError, StorageFullError, StorageError. Names are [a-z0-9._-]{1,32}.
        """

        def read(self, name: str) -> "bytes | None": ...
        def write(self, name: str, data: bytes) -> None: ...
        def delete(self, name: str) -> None: ...
        def names(self) -> "Sequence[str]": ...

    class Boot(Protocol):
        """What the boot ROM handed over, and the way back to it."""

        slot: int  # 0 or 1: where the running image came from
        image_digest: bytes  # 32 bytes, the SHA-256 TLV of the running image
        image_key: int  # number of the image key that signed the running image
        image_key_count: int  # how many the boot ROM knows; 0 where it takes no revocation from the firmware
        version: "tuple[int, int, int, int]"  # from the image header: major, minor, revision, build
        is_trial: bool
        reset_reason: int  # layout.RESET_*
        hardware_id: bytes  # 16 bytes, the chip's unique id
        is_button_held: bool  # at power-on; on a real board: for five seconds, so that no bump resets it
        is_test_seed: bool

        def is_button_pressed(self) -> bool:
            """Say whether the button is down now; False on a board that has none."""

        def reset(self) -> None:
            """Restart through the boot ROM; does not return."""

        def watchdog_feed(self) -> None: ...

    class Clock(Protocol):
        def ticks_ms(self) -> int:
            """Milliseconds since power-on; wraps at 2**30; compare with ticks_diff."""

        def ticks_diff(self, later: int, earlier: int) -> int: ...
        def set_trusted_time(self, unix_s: "int | None") -> None:
            """Tell the TLS library the time it checks certificate dates against; None = dates unchecked."""

    class Entropy(Protocol):
        def is_ready(self) -> bool: ...
        def random_bytes(self, length: int) -> bytes:
            """Raises EntropyError when the unit has no seed."""

    class KeyStore(Protocol):
        """A key that never leaves the chip (eFuse block, secure element)."""

        def keyed_digest(self, data: bytes) -> bytes:
            """32 bytes that need both `data` and the chip's key (HMAC-SHA-256). Blocking. Raises StorageError."""

    class AppFiles(Protocol):
        """The files of a verified application set, read only (device/agent/apps.py). Ports.load_app imports from it."""

        def size(self, name: str) -> "int | None":
            """Bytes of a file, None where there is none."""

        def has_folder(self, name: str) -> bool: ...
        def read(self, name: str) -> bytes:
            """Content, checked as it is read. Raises AppSetError, DigestMismatchError, FlashError."""

    class Indicator(Protocol):
        """One light that the owner sees."""

        def set(self, is_on: bool) -> None:
            """Never blocks, raises nothing."""

    class Stream(Protocol):
        """A byte stream (TCP, TLS, serial). Raises LinkError, LinkTimeoutError."""

        async def read(self, limit: int) -> bytes:
            """1..limit bytes, b"" at the end of the stream."""

        async def readexactly(self, length: int) -> bytes: ...
        async def write(self, data: bytes) -> None: ...
        async def close(self) -> None: ...

    class Datagram(Protocol):
        async def send(self, data: bytes) -> None: ...
        async def receive(self, timeout_ms: int) -> "bytes | None":
            """One datagram, None when `timeout_ms` passed."""

        def close(self) -> None: ...

    class Network(Protocol):
        """Raises LinkError, LinkTimeoutError."""

        async def open_tls(
            self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
        ) -> "Stream":
            """Connect; check chain to `ca_der`, `name`, key usage; dates as Clock.set_trusted_time says."""

        async def open_udp(self, host: str, port: int) -> "Datagram": ...
        def addresses(self) -> "Sequence[str]":
            """The unit's own addresses as text; a page is served for these and its own name only."""

        async def serve_tls(
            self, port: int, cert_der: bytes, key_der: bytes, handler: "Callable[[Stream], Awaitable[None]]"
        ) -> object:
            """Listen; call `handler(stream)` per client, at most limits.HTTP_CLIENTS at once."""

    class Source(Protocol):
        """One place that releases come from (device/transport): the same operations over MQTT and CoAP.

        Raises LinkError and its subclasses; content is never trusted here.
        """

        name: str

        async def open(self) -> None: ...
        async def freshness(self, request: bytes) -> bytes:
            """Send a freshness request, return the tracker's signed record."""

        async def contact(self) -> "bytes | None":
            """The newest signed security contact, None where there is none."""

        async def keyset(self) -> "bytes | None":
            """The newest signed key set, None where there is none; at most limits.KEYSET_BYTES."""

        async def envelope(self) -> "bytes | None":
            """The newest SUIT envelope that is published, None where there is none."""

        async def support(self) -> "bytes | None":
            """The newest signed support record, None where there is none."""

        async def object(self, digest: bytes, size: int) -> bytes:
            """A whole object by its SHA-256 (the chunk list); at most limits.CHUNK_LIST_BYTES."""

        def plan(
            self, digest: bytes, size: int, chunk_digests: "Sequence[bytes]", wanted: "Iterable[int]"
        ) -> None:
            """Name the payload that chunk() reads next, and which chunks will be asked for, in order."""

        async def chunk(self, index: int) -> bytes:
            """Chunk `index` of the planned payload (limits.CHUNK_BYTES, the last one shorter)."""

        async def report(self, report: bytes) -> None: ...
        async def close(self) -> None: ...
