"""Turns the `servers` record into the Source objects that this unit asks for releases.

All CoAP sources of the unit share one OSCORE sender sequence, so no number is used twice (RFC 8613 7.2.1).
"""

from device.codec import cbor
from device.compat import const
from device.crypto import backend, der
from device.net import oscore
from device.transport.coap import CoapPeer, CoapSource
from device.transport.mqtt import MqttPeer, MqttSource

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.agent import Ports
    from device.interfaces import Source
    from device.records.store import Store

_SEQUENCE_BYTES = const(8)


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
    found: "list[Source]" = []
    for source in servers[2]:
        if source[1] == "mqtt":
            peer = MqttPeer(source[2], source[3], source[4], servers[1], store.require("device.crt"), key_der)
            found.append(MqttSource(ports.network, ports.clock, peer, class_id, device_id))
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
                )
            )
    return found, servers[3]


def _load_sequence(store: "Store") -> int:
    stored = store.read("oscore.seq")
    return 0 if stored is None else int.from_bytes(stored, "big")


def _save_sequence(store: "Store", upto: int) -> None:
    store.write("oscore.seq", upto.to_bytes(_SEQUENCE_BYTES, "big"))
