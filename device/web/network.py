"""The page on which the owner chooses the Wi-Fi network, on a unit with a radio (device/agent/wifi.py).

Rules:
1. Set-up on a unit without a network opens a session at once and leads here: the owner has just chosen the password.
2. A passphrase goes into the unit and out in no answer. After a failed try the owner can try again with one button; the
   unit keeps the choice in memory until it joined or restarts.
3. Without a script the page loads itself again while a try runs (the header Refresh).
4. An answer that shows the list waits for a search that its owner asked for. If the list is empty, the page asks for
   one: the router was perhaps switched on after the unit.
5. Signing in on a unit without a connection leads here too: the choice of the network is what is left to do.
"""

import asyncio
import binascii

from device.compat import const
from device.errors import FirstbootError, RequestError, WifiError
from device.net import wifi
from device.web import answers, network_page
from device.web.html import NO_PROBLEM, Problem
from device.web.owner import OwnerSite
from device.web.site import field, read_form

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.facade import Device

PATH = "/network"
_REFRESH_S = "3"
_PASSPHRASE_CHARS = const(64)
_LOOKS = const(24)  # a search takes up to some five seconds
_LOOK_S = 0.25


class NetworkSite(OwnerSite):
    """All pages of a unit with a radio."""

    def __init__(self, device: "Device") -> None:
        super().__init__(device)
        if device.wifi is None:
            raise ValueError("no radio")
        self._wifi = device.wifi

    def set_up_done(self, request: "Any") -> "Any":
        """Return the answer to a set-up that was carried out: on to the network, if the unit has none."""
        if self._wifi.is_joined():
            return super().set_up_done(request)
        try:
            response = self.signed_in(request, PATH)
        except FirstbootError:  # no entropy for a session: the owner signs in
            return super().set_up_done(request)
        self.say(PATH, network_page.SET_UP)
        return response

    def signed_in(self, request: "Any", path: str) -> "Any":
        """Return an answer that opens a session and leads to `path`, or here (rule 5). Raises EntropyError."""
        is_on_its_way = path == "/status" and not self._wifi.is_joined()
        return super().signed_in(request, PATH if is_on_its_way else path)

    async def network(self, request: "Any") -> "Any":
        """Return the page about the network: the list, how the last try went, what to do next."""
        found = self._status()
        if answers.wants_json(request):
            return answers.data(
                dict(found["network"], networks=[_as_data(one) for one in self._wifi.networks])
            )
        if not self._wifi.networks and not network_page.is_trying(found["network"]):
            await self._search()
        return self._answer(self._page(found, NO_PROBLEM, "", self.word(PATH)), 200, found)

    def _answer(self, shown: "tuple[str, ...]", status: int, found: "dict[str, Any]") -> "Any":
        """Return the page, which loads itself again while a try runs."""
        response = answers.page(shown, status)
        if network_page.is_trying(found["network"]):
            response.headers["Refresh"] = _REFRESH_S
        return response

    def _status(self) -> "dict[str, Any]":
        """Return the unit's status; a contact over an earlier network does not count as one over this network."""
        found = self.device.status()
        contact = found["last_contact"]
        if contact is not None and (contact["source"], contact["time"]) == self._wifi.earlier_contact:
            found["last_contact"] = None
        return found

    async def _search(self) -> None:
        """Look for networks, and wait until the list is renewed or the search takes too long."""
        self._wifi.rescan()
        for _ in range(_LOOKS):
            if not self._wifi.is_looking():
                return
            await asyncio.sleep(_LOOK_S)

    def _page(
        self, found: "dict[str, Any]", problem: "Problem" = NO_PROBLEM, name: str = "", word: str = ""
    ) -> "tuple[str, ...]":
        return network_page.network(
            self.device.public_info(), found, self._wifi.networks, self._wifi.name, problem, name, word
        )

    async def change_network(self, request: "Any") -> "Any":
        """Carry out `action`: join (with `network`, `name`, `passphrase`), again, scan, finish."""
        fields = read_form(request)
        action, name = field(fields, "action"), fields.get("name", "")
        try:
            await self._change(action, fields, name)
        except WifiError as error:
            found = network_page.refusal(str(error.fields.get("reason", "")))
            if answers.wants_json(request):
                return answers.refuse(request, 422, found.text, error)
            status = self._status()
            return self._answer(self._page(status, Problem(found.text, found.field), name), 422, status)
        if action == "finish" and not answers.wants_json(request):
            return answers.page(network_page.finished(self.device.public_info(), self._wifi))
        return answers.done(request, PATH)

    async def _change(self, action: str, fields: "dict[str, str]", name: str) -> None:
        if action == "join":
            self._join(field(fields, "network"), name, fields.get("passphrase", ""))
        elif action == "again":
            self._wifi.again()
        elif action == "scan":
            await self._search()
        elif action == "finish":
            self._wifi.finish()
        else:
            raise RequestError(status=400, reason="action")

    def _join(self, chosen: str, name: str, passphrase: str) -> None:
        if len(passphrase) > _PASSPHRASE_CHARS:
            raise WifiError(reason="passphrase length")
        secret = passphrase.encode()
        if chosen == network_page.OTHER:
            self._wifi.choose(name.encode(), secret)
            return
        digits, _, security = chosen.partition("/")
        try:
            ssid = binascii.unhexlify(digits)
        except ValueError:
            raise RequestError(status=400, reason="network") from None
        if security == wifi.OPEN:
            secret = b""  # typed for another network of the list
        self._wifi.choose(ssid, secret, security)


def _as_data(one: "Any") -> "dict[str, Any]":
    return {"name": wifi.text_of(one.ssid), "security": one.security, "signal_dbm": one.signal_dbm}
