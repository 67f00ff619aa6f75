"""Hold a release back until its rollout has reached this unit (docs/adr/0035-rollouts-are-in-the-freshness-record.md).

A freshness record may name a rollout: a release, a key, and the share of the fleet that may install that release.

Rules:
1. The unit computes its own position from the key and its device id. It installs the release if the position is below
   the share. So a broker cannot move a unit to another stage: the record is signed for this unit's nonce, and the
   position is in no message.
2. A release is held back only while the tracker names it among the newest, and the unit counts as behind as long as it
   is held back (withheld.py). After limits.WITHHELD_S of that powered-on time the unit installs it, whatever the
   rollout says: not even a stolen tracker key holds a security update back for longer.
3. The owner's "Install now" for a release that was offered before is not held back. A trial under way goes on.
4. Only the named release is held back. A newer one, without a rollout, is installed at once.
"""

from device.compat import const
from device.crypto import backend
from device.limits import ROLLOUT_SHARES, WITHHELD_S

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.records.freshness import Freshness
    from device.update.withheld import Withheld

_RELEASE = const(0)  # position in withheld.KINDS


def position(key: bytes, device_id: bytes) -> int:
    """Return the place of a unit in a rollout, 0 to ROLLOUT_SHARES - 1."""
    return int.from_bytes(backend.hmac_sha256(key, device_id)[:4], "big") * ROLLOUT_SHARES >> 32


def holds(fresh: "Freshness | None", sequence: int, device_id: "bytes | None", withheld: "Withheld") -> bool:
    """Return whether release `sequence` waits for its rollout. `fresh`: the last freshness record."""
    if fresh is None or fresh.rollout is None or device_id is None:
        return False
    rollout = fresh.rollout
    if sequence != rollout.sequence or sequence > fresh.newest_manifest:
        return False
    if withheld.seconds[_RELEASE] >= WITHHELD_S:
        return False
    share: int = rollout.share
    return position(rollout.key, device_id) >= share
