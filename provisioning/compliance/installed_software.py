"""PW-05: software that the user must install has no password in its package (SI 2023/1007 Sch. 1 para 1(1)(c)).

Rules:
1. The product definition decides whether the rule applies: it lists each such program as a component of kind
   "must-install". Each of them needs its package.
2. Every text of the package is searched, and of each member if it is a ZIP archive (APK, JAR, wheel), for a literal
   that is given to a name like "password", and for an address with a password in it. A literal with a space, or one
   that repeats its name, is a label of a form and does not count.
3. A program can also compute a password, or ask a server for one. The search does not see that, so a pass is "partly"
   and the signatory reads it. A password that was found is never repeated.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, NOT_RUN, PASS, Check, EvidenceError
from provisioning.file_system import read_stream

if TYPE_CHECKING:
    from provisioning.product.product import Product

REQUIREMENT: Final = "PW-05"
MUST_INSTALL: Final = "must-install"
PACKAGE_BYTES: Final = 512 << 20
UNPACKED_BYTES: Final = 1 << 30
MEMBER_BYTES: Final = 64 << 20
MEMBERS: Final = 20_000
MEMBER_NAME: Final = 200
_ENTRY: Final = b"PK\x01\x02"  # begins each entry of an archive's directory (APPNOTE.TXT 4.3.12)
DEPTH: Final = 3  # an archive in an archive in an archive
NOT_SEEN: Final = "a password that the program computes or fetches is not seen"

_NAME: Final = rb"(?P<name>\w{0,40}(?:password|passwd|passphrase|passcode|pwd)\w{0,20})"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        _NAME
        + rb"[\"']?\s{0,8}(?:=|:|=>|,)\s{0,8}(?P<quote>[\"'])(?P<literal>[^\"'\x00-\x1f]{1,128})(?P=quote)",
        rb"name=\"" + _NAME + rb"\"[^>]{0,80}>(?P<literal>[^<\x00-\x1f]{1,128})<",
        rb"(?P<name>[a-z][a-z0-9+.-]{1,20}://)[^\s/:@\"'\x00-\x1f]{1,64}:(?P<literal>[^\s/:@\"'\x00-\x1f]{1,64})@",
    )
)


def judge_installed_software(product: Product | None, packages: Mapping[str, bytes]) -> Check:
    """Return the outcome of PW-05 for the packages (by component name) of a product.

    Without a definition the outcome is "not applicable", which `signed_evidence.py` compares with the definition at
    issue. Raises EvidenceError for a package of no such component, and for one that cannot be read or is too large.
    """
    names = [] if product is None else must_install(product)
    strange = sorted(set(packages) - set(names))
    if strange:
        raise EvidenceError(
            f"{strange[0]!r} is not a component of kind {MUST_INSTALL} of the product definition"
        )
    if not names:
        return Check(REQUIREMENT, NOT_APPLICABLE, "there is no software that the user must install")
    missing = [name for name in names if name not in packages]
    if missing:
        return Check(REQUIREMENT, NOT_RUN, f"the package of {', '.join(missing)} was not given (--package)")
    found = [f"{name}: {place}" for name in names for place in passwords_in(packages[name], name)]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return Check(REQUIREMENT, FAIL, f"a password in {'; '.join(found[:3])}{more}")
    return Check(REQUIREMENT, PASS, f"{len(names)} packages were searched; partly: {NOT_SEEN}")


def must_install(product: Product) -> list[str]:
    """Return the names of the programs that the user of a product must install."""
    return [part.name for part in product.components if part.kind == MUST_INSTALL]


def package_digests(packages: Mapping[str, bytes]) -> str:
    """Return SHA-256 by component name, as text on one line; empty without packages."""
    found = {name: hashlib.sha256(data).hexdigest() for name, data in packages.items()}
    return json.dumps(found, sort_keys=True) if found else ""


def searched(text: str) -> dict[str, str]:
    """Return what `package_digests` wrote: SHA-256 by component name; empty if the text is something else."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def passwords_in(package: bytes, name: str) -> list[str]:
    """Return where a package has a password: "NAME in MEMBER", without the password. Raises EvidenceError."""
    if len(package) > PACKAGE_BYTES:
        raise EvidenceError(f"the package of {name} has more than {PACKAGE_BYTES} bytes")
    if not package:
        raise EvidenceError(f"the package of {name} is empty")
    found = []
    for member, data in _texts(package, "the package", name):
        plain = data.replace(b"\0", b"") if b"\0" in data else b""  # UTF-16
        for text in (data, plain):
            for form in _FORMS:
                found += [
                    f"{_word(match['name'])} in {member}" for match in form.finditer(text) if _counts(match)
                ]
    return list(dict.fromkeys(found))


def _counts(match: re.Match[bytes]) -> bool:
    literal, name = match["literal"].strip(), match["name"]
    return bool(literal) and not re.search(rb"\s", literal) and literal.lower() not in name.lower()


def _word(name: bytes) -> str:
    return name.decode("ascii", "replace")


def _printable(name: str) -> str:
    """Return the name of a member of a package; a character that could be read as structure is replaced."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name[:MEMBER_NAME])


def _texts(data: bytes, place: str, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (place, bytes) of a file and of each member of the archives in it, within the limits."""
    left = UNPACKED_BYTES
    members = 0
    waiting = [(place, data, DEPTH)]
    while waiting:
        place, data, depth = waiting.pop()
        yield place, data
        if depth and zipfile.is_zipfile(io.BytesIO(data)):
            for member, inner in _members(data, name):
                members, left = members + 1, left - len(inner)
                if members > MEMBERS or left < 0:
                    raise EvidenceError(f"the package of {name} unpacks to more than this program reads")
                waiting.append((member, inner, depth - 1))


def _members(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    if data.count(_ENTRY) > MEMBERS:  # before a list of them is made, which takes ten times the memory
        raise EvidenceError(f"the package of {name} unpacks to more than this program reads")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                member = _printable(entry.filename)
                if entry.file_size > MEMBER_BYTES:
                    raise EvidenceError(f"{member} in the package of {name} is too large")
                with archive.open(entry) as file:
                    inner = read_stream(file, MEMBER_BYTES)
                if inner is None:
                    raise EvidenceError(f"{member} in the package of {name} is too large")
                yield member, inner
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError, EOFError) as error:
        if isinstance(error, EvidenceError):
            raise
        raise EvidenceError(f"the package of {name} is an archive that cannot be read: {error}") from None
