"""A slow link on loopback between a browser and a unit: few bytes a second, long on their way; it can be cut.

The bytes of all connections share the link, each direction has its own. Nothing is read faster than the link takes it,
so a sender notices the slowness as soon as the buffers of the sockets are full; these are as small as can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

_PIECE_BYTES: Final = 256
_BUFFER_BYTES: Final = 2048


class SlowLink:
    """A proxy to `target()`; use as a context manager. `bytes_per_s` 0: as fast as it goes."""

    def __init__(
        self, target: Callable[[], tuple[str, int]], *, bytes_per_s: int = 0, delay_s: float = 0.0
    ) -> None:
        self._target = target
        self._bytes_per_s = bytes_per_s
        self._delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow link", daemon=True)
        self._server: Any = None
        self._open: set[asyncio.Task[None]] = set()
        self._turns: list[asyncio.Lock] = []
        self.is_up = True
        self.carried = [0, 0]  # bytes to the unit, to the browser
        self.on_answer: Callable[[], None] | None = None  # called once, before the next byte to the browser

    def __enter__(self) -> SlowLink:
        self._thread.start()
        self._run(self._begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Return the address of the unit's pages over the link."""
        return "https://{}:{}".format(*self._server.sockets[0].getsockname()[:2])

    def cut(self) -> None:
        """End every connection, and refuse new ones until `mend`: the phone is asleep, or out of range."""
        self._run(self._cut())

    def mend(self) -> None:
        """Carry connections again."""
        self.is_up = True

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin(self) -> None:
        self._turns = [asyncio.Lock(), asyncio.Lock()]
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_BUFFER_BYTES)

    async def _end(self) -> None:
        self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        self.is_up = False
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        peer = None
        try:
            if self.is_up:
                peer = await self._connected()
                await asyncio.gather(self._carry(0, reader, peer[1]), self._carry(1, peer[0], writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            for one in (writer, *(peer[1:] if peer else ())):
                one.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        end.setblocking(False)
        await self._loop.sock_connect(end, self._target())
        return await asyncio.open_connection(sock=end, limit=_BUFFER_BYTES)

    async def _carry(self, way: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction of a connection to its end."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arrival = asyncio.create_task(self._arrive(way, pieces, writer))
        try:
            while data := await reader.read(_PIECE_BYTES):
                if self._bytes_per_s:
                    async with self._turns[way]:
                        await asyncio.sleep(len(data) / self._bytes_per_s)
                pieces.put_nowait((self._loop.time() + self._delay_s, data))
            pieces.put_nowait((self._loop.time() + self._delay_s, b""))
            await arrival
        finally:
            arrival.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await arrival

    async def _arrive(
        self, way: int, pieces: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due_s, data = await pieces.get()
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            if way and self.on_answer is not None:
                told, self.on_answer = self.on_answer, None
                told()
            self.carried[way] += len(data)
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
