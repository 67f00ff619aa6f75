"""The key set: the keys that a unit trusts from now on, signed by its roots (docs/design.md, Roles and keys).

The factory's anchors are the first key set; this record replaces only their keys and rules.
Payload: CBOR {0: 1, 1: class id, 2: sequence, 3: root's time (unix s), 4: [keys], 5: [policies], 6: [revoked key
ids], 7: [numbers of revoked image keys], optional 8: highest manifest sequence number, optional 9: latest end date of
the support period (days since 1970-01-01)}; keys and policies as in the anchors. Signed as COSE_Sign or COSE_Sign1.
Members 8 and 9 are the way back from a stolen key that signed a huge number or a far date: a unit that is above them
goes back to them, since its roots vouch for nothing higher.

Rules, in the order they are applied (RFC 9019 4.2, UP-11; after python-tuf's root update):
1. Size, structure, `typ`. The payload is not read before rule 2 was checked.
2. As many of the unit's present roots signed as its policy for roots demands.
3. For this class, with a sequence number above the present key set's, by at most SEQUENCE_JUMP.
4. A revoked key stays revoked, and no revoked key is among the keys.
5. The set has roots, and as many of its own roots signed it as its own policy demands: new roots that nobody holds
   would lock the unit out permanently.
No clock is needed. Root's time becomes the floor of trusted time, even if that lowers the floor: a stolen tracker key
that moved the units' time into the future loses its effect. The floor never goes below the build time.
"""

from collections import namedtuple

from device.codec import cbor, cose
from device.compat import const
from device.crypto import backend
from device.errors import (
    CborError,
    CounterLostError,
    FreshnessError,
    KeySetError,
    RecordTypeError,
    UnsupportedError,
)
from device.limits import IMAGE_KEYS, KEYSET_BYTES, KEYSET_SIGNATURES, SEQUENCE_JUMP
from device.trust import anchors as trust_anchors
from device.trust.anchors import ROLE_ROOT, Anchors, Rules, interval_of, policy_of
from device.trust.signatures import require

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.trust.anchors import Key

TYP = "application/vnd.firstboot.keyset+cbor"
VERSION = 1

# `rules.sequence` is this set's number; `revoked_images`: numbers of the boot ROM's image keys.
# `ceilings`: the highest values that the roots vouch for, None if they set none.
KeySet = namedtuple("KeySet", ("class_id", "root_time_s", "keys", "rules", "revoked_images", "ceilings"))
Ceilings = namedtuple("Ceilings", ("manifest_sequence", "support_end_day"))

NO_CEILINGS = Ceilings(None, None)

_FORM = ((0, int), (1, bytes), (2, int), (3, int), (4, list), (5, list), (6, list), (7, list))
_CEILINGS = ((8, int), (9, int))


def encode(keys: KeySet) -> bytes:
    """Return the payload that the roots sign. Raises what decode would raise on it."""
    fields = {
        0: VERSION,
        1: keys.class_id,
        2: keys.rules.sequence,
        3: keys.root_time_s,
        4: trust_anchors.encode_keys(keys.keys, keys.rules.intervals),
        5: trust_anchors.encode_policies(keys.rules.policies),
        6: list(keys.rules.revoked),
        7: list(keys.revoked_images),
    }
    for index in range(len(_CEILINGS)):
        if keys.ceilings[index] is not None:
            fields[_CEILINGS[index][0]] = keys.ceilings[index]
    data = cbor.encode(fields)
    decode(data)
    return data


def decode(payload: bytes) -> KeySet:
    """Return the key set in a payload. Raises CborError, LimitError, UnsupportedError, KeySetError without a root."""
    fields = cbor.decode(payload, KEYSET_BYTES)
    if isinstance(fields, dict) and fields.get(0) != VERSION:
        raise UnsupportedError(what="version of the key set")
    cbor.check_map(fields, _FORM, _CEILINGS)
    if fields[2] < 1 or fields[3] < 0:
        raise CborError(reason="sequence number or time of the key set")
    keys, intervals = trust_anchors.decode_keys(fields[4], True, True)
    if not [key for key in keys if key.role == ROLE_ROOT]:
        raise KeySetError(reason="no root")
    rules = Rules(
        trust_anchors.decode_policies(fields[5], keys, True),
        intervals,
        fields[2],
        trust_anchors.decode_revoked(fields[6], keys),
    )
    ceilings = Ceilings(fields.get(8), fields.get(9))
    for ceiling in ceilings:
        if ceiling is not None and ceiling < 0:
            raise CborError(reason="ceiling of the key set")
    return KeySet(fields[1], fields[3], keys, rules, _image_keys(fields[7]), ceilings)


