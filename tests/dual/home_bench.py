"""A link to the owner's home on a bench: a broker in memory, a clock that a test moves, a release that may wait."""

import asyncio
import json

from memory_unit import MemoryRecords

from device.agent.home_link import HomeLink
from device.net import home_assistant, mqtt
from device.owner import home
from device.records.store import USER, Store

NAME = "lamp-0001"
UNIT = home_assistant.Unit(NAME, "Firstboot", "Lamp One", "1.2.3+0")
COMMAND = "firstboot/" + NAME + "/install"
CONFIGURATION = "homeassistant/update/" + NAME + "_update/config"


def run_beside(kept, work):
    """Run `work` to its end while `kept` runs; both are coroutines."""

    async def both():
        task = asyncio.create_task(kept)
        try:
            await work
        finally:
            while not task.done():  # CPython 3.11's wait_for may lose a cancellation
                task.cancel()
                await asyncio.sleep(0.01)
            try:
                await task
            except asyncio.CancelledError:
                pass

    asyncio.run(both())


class Consent:
    """device.owner.settings.Consent as far as a link uses it."""

    def __init__(self, waiting=0):
        self.waiting = waiting
        self.installed = []

    def waiting_sequence(self):
        return self.waiting

    def install_now(self):
        self.installed.append(self.waiting)
        self.waiting = 0


class HomeBroker:
    """A broker as Network and Stream: keeps what is retained, and says what a test puts into `out`."""

    def __init__(self):
        self.code = 0
        self.fault = None  # raised by open_tls
        self.is_silent = False
        self.opened = 0
        self.connect = b""
        self.retained = {}
        self.subscribed = []
        self.out = b""
        self.closed = 0
        self.goodbyes = 0

    async def open_tls(self, host, port, name, ca_der, cert_der, key_der):
        assert (cert_der, key_der) == (b"", b"")
        self.opened += 1
        self.asked = (host, port, name, ca_der)
        self.out = b""
        if self.fault is not None:
            raise self.fault
        return self

    async def read(self, limit):
        while not self.out:
            await asyncio.sleep(0.005)
        data, self.out = self.out[:limit], self.out[limit:]
        return data

    async def write(self, data):
        while data:
            length, at = data[1], 2
            if length >= 128:
                length, at = (length & 127) | data[2] << 7, 3
            self._packet(data[0], data[at : at + length])
            data = data[at + length :]

    def _packet(self, first, body):
        kind = first >> 4
        if self.is_silent:
            return
        if kind == mqtt.CONNECT:
            self.connect = body
            self.out += b"\x20\x02\x00" + bytes((self.code,))
        elif kind == mqtt.SUBSCRIBE:
            end = 4 + int.from_bytes(body[2:4], "big")
            self.subscribed.append(bytes(body[4:end]).decode())
            self.out += b"\x90\x03" + body[:2] + b"\x00"
        elif kind == mqtt.PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            topic = bytes(body[2:end]).decode()
            assert first & 1, "not retained"
            if len(body) == end:
                self.retained.pop(topic, None)
            else:
                self.retained[topic] = bytes(body[end:])
        elif kind == mqtt.PINGREQ:
            self.out += b"\xd0\x00"
        elif kind == mqtt.DISCONNECT:
            self.goodbyes += 1

    def say(self, payload, is_retained=False, topic=COMMAND):
        self.out += mqtt.encode_publish(topic, payload.encode(), is_retained=is_retained)

    async def close(self):
        self.closed += 1


class Clock:
    """interfaces.Clock that a test moves; each look takes a millisecond."""

    def __init__(self):
        self.ms = 0

    def ticks_ms(self):
        self.ms += 1
        return self.ms

    def ticks_diff(self, later, earlier):
        return later - earlier


class Ports:
    def __init__(self, broker):
        self.network = broker
        self.clock = Clock()
        self.entropy = self
        self.said = []
        self.say = self.said.append

    def random_bytes(self, length):
        return bytes(length)


class Bench:
    """A link with its broker; `work(bench)` of run() is cancelled with the link at its end."""

    def __init__(self, saved=None, waiting=0):
        self.records = MemoryRecords()
        self.store = Store(self.records, USER)
        if saved is not None:
            self.store.write(home.RECORD, home.encode(saved))
        self.broker = HomeBroker()
        self.ports = Ports(self.broker)
        self.consent = Consent(waiting)
        self.word = "idle"
        self.readings = ()
        self.link = HomeLink(self.ports, self.store, UNIT, self.consent, self.look)
        self.link.is_aside = False

    def look(self, word):
        waiting = self.consent.waiting
        return home_assistant.Facts(
            "1.3.0" if waiting else "1.2.3+0",
            waiting,
            False,
            "",
            "2031-03-31",
            word or self.word,
            False,
            False,
            self.readings,
        )

    def run(self, work):
        run_beside(self.keep(), work(self))

    async def keep(self):
        """Run the link between checks, as HomeHost does."""
        while True:
            await self.link.run()
            await asyncio.sleep(0.005)

    async def until(self, probe):
        for _ in range(2000):
            if probe():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it never happened: " + str(self.link.status()))

    async def until_state(self, state):
        await self.until(lambda: self.link.status()["state"] == state)

    def update(self):
        return json.loads(self.broker.retained["firstboot/" + NAME + "/update"])
