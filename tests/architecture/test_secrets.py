"""The list of authenticating secrets is complete: it names every verifier in the code (PW-11)."""

import json
import re
from pathlib import Path

import pytest

VERIFIER = re.compile(
    r"compare_digest\(|\bequal\(|CERT_REQUIRED|require_certificate|^class Sessions\b", re.MULTILINE
)
CLASSES = {"password", "cryptographic key", "API key", "pairing PIN outside the internet protocol suite"}
KINDS_OF_PASSWORD = {"unique per product", "defined by the user"}  # Schedule 1 paragraph 1(2)
# Files that define the comparison, and do not use it.
TOOLS = {"device/crypto/backend.py", "device/crypto/hmac_.py"}


@pytest.fixture(scope="module")
def listed(root: Path) -> dict:
    return json.loads((root / "docs" / "secrets.json").read_text())


def verifiers(files: list[Path], root: Path) -> set[str]:
    found = set()
    for path in files:
        name = str(path.relative_to(root))
        if name.startswith(("device/", "provisioning/")) and path.suffix == ".py" and name not in TOOLS:
            if VERIFIER.search(path.read_text(encoding="utf-8")):
                found.add(name)
    return found


def test_pw_11_every_verifier_in_the_code_belongs_to_a_listed_secret(
    files: list[Path], root: Path, listed: dict
) -> None:
    named = {name for secret in listed["secrets"] for name in secret["verified_by"]}
    found = verifiers(files, root)
    assert found, "the search finds nothing at all"
    assert not found - named - set(listed["no_authentication"])


def test_pw_11_what_the_list_names_exists_and_is_classed(root: Path, listed: dict) -> None:
    for secret in listed["secrets"]:
        assert secret["class"] in CLASSES, secret["name"]
        assert secret["reason"]
        for name in secret["verified_by"]:
            assert (root / name).is_file(), name
    for name in listed["no_authentication"]:
        assert (root / name).is_file(), name


def test_pw_11_every_password_is_of_the_two_kinds_that_the_law_allows(listed: dict) -> None:
    passwords = [secret for secret in listed["secrets"] if secret["class"] == "password"]
    assert passwords
    assert {secret["kind"] for secret in passwords} <= KINDS_OF_PASSWORD
