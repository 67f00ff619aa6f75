"""OpenPGP signatures of the CSAF documents: each has one, old ones stay, and an independent program verifies them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from provisioning.csaf_names import FOLDER, METADATA, ROLIE
from provisioning.disclosure import provider
from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.signatures import Signing
from provisioning.keys.openpgp import load_signer, read_public
from tests import openpgp as bench
from tests.unit.provisioning.disclosure.test_advisory import BASE, Desk, maker

__all__ = ["maker"]
ONE, TWO = f"{FOLDER}/2026/sa-2026-0001.json", f"{FOLDER}/2026/sa-2026-0002.json"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "public"


def key(folder: Path, maker: Desk, name: str = "security.asc", **options: Any) -> Signing:
    """Return a new key as the maker gives it."""
    return Signing(load_signer(bench.private_key(folder / name, **options), maker.cases.clock.now_s))


def metadata(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / METADATA).read_bytes()))


def listed(out: Path) -> list[bytes]:
    """Return the public keys that the metadata lists, as a program fetches them."""
    return [
        (out / one["url"].removeprefix(BASE)).read_bytes() for one in metadata(out)["public_openpgp_keys"]
    ]


def is_verified(out: Path, document: str, work: Path, number: int = 0) -> bool:
    """Return whether gpgv accepts the signature of a document with the listed key of this number."""
    data, signature = (out / document).read_bytes(), (out / f"{document}.asc").read_bytes()
    return bench.gpgv(work, listed(out)[number], data, signature)


def test_rp_09_every_document_has_a_signature_that_gpgv_verifies(
    maker: Desk, out: Path, tmp_path: Path
) -> None:
    maker.published()
    maker.published()
    provider.build(maker.site(key(tmp_path, maker)), out)
    for number, document in enumerate((ONE, TWO)):
        assert is_verified(out, document, tmp_path / f"right-{number}")
    data = bytearray((out / ONE).read_bytes())
    data[len(data) // 2] ^= 1
    (out / ONE).write_bytes(data)
    assert not is_verified(out, ONE, tmp_path / "changed")


def test_rp_09_the_metadata_names_the_key_and_the_role_of_a_trusted_provider(
    maker: Desk, out: Path, tmp_path: Path
) -> None:
    maker.published()
    signing = key(tmp_path, maker)
    provider.build(maker.site(signing), out)
    fingerprint = signing.signer.public.fingerprint
    url = f"{BASE}{FOLDER}/openpgp/{fingerprint}.asc"
    assert metadata(out)["public_openpgp_keys"] == [{"fingerprint": fingerprint, "url": url}]
    assert metadata(out)["role"] == "csaf_trusted_provider"
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())


def test_the_feed_the_listings_and_the_page_lead_to_the_signature(
    maker: Desk, out: Path, tmp_path: Path
) -> None:
    maker.published()
    provider.build(maker.site(key(tmp_path, maker)), out)
    (entry,) = json.loads((out / FOLDER / ROLIE).read_bytes())["feed"]["entry"]
    assert {"rel": "signature", "href": f"{BASE}{ONE}.asc"} in entry["link"]
    assert "sa-2026-0001.json.asc" in (out / FOLDER / "2026/index.html").read_text()
    assert "openpgp/index.html" in (out / FOLDER / "index.html").read_text()
    assert "The OpenPGP keys of our advisories" in (out / FOLDER / "openpgp/index.html").read_text()
    page = (out / "advisories/sa-2026-0001.html").read_text()
    assert f"../{ONE}.asc" in page and f"../{FOLDER}/openpgp/index.html" in page


def test_a_signature_of_an_unchanged_document_stays_as_it_was_published(
    maker: Desk, out: Path, tmp_path: Path
) -> None:
    code, signing = maker.published(), key(tmp_path, maker)
    maker.published()
    provider.build(maker.site(signing), out)
    before = [(out / f"{one}.asc").read_bytes() for one in (ONE, TWO)]
    maker.write(code, reason="clearer")
    provider.build(maker.site(signing), out)
    after = [(out / f"{one}.asc").read_bytes() for one in (ONE, TWO)]
    assert after[1] == before[1] and after[0] != before[0]
    assert is_verified(out, ONE, tmp_path / "check")


def test_a_damaged_signature_is_made_again(maker: Desk, out: Path, tmp_path: Path) -> None:
    maker.published()
    signing = key(tmp_path, maker)
    provider.build(maker.site(signing), out)
    (out / f"{ONE}.asc").write_bytes(b"damaged")
    provider.build(maker.site(signing), out)
    assert is_verified(out, ONE, tmp_path / "check")


def test_after_a_new_key_old_documents_are_verified_with_the_old_one_which_stays_listed(
    maker: Desk, out: Path, tmp_path: Path
) -> None:
    maker.published()
    old, new = key(tmp_path, maker), key(tmp_path, maker, "new.asc")
    provider.build(maker.site(old), out)
    before = (out / f"{ONE}.asc").read_bytes()
    maker.published()
    provider.build(maker.site(new), out)
    names = [one["fingerprint"] for one in metadata(out)["public_openpgp_keys"]]
    assert names == [new.signer.public.fingerprint, old.signer.public.fingerprint]
    assert (out / f"{ONE}.asc").read_bytes() == before
    assert is_verified(out, TWO, tmp_path / "new", 0) and is_verified(out, ONE, tmp_path / "old", 1)
    assert not is_verified(out, ONE, tmp_path / "other", 0)


def test_an_earlier_key_is_listed_in_a_new_folder_if_the_maker_names_it(
    maker: Desk, out: Path, tmp_path: Path
) -> None:
    maker.published()
    old, new = key(tmp_path, maker), key(tmp_path, maker, "new.asc")
    provider.build(maker.site(Signing(new.signer, [old.signer.public])), out)
    assert listed(out) == [new.signer.public.armored, old.signer.public.armored]
    assert is_verified(out, ONE, tmp_path / "check", 0)


def test_what_a_revoked_key_signed_is_signed_again(maker: Desk, out: Path, tmp_path: Path) -> None:
    maker.published()
    old, new = key(tmp_path, maker), key(tmp_path, maker, "new.asc")
    provider.build(maker.site(old), out)
    revoked = read_public(bench.public_key(bench.revoked(tmp_path / "security.asc")), "security.asc")
    assert revoked.is_revoked
    provider.build(maker.site(Signing(new.signer, [revoked])), out)
    assert is_verified(out, ONE, tmp_path / "new", 0)
    assert listed(out)[1] == revoked.armored


def test_what_a_key_signed_that_ends_soon_is_signed_again(maker: Desk, out: Path, tmp_path: Path) -> None:
    maker.published()
    days = (maker.cases.clock.now_s - int(time.time())) // 86400 + 60
    old = key(tmp_path, maker, validity_seconds=days * 86400)
    provider.build(maker.site(old), out)
    maker.cases.clock.go(days=31)
    provider.build(maker.site(key(tmp_path, maker, "new.asc")), out)
    assert is_verified(out, ONE, tmp_path / "new", 0)


def test_what_was_published_with_signatures_is_not_published_without(
    maker: Desk, out: Path, tmp_path: Path
) -> None:
    maker.published()
    provider.build(maker.site(key(tmp_path, maker)), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(CaseInputError, match="give the key with --openpgp-key"):
        provider.build(maker.site(), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_published_key_that_is_damaged_stops_the_build(maker: Desk, out: Path, tmp_path: Path) -> None:
    maker.published()
    signing = key(tmp_path, maker)
    provider.build(maker.site(signing), out)
    (path,) = (out / FOLDER / "openpgp").glob("*.asc")
    path.write_bytes(b"damaged")
    with pytest.raises(CaseInputError, match="a published key is damaged"):
        provider.build(maker.site(signing), out)
    assert path.read_bytes() == b"damaged"


def test_a_maker_without_an_advisory_already_names_the_key(maker: Desk, out: Path, tmp_path: Path) -> None:
    provider.build(maker.site(key(tmp_path, maker)), out)
    assert metadata(out)["role"] == "csaf_trusted_provider" and len(listed(out)) == 1
