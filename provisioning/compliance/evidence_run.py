"""Make firmware evidence: check that an image is this commit's firmware, run the tests, and sign the outcome.

Rules:
1. The checkout has no changes, so that the commit identifies the tested code.
2. The image's firmware is, byte for byte and to its end, the one that this checkout builds (builds are reproducible),
   so that the tests run exactly this firmware. Its signature and header are the maker's and are not compared.
3. Every test file that docs/requirements.md names for a legal requirement runs; nothing is taken from an older run.
   The table is read from the commit, and no setting of the caller's environment reaches pytest.
4. Evidence names the image by the digest that units report (`ImageInfo.digest`), and has the image's own version.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.errors import ImageFormatError
from device.layout import IMAGE_HEADER_BYTES
from provisioning.compliance.evidence import FIRMWARE, REQUIRED, EvidenceError, from_test_run, read_table
from provisioning.compliance.signed_evidence import SignedEvidence, sign_evidence
from provisioning.release.image import ImageInfo, image_info

if TYPE_CHECKING:
    from provisioning.keys.signer import Signer

TABLE: Final = "docs/requirements.md"
# They could select other tests, load other plugins, or remove the assertions.
UNSET: Final = ("PYTEST_", "PYTHONOPTIMIZE")


@dataclass(frozen=True)
class Checkout:
    """The source tree whose tests run. The functions call git, the firmware's build and pytest; tests replace them.

    `committed`: (root, path) -> the text of a file in the commit.
    """

    root: Path
    commit: Callable[[Path], str]
    firmware: Callable[[Path], bytes]
    run_tests: Callable[[Path, Sequence[str]], bytes]
    committed: Callable[[Path, str], str]


def this_checkout(root: Path) -> Checkout:
    """Return the checkout at `root` with git, the build of the release firmware, and pytest."""
    return Checkout(root, clean_commit, release_firmware, junit_of, committed_text)


def signed_image(data: bytes, source: str = "the image") -> ImageInfo:
    """Return the fields of a signed boot image. Raises EvidenceError for any other file."""
    try:
        return image_info(data)
    except ImageFormatError as error:
        raise EvidenceError(f"{source} is not a signed boot image: {error}") from None


def make_evidence(
    checkout: Checkout, image: bytes, signer: Signer, today: dt.date, table: str = TABLE
) -> SignedEvidence:
    """Return evidence for `image` (the signed image). `table`: path of the table of requirements in the commit.

    Raises EvidenceError for a changed checkout and for another firmware, OSError.
    """
    info = signed_image(image)
    commit = checkout.commit(checkout.root)
    raw = checkout.firmware(checkout.root)
    if image[IMAGE_HEADER_BYTES : IMAGE_HEADER_BYTES + info.body_bytes] != raw:
        raise EvidenceError(
            f"the image is not the firmware that commit {commit} builds: build and sign it again"
        )
    text = checkout.committed(checkout.root, table)
    junit = checkout.run_tests(checkout.root, test_files(text))
    evidence = from_test_run(
        junit,
        text,
        image_sha256=info.digest.hex(),
        version=info.version_text,
        made=today,
        commit=commit,
        tools=tool_versions(),
    )
    return sign_evidence(evidence, signer)


def test_files(table: str) -> list[str]:
    """Return the test files that the table names for the legal requirements of firmware. Raises EvidenceError."""
    rows = read_table(table)
    return sorted({file for name in REQUIRED[FIRMWARE] if name in rows for file, _ in rows[name].tests})


def tool_versions() -> str:
    """Return the versions of this program, Python and pytest, and the system, on one line."""
    return (
        f"firstboot {version_of('firstboot')}, Python {platform.python_version()}, pytest {version_of('pytest')}, "
        + (f"{platform.system()} {platform.machine()}")
    )


def clean_commit(root: Path) -> str:
    """Return the commit of a checkout without changes. Raises EvidenceError."""
    if _git(root, "status", "--porcelain").strip():
        raise EvidenceError(
            "the checkout has changes that are not committed, so no commit would identify the tested code"
        )
    return _git(root, "rev-parse", "HEAD").strip()


def committed_text(root: Path, path: str) -> str:
    """Return the text of a file as the commit has it. Raises EvidenceError."""
    return _git(root, "show", f"HEAD:{path}")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EvidenceError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def release_firmware(root: Path) -> bytes:
    """Return the release firmware that this checkout builds, without header and signature."""
    from provisioning.firmware.build import build

    return build("release", root=root).image.read_bytes()


def junit_of(root: Path, files: Sequence[str]) -> bytes:
    """Return the JUnit XML of a run of these test files. A run with failures has its XML too. Raises EvidenceError."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "junit.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={out}",
            *files,
        ]
        plain = {name: value for name, value in os.environ.items() if not name.startswith(UNSET)}
        subprocess.run(command, cwd=root, check=False, stdout=sys.stderr, env=plain)
        if not out.is_file():
            raise EvidenceError("the test run wrote no result: read pytest's messages above")
        return out.read_bytes()
