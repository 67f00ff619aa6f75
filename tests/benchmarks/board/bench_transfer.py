"""Rows 6, 7 and 8 on the board: the cost of a chunk over each transport, and the heap of a whole update.

Peers are in the same memory and read bytes of slot 0 at each request: they store nothing, and their ticks are
subtracted. The TLS library is not measured.
"""

import asyncio
import gc
import time
from binascii import unhexlify
from hashlib import sha256

import _mps2
import test_coap_source
import test_mqtt_source
import test_trust
from bench import heap

from device.net import coap, mqtt
from device.net.sender_sequence import SenderSequence
from device.ports.mps2 import Mps2Flash, layout
from device.transport.coap import CoapPeer, CoapSource
from device.transport.mqtt import MqttSource
from device.trust import verify
from device.update import flow
from device.update.slots import BootState

CHUNK = 4096
BOOT = BootState(Mps2Flash(), layout)
CHUNKS = 64  # of slot 0, for the transfers
WARM, MANY = 40 * CHUNKS, 157 * CHUNKS  # whole rounds: both end at the same place; the second is 10 048
LOOK = 8192  # bytes allocated between two measurements of the heap of an update


def payload_digest(count):
    """Return the SHA-256 of each of the first `count` chunks of slot 0."""
    return [sha256(BOOT.read(0, index * CHUNK, CHUNK)).digest() for index in range(count)]


class Broker(test_mqtt_source.Broker):
    """Serves chunks of slot 0 by their digests, one PUBLISH header and its payload straight from flash."""

    def __init__(self, contents=None):
        test_mqtt_source.Broker.__init__(self)
        self.ticks = 0
        self.contents = contents or {}  # digest -> (offset in slot 0, bytes) or bytes
        self.queue = []

    async def read(self, limit):
        start = time.ticks_cpu()
        data = self._next(limit)
        self.ticks += time.ticks_diff(time.ticks_cpu(), start)
        if not data:
            raise ValueError("the bench's broker has nothing to say")
        return data

    def _next(self, limit):
        if not self.queue:
            data, self.out = self.out[:limit], self.out[limit:]
            return data
        if self.out:
            data, self.out = self.out, b""
            return data
        offset, size = self.queue[0]
        if isinstance(offset, bytes):
            self.queue.pop(0)
            return offset
        taken = min(limit, size)
        data = BOOT.read(0, offset, taken)
        if taken == size:
            self.queue.pop(0)
        else:
            self.queue[0] = (offset + taken, size - taken)
        return data

    async def write(self, data):
        start = time.ticks_cpu()
        await test_mqtt_source.Broker.write(self, data)
        self.ticks += time.ticks_diff(time.ticks_cpu(), start)

    def _subscribe(self, body):
        at, codes, packets = 2, b"", []
        while at < len(body):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            name = bytes(body[at + 2 : end]).decode()
            codes += b"\x00"
            at = end + 1
            content = self.contents.get(unhexlify(name[-64:]))
            if content is None:
                continue
            size = len(content) if isinstance(content, bytes) else content[1]
            packets.append((publish_header(name, size), 0))
            packets.append((content, 0) if isinstance(content, bytes) else content)
        self.queue.append((b"\x90" + bytes((2 + len(codes),)) + body[:2] + codes, 0))
        self.queue.extend(packets)


def publish_header(topic, size):
    """Return the bytes of a retained PUBLISH at QoS 0 before `size` bytes of payload."""
    whole = mqtt.encode_publish(topic, b"", is_retained=True)
    length = len(whole) - 2 + size
    digits = bytearray()
    while True:
        digits.append((length & 0x7F) | (0x80 if length >> 7 else 0))
        length >>= 7
        if not length:
            return whole[:1] + bytes(digits) + whole[2:]


class Server(test_coap_source.Server):
    """Serves the first CHUNKS chunks of slot 0 in blocks of 1024 bytes."""

    def __init__(self, size=CHUNKS * CHUNK, objects=None):
        test_coap_source.Server.__init__(self, self._answer)
        self.size, self.ticks = size, 0
        self.objects = objects or {}

    def _answer(self, request):
        block = coap.decode_block(dict(request[2])[coap.BLOCK2])
        body = self.objects.get(unhexlify(request[1][-64:]))
        size = self.size if body is None else len(body)
        at = block.number * block.size
        taken = min(block.size, size - at)
        part = BOOT.read(0, at, taken) if body is None else body[at : at + taken]
        option = coap.encode_block(block.number, at + taken < size, block.size)
        options = ((coap.ETAG, b"etag"), (coap.BLOCK2, option), (coap.SIZE2, coap.encode_uint(size)))
        return coap.CONTENT, options, part

    async def send(self, data):
        start = time.ticks_cpu()
        await test_coap_source.Server.send(self, data)
        del self.requests[:], self.numbers[:]
        self.ticks += time.ticks_diff(time.ticks_cpu(), start)


def over_mqtt(broker, work):
    async def run():
        source = MqttSource(
            broker, broker.clock, test_mqtt_source.PEER, test_mqtt_source.CLASS_ID, test_mqtt_source.DEVICE_ID
        )
        await source.open()
        return await work(source)

    return asyncio.run(run())


def over_coap(server, work):
    async def run():
        source = CoapSource(
            server,
            server.clock,
            test_coap_source.Entropy(),
            CoapPeer("host", 5683),
            test_coap_source.CLASS_ID,
            credentials=test_coap_source.CREDENTIALS,
            sequence=SenderSequence(0, lambda upto: None),
        )
        await source.open()
        return await work(source)

    return asyncio.run(run())


