"""The bill of materials of a firmware: CycloneDX 1.6 (ECMA-424), made by the build from what it linked (UP-14).

Rules:
1. A library is in the bill if the linker placed code or data of it in the image (`linked.py`), and only then.
2. Each component has its version, its licence, and a SHA-256: of the pinned archive, of the C library's archive, or of
   each file of the device code. `firstboot:sources` is the SHA-256 over the source files that were compiled.
3. The bill has no time, no path and no name of a machine. Its serial number is computed from its content, so the same
   firmware has the same bill, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.firmware.components import ORIGINS, Origin, origin_of
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.linked import Linked
from provisioning.firmware.rp2_sources import PACKAGE_PINS
from provisioning.firmware.sources import NO_PIN, PINS, SourceTree, sha256_file

if TYPE_CHECKING:
    from cyclonedx.model import HashType, Property
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression

FILE_NAME: Final = "sbom.cdx.json"
MAX_BYTES: Final = 4_000_000
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:x-firstboot:sbom")
_ARCHIVE_LICENSES: Final = {
    "libgcc.a": ("libgcc", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    "libc_nano.a": ("newlib", ""),
    "libg.a": ("newlib", ""),
    "libc.a": ("newlib", ""),
    "libm_nano.a": ("newlib-libm", ""),
    "libm.a": ("newlib-libm", ""),
}


@dataclass(frozen=True)
class Contents:
    """Everything that a bill lists.

    `name`: of the whole; `code`: of the component that has our own files.
    `ours`: name to SHA-256 of each file of the device code, its port and its C modules; `frozen`: of each frozen file.
    `versions`: of the compiler's libraries ("libgcc", "newlib"). `wrapped`: functions that the linker replaces by ours.
    """

    name: str
    image_sha256: str
    linked: Linked
    tree: SourceTree
    ours: Mapping[str, str]
    frozen: Mapping[str, str]
    versions: Mapping[str, str]
    tools: Mapping[str, str]
    wrapped: Sequence[str] = ()
    code: str = "firstboot-device"
    variant: str = ""


def written(contents: Contents) -> str:
    """Return the bill as JSON text, the same for the same firmware. Raises FirmwareError."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    root = Component(
        name=contents.name,
        type=ComponentType.FIRMWARE,
        version=metadata.version("firstboot"),
        bom_ref="firmware",
        hashes=[_sha256(contents.image_sha256)],
        properties=_properties({"variant": contents.variant} if contents.variant else {}),
    )
    tools = [
        Component(name=name, type=ComponentType.APPLICATION, version=version, bom_ref=f"tool:{name}")
        for name, version in sorted(contents.tools.items())
    ]
    bom = Bom(
        serial_number=uuid.UUID(int=0),
        metadata=BomMetaData(
            component=root,
            tools=ToolRepository(components=tools),
            lifecycles=[PredefinedLifecycle(phase=LifecyclePhase.BUILD)],
        ),
        components=list(_components(contents)),
    )
    bom.register_dependency(root, bom.components)
    return reproducible(json.loads(JsonV1Dot6(bom).output_as_string()))


def reproducible(document: dict[str, Any]) -> str:
    """Return the text of a document without its time, with a serial number that its content decides (rule 3)."""
    del document["metadata"]["timestamp"], document["serialNumber"]
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = uuid.uuid5(_NAMESPACE, content).urn
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _components(contents: Contents) -> Iterator[Component]:
    by_origin: dict[Origin, list[str]] = {}
    for name in contents.linked.sources:
        by_origin.setdefault(origin_of(name), []).append(name)
    of_micropython = {one: hash_ for one, hash_ in contents.frozen.items() if one.startswith("asyncio/")}
    for origin, names in sorted(by_origin.items(), key=lambda pair: pair[0].name):
        yield _third_party(origin, names, contents, {} if origin.folder else of_micropython)
    for name, path in contents.linked.archives.items():
        yield _archive(name, path, contents.versions)
    microdot = {one: hash_ for one, hash_ in contents.frozen.items() if one.startswith("microdot/")}
    if microdot:
        yield _microdot(microdot)
    frozen = {
        f"frozen/{one}": hash_
        for one, hash_ in contents.frozen.items()
        if one not in of_micropython and one not in microdot
    }
    yield _own_code(contents.code, {**contents.ours, **frozen})


