"""The releases that a vulnerability affects: by a component of their bills of materials, or by a CVE of an advisory.

Rules:
1. The release log says which releases exist. A release whose bill is not in the given folder is *unknown*, not
   unaffected.
2. A CVE is looked up in the maker's own advisories (CSAF 2.0) and nowhere else: this program asks no server.
3. The fix is the first release after the last affected one that is known to be unaffected.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.csaf_names import ALL_VERSIONS, BEFORE, bound_of
from provisioning.file_system import paths_below
from provisioning.firmware import sbom
from provisioning.firmware.errors import FirmwareError
from provisioning.release.log import LogEntry
from provisioning.release.payload import ReleaseError

MOST_BYTES: Final = 4_000_000
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")

# True: affected. False: known not to be. None: unknown.
Verdict = Callable[[LogEntry], bool | None]


@dataclass(frozen=True)
class Releases:
    """The releases of one class, sorted into affected, unknown, and those with the fix; `fix` is the first of these."""

    affected: tuple[LogEntry, ...]
    unknown: tuple[LogEntry, ...]
    fixed: tuple[LogEntry, ...]

    @property
    def fix(self) -> LogEntry | None:
        return self.fixed[0] if self.fixed else None

    @property
    def fix_s(self) -> int | None:
        """Return when the fix was signed, as unix seconds. Raises ReleaseError for a damaged log."""
        if self.fix is None:
            return None
        try:
            return int(dt.datetime.fromisoformat(self.fix.signed_at).timestamp())
        except ValueError:
            raise ReleaseError(f"the release log has no time for {self.fix.version}") from None


def of_class(entries: Iterable[LogEntry], class_id: bytes) -> list[LogEntry]:
    """Return the releases of a class, in the order of their sequence numbers."""
    wanted = class_id.hex()
    return sorted((one for one in entries if one.class_id == wanted), key=lambda one: one.sequence_number)


def sorted_out(entries: Sequence[LogEntry], verdict: Verdict) -> Releases:
    """Return the releases of one class (`of_class`) by verdict."""
    verdicts = [(one, verdict(one)) for one in entries]
    affected = tuple(one for one, found in verdicts if found)
    last = max((one.sequence_number for one in affected), default=None)
    fixed = tuple(
        one for one, found in verdicts if found is False and last is not None and one.sequence_number > last
    )
    return Releases(affected, tuple(one for one, found in verdicts if found is None), fixed)


# By component -----------------------------------------------------------------------------------------------------


def read_bills(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every bill of materials below a folder by its SHA-256 (hex). Raises ReleaseError, OSError."""
    found = {}
    for path in paths_below(folder, f"*{sbom.FILE_NAME.partition('.')[2]}"):
        try:
            data = sbom.read_bytes(path)
            found[hashlib.sha256(data).hexdigest()] = sbom.parsed(data, str(path))
        except FirmwareError as error:
            raise ReleaseError(str(error)) from None
    return found


def by_component(bills: Mapping[str, Mapping[str, Any]], name: str, version: str = "") -> Verdict:
    """Return the verdict for one component, of one version or of any. Raises ReleaseError if no bill has the name."""
    known = {one for bill in bills.values() for one, _, _ in sbom.components_of(bill)}
    if name not in known:
        raise ReleaseError(
            f"no bill has a component {name!r}; they have {', '.join(sorted(known)) or 'none'}"
        )

    def verdict(entry: LogEntry) -> bool | None:
        bill = bills.get(entry.sbom_sha256)
        if bill is None:
            return None
        return any(
            one == name and version in ("", its_version) for one, its_version, _ in sbom.components_of(bill)
        )

    return verdict


# By CVE -----------------------------------------------------------------------------------------------------------


def by_cve(folder: Path, cve: str, model: str, entries: Sequence[LogEntry]) -> Verdict:
    """Return the verdict of the maker's advisories about a CVE. Raises ReleaseError if none is about it, OSError."""
    affected: set[str] = set()
    fixed: set[str] = set()
    is_known = False
    for status in _statuses(folder, cve, model):
        is_known = True
        affected |= status["known_affected"] | status["under_investigation"]
        fixed |= status["fixed"]
    if not is_known:
        raise ReleaseError(f"no advisory in {folder} is about {cve}")
    first = min((one.sequence_number for one in entries if matches(one.version, fixed)), default=None)

    def verdict(entry: LogEntry) -> bool | None:
        if matches(entry.version, affected) and not matches(entry.version, fixed):
            return True
        if not affected:
            return False  # every advisory declares the product as not affected
        return False if first is not None and entry.sequence_number >= first else None

    return verdict


def matches(version: str, texts: Collection[str]) -> bool:
    """Return whether a version of the log is one of the versions or ranges of an advisory."""
    return any(_matches(version, text) for text in texts)


def _matches(version: str, text: str) -> bool:
    if text == ALL_VERSIONS:
        return True
    if text.startswith(BEFORE):
        ours, bound = _NUMBERS.match(version), _NUMBERS.match(bound_of(text))
        return bool(ours and bound) and _tuple(ours) < _tuple(bound)
    return text in (version, version.partition("+")[0])


def _tuple(match: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(one) for one in match.groups()) if match else ()


def _statuses(folder: Path, cve: str, model: str) -> Iterator[dict[str, set[str]]]:
    """Yield the names of versions by status, of each advisory about this CVE and product."""
    for path in paths_below(folder, "*.json"):
        if path.stat().st_size > MOST_BYTES:
            raise ReleaseError(f"{path} has more than {MOST_BYTES} bytes")
        try:
            document = json.loads(path.read_bytes())
            if not isinstance(document, dict) or "vulnerabilities" not in document:
                continue  # the metadata of the provider
            names = dict(_versions(document["product_tree"]["branches"], model))
            for one in document["vulnerabilities"]:
                if one.get("cve") == cve:
                    status = one["product_status"]
                    yield {
                        name: {names[each] for each in status.get(name, []) if each in names}
                        for name in ("known_affected", "under_investigation", "fixed")
                    }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ReleaseError(f"{path} is not a CSAF document") from None


def _versions(branches: Sequence[Mapping[str, Any]], model: str) -> Iterator[tuple[str, str]]:
    """Yield (product id, version or range) of each version of the model in a product tree."""
    for branch in branches:
        yield from _versions(branch.get("branches", []), model)
        product = branch.get("product")
        if product and model in product.get("product_identification_helper", {}).get(
            "model_numbers", [model]
        ):
            yield str(product["product_id"]), str(branch["name"])
