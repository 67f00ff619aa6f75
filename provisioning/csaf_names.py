"""Names that the writer of advisories, the site that copies them and the search in them share (CSAF 2.0)."""

from __future__ import annotations

import re
from typing import Final

CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")

# Places below a maker's site.
FOLDER: Final = ".well-known/csaf"
METADATA: Final = f"{FOLDER}/provider-metadata.json"
PAGES: Final = "advisories"
ROLIE: Final = "csaf-feed-tlp-white.json"  # in FOLDER

# Versions as a range (vers): every one, or everything before the version that follows.
ALL_VERSIONS: Final = "vers:all/*"
BEFORE: Final = "vers:generic/<"
