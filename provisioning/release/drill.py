"""The stolen-key drill: what a thief can do with each key, and how a new key set recovers the units (UP-11).

The device's own code (device.trust, device.records) makes each decision, on units that exist only for the drill.
tests/dual/test_update_keys.py shows the same with the whole update service.

A stolen author key or support key can also raise a floor: a unit that took a huge sequence number refuses the
maker's next release, and a unit that took a far end date refuses the maker's real one. The revocation does not lower
the floor. The roots lower it with a ceiling in the key set.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import bundle
from device.errors import FirstbootError
from device.limits import SEQUENCE_JUMP
from device.records import freshness, support
from device.trust import keyset as device_keyset
from device.trust.anchors import ROLE_SUPPORT, ROLE_TRACKER, Anchors
from device.trust.signed_record import verify_record, verify_record_key
from device.trust.verify import require_newer, verify_envelope
from device.update import trial_state
from provisioning.keys import keyset
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.key_ring import ROLES, SIGNING_ROLES
from provisioning.keys.signer import Signer, sign_record
from provisioning.release.payload import APP, Payload
from provisioning.release.release import build_release

VENDOR_ID: Final = b"vendor of drills"
CLASS_ID: Final = b"class of drills."
BUILD_S: Final = 1_780_000_000  # when the drill's units were built
DAY_S: Final = 86400
HORIZON_S: Final = BUILD_S + 3650 * DAY_S
HORIZON_DAY: Final = HORIZON_S // DAY_S
END_DAY: Final = BUILD_S // DAY_S + 1000
INSTALLED: Final = 8  # sequence number of the maker's newest release
NEXT: Final = INSTALLED + 1


@dataclass(frozen=True)
class Line:
    """One finding of the drill."""

    stolen: str
    text: str
    is_good: bool


def _generate() -> Signer:
    return FileSigner(ec.generate_private_key(ec.SECP256R1()))


def _public(signer: Signer, role: str) -> AnchorKey:
    return AnchorKey(signer.key_id, signer.algorithm, ROLES[role], signer.public)


@dataclass
class Maker:
    """All keys of a maker. `rotate` replaces one that was stolen and signs the key set that says so."""

    roles: dict[str, Signer] = field(default_factory=lambda: {role: _generate() for role in SIGNING_ROLES})
    roots: list[Signer] = field(default_factory=lambda: [_generate() for _ in range(3)])

    def __post_init__(self) -> None:
        self.plan = keyset.KeySetPlan(0, 2, self._publics(), 0, 0).with_tracker_from(BUILD_S)

    def _publics(self) -> tuple[tuple[int, str], ...]:
        return tuple((one.algorithm, one.public.hex()) for one in self.roots)

    def content(self, time_s: int) -> device_keyset.KeySet:
        others = [_public(signer, role) for role, signer in self.roles.items()]
        return keyset.key_set(self.plan, CLASS_ID, others, time_s)

    def lower(self, time_s: int) -> bytes:
        """Return the key set that brings units back to the highest values that the maker published."""
        self.plan = self.plan.changed(manifest_ceiling=INSTALLED, support_end_ceiling_day=END_DAY)
        return keyset.sign_key_set(self.content(time_s), self.roots)

    def rotate(self, role: str, time_s: int) -> bytes:
        """Return the key set after the theft of `role`'s key."""
        signers = list(self.roots)
        if role == "root":
            self.roots = [_generate() for _ in range(3)]
            self.plan = self.plan.changed(roots=self._publics())
            signers = self.roots[:2] + signers[1:]  # the stolen one is not needed
        else:
            self.plan = self.plan.with_revoked(self.roles[role].key_id)
            self.roles[role] = _generate()
            if role == "tracker":
                self.plan = self.plan.with_tracker_from(time_s)
        return keyset.sign_key_set(self.content(time_s), signers)


