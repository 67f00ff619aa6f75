"""The promises of a port: units, blocking behaviour, and every error that it may raise.

Policy receives ports as arguments. device.ports and the simulator implement them. Constructors touch no hardware;
`start()` does, if there is one.
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

    class Digests(Protocol):
        """The digests of a payload's chunks, by index (device/update/flow.py)."""

        def __len__(self) -> int: ...
        def __getitem__(self, index: int) -> bytes: ...

    class Records(Protocol):
        """Named durable records of one littlefs region. A write is atomic: the old or the new record is there.

        Raises RecordDamagedError, StorageFullError, StorageError. Names are [a-z0-9._-]{1,32}.
        """

        def read(self, name: str) -> "bytes | None": ...
        def write(self, name: str, data: bytes) -> None: ...
        def delete(self, name: str) -> None: ...
        def names(self) -> "Sequence[str]": ...

    class ImageFacts(Protocol):
        """The facts of a firmware image that policy needs, whatever its format."""

        @property
        def version(self) -> "tuple[int, int, int, int]":
            """Major, minor, revision, build."""

        @property
        def security_counter(self) -> int: ...
        @property
        def digest(self) -> bytes:
            """The image's own SHA-256, 32 bytes."""

        @property
        def total_bytes(self) -> int:
            """The length with signature."""

    class Boot(Protocol):
        """The boot loader's handover, its image format, and the restart through it."""

        slot: int  # 0 or 1: where the running image came from
        image_digest: bytes  # 32 bytes, the SHA-256 TLV of the running image
        image_key: int  # index of the image key that signed the running image
        image_key_count: int  # how many the boot ROM knows; 0 if it takes no revocation from the firmware
        version: "tuple[int, int, int, int]"  # from the image header: major, minor, revision, build
        is_trial: bool
        reset_reason: int  # layout.RESET_*
        hardware_id: bytes  # 16 bytes, the chip's unique id
        is_button_held: (
            bool  # at power-on; on a real board for five seconds, so that a bump does not reset it
        )
        is_test_seed: bool

        def parse_image(self, read: "Callable[[int, int], bytes]", limit: int) -> "ImageFacts":
            """Return the facts of the image that `read(offset, length)` returns, at most `limit` bytes.

            What the boot loader would refuse for its structure is refused here: raises ImageFormatError(reason).
            """

        def is_button_pressed(self) -> bool:
            """Return whether the button is down now; False on a board without one."""

        def reset(self) -> None:
            """Restart through the boot ROM; does not return."""

        def watchdog_feed(self) -> None: ...

    class Clock(Protocol):
        def ticks_ms(self) -> int:
            """Milliseconds since power-on; compare with ticks_diff.

            A board's clock wraps at 2**30. The parts of a unit get one that does not (device/agent/uptime.py).
            """

        def ticks_diff(self, later: int, earlier: int) -> int: ...
        def set_trusted_time(self, unix_s: "int | None") -> None:
            """Set the time that the TLS library checks certificate dates against; None: dates are not checked."""

    class Entropy(Protocol):
        def is_ready(self) -> bool: ...
        def random_bytes(self, length: int) -> bytes:
            """Raises EntropyError when the unit has no seed."""

    class KeyStore(Protocol):
        """A key that never leaves the chip (eFuse block, secure element)."""

        def keyed_digest(self, data: bytes) -> bytes:
            """Return 32 bytes that need both `data` and the chip's key (HMAC-SHA-256). Raises StorageError."""

    class AppFiles(Protocol):
        """The files of a verified application set, read only (device/agent/apps.py). Ports.load_app imports from it."""

        def size(self, name: str) -> "int | None":
            """Return the bytes of a file, None if there is no such file."""

        def has_folder(self, name: str) -> bool: ...
        def read(self, name: str) -> bytes:
            """Return the content, checked while it is read. Raises AppSetError, DigestMismatchError, FlashError."""

    class Indicator(Protocol):
        """The light that the owner sees."""

        def set(self, is_on: bool) -> None:
            """Never blocks, raises nothing."""

    class Stream(Protocol):
        """A byte stream (TCP, TLS, serial). Raises LinkError, LinkTimeoutError."""

        async def read(self, limit: int) -> bytes:
            """Return 1 to `limit` bytes, b"" at the end of the stream."""

        async def readexactly(self, length: int) -> bytes: ...
        async def write(self, data: bytes) -> None: ...
        async def close(self) -> None: ...

    class Guest(Protocol):
        """A connection that has a place (device/net/places.py). `is_silent` until its first byte arrives;
        `is_waiting` until its request is complete; `is_reading` from when its answer is sent.
        """

        @property
        def is_silent(self) -> bool: ...
        @property
        def is_waiting(self) -> bool: ...
        @property
        def is_reading(self) -> bool: ...

    class ServedStream(Stream, Guest, Protocol):
        """A client's stream in Network.serve_tls. The handler keeps `is_waiting` and `is_reading` up to date."""

        is_waiting: bool
        is_reading: bool

    class Datagram(Protocol):
        async def send(self, data: bytes) -> None: ...
        async def receive(self, timeout_ms: int) -> "bytes | None":
            """Return one datagram, None if `timeout_ms` passed."""

        def close(self) -> None: ...

    class Group(Protocol):
        """A UDP socket that joined a multicast group. Raises LinkError."""

        async def send(self, data: bytes, to: object) -> None:
            """Send one datagram to `to`, a source that receive() returned; None: to the group."""

        async def receive(self, timeout_ms: int) -> "tuple[bytes, tuple[str, int] | None] | None":
            """Return one datagram and its source (host, port), None if `timeout_ms` passed.

            The source is None on a port that cannot tell it.
            """

        def close(self) -> None: ...

    class Network(Protocol):
        """Raises LinkError, LinkTimeoutError."""

        async def open_tls(
            self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
        ) -> "Stream":
            """Connect. Check the chain to `ca_der`, `name`, key usage, and dates against Clock.set_trusted_time.

            An empty `cert_der`: the unit shows no certificate of its own. Raises CertificateError too.
            """

        async def open_udp(self, host: str, port: int) -> "Datagram": ...
        async def open_group(self, group: str, port: int) -> "Group | None":
            """Join a multicast group on the owner's network; None on a port without multicast."""

        def addresses(self) -> "Sequence[str]":
            """Return the unit's own addresses as text. Pages are served only for these and the unit's name."""

        async def serve_tls(
            self,
            port: int,
            cert_der: bytes,
            key_der: bytes,
            handler: "Callable[[ServedStream], Awaitable[None]]",
        ) -> object:
            """Listen; call `handler(stream)` per client, for as many at once as device/net/places.py has places.

            A client that must give way is hung up: its handler is cancelled.
            """

        def hang_up(self) -> None:
            """End every client of serve_tls: before a restart, since a client that is not told waits for its limit."""

    class Wifi(Protocol):
        """A radio with one link to the owner's network, and one access point of the unit (device/agent/wifi.py).

        The two may be on at the same time. Raises LinkError.
        """

        securities: "Sequence[str]"  # the kinds of device/net/wifi.py that join() can use
        bluetooth: "Bluetooth | None"  # for Improv Wi-Fi; None if the radio or the board's build has none

        async def scan(self) -> "Sequence[tuple[bytes, str, int]]":
            """Return the networks in range (wifi.Seen), in any order, hidden ones without a name.

            May interrupt the link.
            """

        def join(self, network: "tuple[bytes, bytes, str]") -> None:
            """Begin to join a wifi.Network, in place of an earlier link; state() says how it goes.

            A network in range with a weaker kind of security (wifi.may_stand_for) is not joined.
            """

        def state(self) -> str:
            """Return IDLE, JOINING, ADDRESSING, JOINED (the network gave an address) or one of CAUSES (net/wifi.py)."""

        def signal_dbm(self) -> "int | None":
            """Return the strength of the link's signal, None without a link."""

        def leave(self) -> None:
            """End the link, or the attempt."""

        async def open_access_point(self, name: str, passphrase: str) -> str:
            """Open the unit's access point (WPA2 or better; never open) and return the unit's IPv4 address in it.

            Hosts get an address, and the unit's as their DNS server. Raises ValueError without a passphrase.
            """

        async def close_access_point(self) -> None:
            """Close it; its hosts lose their link. Nothing happens if it is closed."""

        async def open_answers(self, port: int) -> "Group":
            """Return a UDP socket on the access point's address; receive() tells the source, send() needs one."""

        async def serve_page(
            self, port: int, handler: "Callable[[Stream, object], Awaitable[None]]"
        ) -> object:
            """Listen without TLS on the access point's address only, as Network.serve_tls. The handler bounds its
            clients: it gets each one's stream, and the address of its host."""

    class Bluetooth(Protocol):
        """Improv's service over Bluetooth Low Energy, for one client at a time (device/agent/improv_ble.py).

        Blocks for milliseconds. Raises LinkError.
        """

        def open(self, state: int) -> None:
            """Switch Bluetooth on and advertise the service with Improv's `state`."""

        def advertise(self, state: int) -> None:
            """Show a new state."""

        def take(self) -> "bytes | None":
            """Return what a client wrote, b"" if one has come or gone, None if nothing happened."""

        def send(self, kind: int, data: bytes) -> None:
            """Set the characteristic of a type of net/improv.py, and notify the client."""

        def hang_up(self) -> None:
            """End the client's connection. Nothing happens without one."""

        def close(self) -> None:
            """Switch Bluetooth off."""

    class Source(Protocol):
        """One source of releases (device/transport), with the same operations over MQTT and CoAP.

        Raises LinkError and its subclasses; a source never trusts content.
        """

        name: str

        async def open(self) -> None: ...
        async def freshness(self, request: bytes) -> bytes:
            """Send a freshness request and return the tracker's signed record."""

        async def contact(self) -> "bytes | None":
            """Return the newest signed security contact, None if the server has none."""

        async def keyset(self) -> "bytes | None":
            """Return the newest signed key set, None if the server has none; at most limits.KEYSET_BYTES."""

        async def envelope(self) -> "bytes | None":
            """Return the newest published SUIT envelope, None if the server has none."""

        async def support(self) -> "bytes | None":
            """Return the newest signed support record, None if the server has none."""

        async def object(self, digest: bytes, size: int) -> "bytes | bytearray | memoryview":
            """Return a whole object by its SHA-256 (the chunk list); at most limits.CHUNK_LIST_BYTES."""

        def plan(self, digest: bytes, size: int, chunk_digests: "Digests", wanted: "Iterable[int]") -> None:
            """Name the payload that chunk() reads next, and the chunks that will be requested, in order."""

        async def chunk(self, index: int) -> "bytes | memoryview":
            """Return chunk `index` of the planned payload (limits.CHUNK_BYTES, the last one shorter).

            A memoryview is valid until the next call.
            """

        async def report(self, report: bytes) -> None: ...
        async def close(self) -> None: ...