def _third_party(
    origin: Origin, names: Sequence[str], contents: Contents, frozen: Mapping[str, str]
) -> Component:
    from cyclonedx.model.component import Component, Patch, PatchClassification, Pedigree
    from packageurl import PackageURL

    version = origin.version(contents.tree.path)
    pin = next((one for one in (*PINS, *PACKAGE_PINS) if one.package == origin.package), NO_PIN)
    is_pinned = bool(pin.package) and (contents.tree.is_pinned or pin in PACKAGE_PINS)
    is_archive = is_pinned and pin.place == origin.folder
    properties = {"sources": _digest(contents.tree.path, names), "source-files": str(len(names))}
    if is_pinned:
        properties |= {"archive": pin.file_name, "archive-sha256": pin.sha256}
    else:
        properties["checkout"] = contents.tree.key
    wrapped = [one for one in contents.wrapped if origin_of_function(one) is origin]
    notes = [origin.note] if origin.note else []
    if wrapped:
        notes.append(f"Functions replaced when the firmware is linked: {', '.join(wrapped)}.")
    if is_archive and ("+ds" in pin.file_name or "+dfsg" in pin.file_name):
        notes.append("The archive is Debian's, from which Debian removed files that it does not distribute.")
    patches = [Patch(type=PatchClassification.UNOFFICIAL)] if wrapped or origin.name == "p256-m" else []
    qualifiers = {"checksum": f"sha256:{pin.sha256}"} if is_archive else {}
    return Component(
        name=origin.name,
        version=version,
        bom_ref=origin.name,
        licenses=_licenses(origin.license),
        hashes=[_sha256(pin.sha256)] if is_archive else [],
        purl=PackageURL("generic", None, origin.name, version, qualifiers),
        cpe=f"cpe:2.3:a:{origin.cpe}:{version}:*:*:*:*:*:*:*" if origin.cpe else None,
        pedigree=Pedigree(patches=patches, notes=" ".join(notes)) if notes else None,
        properties=_properties(properties),
        components=_files(origin.name, frozen),
    )


def origin_of_function(name: str) -> Origin | None:
    """Return the origin of a function that the linker replaces, by its prefix."""
    folder = "lib/mbedtls" if name.startswith("mbedtls_") else "lib/lwip"
    return next(one for one in ORIGINS if one.folder == folder)


def _archive(name: str, path: Path, versions: Mapping[str, str]) -> Component:
    """Return a library of the compiler, with the SHA-256 of the archive that the linker read."""
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    library, license_ = _ARCHIVE_LICENSES.get(name, (name.removesuffix(".a"), ""))
    version = versions.get(library.partition("-")[0], "unknown")
    return Component(
        name=library,
        version=version,
        bom_ref=library,
        licenses=_licenses(license_, "BSD-style licences of newlib (COPYING.NEWLIB)"),
        hashes=[_sha256(sha256_file(path))],
        purl=PackageURL("generic", None, library, version),
        properties=_properties({"archive": name}),
    )


def _microdot(files: Mapping[str, str]) -> Component:
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    version = metadata.version("microdot")
    return Component(
        name="microdot",
        version=version,
        bom_ref="microdot",
        licenses=_licenses("MIT"),
        purl=PackageURL("pypi", None, "microdot", version),
        components=_files("microdot", files),
    )


def _own_code(name: str, files: Mapping[str, str]) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    version = metadata.version("firstboot")
    return Component(
        name=name,
        type=ComponentType.APPLICATION,
        version=version,
        bom_ref=name,
        licenses=_licenses("Apache-2.0"),
        purl=PackageURL("generic", None, name, version),
        components=_files(name, files),
    )


def _files(owner: str, hashes: Mapping[str, str]) -> list[Component]:
    from cyclonedx.model.component import Component, ComponentType

    return [
        Component(
            name=name, type=ComponentType.FILE, bom_ref=f"{owner}/{name}", hashes=[_sha256(hashes[name])]
        )
        for name in sorted(hashes)
    ]


def _digest(tree: Path, names: Sequence[str]) -> str:
    """Return the SHA-256 over the names and digests of source files, in the order of `sha256sum`."""
    lines = [f"{sha256_file(tree / name)}  {name}\n" for name in sorted(names)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(digest: str) -> HashType:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _properties(values: Mapping[str, str]) -> list[Property]:
    from cyclonedx.model import Property

    return [Property(name=f"firstboot:{name}", value=value) for name, value in values.items()]


def _licenses(expression: str, name: str = "") -> list[LicenseExpression | DisjunctiveLicense]:
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression

    if expression:
        return [LicenseExpression(expression)]
    return [DisjunctiveLicense(name=name or "not known")]


def read(path: Path) -> dict[str, Any]:
    """Return the bill in a file. Raises FirmwareError if it is not one of a firmware, OSError."""
    return parsed(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Return a file that should be a bill, not yet parsed. Raises FirmwareError if it is too large, OSError."""
    if path.stat().st_size > MAX_BYTES:
        raise FirmwareError(f"{path} has more than {MAX_BYTES} bytes. It is not a bill of materials.")
    return path.read_bytes()


def parsed(data: bytes, name: str) -> dict[str, Any]:
    """Return the bill in these bytes; `name` is for messages. Raises FirmwareError if it is not one of a firmware."""
    try:
        document = json.loads(data)
        _ = image_sha256(document), components_of(document)
        is_bill = document["bomFormat"] == "CycloneDX"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        is_bill = False
    if not is_bill:
        raise FirmwareError(f"{name} is not a CycloneDX bill of materials of a firmware.")
    return dict(document)


def image_sha256(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of the firmware that a bill is about."""
    hashes = document["metadata"]["component"]["hashes"]
    return str({one["alg"]: one["content"] for one in hashes}["SHA-256"])


def components_of(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, version, licence) of each component of a bill, without its files."""
    found = []
    for one in document.get("components", []):
        licenses = [
            each.get("expression") or each["license"].get("id") or each["license"]["name"]
            for each in one.get("licenses", [])
        ]
        found.append((str(one["name"]), str(one["version"]), " AND ".join(map(str, licenses))))
    return found
