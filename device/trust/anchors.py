"""The trust anchors of one unit: which keys it trusts, for which role, with which algorithm
(docs/reference/records.md, Anchors).

The factory writes them once; later a key set of the roots replaces keys and rules (device/trust/keyset.py). Rules:
1. A key is bound to one role and one algorithm; a message header must agree and never chooses.
2. Key ids are distinct; a role may have several keys, ANCHOR_KEYS in all.
3. Public keys have the form that their algorithm demands. The factory's record with another algorithm is refused by
   name; in a key set a key of an algorithm or role that this firmware does not know is skipped, whatever its form, and
   counts for no threshold, so that a fleet can move to a new algorithm while old firmware is still in use.
4. A policy for a role states how many distinct keys must sign, and which algorithms must be among them. Root and
   author may need several; one key of any other role is enough.
5. A tracker's key is valid inside one interval of at most TRACKER_KEY_DAYS. No other key has an interval: it could not
   be checked without a clock. Records of version 1 have neither rule 4 nor rule 5.
"""

from collections import namedtuple

from device.codec import cbor, cose
from device.compat import const
from device.errors import CborError, LimitError, SignatureError, UnsupportedError
from device.limits import (
    ANCHOR_KEYS,
    KEY_ID_BYTES,
    KEYSET_REVOKED,
    RECORD_BYTES,
    SIGNATURES_TRIED,
    TRACKER_KEY_DAYS,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Iterable

ROLE_ROOT = 1
ROLE_AUTHOR = 2
ROLE_SUPPORT = 3
ROLE_TRACKER = 4
ROLE_SIGNATORY = 5
_ROLES = (ROLE_ROOT, ROLE_AUTHOR, ROLE_SUPPORT, ROLE_TRACKER, ROLE_SIGNATORY)
_ALGORITHMS = (cose.ALG_ESP256, cose.ALG_ED25519, cose.ALG_HSS_LMS)

# `keys`: tuple of Key; both times in unix seconds.
Anchors = namedtuple(
    "Anchors", ("vendor_id", "class_id", "keys", "support_horizon_s", "build_time_floor_s", "rules")
)
# `algorithm`: COSE number (cose.ALG_ESP256, ALG_ED25519, ALG_HSS_LMS); `public`: docs/reference/records.md.
Key = namedtuple("Key", ("key_id", "algorithm", "role", "public"))
# `policies`: tuple of Policy; `intervals`: tuple of Interval; `sequence`: of the key set that this is, 0 before any;
# `revoked`: tuple of key ids that never come back.
Rules = namedtuple("Rules", ("policies", "intervals", "sequence", "revoked"))
# `algorithms`: COSE numbers; each must belong to one of the counted signatures.
Policy = namedtuple("Policy", ("role", "threshold", "algorithms"))
# When a tracker's key is valid: unix seconds, both ends included.
Interval = namedtuple("Interval", ("key_id", "first_s", "last_s"))

NO_RULES = Rules((), (), 0, ())

VERSION = 2
_DAY_S = const(86400)
_UUID_BYTES = const(16)
_P256_BYTES = const(65)
_HSS_BYTES = const(60)
_ED25519_BYTES = const(32)

_FORM_1 = ((1, bytes), (2, bytes), (3, list), (4, int), (5, int))
_FORM_2 = ((0, int), (6, list), (7, int), (8, list)) + _FORM_1
_KEY_FORM = ((1, bytes), (2, int), (3, int), (4, bytes))
_KEY_INTERVAL = ((5, int), (6, int))
_POLICY_FORM = ((1, int), (2, int), (3, list))


def decode(data: bytes) -> Anchors:
    """Return the anchors in a record of at most RECORD_BYTES.

    Raises CborError, LimitError, UnsupportedError for an algorithm or a version.
    """
    fields = cbor.decode(data, RECORD_BYTES)
    is_old = isinstance(fields, dict) and 0 not in fields
    cbor.check_map(fields, _FORM_1 if is_old else _FORM_2)
    if not is_old and fields[0] != VERSION:
        raise UnsupportedError(what="anchors version {}".format(fields[0]))
    if len(fields[1]) != _UUID_BYTES or len(fields[2]) != _UUID_BYTES:
        raise CborError(reason="vendor or class id is not 16 bytes")
    if fields[4] < 0 or fields[5] < 0:
        raise CborError(reason="time before 1970")
    keys, intervals = decode_keys(fields[3], not is_old, False)
    rules = NO_RULES
    if not is_old:
        if fields[7] < 0:
            raise CborError(reason="sequence number of the key set")
        revoked = decode_revoked(fields[8], keys)
        rules = Rules(decode_policies(fields[6], keys), intervals, fields[7], revoked)
    return Anchors(fields[1], fields[2], keys, fields[4], fields[5], rules)


def encode(anchors: Anchors) -> bytes:
    """Return the encoded record. Raises what decode would raise on it, so that no bad record is written."""
    fields = {
        1: anchors.vendor_id,
        2: anchors.class_id,
        3: encode_keys(anchors.keys, anchors.rules.intervals),
        4: anchors.support_horizon_s,
        5: anchors.build_time_floor_s,
    }
    if anchors.rules != NO_RULES:
        fields[0] = VERSION
        fields[6] = encode_policies(anchors.rules.policies)
        fields[7] = anchors.rules.sequence
        fields[8] = list(anchors.rules.revoked)
    data = cbor.encode(fields)
    decode(data)
    return data


def find_key(anchors: Anchors, key_id: "bytes | None", role: int) -> Key:
    """Return the key with this id in this role; without an id, the only key of the role.

    Raises SignatureError if no key fits, or several do and there is no id.
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


def policy_of(anchors: Anchors, role: int) -> Policy:
    """Return how many and which keys of `role` must sign; one key of any algorithm if no policy names the role."""
    found = Policy(role, 1, ())
    for policy in anchors.rules.policies:
        if policy.role == role:
            found = policy
    return found


def interval_of(anchors: Anchors, key: Key) -> "Interval | None":
    """Return when `key` is valid, None if it has no interval."""
    found: "Interval | None" = None
    for interval in anchors.rules.intervals:
        if interval.key_id == key.key_id:
            found = interval
    return found


# Keys and policies, as anchors and key sets carry them ----------------------------------------------------


def encode_keys(keys: "Iterable[Key]", intervals: "Iterable[Interval]") -> "list[dict[int, Any]]":
    """Return the structure that decode_keys reads; the caller encodes it as CBOR."""
    good = {interval.key_id: interval for interval in intervals}
    parts: "list[dict[int, Any]]" = []
    for key in keys:
        part = {1: key.key_id, 2: key.algorithm, 3: key.role, 4: key.public}
        if key.key_id in good:
            part[5] = good[key.key_id].first_s
            part[6] = good[key.key_id].last_s
        parts.append(part)
    return parts


def decode_keys(
    parts: "list[Any]", has_intervals: bool, skips_unknown: bool
) -> "tuple[tuple[Key, ...], tuple[Interval, ...]]":
    """Return checked keys (rule 3) and the interval of every tracker's key.

    Raises CborError, LimitError, and UnsupportedError for an unknown algorithm unless `skips_unknown`.
    """
    if len(parts) > ANCHOR_KEYS:
        raise LimitError(what="anchor keys", limit=ANCHOR_KEYS)
    keys: "list[Key]" = []
    key_ids: "list[bytes]" = []
    intervals: "list[Interval]" = []
    for part in parts:
        key_id = _key_id(part)
        if key_id in key_ids:
            raise CborError(reason="key id twice")
        key_ids.append(key_id)
        if part.get(2) not in _ALGORITHMS or part.get(3) not in _ROLES:
            if not skips_unknown:
                raise UnsupportedError(what="role or algorithm of a key")
            continue  # its other members may have any form
        is_timed = has_intervals and part[3] == ROLE_TRACKER
        fields = cbor.check_map(part, _KEY_FORM + _KEY_INTERVAL if is_timed else _KEY_FORM)
        _check_public(fields[2], fields[4])
        keys.append(Key(key_id, fields[2], fields[3], fields[4]))
        if is_timed:
            intervals.append(_interval(key_id, fields[5], fields[6]))
    return tuple(keys), tuple(intervals)


def encode_policies(policies: "Iterable[Policy]") -> "list[dict[int, Any]]":
    """Return the form that decode_policies reads, before CBOR."""
    return [{1: one.role, 2: one.threshold, 3: list(one.algorithms)} for one in policies]


def decode_policies(
    parts: "list[Any]", keys: "tuple[Key, ...]", skips_unknown: bool = False
) -> "tuple[Policy, ...]":
    """Return checked policies, each of which `keys` can satisfy. Raises CborError.

    With `skips_unknown` a policy for a role that this firmware does not know is skipped.

    A policy that needs an algorithm which this firmware does not know is refused: no update could follow it.
    """
    policies: "list[Policy]" = []
    for part in parts:
        if skips_unknown and isinstance(part, dict) and _is_other_role(part.get(1)):
            continue  # this firmware asks no key of that role
        fields = cbor.check_map(part, _POLICY_FORM)
        policy = Policy(fields[1], fields[2], tuple(fields[3]))
        if policy.role not in (ROLE_ROOT, ROLE_AUTHOR):
            raise CborError(reason="policy for a role that signs alone", role=policy.role)
        if policy.role in [other.role for other in policies]:
            raise CborError(reason="policy twice", role=policy.role)
        _check_policy(policy, [key for key in keys if key.role == policy.role])
        policies.append(policy)
    return tuple(policies)


def decode_revoked(parts: "list[Any]", keys: "tuple[Key, ...]") -> "tuple[bytes, ...]":
    """Return checked key ids, none of which is one of `keys`. Raises CborError, LimitError."""
    if len(parts) > KEYSET_REVOKED:
        raise LimitError(what="revoked keys", limit=KEYSET_REVOKED)
    for key_id in parts:
        if not isinstance(key_id, bytes) or not 0 < len(key_id) <= KEY_ID_BYTES:
            raise CborError(reason="revoked key id")
    for key in keys:
        if key.key_id in parts:
            raise CborError(reason="revoked key among the keys")
    if len(set(parts)) != len(parts):
        raise CborError(reason="key revoked twice")
    return tuple(parts)


def _check_policy(policy: Policy, keys: "list[Key]") -> None:
    """Refuse a policy that no set of signatures could satisfy: it would stop updates permanently."""
    if not 1 <= policy.threshold <= SIGNATURES_TRIED:
        raise CborError(reason="threshold", role=policy.role)
    if len({key.public for key in keys}) < policy.threshold:
        raise CborError(reason="fewer keys than the threshold", role=policy.role)
    known = [key.algorithm for key in keys]
    if len(set(policy.algorithms)) != len(policy.algorithms) or len(policy.algorithms) > policy.threshold:
        raise CborError(reason="required algorithms", role=policy.role)
    for algorithm in policy.algorithms:
        if algorithm not in known:
            raise CborError(reason="no key of a required algorithm", role=policy.role)


def _interval(key_id: bytes, first_s: int, last_s: int) -> Interval:
    if not 0 <= first_s < last_s or last_s - first_s > TRACKER_KEY_DAYS * _DAY_S:
        raise CborError(reason="interval of a tracker's key")
    return Interval(key_id, first_s, last_s)


def _key_id(part: "Any") -> bytes:
    """Return the id of a key, known or not. Raises CborError."""
    if not isinstance(part, dict) or not isinstance(part.get(1), bytes):
        raise CborError(reason="key without an id")
    key_id: bytes = part[1]
    if not 0 < len(key_id) <= KEY_ID_BYTES:
        raise CborError(reason="length of a key id")
    return key_id


def _is_other_role(role: "Any") -> bool:
    """Return whether `role` is a number that a later firmware may know."""
    return isinstance(role, int) and not isinstance(role, bool) and role not in _ROLES


def _check_public(algorithm: int, public: bytes) -> None:
    """Raise CborError for a public key of another form than its algorithm demands."""
    if algorithm == cose.ALG_ESP256:
        is_good = len(public) == _P256_BYTES and public[0] == 4
    elif algorithm == cose.ALG_HSS_LMS:
        is_good = len(public) == _HSS_BYTES
    else:
        is_good = len(public) == _ED25519_BYTES
    if not is_good:
        raise CborError(reason="form of a public key")