class DrillUnit:
    """The part of a unit that depends on keys: the keys that it trusts, its floors, its support record."""

    def __init__(self, maker: Maker) -> None:
        content = maker.content(BUILD_S)
        self.anchors = Anchors(VENDOR_ID, CLASS_ID, content.keys, HORIZON_S, BUILD_S, content.rules)
        self.progress = trial_state.Progress(INSTALLED, 0, BUILD_S)
        self.support: support.SupportRecord | None = None
        self.take_support(sign_record(_support(1, END_DAY), support.TYP, maker.roles["support"]))

    def take_key_set(self, data: bytes) -> None:
        found = device_keyset.verify(data, self.anchors)
        self.anchors = device_keyset.apply(self.anchors, found)
        floor_s = max(self.anchors.build_time_floor_s, found.root_time_s)
        progress = trial_state.with_time_floor(self.progress, floor_s)
        self.progress = trial_state.with_ceilings(progress, found.ceilings)
        self.support = None  # a unit keeps it only while it trusts the signer

    def take_time(self, signer: Signer, time_s: int) -> None:
        asked = freshness.challenge(secrets.token_bytes(16), CLASS_ID, 0)
        payload = freshness.encode_payload(CLASS_ID, asked.nonce, time_s, 0, 0)
        record = sign_record(payload, freshness.TYP, signer)
        found, key = verify_record_key(record, freshness.TYP, ROLE_TRACKER, self.anchors)
        accepted = freshness.accept(found, asked, 0, self.progress.time_floor_s)
        device_keyset.require_interval(self.anchors, key, accepted.time_s)
        floor_s = max(self.progress.time_floor_s, accepted.time_s)
        self.progress = trial_state.with_time_floor(self.progress, floor_s)

    def take_support(self, record: bytes) -> None:
        offered = support.decode(verify_record(record, support.TYP, ROLE_SUPPORT, self.anchors))
        horizon_s = self.anchors.support_horizon_s
        if support.accept(self.support, offered, CLASS_ID, horizon_s, self.progress.support_end_day):
            self.support = offered
            self.progress = trial_state.with_support_end(self.progress, offered.end_day)

    def take_release(self, signer: Signer, number: int, app: Payload | None = None) -> None:
        release = build_release(
            b"firmware of a drill",
            vendor_id=VENDOR_ID,
            class_id=CLASS_ID,
            sequence_number=number,
            signer=signer,
            version="1",
            mitigates="-",
            interrupts="-",
            app=app,
        )
        verified = verify_envelope(release.envelope, self.anchors)
        require_newer(verified, self.progress.manifest_sequence)
        self.progress = trial_state.with_manifest(self.progress, verified.sequence_number)


def _support(sequence: int, end_day: int) -> bytes:
    return support.encode(support.SupportRecord(CLASS_ID, end_day, sequence, BUILD_S, 30))


def _succeeds(action: Callable[[], None]) -> bool:
    try:
        action()
    except FirstbootError:
        return False
    return True


def _thefts(unit: DrillUnit, thief: Signer, role: str) -> Iterator[Line]:
    """Yield what a thief with the key of `role` can do until the key set changes, and what the unit refuses."""
    last_s = unit.anchors.rules.intervals[0].last_s
    attempts: tuple[tuple[str, str, Callable[[], None]], ...] = (
        ("", f"installs firmware with a number more than {SEQUENCE_JUMP} ahead",
            lambda: unit.take_release(thief, INSTALLED + SEQUENCE_JUMP + 1)),
        ("author", f"installs firmware with a number {SEQUENCE_JUMP} ahead",
            lambda: unit.take_release(thief, INSTALLED + SEQUENCE_JUMP)),
        ("support", "promises support until the horizon", lambda: unit.take_support(
            sign_record(_support(9, HORIZON_DAY), support.TYP, thief))),
        ("tracker", "moves time inside the key's interval", lambda: unit.take_time(thief, last_s)),
        ("", "moves time beyond the key's interval", lambda: unit.take_time(thief, last_s + 1)),
        ("", "moves time before the build", lambda: unit.take_time(thief, BUILD_S - 1)),
        ("", "shortens the support period", lambda: unit.take_support(
            sign_record(_support(10, END_DAY - 1), support.TYP, thief))),
        ("", "promises support beyond the horizon", lambda: unit.take_support(
            sign_record(_support(11, HORIZON_DAY + 2), support.TYP, thief))),
    )  # fmt: skip
    for owner, text, action in attempts:
        is_done = _succeeds(action)
        yield Line(
            role, f"{'thief ' + text if is_done else 'refused: thief ' + text}", is_done == (owner == role)
        )