def verify(data: bytes, anchors: Anchors, crypto: "Any" = backend) -> KeySet:
    """Return the key set that follows the one in `anchors`. Raises CodecError (and subclasses), RecordTypeError,
    SignatureError, AlgorithmError, UnsupportedError, KeySetError with `reason` "class", "sequence", "revoked key back".
    """
    record = cose.decode(data, KEYSET_BYTES, KEYSET_SIGNATURES)
    if record.typ != TYP:
        raise RecordTypeError(wanted=TYP)
    if record.payload is None:
        raise UnsupportedError(what="detached payload of a record")
    _require_roots(record, anchors, crypto)
    found = decode(record.payload)
    if found.class_id != anchors.class_id:
        raise KeySetError(reason="class")
    if not 0 < found.rules.sequence - anchors.rules.sequence <= SEQUENCE_JUMP:
        raise KeySetError(reason="sequence", have=anchors.rules.sequence, offered=found.rules.sequence)
    for key_id in anchors.rules.revoked:
        if key_id not in found.rules.revoked:
            raise KeySetError(reason="revoked key back")
    _require_roots(record, apply(anchors, found), crypto)
    return found


def apply(anchors: Anchors, keys: KeySet) -> Anchors:
    """Return the anchors with keys and rules of a verified key set."""
    return Anchors(
        anchors.vendor_id,
        anchors.class_id,
        keys.keys,
        anchors.support_horizon_s,
        anchors.build_time_floor_s,
        keys.rules,
    )


def effective(anchors: Anchors, stored: "bytes | None", floor: int) -> Anchors:
    """Return the anchors at a start: the factory's, or those of the key set that this unit verified and stored.

    `floor`: the number of the newest key set that this unit stored (records/floors.py). Raises CodecError,
    UnsupportedError, KeySetError if the stored key set cannot be read, CounterLostError if it is lost.
    """
    found = anchors
    if stored is not None:
        found = apply(anchors, decode(cose.decode(stored, KEYSET_BYTES, KEYSET_SIGNATURES).payload))
    if found.rules.sequence < floor:
        raise CounterLostError(name="keyset")
    return found


def revoked_images(stored: "bytes | None") -> "tuple[int, ...]":
    """Return the numbers of the image keys that a stored key set revokes, () without one. Raises as `effective`."""
    if stored is None:
        return ()
    numbers: "tuple[int, ...]" = decode(
        cose.decode(stored, KEYSET_BYTES, KEYSET_SIGNATURES).payload
    ).revoked_images
    return numbers


def roots_only(anchors: Anchors, floor: int) -> Anchors:
    """Return the anchors if the stored key set is damaged or lost: only the roots, who can send it again.

    The factory's other keys may be revoked by now, so the unit trusts none of them. A key set below `floor`, as in
    `effective`, is older than the one that was stored, and is refused.
    """
    roots = tuple([key for key in anchors.keys if key.role == ROLE_ROOT])
    policies = tuple([one for one in anchors.rules.policies if one.role == ROLE_ROOT])
    sequence = max(anchors.rules.sequence, floor - 1)
    rules = Rules(policies, (), sequence, anchors.rules.revoked)
    return Anchors(
        anchors.vendor_id,
        anchors.class_id,
        roots,
        anchors.support_horizon_s,
        anchors.build_time_floor_s,
        rules,
    )


def require_interval(anchors: Anchors, key: "Key", time_s: int) -> None:
    """Raise FreshnessError for a time outside the interval of the tracker's key; this limits what a thief can sign."""
    interval = interval_of(anchors, key)
    if interval is not None and not interval.first_s <= time_s <= interval.last_s:
        raise FreshnessError(reason="time outside of the interval of the tracker's key")


def _require_roots(record: "cose.Signed", anchors: Anchors, crypto: "Any") -> None:
    require((record,), anchors, policy_of(anchors, ROLE_ROOT), TYP.encode("utf-8"), None, crypto)


def _image_keys(numbers: "list[Any]") -> "tuple[int, ...]":
    """Return the image keys that this boot ROM has; a higher number belongs to a newer board of the class."""
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise CborError(reason="number of an image key")
    known = [number for number in numbers if number < IMAGE_KEYS]
    if len(set(numbers)) != len(numbers) or len(known) >= IMAGE_KEYS:
        raise CborError(reason="revoked image keys")  # the last key is never revoked
    return tuple(known)
