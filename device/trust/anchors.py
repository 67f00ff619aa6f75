"""The trust anchors of one unit: whom it believes, for what, with which algorithm (docs/design.md, Anchors).

Written once in the factory, read at every check. Rules:
1. A key is bound to one role and one algorithm; a message header must agree and never chooses.
2. Key ids are distinct; a role may have several keys, ANCHOR_KEYS in all.
3. Public keys have the form that their algorithm demands; other algorithms are refused by name.
"""

from collections import namedtuple

from device.codec import cbor, cose
from device.compat import const
from device.errors import CborError, LimitError, SignatureError, UnsupportedError
from device.limits import ANCHOR_KEYS, KEY_ID_BYTES, RECORD_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

ROLE_ROOT = 1
ROLE_AUTHOR = 2
ROLE_SUPPORT = 3
ROLE_TRACKER = 4
ROLE_SIGNATORY = 5

# `keys`: tuple of Key; both times in unix seconds.
Anchors = namedtuple("Anchors", ("vendor_id", "class_id", "keys", "support_horizon_s", "build_time_floor_s"))
# `algorithm`: COSE number (cose.ALG_ESP256 or cose.ALG_HSS_LMS); `public`: as docs/design.md says for it.
Key = namedtuple("Key", ("key_id", "algorithm", "role", "public"))

_UUID_BYTES = const(16)
_P256_BYTES = const(65)
_HSS_BYTES = const(60)

_ANCHORS_FORM = ((1, bytes), (2, bytes), (3, list), (4, int), (5, int))
_KEY_FORM = ((1, bytes), (2, int), (3, int), (4, bytes))


def decode(data: bytes) -> Anchors:
    """Return the anchors in a record of at most RECORD_BYTES.

    Raises CborError, LimitError, UnsupportedError for an algorithm.
    """
    fields = cbor.check_map(cbor.decode(data, RECORD_BYTES), _ANCHORS_FORM)
    if len(fields[1]) != _UUID_BYTES or len(fields[2]) != _UUID_BYTES:
        raise CborError(reason="vendor or class id is not 16 bytes")
    if fields[4] < 0 or fields[5] < 0:
        raise CborError(reason="time before 1970")
    return Anchors(fields[1], fields[2], _decode_keys(fields[3]), fields[4], fields[5])


def encode(anchors: Anchors) -> bytes:
    """Return the encoded record; raises what decode would raise on it, so a bad one is never written."""
    keys = [{1: key.key_id, 2: key.algorithm, 3: key.role, 4: key.public} for key in anchors.keys]
    data = cbor.encode(
        {
            1: anchors.vendor_id,
            2: anchors.class_id,
            3: keys,
            4: anchors.support_horizon_s,
            5: anchors.build_time_floor_s,
        }
    )
    decode(data)
    return data


def find_key(anchors: Anchors, key_id: "bytes | None", role: int) -> Key:
    """Return the key with this id in this role; without an id the only key of the role.

    Raises SignatureError when there is none, or several and no id.
    """
    found: "Key | None" = None
    for key in anchors.keys:
        if key.role == role and (key_id is None or key.key_id == key_id):
            if found is not None:
                raise SignatureError(reason="several keys and no key id", role=role)
            found = key
    if found is None:
        raise SignatureError(reason="no such key", role=role)
    return found


def _decode_keys(parts: "list[Any]") -> "tuple[Key, ...]":
    if len(parts) > ANCHOR_KEYS:
        raise LimitError(what="anchor keys", limit=ANCHOR_KEYS)
    keys: "list[Key]" = []
    for part in parts:
        fields = cbor.check_map(part, _KEY_FORM)
        key = Key(fields[1], fields[2], fields[3], fields[4])
        _check_key(key)
        for other in keys:
            if other.key_id == key.key_id:
                raise CborError(reason="key id twice")
        keys.append(key)
    return tuple(keys)


def _check_key(key: Key) -> None:
    if not 0 < len(key.key_id) <= KEY_ID_BYTES:
        raise CborError(reason="length of a key id")
    if not ROLE_ROOT <= key.role <= ROLE_SIGNATORY:
        raise CborError(reason="unknown role", role=key.role)
    if key.algorithm == cose.ALG_ESP256:
        is_good = len(key.public) == _P256_BYTES and key.public[0] == 4
    elif key.algorithm == cose.ALG_HSS_LMS:
        is_good = len(key.public) == _HSS_BYTES
    else:
        raise UnsupportedError(what="Ed25519" if key.algorithm == cose.ALG_ED25519 else "algorithm of a key")
    if not is_good:
        raise CborError(reason="form of a public key")
