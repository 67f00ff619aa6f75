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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.errors import ImageFormatError
from device.layout import IMAGE_HEADER_BYTES
from provisioning.compliance.check_outcomes import EvidenceError
from provisioning.compliance.evidence import FIRMWARE, REQUIRED, from_test_run, read_table
from provisioning.compliance.installed_software import judge_installed_software, package_digests
from provisioning.compliance.signed_evidence import SignedEvidence, sign_evidence
from provisioning.release.image import ImageInfo, image_info

if TYPE_CHECKING:
    from provisioning.keys.signer import Signer
    from provisioning.product.product import Product

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


@dataclass(frozen=True)
class Software:
    """Software that the user must install: the product definition that lists it, and packages by component name."""

    product: Product | None = None
    packages: Mapping[str, bytes] = field(default_factory=dict)


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
    checkout: Checkout,
    image: bytes,
    signer: Signer,
    today: dt.date,
    table: str = TABLE,
    software: Software = Software(),
) -> SignedEvidence:
    """Return evidence for `image` (the signed image). `table`: path of the table of requirements in the commit.

    Raises EvidenceError for a changed checkout, another firmware, and a package that cannot be searched; OSError.
    """
    installed = judge_installed_software(software.product, software.packages)
    info, commit = checked_commit(checkout, image)
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
        installed=installed,
    )
    if software.packages:
        more = {"packages": package_digests(software.packages)}
        evidence = replace(evidence, of={**evidence.of, **more})
    return sign_evidence(evidence, signer)


def checked_commit(checkout: Checkout, image: bytes) -> tuple[ImageInfo, str]:
    """Return the image's fields, and the commit that builds its firmware byte for byte (rules 1 and 2).

    Raises EvidenceError for a changed checkout and for another firmware, OSError.
    """
    info = signed_image(image)
    commit = checkout.commit(checkout.root)
    raw = checkout.firmware(checkout.root)
    if image[IMAGE_HEADER_BYTES : IMAGE_HEADER_BYTES + info.body_bytes] != raw:
        raise EvidenceError(
            f"the image is not the firmware that commit {commit} builds: build and sign it again"
        )
    return info, commit


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


def committed_text(root: Path, path: str, commit: str = "HEAD") -> str:
    """Return the text of a file as the commit has it. Raises EvidenceError."""
    return _git(root, "show", f"{commit}:{path}")


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