def _recovery(maker: Maker, unit: DrillUnit, thief: Signer, role: str) -> Iterator[Line]:
    time_s = BUILD_S + 50 * DAY_S
    forged = keyset.key_set(
        maker.plan.changed(root_threshold=1), CLASS_ID, [_public(thief, "author")], time_s
    )
    yield Line(
        role,
        "refused: thief signs a key set",
        not _succeeds(lambda: unit.take_key_set(_forge(forged, thief))),
    )
    data = maker.rotate(role, time_s)
    yield Line(role, "the unit takes the new key set", _succeeds(lambda: unit.take_key_set(data)))
    yield Line(role, "the floor of time is root's time again", unit.progress.time_floor_s == time_s)
    yield from _way_back(maker, unit, role, time_s)
    for check in (
        lambda: unit.take_release(thief, 20),
        lambda: unit.take_support(sign_record(_support(20, END_DAY), support.TYP, thief)),
        lambda: unit.take_time(thief, time_s),
    ):
        yield Line(role, "refused: a signature of the stolen key", not _succeeds(check))
    yield Line(role, "refused: the key set before it", not _succeeds(lambda: unit.take_key_set(data)))
    new = maker.roles
    app = Payload.of(APP, bundle.encode({"__init__.py": b"async def run(context): pass"}))
    yield Line(role, "the maker's release is taken", _succeeds(lambda: unit.take_release(new["author"], 21)))
    with_app = _succeeds(lambda: unit.take_release(new["author"], 22, app))
    yield Line(role, "the maker's release with an application set is taken", with_app)
    yield Line(
        role, "the maker's time is taken", _succeeds(lambda: unit.take_time(new["tracker"], time_s + 60))
    )
    record = sign_record(_support(21, END_DAY), support.TYP, new["support"])
    yield Line(role, "the maker's support record is taken", _succeeds(lambda: unit.take_support(record)))


def _way_back(maker: Maker, unit: DrillUnit, role: str, time_s: int) -> Iterator[Line]:
    """After the thief raised a floor: the revocation is not enough, the ceiling of a key set is."""

    def release() -> None:
        unit.take_release(maker.roles["author"], NEXT)

    def support_record() -> None:
        unit.take_support(sign_record(_support(NEXT, END_DAY), support.TYP, maker.roles["support"]))

    raised: dict[str, tuple[str, Callable[[], None]]] = {
        "author": ("release", release),
        "support": ("support record", support_record),
    }
    if role not in raised:
        return
    what, action = raised[role]
    yield Line(role, f"refused: the maker's {what}, because the thief's is higher", not _succeeds(action))
    data = maker.lower(time_s)
    yield Line(role, "the unit takes the key set with ceilings", _succeeds(lambda: unit.take_key_set(data)))
    yield Line(role, f"the maker's {what} is taken again", _succeeds(action))


def _forge(content: device_keyset.KeySet, thief: Signer) -> bytes:
    """Return a key set that only the thief signs; `sign_key_set` would refuse it."""
    from device.codec import cose

    return cose.sign_encode(
        device_keyset.encode(content),
        signers=((thief.algorithm, thief.key_id, thief.sign),),
        typ=device_keyset.TYP,
        external_aad=device_keyset.TYP.encode(),
    )


def drill() -> Iterator[Line]:
    """Yield every finding, theft by theft: tracker, author, support, and one of three roots."""
    for role in ("tracker", "author", "support", "root"):
        maker = Maker()
        unit = DrillUnit(maker)
        thief = maker.roots[0] if role == "root" else maker.roles[role]
        yield from _thefts(unit, thief, role)
        yield from _recovery(maker, unit, thief, role)
