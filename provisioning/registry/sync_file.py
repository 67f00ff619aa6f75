"""Sync by files, for a station that cannot reach the main registry: a signed sync file, and a signed answer.

Rules:
1. A file is used only after its signature was verified with the known key of its sender. The first time, a person
   compares the key id with the one that the other side shows, and passes it as `key`. Later no other key is accepted.
2. The sync files of a branch are numbered. The main registry takes each number once, in order, so a branch that was
   set back or a file that was mixed up changes nothing. An answer counts only for the last sync file of the branch.
3. The content of a sync file goes through the checks of any other sync (provisioning/registry/branches.py).
4. No file holds a set-up code or an open OSCORE secret; files still have mode 0600.

A file is JSON {"content": text, "key": hex, "signature": hex}; the signature (r, s) is over "firstboot bundle v1\\0"
and the text, which is JSON itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, inspect

from provisioning.keys.key_id import key_id
from provisioning.keys.signer import Signer
from provisioning.registry import branches, checkpoints, merge
from provisioning.registry.chains import is_signed
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import (
    Base,
    Batch,
    Chain,
    Checkpoint,
    CodeFingerprint,
    DecisionRecord,
    Document,
    NumberRange,
    PhaseEntry,
    ProductionRecord,
    SealedSecret,
    Setting,
    Unit,
)
from provisioning.registry.numbers import BRANCH_NAME, ROLE_NAME
from provisioning.registry.registry import Registry

Row = TypeVar("Row", bound=Base)
VERSION: Final = 2
LARGEST_BYTES: Final = 512 << 20
NUMBER_NAME: Final = "bundle number"  # setting of a branch: number of its last sync file
MAIN_KEY_NAME: Final = "main key"  # setting of a branch: the key that signs answers
_DOMAIN: Final = b"firstboot bundle v1\0"
BRANCH, ANSWER = "branch", "answer"
_SENDERS: Final = {BRANCH: "a branch", ANSWER: "a main registry"}

# Name in the file -> table, in the order of merge.Taken.
_TABLES: Final[Mapping[str, type[Base]]] = {
    "chain_rows": Chain,
    "records": ProductionRecord,
    "decisions": DecisionRecord,
    "checkpoint_rows": Checkpoint,
    "batches": Batch,
    "documents": Document,
    "units": Unit,
    "codes": CodeFingerprint,
    "phases": PhaseEntry,
    "secrets": SealedSecret,
}
_LEASES: Final[Mapping[str, type[Base]]] = {"ranges": NumberRange, "batches": Batch, "documents": Document}


# The three steps ---------------------------------------------------------------------------------------------


def export(branch: Registry) -> str:
    """At the station: return everything that the main registry has to know, as a signed file. Raises RegistryError."""
    signer = branch.signer
    with branch.writing() as session:
        role, name = session.get(Setting, ROLE_NAME), session.get(Setting, BRANCH_NAME)
        if role is None or name is None:
            raise RegistryError("this registry is not a branch; only branches are synced by files")
        number = _setting_number(session.get(Setting, NUMBER_NAME)) + 1
        session.merge(Setting(name=NUMBER_NAME, value=number.to_bytes(8, "big")))
        taken = merge.read(session)
        content = {
            "kind": BRANCH,
            "registry": branch.registry_id.hex(),
            "to": role.value.hex(),
            "number": number,
            "tables": {key: _rows(getattr(taken, key), kind) for key, kind in _TABLES.items()},
        }
    return _sign(content, signer)


def take_in(main: Registry, text: str, key: bytes | None = None) -> tuple[branches.SyncReport, str]:
    """At the main registry: take a sync file in. Return the report and the answer for the station.

    `key`: id (8 bytes) of the branch's key, compared by a person; needed the first time. Raises RegistryError.
    """
    public, signed = _opened(text, BRANCH)
    registry_id = _bytes(signed.get("registry"))
    with main.reading() as session:
        row = branches.branch_row(session, registry_id)
        known, last, name = row.public_key, row.sync_number or 0, row.name
    _check_key(public, known, key, f"branch {name}")
    if signed.get("to") != main.registry_id.hex():
        raise RegistryError("the sync file is for another main registry")
    number = signed.get("number")
    if not isinstance(number, int) or number <= last:
        raise RegistryError(
            f"sync file {number} of branch {name} is not newer than {last}, which was taken in; nothing was changed"
        )
    taken = _taken(signed.get("tables"))
    try:
        report, stopped = branches.take(main, registry_id, taken, (public, number))
    except KeyError:
        raise RegistryError("the parts of the sync file contradict each other; nothing was changed") from None
    with main.reading() as session:
        leases = branches.leases_of(session, name)
    answer = {
        "kind": ANSWER,
        "registry": main.registry_id.hex(),
        "to": registry_id.hex(),
        "number": number,
        "stopped": {device_id.hex(): note for device_id, note in stopped.items()},
        "leases": {key: _rows(getattr(leases, key), kind) for key, kind in _LEASES.items()},
    }
    return report, _sign(answer, main.signer)


def finish(branch: Registry, text: str, key: bytes | None = None) -> tuple[int, int]:
    """At the station: carry out the answer. Return (units that are now stopped, new ranges of numbers).

    `key`: id (8 bytes) of the main registry's key, needed the first time. Raises RegistryError.
    """
    public, signed = _opened(text, ANSWER)
    leased = signed.get("leases")
    leases = branches.Leases(
        _read(leased, "ranges", NumberRange),
        _read(leased, "batches", Batch),
        _read(leased, "documents", Document),
    )
    stopped = signed.get("stopped")
    if not isinstance(stopped, dict):
        raise RegistryError("the answer is damaged")
    with branch.writing() as session:
        role, known = session.get(Setting, ROLE_NAME), session.get(Setting, MAIN_KEY_NAME)
        _check_key(public, None if known is None else known.value, key, "the main registry")
        expected = (branch.registry_id.hex(), None if role is None else role.value.hex())
        if (signed.get("to"), signed.get("registry")) != expected:
            raise RegistryError("the answer is for another branch, or from another main registry")
        last = _setting_number(session.get(Setting, NUMBER_NAME))
        if signed.get("number") != last:
            raise RegistryError(
                f"the answer is to sync file {signed.get('number')}, the last one here is {last}"
            )
        session.merge(Setting(name=MAIN_KEY_NAME, value=public))
        notes = {_bytes(device_id): str(note) for device_id, note in stopped.items()}
        branches.stop(session, notes)
        return len(notes), branches.take_leases(session, leases)


# The file ----------------------------------------------------------------------------------------------------


def _sign(content: Mapping[str, Any], signer: Signer) -> str:
    text = json.dumps({"version": VERSION, **content}, sort_keys=True)
    signature = signer.sign(_DOMAIN + text.encode())
    return json.dumps({"content": text, "key": signer.public.hex(), "signature": signature.hex()})


def _opened(text: str, kind: str) -> tuple[bytes, dict[str, Any]]:
    """Return (key, content) of a file that is correctly signed with the key that it names. Raises RegistryError."""
    try:
        outer = json.loads(text)
        content, public = outer["content"], bytes.fromhex(outer["key"])
        is_good = is_signed(public, _DOMAIN + content.encode(), bytes.fromhex(outer["signature"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RegistryError("the file is not a sync file of a registry") from None
    if not is_good:
        raise RegistryError("the file was changed: its signature is wrong")
    try:
        found = json.loads(content)
        is_known = found["version"] == VERSION and found["kind"] == kind
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RegistryError("the file is not a sync file of a registry") from None
    if not is_known:
        raise RegistryError(
            f"the file is not from {_SENDERS[kind]} of this version:"
            " use the same version of this program at both ends"
        )
    return public, found


def _check_key(public: bytes, known: bytes | None, expected: bytes | None, whose: str) -> None:
    """Check the sender's key (rule 1). `expected`: the key id that the person gave. Raises RegistryError."""
    if known is not None:
        if public != known:
            raise RegistryError(
                f"the file is signed by {key_id(public).hex()}, which is not the key of {whose}"
            )
    elif expected is None:
        raise RegistryError(
            f"the key of {whose} is not known here yet: compare {key_id(public).hex()} with what the other side shows,"
            f" then repeat with --key {key_id(public).hex()}"
        )
    elif expected != key_id(public):
        raise RegistryError(f"the file is signed by {key_id(public).hex()}, not by {expected.hex()}")


