"""The station's half of the factory port: a blocking client over any byte stream.

Rules:
1. One request is under way. It is repeated, byte for byte, until its answer arrives or the attempts are used up. The
   unit answers a repeat without doing the work again (device/factory/factory_port.py, rule 3).
2. An answer counts if its frame is whole and its sequence number is the request's. Everything else on the line is
   counted in `ignored` and dropped, so late duplicates and noise cannot be taken for an answer.
3. A refusal is raised as the error class of its number (device/errors.py), marked `by="unit"`.
4. The log names operations, records and lengths. Contents are never logged (requirement PR-02).
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from device import errors
from device.codec import cbor
from device.codec.frame import FrameDecoder, encode_frame
from device.errors import CodecError, FactoryError, FirstbootError, LinkError, LinkTimeoutError
from device.limits import FACTORY_DATA_BYTES, FACTORY_FRAME_BYTES
from provisioning import fair_time

READ_SLICE_S: Final = 0.2
IDLE_S: Final = 0.002  # pause after an empty read, for streams whose read returns at once


class ByteStream(Protocol):
    """The stream of a port: a serial line, a socket, a simulated unit."""

    def write(self, data: bytes, /) -> object:
        """Send all of `data`. Raises OSError or LinkError."""

    def read(self, timeout_s: float, /) -> bytes:
        """Return bytes that have arrived, b"" if none did within `timeout_s`. Raises OSError or LinkError."""


def error_classes() -> dict[int, type[FirstbootError]]:
    """Return every error class of the device by its number."""
    found = [item for item in vars(errors).values() if isinstance(item, type)]
    return {item.code: item for item in found if issubclass(item, FirstbootError)}


T = TypeVar("T")

ERRORS: Final = error_classes()


class FactoryLink:
    """Calls operations of one unit. Not for use by two threads."""

    def __init__(
        self,
        stream: ByteStream,
        *,
        timeout_s: float = 5.0,
        attempts: int = 4,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.ignored = 0
        self.repeats = 0
        self._stream = stream
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._log = log
        self._decoder = FrameDecoder()
        # A random start, so that no request is taken for a repeat of an earlier run's request.
        self._sequence = secrets.randbelow(1 << 31)

    @property
    def damaged(self) -> int:
        """Return the number of damaged frames so far."""
        return self._decoder.dropped

    # Operations ------------------------------------------------------------------------------------------

    def hello(self, nonce: bytes) -> dict[str, Any]:
        """Return the facts of an open unit, or {"hello": COSE_Sign1} of a locked one."""
        return self.call("hello", {"nonce": nonce}, "")

    def make_key(self, role: str) -> bytes:
        """Make the unit generate its key for `role` ("device" or "web"). Return the PKCS#10 request (DER)."""
        return _result(self.call("make_key", {"role": role}, role), "csr", bytes)

    def put_key(self, role: str, key: bytearray) -> bytes:
        """Send a private key (32 bytes) to a unit without entropy. Return the PKCS#10 request (DER) signed with it."""
        return _result(
            self.call("put_key", {"role": role, "key": key}, f"{role} {len(key)} bytes"), "csr", bytes
        )

    def write(self, name: str, data: bytes) -> None:
        """Store a record, in parts of limits.FACTORY_DATA_BYTES."""
        for offset in range(0, len(data), FACTORY_DATA_BYTES):
            part = data[offset : offset + FACTORY_DATA_BYTES]
            note = f"{name} {offset + len(part)} of {len(data)} bytes"
            self.call("write", {"name": name, "offset": offset, "data": part, "total": len(data)}, note)

    def digest(self, name: str) -> tuple[bytes, int]:
        """Return SHA-256 and length in bytes of a stored record."""
        results = self.call("digest", {"name": name}, name)
        return _result(results, "sha256", bytes), _result(results, "size", int)

    def seal(self) -> bytes:
        """Make the unit check all its records. Return the record hash (32 bytes)."""
        return _result(self.call("seal", {}, ""), "record_hash", bytes)

    def lock(self, record_hash: bytes) -> None:
        """Lock the unit permanently. It restarts."""
        self.call("lock", {"record_hash": record_hash}, "")

    # The exchange ----------------------------------------------------------------------------------------

    def call(self, operation: str, arguments: dict[str, Any], note: str = "") -> dict[str, Any]:
        """Return the results of one operation.

        Raises LinkTimeoutError without an answer, LinkError for a broken stream, and the unit's own refusal.
        """
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        frame = encode_frame(cbor.encode([self._sequence, operation, arguments]))
        self._note(f"-> {operation} {note}".rstrip())
        for attempt in range(self._attempts):
            if attempt:
                self.repeats += 1
                self._note(f"-> {operation} again ({attempt + 1} of {self._attempts})")
            self._send(frame)
            answer = self._await(self._sequence)
            if answer is not None:
                return self._results(operation, *answer)
        raise LinkTimeoutError(reason="no answer", operation=operation, attempts=self._attempts)

    def ask(self, operation: str, arguments: dict[str, Any]) -> int:
        """Send a request once without waiting for its answer. Return the answer's number. Raises LinkError."""
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        self._send(encode_frame(cbor.encode([self._sequence, operation, arguments])))
        return self._sequence

    def answers(self, wait_s: float) -> list[tuple[int, int, dict[str, Any]]]:
        """Return (number, error number, results) of the answers that arrive first, to `ask` or to others.

        Empty if none arrives within `wait_s`. Raises LinkError.
        """
        for payloads in self._arrivals(fair_time.now() + wait_s):
            if found := [answer for answer in map(_answer, payloads) if answer is not None]:
                return found
        return []

    def _results(self, operation: str, code: int, results: dict[str, Any]) -> dict[str, Any]:
        self._note(f"<- {operation} {'done' if code == 0 else f'refused, error {code}'}")
        if code == 0:
            return results
        reason = str(results.get("reason", "no reason given"))
        raise ERRORS.get(code, FactoryError)(reason=reason, by="unit", number=code)

    def _send(self, frame: bytes) -> None:
        try:
            self._stream.write(frame)
        except OSError as error:
            raise LinkError(reason="write failed", error=type(error).__name__) from error

    def _await(self, sequence: int) -> tuple[int, dict[str, Any]] | None:
        deadline = fair_time.now() + self._timeout_s
        for payload in self._payloads(deadline):
            answer = _answer(payload)
            if answer is not None and answer[0] == sequence:
                return answer[1], answer[2]
            self.ignored += 1
        return None

    def _payloads(self, deadline: float) -> Iterator[bytes]:
        for payloads in self._arrivals(deadline):
            yield from payloads

    def _arrivals(self, deadline: float) -> Iterator[list[bytes]]:
        while (left_s := deadline - fair_time.now()) > 0:
            try:
                data = self._stream.read(min(left_s, READ_SLICE_S))
            except OSError as error:
                raise LinkError(reason="read failed", error=type(error).__name__) from error
            if data:
                yield list(self._decoder.feed(data))
            else:
                time.sleep(IDLE_S)

    def _note(self, text: str) -> None:
        if self._log is not None:
            self._log(text)


