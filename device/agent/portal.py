"""The servers inside the unit's own access point: DNS that names the unit, and the plain page that leads to set-up.

Both listen on the access point's address only, and end with it. Neither keeps state or takes a secret.
"""

import asyncio

from device.agent.presence import ipv4
from device.compat import const
from device.errors import DnsError, LinkError, RequestError
from device.limits import PORTAL_CLIENTS, PORTAL_S
from device.net import captive_dns
from device.web import http, landing

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.interfaces import Group, Stream, Wifi

DNS_PORT = const(53)
HTTP_PORT = const(80)
_WAIT_MS = const(1000)
_PAUSE_S = 0.01  # between two answers: a flood of questions leaves time for everything else


class Portal:
    """`model`: callable() -> text shown as the page's title."""

    def __init__(self, model: "Callable[[], str]", say: "Callable[[str], None]") -> None:
        self._model = model
        self._say = say
        self._answers: "Group | None" = None
        self._page: "Any" = None
        self._task: "Any" = None
        self._serving: "list[tuple[Any, object]]" = []  # of each client of the page its task and host, oldest first
        self.address = ""

    async def open(self, radio: "Wifi", address: str) -> None:
        """Begin to answer on `address`. A server that cannot start is reported: the owner can type the address."""
        self.address = address
        try:
            self._page = await radio.serve_page(HTTP_PORT, self._serve)
            self._answers = await radio.open_answers(DNS_PORT)
            self._task = asyncio.create_task(self._answer(self._answers, ipv4((address,))))
        except LinkError as error:
            self._say("captive portal: " + error.describe())

    async def close(self) -> None:
        """End both servers."""
        task, answers, page = self._task, self._answers, self._page
        self._task = self._answers = self._page = None
        if task is not None:
            task.cancel()
        if answers is not None:
            answers.close()
        if page is not None:
            await page.close()

    async def _answer(self, answers: "Group", address: bytes) -> None:
        while True:
            try:
                got = await answers.receive(_WAIT_MS)
                if got is None:
                    continue
                await answers.send(captive_dns.answer(got[0], address), got[1])
            except DnsError:
                pass  # anyone in the access point can send anything
            except LinkError as error:
                self._say("captive portal: " + error.describe())
                await asyncio.sleep(_WAIT_MS / 1000)
            await asyncio.sleep(_PAUSE_S)

    async def _serve(self, stream: "Stream", peer: object) -> None:
        """Answer one client of the plain page. Raises nothing but what ends the task.

        If every place is taken, the host with the most clients, the new one counted, loses its oldest. So a silent
        client never keeps out a later one, and a host that connects again and again ends its own clients only.
        """
        client: "tuple[Any, object]" = (asyncio.current_task(), peer)
        self._serving.append(client)
        if len(self._serving) > PORTAL_CLIENTS:
            hosts = [host for _, host in self._serving]
            most = max([hosts.count(host) for host in hosts])
            self._serving.pop([hosts.count(host) == most for host in hosts].index(True))[0].cancel()
        try:
            await asyncio.wait_for(self._exchange(stream), PORTAL_S)
        except (LinkError, asyncio.TimeoutError, MemoryError):
            pass
        finally:
            if client in self._serving:
                self._serving.remove(client)

    async def _exchange(self, stream: "Stream") -> None:
        try:
            found = await http.read_request(stream)
            if found is None:
                return
            answer = landing.respond(found[0], self.address, self._model())
        except RequestError as error:
            answer = landing.refusal(http.status_of(error))
        await stream.write(answer)
