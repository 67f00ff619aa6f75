"""The sources of releases of one unit, made from the record `servers`.

Rules:
1. All CoAP sources of the unit share one OSCORE sender sequence, so no number is used twice (RFC 8613 7.2.1).
2. The factory writes the first number (device/factory/factory_port.py). So a unit without the record `oscore.seq` has
   lost it and does not know which numbers it used: its CoAP sources raise CounterLostError, and the others work.
3. One source is open at a time (device/update/service.py), so all of them use one buffer for what arrives.
4. The modules of CoAP take 4 KB of heap, so they are in memory only while a CoAP source is asked (compat.unload). What
   must outlive them is kept here: the sender sequence, and each server's pause. Those of MQTT stay: the link to the
   owner's home uses them too.
5. Each source has a name of its own ("mqtt", "mqtt 2"): errors, refusals and offers are remembered by name.
"""

from device.codec import cbor
from device.compat import const, unload
from device.crypto import backend, der
from device.errors import RecordDamagedError
from device.net.probing import Probing
from device.net.sender_sequence import SEQUENCE_BYTES, SEQUENCE_RECORD, SenderSequence
from device.transport.mqtt import BUFFER_BYTES, MqttPeer, MqttSource

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable, Iterator

    from device.agent.agent import Ports
    from device.interfaces import Source
    from device.records.store import Store

# What only a CoAP source imports; they import each other and modules that stay.
COAP_MODULES = ("device.transport.coap", "device.net.oscore", "device.net.coap")


class Sources:
    """The sources of one unit, in the order to ask them. Iterating makes each one, or takes the lasting one.

    `interval_s`: the seconds between two checks. A source may be used until the next one is taken; it is named then.
    """

    def __init__(self, makers: "list[Callable[[], Source]]", interval_s: int) -> None:
        self._makers = makers
        self.interval_s = interval_s

    def __iter__(self) -> "Iterator[Source]":
        names: "list[str]" = []
        for make in self._makers:
            source = make()
            kind = source.name.split(" ")[0]
            names.append(kind)
            if names.count(kind) > 1:
                source.name = "{} {}".format(kind, names.count(kind))
            yield source
            unload(COAP_MODULES)


def load_sources(store: "Store", ports: "Ports", device_id: bytes, class_id: bytes) -> Sources:
    """Return the unit's sources. Raises StorageError, RecordDamagedError, CodecError."""
    servers = cbor.decode(store.require("servers"))
    sequence = SenderSequence(_load_sequence(store), lambda upto: _save_sequence(store, upto))
    private = store.require("device.key")
    key_der = der.ec_private_key(private, backend.p256_public(private))
    buffer = bytearray(BUFFER_BYTES)  # rule 3

    def mqtt(host: str, port: int, tls_name: str) -> "Callable[[], Source]":
        peer = MqttPeer(host, port, tls_name, servers[1], store.require("device.crt"), key_der)
        source = MqttSource(ports.network, ports.clock, peer, class_id, device_id, buffer=buffer)
        return lambda: source

    def coap(host: str, port: int) -> "Callable[[], Source]":
        secret = cbor.decode(store.require("oscore"))
        probing = Probing(ports.clock.ticks_diff)

        def make() -> "Source":
            from device.net.oscore import Credentials
            from device.transport.coap import CoapPeer, CoapSource

            source = CoapSource(
                ports.network,
                ports.clock,
                ports.entropy,
                CoapPeer(host, port),
                class_id,
                credentials=Credentials(secret[1], secret[2], secret[3], secret[4]),
                sequence=sequence,
                buffer=buffer,
            )
            source.probing = probing
            return source

        return make

    makers = [
        mqtt(source[2], source[3], source[4]) if source[1] == "mqtt" else coap(source[2], source[3])
        for source in servers[2]
    ]
    return Sources(makers, servers[3])


def _load_sequence(store: "Store") -> "int | None":
    """Return the first number that is not reserved, None if the record is missing or damaged (rule 2)."""
    try:
        stored = store.read(SEQUENCE_RECORD)
    except RecordDamagedError:
        return None
    if stored is None or len(stored) != SEQUENCE_BYTES:
        return None
    return int.from_bytes(stored, "big")


def _save_sequence(store: "Store", upto: int) -> None:
    store.write(SEQUENCE_RECORD, upto.to_bytes(SEQUENCE_BYTES, "big"))
