"""IP packets on a serial line: SLIP frames (RFC 1055)."""

from __future__ import annotations

from typing import Final

from renode.libslirp import MTU

_END, _ESC = b"\xc0", b"\xdb"
_ESCAPED: Final = {0xDC: _END, 0xDD: _ESC}


def slip_encode(packet: bytes) -> bytes:
    """Return one packet as a SLIP frame with END on both sides (RFC 1055): the first END flushes noise on the line."""
    return _END + packet.replace(_ESC, b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END


class SlipDecoder:
    """Turns bytes into packets. Damaged or oversize frames are dropped and counted in `damaged`."""

    def __init__(self, max_bytes: int = MTU) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._is_skipping = False  # an oversize frame is dropped up to its END
        self.damaged = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that `data` completes, without empty frames."""
        *ended, rest = data.split(_END)
        packets = []
        for part in ended:
            self._append(part)
            packet = self._finish()
            if packet:
                packets.append(packet)
        self._append(rest)
        return packets

    def _append(self, part: bytes) -> None:
        if self._is_skipping or len(self._pending) + len(part) > 2 * self._max_bytes:
            self._is_skipping = True
            self._pending.clear()
        else:
            self._pending += part

    def _finish(self) -> bytes | None:
        frame, is_skipped = bytes(self._pending), self._is_skipping
        self._pending.clear()
        self._is_skipping = False
        packet = None if is_skipped else _unescape(frame)
        if packet is None or len(packet) > self._max_bytes:
            self.damaged += 1
            return None
        return packet


def _unescape(frame: bytes) -> bytes | None:
    """Return the packet, None if an escape sequence is not defined."""
    first, *escaped = frame.split(_ESC)
    parts = [first]
    for part in escaped:
        meaning = _ESCAPED.get(part[0]) if part else None
        if meaning is None:
            return None
        parts += (meaning, part[1:])
    return b"".join(parts)
