"""Build the Source objects, from which a unit gets its releases, out of the `servers` record.

Rules:
1. All CoAP sources of the unit share one OSCORE sender sequence, so no number is used twice (RFC 8613 7.2.1).
2. The factory writes the first number (device/factory/factory_port.py). So a unit without the record `oscore.seq` has
   lost it and does not know which numbers it used: its CoAP sources raise CounterLostError, and the others work.
3. One source is open at a time (device/update/service.py), so all of them use one buffer for what arrives.
"""

from device.codec import cbor
from device.compat import const
from device.crypto import backend, der
from device.errors import RecordDamagedError
from device.net import oscore
from device.transport.coap import CoapPeer, CoapSource
from device.transport.mqtt import BUFFER_BYTES, MqttPeer, MqttSource

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.agent import Ports
    from device.interfaces import Source
    from device.records.store import Store


def load_sources(
    store: "Store", ports: "Ports", device_id: bytes, class_id: bytes
) -> "tuple[list[Source], int]":
    """Return the unit's sources, in the order to ask them, and the seconds between two checks.

    Raises StorageError, RecordDamagedError, CodecError.
    """
    servers = cbor.decode(store.require("servers"))
    sequence = oscore.SenderSequence(_load_sequence(store), lambda upto: _save_sequence(store, upto))
    private = store.require("device.key")
    key_der = der.ec_private_key(private, backend.p256_public(private))
    buffer = bytearray(BUFFER_BYTES)  # rule 3
    found: "list[Source]" = []
    for source in servers[2]:
        if source[1] == "mqtt":
            peer = MqttPeer(source[2], source[3], source[4], servers[1], store.require("device.crt"), key_der)
            found.append(MqttSource(ports.network, ports.clock, peer, class_id, device_id, buffer=buffer))
        else:
            secret = cbor.decode(store.require("oscore"))
            credentials = oscore.Credentials(secret[1], secret[2], secret[3], secret[4])
            found.append(
                CoapSource(
                    ports.network,
                    ports.clock,
                    ports.entropy,
                    CoapPeer(source[2], source[3]),
                    class_id,
                    credentials=credentials,
                    sequence=sequence,
                    buffer=buffer,
                )
            )
    return found, servers[3]


def _load_sequence(store: "Store") -> "int | None":
    """Return the first number that is not reserved, None if the record is missing or damaged (rule 2)."""
    try:
        stored = store.read(oscore.SEQUENCE_RECORD)
    except RecordDamagedError:
        return None
    if stored is None or len(stored) != oscore.SEQUENCE_BYTES:
        return None
    return int.from_bytes(stored, "big")


def _save_sequence(store: "Store", upto: int) -> None:
    store.write(oscore.SEQUENCE_RECORD, upto.to_bytes(oscore.SEQUENCE_BYTES, "big"))
