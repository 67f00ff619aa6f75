"""The signature of a kit: one record over the digests of all its files, by the key of the station that shipped.

Rules:
1. The signature is a COSE_Sign1 over {"form", "consignee", "issued", "files"}; `files`: SHA-256 in hex by path. So no
   file can be changed, added or left out.
2. A reader trusts the station's public key, which they compare with the maker once. The copy of the key in a kit proves
   nothing by itself.
3. Nothing of a kit is used before its signature and digests were checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.archive import Archived
from provisioning.compliance.check import STATEMENTS
from provisioning.compliance.station_record import StationRecordError, read
from provisioning.file_system import paths_below, read_bounded
from provisioning.keys.signer import sign_record
from provisioning.kit.content import CONTENT_BYTES, FORM, Content, StatementFacts, read_content
from provisioning.kit.errors import KitError

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.signer import Signer

TYP: Final = "application/vnd.firstboot.kit+json"
SIGNED: Final = "kit.cose"
CONTENT: Final = "kit.json"
PAGE: Final = "index.html"
README: Final = "README.txt"
SIGNED_BYTES: Final = 4 << 20
FILE_BYTES: Final = 2 * CONTENT_BYTES
MOST_FILES: Final = 20_000
# Files that a desktop puts into every folder that a person opens.
DESKTOP_FILES: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Kit:
    """A kit whose signature and files were checked. `station`: id (hex) of the key that signed it."""

    folder: Path
    content: Content
    station: str

    def archived(self, statement: StatementFacts) -> Archived:
        """Return a statement of the kit as the archive's functions take it."""
        return Archived(
            statement.id,
            statement.model,
            statement.batch,
            0,
            statement.sha256,
            statement.keep_until,
            self.folder / STATEMENTS / statement.id,
        )


def sign_kit(content: Content, files: Mapping[str, bytes], signer: Signer) -> bytes:
    """Return the signed record of a kit with these files (rule 1). Raises KitError for a kit that no reader takes."""
    payload = {
        "form": FORM,
        "consignee": content.consignee,
        "issued": content.issued.isoformat(),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    record = sign_record(json.dumps(payload, sort_keys=True).encode(), TYP, signer)
    if len(files) > MOST_FILES or len(record) > SIGNED_BYTES:
        raise KitError(f"the kit has too many files: {len(files)}")
    return record


def open_kit(folder: Path, stations: Iterable[AnchorKey]) -> Kit:
    """Return the kit in a folder, checked (rule 3). Raises KitError, OSError."""
    signed, station = _signed(folder, stations)
    digests = signed["files"]
    found = _paths(folder)
    if added := sorted(found - set(digests)):
        raise KitError(f"the kit has {added[0]}, which the station did not sign")
    if lost := sorted(set(digests) - found):
        raise KitError(f"the kit has no {lost[0]}: ask the manufacturer for a whole kit")
    for name in sorted(found):
        if hashlib.sha256(_bounded(folder / name, FILE_BYTES)).hexdigest() != digests[name]:
            raise KitError(f"{name} is not the file that the station signed")
    content = read_content(_bounded(folder / CONTENT, CONTENT_BYTES))
    if (content.consignee, content.issued.isoformat()) != (signed["consignee"], signed["issued"]):
        raise KitError("the kit's data is for another consignee or day than its signature")
    return Kit(folder, content, station)


def _signed(folder: Path, stations: Iterable[AnchorKey]) -> tuple[dict[str, Any], str]:
    """Return the signed record of a folder and the key id (hex) of its station. Raises KitError, OSError."""
    try:
        payload, station = read(_bounded(folder / SIGNED, SIGNED_BYTES), TYP, stations, SIGNED_BYTES)
    except StationRecordError as error:
        raise KitError(f"the kit is {error}") from None
    try:
        signed = json.loads(payload)
        is_known = signed["form"] == FORM and all(isinstance(one, str) for one in signed["files"].values())
        digests = {
            "consignee": str(signed["consignee"]),
            "issued": str(signed["issued"]),
            "files": signed["files"],
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_known, digests = False, {}
    if not is_known:
        raise KitError("the kit has a form that this version cannot read")
    return digests, station.hex()


def _paths(folder: Path) -> set[str]:
    """Return the path of every file in the kit except its signature.

    Raises KitError for a link and for too many, OSError for a folder that cannot be read: its files are not missing.
    """
    found: set[str] = set()
    paths = paths_below(folder, most=2 * MOST_FILES)
    for path in paths:
        if path.is_symlink():
            raise KitError(f"the kit has a link, {path.name}: a kit has none")
        if path.is_dir() or path.name in DESKTOP_FILES:
            continue
        found.add(path.relative_to(folder).as_posix())
    if len(found) > MOST_FILES + 1 or len(paths) > 2 * MOST_FILES:
        raise KitError(f"the folder has more than {MOST_FILES} files and is not a kit")
    return found - {SIGNED}


def _bounded(path: Path, limit: int) -> bytes:
    """Return the bytes of a file with at most `limit` bytes. Raises KitError, OSError."""
    data = read_bounded(path, limit)
    if data is None:
        raise KitError(f"{path.name} is longer than {limit} bytes")
    return data
