"""Frames on the factory port: SLIP (RFC 1055) around `payload || CRC-32 (4 bytes, little endian)`.

Rules:
1. A frame begins and ends with END; the first END discards noise on the line (RFC 1055, page 4).
2. Payload and checksum together are at most limits.FACTORY_FRAME_BYTES. RAM grows with the frame that arrives and is
   free again after it: between frames a unit holds none.
3. A damaged frame (checksum, length, escape) is dropped without an answer and counted; the next END starts a
   new frame, so one lost byte costs one frame.
"""

import binascii

from device.compat import const
from device.errors import FrameError, LimitError
from device.limits import FACTORY_FRAME_BYTES

END = 0xC0
ESC = 0xDB
ESC_END = 0xDC
ESC_ESC = 0xDD
CRC_BYTES = 4
_PIECE_BYTES = const(256)  # by which the RAM of a frame grows: a request to a locked unit takes one
PAYLOAD_BYTES = FACTORY_FRAME_BYTES - CRC_BYTES

# CRC-32 (IEEE 802.3, reflected 0xEDB88320) of each half byte, for boards whose binascii has no crc32.
_NIBBLES = (
    0x00000000,
    0x1DB71064,
    0x3B6E20C8,
    0x26D930AC,
    0x76DC4190,
    0x6B6B51F4,
    0x4DB26158,
    0x5005713C,
    0xEDB88320,
    0xF00F9344,
    0xD6D6A3E8,
    0xCB61B38C,
    0x9B64C2B0,
    0x86D3D2D4,
    0xA00AE278,
    0xBDBDF21C,
)


def crc32_by_nibbles(data: bytes) -> int:
    """Return the CRC-32 of `data` in Python; equal to binascii.crc32."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _NIBBLES[(crc ^ byte) & 15] ^ (crc >> 4)
        crc = _NIBBLES[(crc ^ (byte >> 4)) & 15] ^ (crc >> 4)
    return crc ^ 0xFFFFFFFF


crc32 = getattr(binascii, "crc32", crc32_by_nibbles)


def encode_frame(payload: bytes) -> bytes:
    """Return the bytes to send for `payload`, both END bytes included. Raises LimitError."""
    if len(payload) > PAYLOAD_BYTES:
        raise LimitError(what="frame", limit=PAYLOAD_BYTES)
    body = bytes(payload) + crc32(payload).to_bytes(4, "little")
    body = body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + body + b"\xc0"


def checked_payload(body: "bytes | memoryview") -> bytes:
    """Return the payload of one unescaped frame. Raises FrameError when length or checksum is wrong."""
    if len(body) <= CRC_BYTES:
        raise FrameError(reason="length")
    payload = bytes(body[:-CRC_BYTES])
    if crc32(payload) != int.from_bytes(bytes(body[-CRC_BYTES:]), "little"):
        raise FrameError(reason="checksum")
    return payload


class FrameDecoder:
    """Turns received bytes into payloads. Damaged input raises nothing.

    `dropped` counts damaged frames.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._buffer = bytearray()
        self._length = 0
        self._is_escaped = False
        self._is_bad = False

    def feed(self, data: bytes) -> "list[bytes]":
        """Return the payloads of the frames that `data` completes, in order; [] if none is complete."""
        payloads = []
        for byte in data:
            if byte == END:
                payload = self._finish()
                if payload is not None:
                    payloads.append(payload)
            elif not self._is_bad:
                self._take(byte)
        return payloads

    def _take(self, byte: int) -> None:
        if self._is_escaped:
            self._is_escaped = False
            if byte == ESC_END:
                byte = END
            elif byte == ESC_ESC:
                byte = ESC
            else:  # RFC 1055 leaves this open; a strict reader drops the frame
                self._is_bad = True
                return
        elif byte == ESC:
            self._is_escaped = True
            return
        if self._length == FACTORY_FRAME_BYTES:
            self._is_bad = True
            return
        if self._length == len(self._buffer):
            self._buffer.extend(bytes(_PIECE_BYTES))
        self._buffer[self._length] = byte
        self._length += 1

    def _finish(self) -> "bytes | None":
        """Return the payload of the frame that an END closes; None for an empty (two END in a row) or damaged frame."""
        length, buffer = self._length, self._buffer
        is_bad = self._is_bad or self._is_escaped
        self._length, self._buffer = 0, bytearray()
        self._is_bad = self._is_escaped = False
        if length == 0 and not is_bad:
            return None
        try:
            if is_bad:
                raise FrameError(reason="escape or length")
            return checked_payload(memoryview(buffer)[:length])
        except FrameError:
            self.dropped += 1
            return None
