"""The maker's side of the key set: the plan of the next set, kept beside the keys (docs/design.md, Roles and keys).

`keyset.json` in a key folder is public: roots, thresholds, the tracker's interval, revocations, sequence number. The
private roots are generated into `roots/`; take those of a product for sale off line from there. `roots/previous/`
keeps the roots that units in the field still trust, because the old roots sign a new set too: a unit that missed
several changes finds signatures of the roots that it knows, as far back as there is room for them.

Rules:
1. The sequence number goes up with every change. The station provisions the plan, so a unit fresh from the line
   refuses every older key set.
2. A revoked key stays in the plan.
3. The device's own verifier reads back what is signed here before the caller gets it.
4. A ceiling stays in the plan until it is changed or removed, because a unit that was off needs it later too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import cose
from device.errors import FirstbootError
from device.limits import KEYSET_SIGNATURES, TRACKER_KEY_DAYS
from device.trust import keyset
from device.trust.anchors import ROLE_AUTHOR, ROLE_ROOT, ROLE_TRACKER, Anchors, Interval, Key, Policy, Rules
from provisioning import file_system
from provisioning.file_system import PRIVATE, NewFile, paths_in, replace_files
from provisioning.keys.key_id import AnchorKey, key_id, public_point
from provisioning.keys.pem import load_private_pem, private_pem, read_private
from provisioning.keys.signer import Signer

PLAN_NAME: Final = "keyset.json"
ROOTS: Final = "roots"
PREVIOUS: Final = "previous"
ROOT_COUNT: Final = 3
ROOT_THRESHOLD: Final = 2
DAY_S: Final = 86400
CLOCK_SLACK_S: Final = DAY_S  # units accept a tracker whose clock is a little slow from the first minute
RENEW_DAYS: Final = 200  # less than this left of the tracker's interval: renew it
_COUNTS: Final = ("sequence", "root_threshold", "tracker_first_s", "tracker_last_s", "author_threshold")
_CEILINGS: Final = ("manifest_ceiling", "support_end_ceiling_day")  # absent in the file without a ceiling


class KeySetError(ValueError):
    """The plan is missing or damaged, or describes a key set that no unit would accept."""


@dataclass(frozen=True)
class KeySetPlan:
    """The content of the next key set. `roots`: (COSE algorithm, public key in hex); revoked key ids in hex."""

    sequence: int
    root_threshold: int
    roots: tuple[tuple[int, str], ...]
    tracker_first_s: int
    tracker_last_s: int
    author_threshold: int = 1
    author_algorithms: tuple[int, ...] = ()
    revoked: tuple[str, ...] = ()
    revoked_images: tuple[int, ...] = ()
    earlier: tuple[tuple[int, tuple[str, ...]], ...] = ()  # (threshold, public keys in hex), the latest first
    manifest_ceiling: int | None = None  # units above this manifest number go back to it; None: no ceiling
    support_end_ceiling_day: int | None = None  # the same for the support end date, in days since 1970-01-01

    @classmethod
    def load(cls, folder: Path) -> KeySetPlan:
        """Return the plan of a key folder. Raises KeySetError."""
        try:
            fields = json.loads((folder / PLAN_NAME).read_text(encoding="utf-8"))
            return _plan_of(cls, fields)
        except FileNotFoundError:
            raise KeySetError(f"{folder} has no {PLAN_NAME}") from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise KeySetError(f"{folder / PLAN_NAME} cannot be read: {error}") from error

    @classmethod
    def find(cls, folder: Path) -> KeySetPlan | None:
        """Return the plan of a key folder, or None. Raises KeySetError."""
        return cls.load(folder) if file_system.is_there(folder / PLAN_NAME) else None

    def save(self, folder: Path) -> None:
        """Replace the file of the plan atomically. Raises OSError."""
        replace_files([self.as_file(folder)])

    def as_file(self, folder: Path) -> NewFile:
        """Return the file of the plan in a key folder, to be written together with keys."""
        fields = {
            name: value for name, value in asdict(self).items() if name not in _CEILINGS or value is not None
        }
        return NewFile(folder / PLAN_NAME, (json.dumps(fields, indent=2) + "\n").encode())

    def keys(self, others: Sequence[AnchorKey]) -> tuple[Key, ...]:
        """Return the roots and `others` (the role keys of the folder), without revoked keys."""
        publics = [(algorithm, bytes.fromhex(public)) for algorithm, public in self.roots]
        roots = [Key(key_id(public), algorithm, ROLE_ROOT, public) for algorithm, public in publics]
        rest = [
            Key(one.key_id, one.algorithm, one.role, one.public) for one in others if one.role != ROLE_ROOT
        ]
        return tuple(one for one in (*roots, *rest) if one.key_id.hex() not in self.revoked)

    def rules(self, keys: Sequence[Key]) -> Rules:
        """Thresholds, the interval of every tracker among `keys`, revocations and sequence number."""
        policies = (
            Policy(ROLE_ROOT, self.root_threshold, ()),
            Policy(ROLE_AUTHOR, self.author_threshold, self.author_algorithms),
        )
        intervals = tuple(
            Interval(one.key_id, self.tracker_first_s, self.tracker_last_s)
            for one in keys
            if one.role == ROLE_TRACKER
        )
        return Rules(policies, intervals, self.sequence, tuple(bytes.fromhex(one) for one in self.revoked))

    def changed(self, **fields: Any) -> KeySetPlan:
        """Return a plan with the next sequence number and these fields."""
        return replace(self, sequence=self.sequence + 1, **fields)

    @property
    def ceilings(self) -> keyset.Ceilings:
        """The ceilings of the key set."""
        return keyset.Ceilings(self.manifest_ceiling, self.support_end_ceiling_day)

    def with_tracker_from(self, first_s: int) -> KeySetPlan:
        """Return the next plan. The tracker's key is valid for TRACKER_KEY_DAYS from CLOCK_SLACK_S before `first_s`."""
        start = max(0, first_s - CLOCK_SLACK_S)
        return self.changed(tracker_first_s=start, tracker_last_s=start + TRACKER_KEY_DAYS * DAY_S)

    def with_roots(self, roots: tuple[tuple[int, str], ...]) -> KeySetPlan:
        """Return the next plan, with other roots. It keeps the previous ones for units that missed the change."""
        before = (self.root_threshold, tuple(public for _, public in self.roots))
        return self.changed(roots=roots, earlier=(before, *self.earlier))

    def with_revoked(self, name: bytes) -> KeySetPlan:
        """Return the next plan, with one more key revoked permanently."""
        return self.changed(revoked=tuple(sorted({*self.revoked, name.hex()})))


