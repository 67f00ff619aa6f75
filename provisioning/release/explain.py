"""The effect of a manifest on a unit in words, for `firstboot release inspect` and `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device.errors import FirstbootError
from device.trust.anchors import NO_RULES, Anchors
from device.trust.profile import APP_COMPONENTS, UNKNOWN, check_members, targets_of
from provisioning.file_system import is_there
from provisioning.release.application_set import describe
from provisioning.release.payload import APP, FILES

if TYPE_CHECKING:
    from pathlib import Path

    from device.suit.manifest import Manifest
    from device.trust.profile import Delta, Target

Line = tuple[str, str]


def explain(content: Manifest, vendor_id: bytes, class_id: bytes) -> list[Line]:
    """Return what a unit of this vendor and class would fetch if it runs other firmware. Signatures are not checked."""
    try:
        check_members(content)
        targets, delta = targets_of(content, Anchors(vendor_id, class_id, (), 0, 0, NO_RULES), UNKNOWN)
    except FirstbootError as error:
        return [("a unit", f"refuses it ({error.code}): {error.describe()}")]
    lines = [_payload("firmware", targets[1])]
    if len(targets) == len(APP_COMPONENTS):
        lines.append(_payload("application set", targets[3]))
        lines.append(
            ("together", "a unit with this firmware fetches only the set; every other unit fetches both")
        )
    return lines + delta_lines(delta, targets[1])


def _payload(name: str, target: Target | None) -> Line:
    return name, "" if target is None else f"{target.size} bytes at {target.uri}, matched with its SHA-256"


def app_lines(release: Path) -> list[Line]:
    """Return the files of the set in a release folder; empty without a set. Raises CodecError."""
    path = release / FILES[APP][0]
    if not is_there(path):
        return []
    return [
        ("app/" + one["name"], f"{one['bytes']} bytes, " + ("whole" if one["is_whole"] else "CHANGED"))
        for one in describe(path.read_bytes())
    ]


def delta_lines(delta: Delta | None, firmware: Target | None) -> list[Line]:
    """Return the delta of a release; empty without one."""
    if delta is None or firmware is None:
        return []
    patch = delta.patch
    return [
        ("delta", f"{patch.size} bytes at {patch.uri} ({patch.size / firmware.size:.1%} of the firmware)"),
        (
            "made from",
            f"{delta.source_size} bytes, SHA-256 {delta.source_digest.hex()}: a unit with this release fetches the "
            "delta and applies it; every other unit, and a unit that cannot apply it, fetches the firmware",
        ),
    ]


def delta_document(delta: Delta | None) -> dict[str, Any] | None:
    """Return the same for the JSON document; None without a delta."""
    if delta is None:
        return None
    return {
        "bytes": delta.patch.size,
        "sha256": delta.patch.digest.hex(),
        "source_bytes": delta.source_size,
        "source_sha256": delta.source_digest.hex(),
    }
