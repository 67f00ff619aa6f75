"""The tracker's answer to a nonce of this unit: freshness and trusted time in one record.

Rules (docs/design.md, Update):
1. A nonce has 128 bits, stays in RAM, is used once, and expires after limits.NONCE_LIFE_S. One is outstanding at a
   time.
2. The record must carry that nonce and this product's class.
3. Its time is never accepted earlier than the build time in the anchors or the stored floor.
4. The newest sequence numbers in the record are notices, not floors. update/withheld.py compares them with the numbers
   that the unit has.
5. A member that this release does not know is ignored. A record without member 6 names no key set, one without member
   7 no rollout (update/rollout.py).
"""

from collections import namedtuple

from device.codec.cbor import decode, encode
from device.errors import CodecError, FreshnessError
from device.limits import NONCE_BYTES, NONCE_LIFE_S, RECORD_BYTES, ROLLOUT_KEY_BYTES, ROLLOUT_SHARES

TYP = "application/vnd.firstboot.freshness+cbor"

# `newest_keyset`: None if the record names no key set; `rollout`: a Rollout, None without one.
Freshness = namedtuple(
    "Freshness", ("time_s", "newest_manifest", "newest_support", "newest_keyset", "rollout")
)
# `sequence`: the release that is rolled out; `key`: 16 bytes; `share`: of ROLLOUT_SHARES units that may install it.
Rollout = namedtuple("Rollout", ("sequence", "key", "share"))
Challenge = namedtuple("Challenge", ("nonce", "class_id", "drawn_ms"))


def challenge(nonce: bytes, class_id: bytes, drawn_ms: int) -> "Challenge":
    """Return a challenge for `nonce` (16 random bytes), made at `drawn_ms` of the clock's ticks."""
    if len(nonce) != NONCE_BYTES:
        raise FreshnessError(reason="nonce length")
    return Challenge(nonce, class_id, drawn_ms)


def encode_request(asked: "Challenge") -> bytes:
    """Return the request to the tracker: {1: nonce, 2: class id}."""
    return encode({1: asked.nonce, 2: asked.class_id})


def decode_request(data: bytes) -> "Challenge":
    """Return the challenge in a request, on the tracker's side. Raises FreshnessError."""
    fields = _fields(data, 64)
    nonce, class_id = fields.get(1), fields.get(2)
    if len(fields) != 2 or not isinstance(nonce, bytes) or not isinstance(class_id, bytes):
        raise FreshnessError(reason="structure")
    if len(nonce) != NONCE_BYTES or len(class_id) != 16:
        raise FreshnessError(reason="structure")
    return Challenge(nonce, class_id, 0)


def encode_payload(
    class_id: bytes,
    nonce: bytes,
    time_s: int,
    newest_manifest: int,
    newest_support: int,
    newest_keyset: int = 0,
    rollout: "Rollout | None" = None,
) -> bytes:
    """Return the payload that the tracker signs. Firmware 0.1 accepts it only without key set and rollout."""
    fields: "dict[int, object]" = {1: class_id, 2: nonce, 3: time_s, 4: newest_manifest, 5: newest_support}
    if newest_keyset:
        fields[6] = newest_keyset
    if rollout is not None:
        fields[7] = list(rollout)
    return encode(fields)


def _fields(data: bytes, limit: int) -> dict:  # type: ignore[type-arg]
    if len(data) > limit:
        raise FreshnessError(reason="size")
    try:
        fields = decode(data)
    except CodecError:
        raise FreshnessError(reason="encoding")
    if not isinstance(fields, dict):
        raise FreshnessError(reason="structure")
    return fields


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _rollout(value: object) -> "Rollout | None":
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[1], bytes):
        raise FreshnessError(reason="structure")
    if not _is_count(value[0]) or len(value[1]) != ROLLOUT_KEY_BYTES:
        raise FreshnessError(reason="structure")
    if not _is_count(value[2]) or value[2] > ROLLOUT_SHARES:
        raise FreshnessError(reason="structure")
    return Rollout(value[0], value[1], value[2])


def accept(payload: bytes, asked: "Challenge | None", age_ms: int, floor_s: int) -> "Freshness":
    """Check a verified record's payload against the outstanding challenge.

    `age_ms` is the age of the nonce, `floor_s` the earliest time that can be true (unix seconds).
    Raises FreshnessError(reason).
    """
    if asked is None:
        raise FreshnessError(reason="nothing was asked")
    if age_ms < 0 or age_ms > NONCE_LIFE_S * 1000:
        raise FreshnessError(reason="nonce expired")
    fields = _fields(payload, RECORD_BYTES)
    if not all(_is_count(fields.get(key)) for key in (3, 4, 5)) or not _is_count(fields.get(6, 0)):
        raise FreshnessError(reason="structure")
    rollout = _rollout(fields.get(7))
    if fields.get(2) != asked.nonce:
        raise FreshnessError(reason="nonce")
    if fields.get(1) != asked.class_id:
        raise FreshnessError(reason="class")
    if fields[3] < floor_s:
        raise FreshnessError(reason="time before the floor")
    return Freshness(fields[3], fields[4], fields[5], fields.get(6), rollout)
