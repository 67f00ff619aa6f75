"""The state of one LMS tree on one signing machine: which one-time keys are spent, and whether this is the original.

A one-time key that signs twice lets anyone forge (RFC 8554 9.2), so every doubt here costs a one-time key. Rules:
1. `burn` makes the next index durable, in the key's folder and in a witness outside it, before anything is signed
   with the one it gives out. A kill at any point wastes an index and never repeats one.
2. One process at a time: the folder's lock file is held from reading the state to having written it.
3. The state belongs to its machine and its folder: to the machine id, to the inode of the lock file (a copy has
   another) and to the witness (which a backup of the folder does not include). Anything else refuses to sign.
4. The folder is written before the witness, so an index ahead of its witness by one is an interrupted burn; an index
   behind its witness is an older state. If they are further apart, one of the two was exchanged. Both refuse. The next
   burn first brings the witness up, so that no row of interruptions takes them further apart.
5. An index at or below the highest in the release log refuses: the whole machine was set back.

Never back this state up. A machine that lost it generates a new tree, and a key set names the new key.
Not detected: a virtual machine that is cloned or set back as a whole together with the release log.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from provisioning import file_system

STATE_NAME: Final = "state.json"
LOCK_NAME: Final = "lock"
MACHINE_ID: Final = Path("/etc/machine-id")
VERSION: Final = 1


class LmsStateError(Exception):
    """The tree refuses to sign; each subclass says why."""


class StateDamagedError(LmsStateError):
    """The state or its witness cannot be read, or is not of this form."""


class StateCopiedError(LmsStateError):
    """The state was made on another machine or in another folder, or its witness is not here."""


class StateOlderError(LmsStateError):
    """The state is older than its witness or than the release log: it was restored from somewhere."""


class StateBusyError(LmsStateError):
    """Another process signs with this tree."""


class TreeUsedUpError(LmsStateError):
    """Every one-time key of the tree is spent."""


def witness_folder() -> Path:
    """Return the default folder of witnesses: in the user's state folder, outside every key folder."""
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "firstboot" / "lms"


def write_durably(path: Path, data: bytes) -> None:
    """Replace `path` by `data` (mode 0600); file, name and folder are on disk on return."""
    file_system.replace_file(path, data, mode=file_system.PRIVATE)


class LmsState:
    """Indices of the tree in `folder`, which is known by `key_id`; `leaves` in all.

    `witness` is the folder of witnesses. Methods raise LmsStateError and OSError.
    """

    def __init__(self, folder: Path, key_id: bytes, leaves: int, witness: Path | None = None) -> None:
        self._folder = folder
        self._key_id = key_id
        self._leaves = leaves
        self._witness = (witness or witness_folder()) / f"{key_id.hex()}.json"

    def create(self) -> None:
        """Write the state of a new tree, once."""
        if any(map(file_system.is_there, (self._folder / STATE_NAME, self._witness))):
            raise StateDamagedError(f"the tree {self._key_id.hex()} already has a state")
        self._witness.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / LOCK_NAME).touch(mode=0o600)
        with self._locked():
            self._store(0)

    def left(self) -> int:
        """Return how many signatures are left. Raises what `burn` raises, except TreeUsedUpError."""
        with self._locked():
            return self._leaves - self._next()

    def burn(self, logged: int = -1) -> int:
        """Return the index to sign with, spent durably. `logged`: the highest in the release log, -1 for none."""
        with self._locked():
            index = self._next()
            if index <= logged:
                raise StateOlderError(
                    f"the release log holds index {logged}, the state would use {index} next"
                )
            if index >= self._leaves:
                raise TreeUsedUpError(
                    f"all {self._leaves} signatures of this tree are spent: generate a new tree"
                )
            if self._read(self._witness)["next"] != index:
                write_durably(self._witness, (self._folder / STATE_NAME).read_bytes())
            self._store(index + 1)
            return index

    def _next(self) -> int:
        """Return the first index that is not spent, after every check of rules 3 and 4."""
        own = self._read(self._folder / STATE_NAME)
        if not self._witness.exists():
            raise StateCopiedError(
                "this machine has no witness of the tree: the folder was copied or restored"
            )
        seen = self._read(self._witness)
        for state in (own, seen):
            if state["key_id"] != self._key_id.hex():
                raise StateDamagedError("the state belongs to another tree")
            if state["binding"] != self._binding():
                raise StateCopiedError("the state was made on another machine or in another folder")
        index, witnessed = int(own["next"]), int(seen["next"])
        if index < witnessed:
            raise StateOlderError(f"the state counts {index} used one-time keys, its witness {witnessed}")
        if index > witnessed + 1:
            raise StateOlderError(f"the witness counts {witnessed} used one-time keys, the state {index}")
        return index

    def _store(self, index: int) -> None:
        """Rule 4: the folder first, its witness second."""
        state = {
            "version": VERSION,
            "key_id": self._key_id.hex(),
            "next": index,
            "binding": self._binding(),
            "note": "never copy or back up this file: firstboot docs/signing.md",
        }
        data = (json.dumps(state, sort_keys=True) + "\n").encode()
        write_durably(self._folder / STATE_NAME, data)
        write_durably(self._witness, data)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            is_good = (
                state["version"] == VERSION
                and isinstance(state["key_id"], str)
                and isinstance(state["binding"], str)
                and type(state["next"]) is int
                and 0 <= state["next"] <= self._leaves
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StateDamagedError(
                f"{path.name} is not the state file of a tree ({type(error).__name__})"
            ) from None
        if not is_good:
            raise StateDamagedError(f"{path.name} is not a state of a tree of {self._leaves} leaves")
        found: dict[str, Any] = state
        return found

    def _binding(self) -> str:
        """Return a value that is different on another machine or in another folder."""
        try:
            machine = MACHINE_ID.read_bytes().strip()
        except OSError:
            machine = b""  # then only the witness identifies the machine
        inode = (self._folder / LOCK_NAME).stat().st_ino
        return hashlib.sha256(b"firstboot lms\0%s\0%d\0%s" % (machine, inode, self._key_id)).hexdigest()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = os.open(self._folder / LOCK_NAME, os.O_RDWR)
        except FileNotFoundError:
            raise StateDamagedError("the tree has no lock file") from None
        try:
            file_system.lock(descriptor, is_waiting=False)
            yield
        except BlockingIOError:
            raise StateBusyError("another process signs with this tree") from None
        finally:
            os.close(descriptor)
