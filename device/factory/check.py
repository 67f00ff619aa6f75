"""The checks of a unit's records before it is locked.

Rules:
1. Every record of the station and both private keys are present, undamaged, and of the shape their readers expect.
2. A certificate belongs to the private key of its role. The device certificate names the device id; the web
   certificate names neither device id nor serial (SE-06).
3. Support record, contact and statement are signed by keys of this unit's own anchors, each in its role, and the
   support record is for this unit's class and inside the horizon: a unit that would refuse its own records is
   never locked.
"""

from device.codec import cbor
from device.compat import const
from device.crypto import backend, der
from device.errors import FactoryError, FirstbootError
from device.limits import CHECK_INTERVAL_S, SOURCES
from device.records import contact, identity, setup, support
from device.trust import anchors as trust_anchors
from device.trust.signed_record import verify_record

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.records.store import Store

STATEMENT_TYP = "application/vnd.firstboot.statement+json"
OSCORE_SECRET_BYTES = 16
OSCORE_SALT_BYTES = 8
OSCORE_ID_BYTES = 7  # AES-CCM-16: nonce length 13 minus 6 (RFC 8613 3.3)
HOST_CHARS = 253


def check_records(store: "Store") -> None:
    """Raise FactoryError(reason, name) for the first record that is absent, damaged or contradicts another."""
    for name, check in (
        ("identity", _check_identity),
        ("device.crt", _check_device_certificate),
        ("web.crt", _check_web_certificate),
        ("setup", _check_setup),
        ("anchors", _check_anchors),
        ("support", _check_support),
        ("contact", _check_contact),
        ("statement", _check_statement),
        ("servers", _check_servers),
        ("oscore", _check_oscore),
    ):
        try:
            check(store, store.require(name))
        except FactoryError as error:
            error.fields["name"] = name
            raise FactoryError(**error.fields)
        except FirstbootError as error:
            raise FactoryError(reason=str(error.fields.get("reason", type(error).__name__)), name=name)


def _demand(is_true: bool, reason: str) -> None:
    if not is_true:
        raise FactoryError(reason=reason)


def _check_identity(store: "Store", data: bytes) -> None:
    identity.decode(data)


def _certificate(store: "Store", data: bytes, role: str) -> str:
    """Return the common name of a certificate, after a check that it belongs to the key of `role`."""
    facts = der.certificate_facts(data)
    private = store.require(role + ".key")
    _demand(facts.public_key == backend.p256_public(private), "key")
    name: str = facts.common_name
    return name


def _check_device_certificate(store: "Store", data: bytes) -> None:
    name = _certificate(store, data, "device")
    _demand(name == identity.device_id_text(identity.decode(store.require("identity"))), "common name")


def _check_web_certificate(store: "Store", data: bytes) -> None:
    name = _certificate(store, data, "web").lower()
    unit = identity.decode(store.require("identity"))
    _demand(identity.device_id_text(unit) not in name and unit.serial.lower() not in name, "common name")


def _check_setup(store: "Store", data: bytes) -> None:
    setup.decode(data)


def _check_anchors(store: "Store", data: bytes) -> None:
    trust_anchors.decode(data)


def _payload(store: "Store", data: bytes, typ: str, role: int) -> bytes:
    return verify_record(data, typ, role, trust_anchors.decode(store.require("anchors")), backend)


def _check_support(store: "Store", data: bytes) -> None:
    anchors = trust_anchors.decode(store.require("anchors"))
    record = support.decode(_payload(store, data, support.TYP, trust_anchors.ROLE_SUPPORT))
    support.accept(None, record, anchors.class_id, anchors.support_horizon_s)


def _check_contact(store: "Store", data: bytes) -> None:
    contact.decode(_payload(store, data, contact.TYP, trust_anchors.ROLE_SUPPORT))


def _check_statement(store: "Store", data: bytes) -> None:
    _demand(len(_payload(store, data, STATEMENT_TYP, trust_anchors.ROLE_SIGNATORY)) > 0, "empty")


def _check_servers(store: "Store", data: bytes) -> None:
    fields = cbor.check_map(cbor.decode(data), ((1, bytes), (2, list), (3, int)))
    der.certificate_facts(fields[1])
    _demand(0 < len(fields[2]) <= SOURCES, "sources")
    for source in fields[2]:
        _check_source(source)
    _demand(CHECK_INTERVAL_S[0] <= fields[3] <= CHECK_INTERVAL_S[1], "interval")


def _check_source(source: "Any") -> None:
    cbor.check_map(source, ((1, str), (2, str), (3, int)), ((4, str),))
    _demand(source[1] in ("mqtt", "coap"), "source")
    _demand((source[1] == "mqtt") == (4 in source), "TLS name")
    _demand(0 < len(source[2]) <= HOST_CHARS and 0 < source[3] < 65536, "address")


def _check_oscore(store: "Store", data: bytes) -> None:
    fields = cbor.check_map(cbor.decode(data), ((1, bytes), (2, bytes), (3, bytes), (4, bytes)))
    _demand(len(fields[1]) == OSCORE_SECRET_BYTES and len(fields[2]) == OSCORE_SALT_BYTES, "length")
    _demand(len(fields[3]) <= OSCORE_ID_BYTES and len(fields[4]) <= OSCORE_ID_BYTES, "length")
    _demand(fields[3] != fields[4], "ids")
