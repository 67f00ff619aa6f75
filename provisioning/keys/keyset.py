"""The maker's side of the key set: what the roots sign next, kept beside the keys (docs/design.md, Roles and keys).

`keyset.json` in a key folder is public: roots, thresholds, the tracker's interval, revocations, sequence number. The
private roots are drawn into `roots/`; those of anything that is sold are taken off line from there. `roots/previous/`
keeps those that units in the field still believe, because a new root is signed by the old ones too: a unit that slept
through several changes finds the signatures of the roots that it knows, as far back as there is room for them.

Rules:
1. The sequence number goes up with every change; the station provisions what the book says, so a unit fresh from the
   line refuses every older key set.
2. A key that was revoked stays in the book.
3. What is signed here is read back by the device's own verifier before anyone gets it.
"""

from __future__ import annotations

import fcntl
import json
import os
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
from provisioning.keys.key_id import AnchorKey, key_id, public_point
from provisioning.keys.pem import load_private_pem, private_pem, write_private
from provisioning.keys.signer import Signer

BOOK: Final = "keyset.json"
ROOTS: Final = "roots"
PREVIOUS: Final = "previous"
ROOT_COUNT: Final = 3
ROOT_THRESHOLD: Final = 2
DAY_S: Final = 86400
CLOCK_SLACK_S: Final = DAY_S  # a tracker whose clock is a little behind is not refused from the first minute
RENEW_DAYS: Final = 200  # what has to be left of the tracker's interval when the keys are looked at


class KeySetBookError(ValueError):
    """The book is missing, damaged, or asks for what no unit would accept."""


