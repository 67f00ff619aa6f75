"""The archive of issued statements: written once, kept until their retention ends (SC-06, SC-08).

Rules:
1. A statement has a folder of its own, named by its id: the signed record, its JSON, HTML and insert, the evidence
   it was issued on, and the signatory's signature over the digests of these files. Files are written once, mode
   0444; a ledger beside them holds the digest of each, so a change or a loss is found.
2. A statement counts as issued when the ledger has its line. A folder without a line is left from a crash and is
   replaced. So the ledger is there before the first folder, and folders without a ledger are refused: it was lost, and
   it named statements that have to be kept. For the same reason no statement is added while the folder of another
   one is lost.
3. No statement is deleted before its retention ends: ten years from issue or the end of the support period in the
   statement, whichever is later (SI 2023/1007 regulations 8 and 9).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from device.codec import cose
from device.errors import FirstbootError
from device.limits import STATEMENT_BYTES
from provisioning import file_system
from provisioning.compliance.forms import statement_html, statement_pdf
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.statement import sign_files, statement_json

if TYPE_CHECKING:
    from provisioning.keys.signer import Signer

RETENTION_YEARS: Final = 10
SIGNED: Final = "statement.cose"
JSON: Final = "statement.json"
HTML: Final = "statement.html"
INSERT: Final = "insert.pdf"
FILES: Final = "files.cose"
LEDGER: Final = "ledger.jsonl"
REGISTER_COPY: Final = "support-register.jsonl"
# Longer than the id of the longest model and batch of a definition, and a folder's name on every system.
ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class ArchiveError(Exception):
    """The archive refused an operation, or one of its files is missing or was changed."""


@dataclass(frozen=True)
class Archived:
    """A statement in the archive. `sha256`: of the signed payload, as units and their records name it."""

    id: str
    model: str
    batch: str
    version: int
    sha256: str
    retain_until: dt.date
    folder: Path

    def signed(self) -> bytes:
        """Return the COSE_Sign1 as units carry it. Raises OSError."""
        return (self.folder / SIGNED).read_bytes()

    def document(self) -> dict[str, Any]:
        """Return the statement, read from the signed record and no other file. Raises ArchiveError, OSError."""
        return payload_of(self.signed())[1]


def payload_of(signed: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return (payload, document) of a signed statement; its signature is not checked here. Raises ArchiveError."""
    try:
        payload = cose.decode(signed, STATEMENT_BYTES).payload or b""
        document = json.loads(payload)
    except (FirstbootError, ValueError, RecursionError):
        raise ArchiveError("not a signed statement") from None
    if not isinstance(document, dict):
        raise ArchiveError("not a signed statement")
    return payload, document


def retain_until(issued: dt.date, support_end: dt.date) -> dt.date:
    """Return the last day a statement has to be kept. Ten years after a 29 February end on 1 March, not a day early."""
    year = issued.year + RETENTION_YEARS
    try:
        ten_years = issued.replace(year=year)
    except ValueError:
        ten_years = dt.date(year, 3, 1)
    return max(ten_years, support_end)


