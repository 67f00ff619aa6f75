"""Names that the writer of advisories, the site that copies them and the search in them share (CSAF 2.0)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")

# Places below a maker's site.
FOLDER: Final = ".well-known/csaf"
METADATA: Final = f"{FOLDER}/provider-metadata.json"
PAGES: Final = "advisories"
ROLIE: Final = "csaf-feed-tlp-white.json"  # in FOLDER
KEYS: Final = "openpgp"  # in FOLDER: the maker's public keys
SIGNATURE: Final = ".asc"  # after the name of a document: its OpenPGP signature

# Roles of the metadata: the second one signs its documents.
PROVIDER: Final = "csaf_provider"
TRUSTED: Final = "csaf_trusted_provider"

# Versions as a range (vers): every one, or everything before the version that follows.
ALL_VERSIONS: Final = "vers:all/*"
BEFORE: Final = "vers:generic/<"


def before(version: str) -> str:
    """Return the range of all versions before one, whose separators are escaped as vers demands (%3C for "<")."""
    return BEFORE + quote(version, safe="+")


def bound_of(text: str) -> str:
    """Return the version of a range that `before` made."""
    return unquote(text.removeprefix(BEFORE))
