"""The owner's choice of a broker in the home: which one, how it proves itself, whether it may start an update.

Rules:
1. Nothing is stored before the owner saves it. The link is switched on by the owner only.
2. The link always uses TLS and the certificate of an authority that the owner pasted: on a home network everybody
   can listen and pretend, and the link carries a password (EN 303 645, 5.5-1 and 5.5-7).
3. The password goes into the unit and out in no answer. A saved one stays only while address, name, authority and user
   stay the same, so that nobody with an open session can have it sent to another broker.
4. The record `home` of the user region (CBOR {1: on, 2: address, 3: port, 4: name, 5: user, 6: password, 7: authority
   (DER), 8: may install}) ends with a factory reset. A damaged one counts as absent: the link is off.
"""

import binascii
from collections import namedtuple

from device.codec import cbor
from device.compat import clip_utf8, const
from device.crypto import der
from device.errors import CodecError, DerError, HomeError
from device.limits import (
    HOME_ADDRESS_CHARS,
    HOME_AUTHORITY_BYTES,
    HOME_PASSWORD_CHARS,
    HOME_USER_CHARS,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

RECORD = "home"
DEFAULT_PORT = 8883  # IANA: secure-mqtt

# `name`: in the broker's certificate, if it is another one than `address`; "" if not. `authority`: DER.
# `may_install`: whether the broker may start the update that waits for the owner.
_FIELDS = ("is_on", "address", "port", "name", "user", "password", "authority", "may_install")
Broker = namedtuple(
    "Broker", ("is_on", "address", "port", "name", "user", "password", "authority", "may_install")
)

_TYPES = ((1, bool), (2, str), (3, int), (4, str), (5, str), (6, str), (7, bytes), (8, bool))
_HOST = "abcdefghijklmnopqrstuvwxyz0123456789.-:"
_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


def encode(broker: "Broker") -> bytes:
    """Return the bytes of the record, with the password: secret."""
    return cbor.encode({index + 1: broker[index] for index in range(len(broker))})


def decode(data: bytes) -> "Broker":
    """Return what a record holds. Raises CodecError."""
    fields = cbor.check_map(cbor.decode(data), _TYPES)
    broker = Broker(*[fields[key] for key, _ in _TYPES])
    try:
        check(broker)
    except HomeError as error:
        raise CodecError(reason="home " + str(error.fields["reason"]))
    return broker


def check(broker: "Broker") -> None:
    """Raise HomeError unless every field is one that the unit can use.

    The reasons are "address", "port", "name", "user", "password", "certificate" and "certificate size".
    """
    if not _is_host(broker.address):
        raise HomeError(reason="address")
    if isinstance(broker.port, bool) or not 1 <= broker.port <= 0xFFFF:
        raise HomeError(reason="port")
    if broker.name and not _is_host(broker.name):
        raise HomeError(reason="name")
    if not _is_text(broker.user, HOME_USER_CHARS):
        raise HomeError(reason="user")
    if not _is_text(broker.password, HOME_PASSWORD_CHARS):
        raise HomeError(reason="password")
    check_certificate(broker.authority)


def check_certificate(data: bytes) -> None:
    """Raise HomeError unless `data` can be one certificate: the TLS library reads the rest of it."""
    if len(data) > HOME_AUTHORITY_BYTES:
        raise HomeError(reason="certificate size")
    try:
        start, stop = der.enter(data, 0, len(data), der.SEQUENCE)
        for tag in (
            der.SEQUENCE,
            der.SEQUENCE,
            der.BIT_STRING,
        ):  # RFC 5280 4.1: what is signed, how, signature
            _, start = der.enter(data, start, stop, tag)
    except DerError:
        raise HomeError(reason="certificate")
    if not start == stop == len(data):
        raise HomeError(reason="certificate")


def authority_of(text: str) -> bytes:
    """Return the certificate in a pasted PEM text (RFC 7468) as DER.

    Raises HomeError: "private key" (which is not kept), "certificate", "certificates" (more than one), "certificate
    size".
    """
    if "PRIVATE KEY" in text:
        raise HomeError(reason="private key")
    before, _, rest = text.strip().partition(_BEGIN)
    body, end, after = rest.partition(_END)
    if before or not end:
        raise HomeError(reason="certificate")
    if after.strip():
        raise HomeError(reason="certificates" if _BEGIN in after else "certificate")
    symbols = "".join(body.split())
    if any([symbol not in _BASE64 for symbol in symbols]) or len(symbols) % 4:
        raise HomeError(reason="certificate")
    if len(symbols) > HOME_AUTHORITY_BYTES // 3 * 4 + 8:
        raise HomeError(reason="certificate size")
    try:
        data = binascii.a2b_base64(symbols)
    except ValueError:
        raise HomeError(reason="certificate")
    check_certificate(data)
    return data


def changed(saved: "Broker | None", wanted: "Broker") -> "Broker":
    """Return what to store for a form: an empty authority or password stays the saved one (rule 3).

    Raises what check() raises; "password again" if the saved password would go to another broker or user.
    """
    if not wanted.authority and saved is not None:
        wanted = altered(wanted, authority=saved.authority)
    if not wanted.password and saved is not None:
        if receiver(saved) != receiver(wanted):
            raise HomeError(reason="password again")
        wanted = altered(wanted, password=saved.password)
    check(wanted)
    return wanted


def altered(broker: "Broker", **changes: "Any") -> "Broker":
    """Return `broker` with other values of the named fields (MicroPython has no _replace)."""
    return Broker(*[changes.get(name, broker[index]) for index, name in enumerate(_FIELDS)])


def certificate_name(broker: "Broker") -> str:
    """Return the name that the broker's certificate must have."""
    name: str = broker.name or broker.address
    return name


def receiver(broker: "Broker") -> "tuple[Any, ...]":
    """Return everything that decides who gets the password."""
    return broker.address, broker.port, broker.name, broker.user, broker.authority


def _is_host(text: str) -> bool:
    """Return whether `text` can be a host name (RFC 1123) or an address; a space or "/" often means a whole URL."""
    if not 1 <= len(text) <= HOME_ADDRESS_CHARS or text[0] in ".-" or text[-1] in ".-:":
        return False
    return all([symbol in _HOST for symbol in text]) and ".." not in text


def _is_text(text: str, most: int) -> bool:
    if not 1 <= len(text) <= most or clip_utf8(text, 4 * most) != text:
        return False
    return all([ord(symbol) >= 0x20 and ord(symbol) != 0x7F for symbol in text])