def slug(text: str) -> str:
    """Return `text` as a part of a file name or an address: letters, digits, dots and dashes.

    A part of the text's digest follows if that loses something, or if the text ends as such a name does. So different
    texts have different names.
    """
    found = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")
    if found == text and not re.search("-[0-9a-f]{8}$", text):
        return found
    return f"{found or 'unnamed'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class Archive:
    """The archive in a folder. Methods raise ArchiveError, LedgerError, OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = Ledger(root / LEDGER)

    @property
    def is_there(self) -> bool:
        """Return whether the folder is an archive. `site build` makes it, with a copy of the register."""
        return any(file_system.is_there(self.root / name) for name in (LEDGER, REGISTER_COPY))

    def _entries(self) -> list[Mapping[str, Any]]:
        """Return the entries of the ledger. Raises ArchiveError if it is lost (rule 2)."""
        if not file_system.is_there(self.ledger.path):
            for folder in file_system.paths_in(self.root):
                if file_system.is_there(folder / SIGNED):
                    raise ArchiveError(
                        f"{self.ledger.path} is missing, but the statement {folder.name} is here; restore the ledger"
                        " from a backup, or from the statements that the site publishes"
                    )
        return self.ledger.entries()

    def statements(self) -> list[Archived]:
        """Return every statement that was issued and is kept, oldest first."""
        entries = self._entries()
        gone = {entry["id"] for entry in entries if entry["event"] == "disposed"}
        return [
            self._archived(entry)
            for entry in entries
            if entry["event"] == "issued" and entry["id"] not in gone
        ]

    def _archived(self, entry: Mapping[str, Any]) -> Archived:
        """Return the statement of a line. Raises ArchiveError for an id that is not the name of a folder here."""
        if not ID.fullmatch(str(entry["id"])):
            raise ArchiveError(f"the ledger names {entry['id']!r}, which is not the id of a statement")
        return Archived(
            entry["id"],
            entry["model"],
            entry["batch"],
            entry["version"],
            entry["sha256"],
            dt.date.fromisoformat(entry["retain_until"]),
            self.root / entry["id"],
        )

    def latest(self, model: str, batch: str) -> Archived | None:
        """Return the newest statement of a product type and batch, or None."""
        found = [each for each in self.statements() if (each.model, each.batch) == (model, batch)]
        return found[-1] if found else None

    def by_sha256(self, digest: str) -> Archived | None:
        """Return the statement with this payload digest (hex), or None if it was never issued."""
        return next((each for each in self.statements() if each.sha256 == digest), None)

    def next_version(self, model: str, batch: str) -> int:
        """Return the version of the next statement of this type and batch. Disposed ones count: no id is used twice.

        Raises ArchiveError if a statement is lost (rule 2).
        """
        self._require_kept()
        issued = [entry for entry in self._entries() if entry["event"] == "issued"]
        return 1 + sum((entry["model"], entry["batch"]) == (model, batch) for entry in issued)

    def add(
        self,
        document: Mapping[str, Any],
        signed: bytes,
        signer: Signer | None = None,
        evidence: Mapping[str, bytes] | None = None,
    ) -> Archived:
        """Keep a signed statement in all its forms. Raises ArchiveError for another payload or an id that is taken.

        `signer` signs the digests of the forms that people read; `evidence`: what it was issued on, by file name.
        """
        payload = statement_json(document)
        self._require_new(document, payload, signed)
        files = {
            SIGNED: signed,
            JSON: payload,
            HTML: statement_html(document).encode(),
            INSERT: statement_pdf(document),
            **(evidence or {}),
        }
        digest = hashlib.sha256(payload).hexdigest()
        if signer is not None:
            shown = {name: value for name, value in _digests(files).items() if name != SIGNED}
            files[FILES] = sign_files(digest, shown, signer)
        self.ledger.create()
        _write_folder(self.root / document["id"], files)
        self.ledger.append(_issued_line(document, digest, files))
        found = self.by_sha256(digest)
        if found is None:
            raise ArchiveError("the statement was stored but cannot be read again")
        return found

    def take(self, statement: Archived) -> Archived | None:
        """Keep a copy of another archive's statement with its files as they are. Return None if it is here already.

        The caller checked its signature. Raises ArchiveError if another statement has its id here.
        """
        payload, document = payload_of(statement.signed())
        digest = hashlib.sha256(payload).hexdigest()
        if digest != statement.sha256:
            raise ArchiveError(f"{statement.id} is not the statement that was named")
        if self.by_sha256(digest) is not None:
            return None
        self._require_new(document, payload, statement.signed())
        files = {path.name: path.read_bytes() for path in sorted(statement.folder.iterdir())}
        until = {"retain_until": _signed_retention(document).isoformat()}
        self.ledger.create()
        _write_folder(self.root / document["id"], files)
        self.ledger.append(_issued_line(document, digest, files) | until)
        return self.by_sha256(digest)

    def _require_kept(self) -> None:
        for each in self.statements():
            if not file_system.is_there(each.folder / SIGNED):
                raise ArchiveError(
                    f"{each.id}/{SIGNED} is missing although its retention has not ended; restore the folder from a"
                    " backup, or from the copy on the site"
                )

    def _require_new(self, document: Mapping[str, Any], payload: bytes, signed: bytes) -> None:
        self._require_kept()
        if payload_of(signed)[0] != payload or not ID.fullmatch(document["id"]):
            raise ArchiveError(
                "the signature is not over this statement, or the statement's id cannot be a file name"
            )
        if any(entry["id"] == document["id"] for entry in self._entries()):
            raise ArchiveError(f"statement {document['id']} exists already; it cannot be changed (SC-08)")

    def verify(self) -> int:
        """Read everything back. Returns how many there are. Raises ArchiveError, LedgerError at the first fault."""
        kept = {each.id for each in self.statements()}
        for entry in self.ledger.entries():
            if entry["event"] != "issued" or entry["id"] not in kept:
                continue
            for name, digest in entry["files"].items():
                path = self.root / entry["id"] / name
                if not path.is_file():
                    raise ArchiveError(
                        f"{entry['id']}/{name} is missing although its retention has not ended"
                    )
                if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                    raise ArchiveError(f"{entry['id']}/{name} was changed")
        return len(kept)

    def dispose(self, statement_id: str, today: dt.date) -> None:
        """Delete a statement whose retention has ended. Raises ArchiveError before that, and for one never issued."""
        found = next((each for each in self.statements() if each.id == statement_id), None)
        if found is None:
            raise ArchiveError(f"there is no statement {statement_id}")
        until = max(found.retain_until, _signed_retention(found.document()))
        if today <= until:
            raise ArchiveError(f"{statement_id} has to be kept until {until.isoformat()} (SC-06)")
        self.ledger.append({"event": "disposed", "id": statement_id, "on": today.isoformat()})
        shutil.rmtree(found.folder)


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def _issued_line(document: Mapping[str, Any], digest: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the line of the ledger with which a statement counts as issued (rule 2)."""
    return {
        "event": "issued",
        "id": document["id"],
        "model": document["product"]["model"],
        "batch": document["product"]["batch"],
        "version": document["version"],
        "sha256": digest,
        "retain_until": document["retain_until"],
        "supersedes": document.get("supersedes"),
        "files": _digests(files),
    }


def _signed_retention(document: Mapping[str, Any]) -> dt.date:
    """Return the last day that follows from the signed statement, whatever the ledger says. Raises ArchiveError."""
    try:
        return retain_until(
            dt.date.fromisoformat(document["issue"]["date"]),
            dt.date.fromisoformat(document["support_period"]["end_date"]),
        )
    except (KeyError, TypeError, ValueError):
        raise ArchiveError(
            "the statement does not say when it was issued and how long it is supported"
        ) from None


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the folder with exactly these files; on return it is complete and on disk."""
    if folder.exists():  # rule 2: no line of the ledger names it
        shutil.rmtree(folder)
    draft = folder.with_name(f".{folder.name}.new")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(parents=True)
    try:
        with file_system.naming(folder, draft=draft):
            for name, data in files.items():
                file_system.create_file(draft / name, data, mode=0o444)
            draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    file_system.sync_folder(folder.parent)
