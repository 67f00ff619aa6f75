"""Boards with realistic waiting times that use no processor time of the station: device code in its own process.

    python -m tests.benchmarks.boards FOLDER --places 16 --seconds 15

Each place is the Unix socket FOLDER/pNN. A board waits at the steps that take a slow board time (its keys, its own
check, the lock), then it answers at once. After a locked board has refused the station's last write, the next board
takes its place. The process ends when its standard input closes.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Final

from device.codec import cbor
from device.codec.frame import FrameDecoder, encode_frame
from device.errors import LinkError
from device.limits import FACTORY_FRAME_BYTES
from tests.unit.provisioning.station.station_bench import MemoryUnit

# Shares of a board's time; each wait stays below the station's patience of 5 s for an answer.
SHARES: Final = {"make_key": 0.2, "seal": 0.3, "lock": 0.3}  # make_key is requested twice


class Place:
    """One place: its present board, and the seconds that a board takes."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._unit = MemoryUnit()
        self._seconds = seconds
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            decoder = FrameDecoder()
            with connection:
                try:
                    while data := connection.recv(4096):
                        for payload in decoder.feed(data):
                            connection.sendall(encode_frame(self._handle(payload)))
                except (OSError, LinkError):
                    continue

    def _handle(self, payload: bytes) -> bytes:
        operation = cbor.decode(payload, FACTORY_FRAME_BYTES)[1]
        is_last = operation == "write" and self._unit.is_locked()
        began = time.monotonic()
        answer = self._unit.handle(payload)
        took = time.monotonic() - began
        time.sleep(max(SHARES.get(operation, 0.0) * self._seconds - took, 0.0))
        if is_last:
            self._unit = MemoryUnit()
        return answer


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--places", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    places = [
        Place(options.folder / f"p{number:02}", options.seconds) for number in range(1, options.places + 1)
    ]
    print(f"{len(places)} places", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