def _setting_number(setting: Setting | None) -> int:
    return 0 if setting is None else int.from_bytes(setting.value, "big")


def _bytes(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (ValueError, TypeError):
        raise RegistryError("the file is damaged: a value is not hexadecimal") from None


# Rows --------------------------------------------------------------------------------------------------------


def _rows(rows: Sequence[Base], kind: type[Base]) -> list[dict[str, Any]]:
    names = [column.key for column in inspect(kind).column_attrs]
    return [{name: _plain(getattr(row, name)) for name in names} for row in rows]


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _taken(tables: Any) -> merge.Taken:
    parts: dict[str, Any] = {name: _read(tables, name, kind) for name, kind in _TABLES.items()}
    parts["chains"] = checkpoints.assemble_chains(
        parts["chain_rows"], (*parts["records"], *parts["decisions"])
    )
    parts["checkpoints"] = checkpoints.checkpoint_texts(parts["checkpoint_rows"])
    return merge.Taken(**parts)


def _read(tables: Any, name: str, kind: type[Row]) -> list[Row]:
    """Return the rows of one table, each value with its column's type. Raises RegistryError."""
    rows = tables.get(name) if isinstance(tables, dict) else None
    if not isinstance(rows, list):
        raise RegistryError(f"the file is damaged: it has no {name}")
    return [_row(row, kind) for row in rows]


def _row(row: Any, kind: type[Row]) -> Row:
    columns = {attribute.key: attribute.columns[0] for attribute in inspect(kind).column_attrs}
    if not isinstance(row, dict) or set(row) != set(columns):
        raise RegistryError(f"the file is damaged: a row of {kind.__tablename__} has other columns")
    return kind(**{name: _value(row[name], column) for name, column in columns.items()})


def _value(value: Any, column: ColumnElement[Any]) -> Any:
    """Return a value with the column's type. Raises RegistryError."""
    wanted = column.type.python_type
    if value is None and getattr(column, "nullable", False):
        return None
    if wanted is bytes:
        return _bytes(value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted or (wanted is int and abs(value) >= 1 << 63):
        raise RegistryError(f"the file is damaged: {column} is not a {wanted.__name__} of a registry")
    return value
