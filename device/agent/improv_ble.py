"""Improv Wi-Fi over Bluetooth (device/net/improv_ble.py): the task that advertises the service and answers one client.

Bluetooth is on in factory default only, and ends with set-up and with a network that was joined. It begins again with
the next start of a unit that is still in factory default and has no network.
"""

import asyncio

from device.agent.improv import Services
from device.compat import const
from device.errors import LinkError
from device.net import improv
from device.net.improv_ble import BleConversation

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.assembly import Parts
    from device.interfaces import Bluetooth

_TICK_S = 0.1
_LINGER_TICKS = const(50)  # after a join: the client reads that it worked
# A client that sends nothing, or does not prove the set-up code, gives its place to the next after a minute.
_SILENCE_TICKS = const(600)


class _BleServices(Services):
    """net.improv_ble.BleServices over the parts of a unit."""

    def __init__(self, parts: "Parts") -> None:
        super().__init__(parts)
        self.proof_key = parts.owner.proof_key
        self.random_bytes = parts.ports.entropy.random_bytes


async def answer(parts: "Parts", bluetooth: "Bluetooth") -> None:
    """Answer until set-up, or until the unit has joined a network. Raises LinkError."""
    services = _BleServices(parts)
    conversation = BleConversation(services)
    said = conversation.state()
    silent = unproven = left = 0
    bluetooth.open(said)
    try:
        while services.is_open() and left < _LINGER_TICKS:
            data = bluetooth.take()
            if data is None:
                silent += 1
                unproven += 1
                events = conversation.tick()
            else:
                silent = 0
                if not data:  # a client has come or gone
                    unproven = 0
                    conversation = BleConversation(services)
                events = conversation.receive(data)
            for kind, body in events:
                bluetooth.send(kind, body)
            if conversation.state() != said:
                said = conversation.state()
                bluetooth.advertise(said)
            left = left + 1 if said == improv.PROVISIONED else 0
            if said != improv.AWAITING:
                unproven = 0
            if max(silent, unproven) >= _SILENCE_TICKS and said != improv.PROVISIONING:
                bluetooth.hang_up()
                silent = unproven = 0
            if data is None:
                await asyncio.sleep(_TICK_S)
    finally:
        try:
            bluetooth.close()
        except LinkError:
            pass  # it is the end of the task