async def fetch(source, digests, count):
    """Plan and take `count` chunks, with `digests` repeated."""
    source.plan(bytes(32), CHUNKS * CHUNK, Repeated(digests), range(count))
    for index in range(count):
        data = await source.chunk(index)
        if len(data) != CHUNK:
            raise ValueError("not a chunk")
        if not index & 63:
            _mps2.watchdog_feed()


class Repeated:
    """An endless list that repeats another one without copying it."""

    def __init__(self, items):
        self.items = items

    def __getitem__(self, index):
        return self.items[index % len(self.items)]


def contents(digests):
    return {digest: (index * CHUNK, CHUNK) for index, digest in enumerate(digests)}


def ticks_of_transfer(over, peer, digests, count=CHUNKS):
    """Return the ticks of `count` chunks on the unit's side, without those of `peer`."""
    spent = []

    async def work(source):
        await fetch(source, digests, 2)  # creates everything that is created once
        gc.collect()
        before, start = peer.ticks, time.ticks_cpu()
        await fetch(source, digests, count)
        spent.append(time.ticks_diff(time.ticks_cpu(), start) - (peer.ticks - before))

    over(peer, work)
    return spent[0]


def mqtt_ticks():
    digests = payload_digest(CHUNKS)
    return ticks_of_transfer(over_mqtt, Broker(contents(digests)), digests)


def coap_ticks():
    return ticks_of_transfer(over_coap, Server(), [b""])


def mqtt_growth():
    """Return the growth of the heap by MANY chunks; tables have their size after the WARM ones."""
    digests = payload_digest(CHUNKS)
    grown = []
    broker = Broker(contents(digests))

    def alive():
        broker.ticks = 0  # it would exceed a small int and take 32 bytes of heap
        gc.collect()
        return gc.mem_alloc()

    async def work(source):
        await fetch(source, digests, WARM)
        before = alive()
        await fetch(source, digests, MANY)
        grown.append(alive() - before)

    over_mqtt(broker, work)
    return grown[0]


# --- a whole update ------------------------------------------------------------------------------------
def release():
    """Return (signed envelope, chunk list, digests, size) of a release whose payload is the running image."""
    facts = _mps2.handover()
    size = facts["image_bytes"]
    count = (size + CHUNK - 1) // CHUNK
    digests = []
    whole = sha256()
    for index in range(count):
        data = BOOT.read(0, index * CHUNK, min(CHUNK, size - index * CHUNK))
        digests.append(sha256(data).digest())
        whole.update(data)
    chunk_list = b"".join(digests)
    list_digest, digest = sha256(chunk_list).digest(), whole.digest()
    common = test_trust.shared(list_size=len(chunk_list), size=size)
    common[1] = test_trust.parameters(
        vendor=test_trust.VENDOR, klass=test_trust.CLASS, digest=list_digest, size=len(chunk_list)
    )
    common[5] = test_trust.parameters(
        vendor=test_trust.VENDOR, klass=test_trust.CLASS, digest=digest, size=size
    )
    made = test_trust.content(
        facts["version"][3], common=common, sequences={20: test_trust.install(list_digest, digest)}
    )
    return test_trust.signed(made), chunk_list, digests, size


async def update(source, data):
    """Decide, fetch, check, write, read back and stage, as an update check does. Writes slot 1."""
    manifest = verify.verify_envelope(data, test_trust.ANCHORS)
    running = flow.install(manifest, BOOT, 1)
    answer = None
    while True:
        try:
            effect = running.send(answer)
        except StopIteration:
            return
        _mps2.watchdog_feed()
        answer = None
        if isinstance(effect, flow.FetchChunk):
            answer = await source.chunk(effect.index)
        elif isinstance(effect, flow.FetchObject):
            answer = await source.object(effect.digest, effect.size)
        elif isinstance(effect, flow.PlanPayload):
            source.plan(effect.digest, effect.size, effect.chunk_digests, effect.wanted)


def update_heap(kind):
    """Return the peak of the heap in an update over `kind`, without the envelope and the peer's tables."""
    data, chunk_list, digests, size = release()
    BOOT.clear_marks(1)
    for index in range(len(digests)):  # slot 1 is empty
        BOOT.erase_sector(1, index * CHUNK)
    if kind == "mqtt":
        places = {}
        for index, digest in enumerate(digests):
            places[digest] = (index * CHUNK, min(CHUNK, size - index * CHUNK))
        places[sha256(chunk_list).digest()] = chunk_list
        peer, over = Broker(places), over_mqtt
    else:
        peer, over = Server(size, {sha256(chunk_list).digest(): chunk_list}), over_coap
    most = heap(lambda: over(peer, lambda source: update(source, data)), LOOK)
    if not BOOT.marks(1).is_staged:
        raise ValueError("not staged")
    BOOT.clear_marks(1)
    return most


FIGURES = (
    ("transfer.bytes", lambda: CHUNKS * CHUNK),
    ("mqtt.ticks", mqtt_ticks),
    ("coap.ticks", coap_ticks),
    ("mqtt.growth", mqtt_growth),
    ("update-mqtt.heap", lambda: update_heap("mqtt")),
    ("update-coap.heap", lambda: update_heap("coap")),
)
