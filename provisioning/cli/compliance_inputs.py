"""Inputs that the compliance commands share: today's date, trusted keys, a registry that may be missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioning.cli.errors import InputError
from provisioning.cli.registry_access import opened
from provisioning.compliance.archive import Archive
from provisioning.compliance.statement import OPEN_POINTS
from provisioning.keys.key_id import AnchorKey, key_id
from provisioning.keys.key_ring import ROLES
from provisioning.keys.public_keys import parse as parse_public
from provisioning.registry.registry import Registry


def today_utc() -> dt.date:
    """Return the day in UTC: the same on every machine that checks a document."""
    return dt.datetime.now(dt.UTC).date()


def trusted_keys(paths: list[Path], role: str = "signatory") -> list[AnchorKey]:
    """Return a role's keys from public key files. Raises PublicKeyError, OSError."""
    found = []
    for path in paths:
        for key in parse_public(path.read_bytes()):
            found.append(AnchorKey(key.key_id or key_id(key.public), key.algorithm, ROLES[role], key.public))
    return found


def existing_archive(folder: Path) -> Archive:
    """Return the archive in a folder. Raises InputError for any other folder: only `site build` makes an archive."""
    found = Archive(folder)
    if not found.is_there:
        raise InputError(
            f"There is no archive of statements in {folder}: check the name, or make one with firstboot site build."
        )
    return found


def open_points() -> list[str]:
    """Return the points that a lawyer should look at, as lines."""
    points = [f"  {number}. {point}" for number, point in enumerate(OPEN_POINTS, 1)]
    return ["Open points for your lawyer (this is not legal advice):", *points]


@contextmanager
def opened_if_given(path: Path | None) -> Iterator[Registry | None]:
    """The registry in a file, or None without one. Raises RegistryError if the file does not exist."""
    if path is None:
        yield None
        return
    with opened(str(path), None) as registry:
        yield registry