@dataclass(frozen=True)
class Book:
    """What the next key set says. `roots`: (COSE algorithm, public key in hex); revoked key ids in hex."""

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

    @classmethod
    def load(cls, folder: Path) -> Book:
        """The book of a key folder. Raises KeySetBookError."""
        try:
            fields = json.loads((folder / BOOK).read_text(encoding="utf-8"))
            fields["roots"] = tuple((int(algorithm), str(public)) for algorithm, public in fields["roots"])
            for name in ("author_algorithms", "revoked", "revoked_images"):
                fields[name] = tuple(fields[name])
            earlier = fields.get("earlier", ())  # books of before do not say it
            fields["earlier"] = tuple(
                (int(threshold), tuple(map(str, publics))) for threshold, publics in earlier
            )
            return cls(**fields)
        except FileNotFoundError:
            raise KeySetBookError(f"{folder} has no {BOOK}") from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise KeySetBookError(f"{folder / BOOK} cannot be read: {error}") from error

    @classmethod
    def find(cls, folder: Path) -> Book | None:
        """The book of a key folder, None where there is none. Raises KeySetBookError."""
        return cls.load(folder) if (folder / BOOK).exists() else None

    def save(self, folder: Path) -> None:
        """Write the book, whole or not at all."""
        draft = folder / (BOOK + ".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, folder / BOOK)

    def keys(self, others: Sequence[AnchorKey]) -> tuple[Key, ...]:
        """The roots, and `others` (the role keys of the folder) without the revoked ones."""
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

    def changed(self, **fields: Any) -> Book:
        """A book with the next sequence number and these fields changed."""
        return replace(self, sequence=self.sequence + 1, **fields)

    def with_tracker_from(self, first_s: int) -> Book:
        """The next book; its tracker's key is good for TRACKER_KEY_DAYS from `first_s`, less a day on each side."""
        start = max(0, first_s - CLOCK_SLACK_S)
        return self.changed(tracker_first_s=start, tracker_last_s=start + TRACKER_KEY_DAYS * DAY_S)

    def with_roots(self, roots: tuple[tuple[int, str], ...]) -> Book:
        """The next book, with other roots; the ones before stay known, for units that missed the change."""
        before = (self.root_threshold, tuple(public for _, public in self.roots))
        return self.changed(roots=roots, earlier=(before, *self.earlier))

    def with_revoked(self, name: bytes) -> Book:
        """The next book, with one more key that never comes back."""
        return self.changed(revoked=tuple(sorted({*self.revoked, name.hex()})))


def key_set(book: Book, class_id: bytes, others: Sequence[AnchorKey], root_time_s: int) -> keyset.KeySet:
    """What the roots sign for one product class. `root_time_s` becomes the units' floor of time."""
    keys = book.keys(others)
    return keyset.KeySet(
        class_id, root_time_s, keys, book.rules(keys), book.revoked_images, keyset.NO_CEILINGS
    )


def sign_key_set(content: keyset.KeySet, signers: Sequence[Signer]) -> bytes:
    """The signed key set. Raises KeySetBookError where its own roots did not sign it often enough."""
    try:
        data = cose.sign_encode(
            keyset.encode(content),
            signers=tuple((one.algorithm, one.key_id, one.sign) for one in signers),
            typ=keyset.TYP,
            external_aad=keyset.TYP.encode(),
            limit=KEYSET_SIGNATURES,
        )
        # As a unit would see it that has these roots and the key set before.
        rules = content.rules._replace(sequence=content.rules.sequence - 1)
        keyset.verify(data, Anchors(bytes(16), content.class_id, content.keys, 0, 0, rules))
    except FirstbootError as error:
        raise KeySetBookError(f"a unit would refuse this key set: {error}") from error
    return data


def root_signers(folder: Path) -> list[Signer]:
    """The roots of a key folder, then those that they replaced. Raises KeySetBookError where there are none."""
    from provisioning.keys.file_signer import FileSigner

    paths = sorted((folder / ROOTS).glob("*.pem")) + sorted((folder / ROOTS / PREVIOUS).glob("*.pem"))
    if not paths:
        raise KeySetBookError(f"{folder / ROOTS} holds no root: they are off line, or were never drawn")
    return [FileSigner.load(path) for path in paths]


def minimal(book: Book, signers: Sequence[Signer]) -> list[Signer]:
    """As many signers as needed: the threshold of the book's roots, then of each generation before them that is
    there and still fits, the latest first; then others that a book of before did not tell apart.

    KEYSET_SIGNATURES / 2 generations fit, of two signatures each: `missed_out` says which do not.
    """
    generations = [(book.root_threshold, tuple(public for _, public in book.roots)), *book.earlier]
    chosen: list[Signer] = []
    for threshold, publics in generations:
        there = [one for one in signers if one.public.hex() in publics]
        # Too few of a generation convince nobody; too few of the book's own are refused by who checks the result.
        if len(chosen) + threshold <= KEYSET_SIGNATURES and (len(there) >= threshold or not chosen):
            chosen += there[:threshold]
    known = {public for _, publics in generations for public in publics}
    chosen += [one for one in signers if one.public.hex() not in known]
    return chosen[:KEYSET_SIGNATURES]


def missed_out(book: Book, signers: Sequence[Signer]) -> int:
    """How many earlier generations of roots did not sign: units that know none but those cannot follow."""
    publics = {one.public.hex() for one in signers}
    return sum(len(publics.intersection(known)) < threshold for threshold, known in book.earlier)


def draw_roots(folder: Path, count: int = ROOT_COUNT) -> tuple[tuple[int, str], ...]:
    """Draw new roots into `roots/`; the ones that were there move to `roots/previous/`. Gives the book's `roots`."""
    roots = folder / ROOTS
    previous = roots / PREVIOUS
    previous.mkdir(parents=True, exist_ok=True)
    for old in sorted(roots.glob("*.pem")):
        os.replace(old, previous / f"{key_id(_public(old)).hex()}.pem")
    drawn = []
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(roots / f"root-{number}.pem", private_pem(key))
        drawn.append((cose.ALG_ESP256, public_point(key.public_key()).hex()))
    return tuple(drawn)


def ensure_book(folder: Path, now_s: int | None = None) -> Book:
    """The book of a key folder: roots and book drawn where there is none, the tracker renewed before it ends."""
    now = int(time.time()) if now_s is None else now_s
    with open(folder / (BOOK + ".lock"), "w") as lock:  # tests and demos run side by side over one folder
        fcntl.flock(lock, fcntl.LOCK_EX)
        book = Book.find(folder)
        if book is None:
            book = Book(0, ROOT_THRESHOLD, draw_roots(folder), 0, 0).with_tracker_from(now)
            book.save(folder)
        elif not book.tracker_first_s <= now <= book.tracker_last_s - RENEW_DAYS * DAY_S:
            book = book.with_tracker_from(now)
            book.save(folder)
    return book


def _public(path: Path) -> bytes:
    return public_point(load_private_pem(path.read_bytes()).public_key())