def _plan_of(kind: type[KeySetPlan], fields: dict[str, Any]) -> KeySetPlan:
    """Return the plan of a file's values. Raises ValueError, TypeError, KeyError, AttributeError for other values."""
    fields["roots"] = tuple((_number(algorithm), _hex(public)) for algorithm, public in fields["roots"])
    fields["revoked"] = tuple(map(_hex, fields["revoked"]))
    for name in ("author_algorithms", "revoked_images"):
        fields[name] = tuple(map(_number, fields[name]))
    fields["earlier"] = tuple(
        (_number(threshold), tuple(map(_hex, publics)))
        for threshold, publics in fields.get("earlier", ())  # plans of version 0.1 do not have it
    )
    for name in (*_COUNTS, *_CEILINGS):
        value = fields.get(name, 0)  # a plan of an earlier version does not have all of them
        is_absent = value is None and name in _CEILINGS
        if not is_absent and (type(value) is not int or value < 0):
            raise ValueError(f"{name} must be a number from 0")
    return kind(**fields)


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _hex(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    bytes.fromhex(value)
    return value


def key_set(
    plan: KeySetPlan, class_id: bytes, others: Sequence[AnchorKey], root_time_s: int
) -> keyset.KeySet:
    """Return the key set of one product class. `root_time_s` becomes the floor of time of the units that take it."""
    keys = plan.keys(others)
    return keyset.KeySet(class_id, root_time_s, keys, plan.rules(keys), plan.revoked_images, plan.ceilings)


def sign_key_set(content: keyset.KeySet, signers: Sequence[Signer]) -> bytes:
    """Return the signed key set. Raises KeySetError if too few of its own roots signed it."""
    try:
        data = cose.sign_encode(
            keyset.encode(content),
            signers=tuple((one.algorithm, one.key_id, one.sign) for one in signers),
            typ=keyset.TYP,
            external_aad=keyset.TYP.encode(),
            limit=KEYSET_SIGNATURES,
        )
        # As a unit sees it that has these roots and the previous key set.
        rules = content.rules._replace(sequence=content.rules.sequence - 1)
        keyset.verify(data, Anchors(bytes(16), content.class_id, content.keys, 0, 0, rules))
    except FirstbootError as error:
        raise KeySetError(f"a unit would refuse this key set: {error}") from error
    return data


def root_signers(folder: Path) -> list[Signer]:
    """Return the roots of a key folder, then those that they replaced. Raises KeySetError if the folder has no root."""
    from provisioning.keys.file_signer import FileSigner

    paths = paths_in(folder / ROOTS, "*.pem") + paths_in(folder / ROOTS / PREVIOUS, "*.pem")
    if not paths:
        raise KeySetError(f"{folder / ROOTS} holds no root: give roots that are off line with --root")
    return [FileSigner.load(path) for path in paths]


def minimal(plan: KeySetPlan, signers: Sequence[Signer]) -> list[Signer]:
    """As many signers as needed, at most KEYSET_SIGNATURES: the threshold of the plan's roots, then of each earlier
    generation that is complete and fits, the latest first; then signers that the plan does not name.

    With a threshold of 2, KEYSET_SIGNATURES / 2 generations fit; `missed_out` counts the others.
    """
    generations = [(plan.root_threshold, tuple(public for _, public in plan.roots)), *plan.earlier]
    chosen: list[Signer] = []
    for threshold, publics in generations:
        there = [one for one in signers if one.public.hex() in publics]
        # Too few signatures of an earlier generation are useless. Too few of the plan's own: sign_key_set refuses.
        if len(chosen) + threshold <= KEYSET_SIGNATURES and (len(there) >= threshold or not chosen):
            chosen += there[:threshold]
    known = {public for _, publics in generations for public in publics}
    chosen += [one for one in signers if one.public.hex() not in known]
    return chosen[:KEYSET_SIGNATURES]


def missed_out(plan: KeySetPlan, signers: Sequence[Signer]) -> int:
    """Return how many earlier generations of roots did not sign: units that know only those cannot follow."""
    publics = {one.public.hex() for one in signers}
    return sum(len(publics.intersection(known)) < threshold for threshold, known in plan.earlier)


def generate_roots(folder: Path, count: int = ROOT_COUNT) -> tuple[tuple[int, str], ...]:
    """Generate new roots into `roots/`, as `new_roots` does, and write them. Returns the plan's `roots`."""
    generated, files = new_roots(folder, count)
    replace_files(files)
    return generated


def new_roots(folder: Path, count: int) -> tuple[tuple[tuple[int, str], ...], list[NewFile]]:
    """Generate new roots. Return the plan's `roots`, and the files to write with `replace_files`.

    The present roots are among the files with their names in `roots/previous/`.
    """
    roots = folder / ROOTS
    previous = roots / PREVIOUS
    previous.mkdir(parents=True, exist_ok=True)
    files = [
        NewFile(previous / f"{key_id(_public(old)).hex()}.pem", old.read_bytes(), PRIVATE)
        for old in paths_in(roots, "*.pem")
    ]
    generated = []
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        files.append(NewFile(roots / f"root-{number}.pem", private_pem(key), PRIVATE))
        generated.append((cose.ALG_ESP256, public_point(key.public_key()).hex()))
    return tuple(generated), files


def ensure_plan(folder: Path, now_s: int | None = None) -> KeySetPlan:
    """Return the plan of a key folder. Generate missing roots and plan; renew the tracker's key before it ends."""
    now = int(time.time()) if now_s is None else now_s
    with open(
        folder / (PLAN_NAME + ".lock"), "w"
    ) as lock:  # tests and demos run side by side over one folder
        file_system.lock(lock.fileno())
        plan = KeySetPlan.find(folder)
        if plan is None:
            plan = KeySetPlan(0, ROOT_THRESHOLD, generate_roots(folder), 0, 0).with_tracker_from(now)
            plan.save(folder)
        elif not plan.tracker_first_s <= now <= plan.tracker_last_s - RENEW_DAYS * DAY_S:
            plan = plan.with_tracker_from(now)
            plan.save(folder)
    return plan


def _public(path: Path) -> bytes:
    return public_point(load_private_pem(read_private(path)).public_key())
