"""Copy the advisories of `firstboot advisory build` into the maker's site (RP-09).

Rules:
1. Only the folders of advisories are copied, and only plain files: no link leads out of the folder.
2. Every document has the SHA-512 that lies beside it, and index.txt lists every document.
3. An advisory that the site has published stays: a folder without it is refused. So is one without signatures if the
   site's documents have them.
4. If the metadata says that documents are signed, every document and every key that it names is there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

from provisioning.csaf_names import FOLDER, KEYS, METADATA, PAGES, SIGNATURE, TRUSTED
from provisioning.file_system import paths_below, paths_in

_PARTS: Final = (PAGES, FOLDER)
MOST_FILES: Final = 20_000


class AdvisoryError(Exception):
    """The folder is not a complete build of advisories."""


def copy_advisories(source: Path, draft: Path) -> None:
    """Copy the advisories into the draft of a site. Raises AdvisoryError, OSError."""
    listed = documents(source)
    _require_signatures(source, listed)
    for part in _PARTS:
        for path in paths_below(source / part):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise AdvisoryError(f"{path} is not a plain file")
        shutil.copytree(source / part, draft / part)
    for name in listed:
        _require_digest(draft / FOLDER / name)


def documents(source: Path) -> list[str]:
    """Return the documents that a folder lists, by their paths below FOLDER. Raises AdvisoryError."""
    index = source / FOLDER / "index.txt"
    if not index.is_file() or not (source / METADATA).is_file() or not (source / PAGES).is_dir():
        raise AdvisoryError(f"{source} is not a folder that `firstboot advisory build` made")
    listed = index.read_text(encoding="utf-8").split()
    if len(listed) > MOST_FILES:
        raise AdvisoryError(f"{index} lists more than {MOST_FILES} documents")
    there = {
        path.relative_to(source / FOLDER).as_posix()
        for year in paths_in(source / FOLDER, "[0-9]*")
        for path in paths_in(year, "*.json")
    }
    if there != set(listed):
        raise AdvisoryError(f"{index} does not list the documents that are in the folder")
    return listed


def require_all(before: Path, source: Path | None) -> None:
    """Raise AdvisoryError if the site `before` has an advisory that `source` does not have (rule 3)."""
    if not (before / FOLDER / "index.txt").is_file():
        return
    if source is None:
        raise AdvisoryError("the site has advisories: give their folder with --advisories")
    missing = sorted(set(documents(before)) - set(documents(source)))
    if missing:
        raise AdvisoryError(f"{missing[0]} was published, and {source} does not have it")
    if _is_signed(before) and not _is_signed(source):
        raise AdvisoryError(
            f"the site's advisories have OpenPGP signatures, and {source} has none: build it with --openpgp-key"
        )


def _is_signed(folder: Path) -> bool:
    return bool(_metadata(folder).get("role") == TRUSTED)


def _metadata(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / METADATA).read_bytes()))
    except (ValueError, TypeError, RecursionError):
        raise AdvisoryError(f"{folder / METADATA} is damaged") from None


def _require_signatures(source: Path, listed: list[str]) -> None:
    """Raise AdvisoryError if documents are signed, and a signature or a public key is missing (rule 4)."""
    if not _is_signed(source):
        return
    try:
        keys = [str(one["url"]).rpartition("/")[2] for one in _metadata(source)["public_openpgp_keys"]]
    except (KeyError, TypeError):
        raise AdvisoryError(f"{source / METADATA} is damaged") from None
    wanted = [*(f"{name}{SIGNATURE}" for name in listed), *(f"{KEYS}/{name}" for name in keys)]
    for name in wanted:
        if not (source / FOLDER / name).is_file():
            raise AdvisoryError(f"{source / METADATA} says that documents are signed, and {name} is missing")


def _require_digest(path: Path) -> None:
    beside = path.with_name(f"{path.name}.sha512")
    wanted = beside.read_text(encoding="utf-8").split()[:1] if beside.is_file() else []
    if wanted != [hashlib.sha512(path.read_bytes()).hexdigest()]:
        raise AdvisoryError(f"{path.name} does not have the SHA-512 of {beside.name}")