def _answer(payload: bytes) -> tuple[int, int, dict[str, Any]] | None:
    """Return (sequence, error number, results), None if the payload is not an answer."""
    try:
        message = cbor.decode(payload, FACTORY_FRAME_BYTES)
    except CodecError:
        return None
    if not isinstance(message, list) or [type(part) for part in message] != [int, int, dict]:
        return None
    return message[0], message[1], message[2]


def _result(results: dict[str, Any], name: str, kind: type[T]) -> T:
    value = results.get(name)
    if type(value) is not kind:
        raise errors.ProtocolError(reason=f"the unit's answer lacks {name}")
    return value


class HandlerStream:
    """A unit in this process: `handle` takes frames and returns answers. For the simulator and for tests."""

    def __init__(self, handle: Callable[[bytes], bytes]) -> None:
        self._handle = handle
        self._decoder = FrameDecoder()
        self._pending = bytearray()

    def write(self, data: bytes) -> None:
        for payload in self._decoder.feed(data):
            self._pending += encode_frame(self._handle(payload))

    def read(self, timeout_s: float) -> bytes:
        data = bytes(self._pending)
        self._pending.clear()
        return data


class SocketStream:
    """A stream over a connected socket: the emulator's serial port, or a serial server's."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def write(self, data: bytes) -> None:
        self._socket.settimeout(10)
        self._socket.sendall(data)

    def read(self, timeout_s: float) -> bytes:
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            data = self._socket.recv(4096)
        except TimeoutError:
            return b""
        if not data:
            raise LinkError(reason="the other end closed the port")
        return data

    def close(self) -> None:
        self._socket.close()


def open_port(address: str, timeout_s: float = 5.0) -> SocketStream:
    """Connect to `tcp:HOST:PORT` or `unix:PATH`. Raises LinkError; ValueError for any other form."""
    kind, _, rest = address.partition(":")
    host, _, port = rest.rpartition(":")
    try:
        if kind == "tcp" and host and port.isdecimal():
            return SocketStream(socket.create_connection((host, int(port)), timeout_s))
        if kind == "unix" and rest:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout_s)
            connection.connect(str(Path(rest)))
            return SocketStream(connection)
    except OSError as error:
        raise LinkError(reason=f"cannot open {address}: {error.strerror or type(error).__name__}") from error
    raise ValueError(f"{address!r} is not a port; use tcp:HOST:PORT or unix:PATH")
