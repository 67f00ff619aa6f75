"""Numbers of a release that units compare: its build, the older release of a delta, the one-time keys of a tree."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path

from provisioning.keys.hss_signer import HssSigner
from provisioning.keys.signer import Signer
from provisioning.release.capacities import require_capacity
from provisioning.release.check import firmware_of
from provisioning.release.formats import boot_image
from provisioning.release.image import ImageInfo
from provisioning.release.log import LogEntry, ReleaseLog
from provisioning.release.release import ReleaseError


def require_build(
    info: ImageInfo, number: int, payload: bytes, has_app: bool, entries: Sequence[LogEntry]
) -> None:
    """Refuse what units would refuse: an image whose build is not the release's number. Raises ReleaseError.

    Its build number is the release's, so that a unit fresh from the factory knows what it runs. With an application an
    image that was released before may go out again.
    """
    build = info.version[3]
    if build == number:
        return
    if not has_app:
        require_capacity("build number", number)
        raise ReleaseError(
            f"units would refuse this: the image is build {build} and the release {number}; sign the image as +{number}"
        )
    digest = hashlib.sha256(payload).hexdigest()
    if build > number or all(one.payload_sha256 != digest for one in entries):
        raise ReleaseError(
            f"the image is build {build}, not {number}, and no release of the log had it: an application alone goes "
            "out with an image that was released"
        )


def older_image(path: Path | None, number: int) -> bytes | None:
    """Return the firmware that a delta is made from: an image, or the one of a release folder. Raises ReleaseError."""
    if path is None:
        return None
    data = firmware_of(path)
    build = boot_image(data).info.version[3]
    if build >= number:
        raise ReleaseError(f"--delta-from {path} is release {build}, which is not older than {number}")
    return data


def report_highest(releases: ReleaseLog, signers: Sequence[Signer]) -> None:
    """Let each HSS signer know the highest index in the log: a machine that was set back then refuses to sign."""
    for one in signers:
        if isinstance(one, HssSigner):
            one.logged = releases.highest_index(one.key_id)


def indices(signers: Sequence[Signer]) -> dict[str, int]:
    """Return the last one-time key that each HSS signer used."""
    return {
        one.key_id.hex(): one.last_index
        for one in signers
        if isinstance(one, HssSigner) and one.last_index is not None
    }


def now_text() -> str:
    """This moment in ISO 8601, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
