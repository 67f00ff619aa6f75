"""Security advisories in the maker's site: copied whole, announced in security.txt, never lost (RP-09)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from provisioning.compliance.advisory_copy import AdvisoryError, copy_advisories
from provisioning.compliance.check import SECURITY_TXT
from provisioning.compliance.site import Site, SiteError, build_site
from provisioning.compliance.site_check import check_site
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY

BASE = "https://tallowgate-lighting.co.uk/"
FOLDER = ".well-known/csaf"
PAGE = '<!doctype html><html lang="en"><title>x</title><p>x</p></html>'


def site(folder: Path, advisories: Path | None) -> Site:
    return Site(
        (PRODUCT,), BASE, folder / "register.jsonl", folder / "archive", folder / "site", TODAY, advisories=advisories
    )  # fmt: skip


def built(folder: Path, *names: str) -> Path:
    """Return a folder as `firstboot advisory build` makes it, with these documents."""
    files = {f"{FOLDER}/provider-metadata.json": "{}", "advisories/index.html": PAGE}
    files[f"{FOLDER}/index.txt"] = "".join(f"{name}\n" for name in names)
    for name in names:
        files[f"{FOLDER}/{name}"] = json.dumps({"name": name})
        digest = hashlib.sha512(files[f"{FOLDER}/{name}"].encode()).hexdigest()
        files[f"{FOLDER}/{name}.sha512"] = f"{digest}  {name}\n"
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def test_rp_09_the_site_has_the_advisories_and_security_txt_leads_to_them(tmp_path: Path) -> None:
    advisories = built(tmp_path / "public", "2026/sa-2026-0001.json")
    build_site(site(tmp_path, advisories))
    out = tmp_path / "site"
    assert (out / FOLDER / "2026/sa-2026-0001.json").is_file()
    assert f"CSAF: {BASE}{FOLDER}/provider-metadata.json" in (out / SECURITY_TXT).read_text()
    assert "advisories/index.html" in (out / "index.html").read_text()
    assert check_site(out, BASE, TODAY) == []


def test_a_site_without_advisories_names_none(tmp_path: Path) -> None:
    build_site(site(tmp_path, None))
    assert "CSAF" not in (tmp_path / "site" / SECURITY_TXT).read_text()
    assert "advisories" not in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize("later", [None, ("2026/sa-2026-0002.json",)])
def test_an_advisory_of_the_site_does_not_vanish_with_the_next_build(
    tmp_path: Path, later: tuple[str, ...] | None
) -> None:
    build_site(site(tmp_path, built(tmp_path / "public", "2026/sa-2026-0001.json")))
    folder = None if later is None else built(tmp_path / "other", *later)
    with pytest.raises(SiteError, match="RP-09"):
        build_site(site(tmp_path, folder))
    assert (tmp_path / "site" / FOLDER / "2026/sa-2026-0001.json").is_file()


def test_a_changed_document_is_refused(tmp_path: Path) -> None:
    folder = built(tmp_path / "public", "2026/sa-2026-0001.json")
    (folder / FOLDER / "2026/sa-2026-0001.json").write_text("{}")
    with pytest.raises(AdvisoryError, match="does not have the SHA-512"):
        copy_advisories(folder, tmp_path / "draft")


def test_a_document_that_the_index_does_not_list_is_refused(tmp_path: Path) -> None:
    folder = built(tmp_path / "public", "2026/sa-2026-0001.json")
    (folder / FOLDER / "2026/sa-2026-0002.json").write_text("{}")
    with pytest.raises(AdvisoryError, match="does not list the documents"):
        copy_advisories(folder, tmp_path / "draft")


def test_a_link_in_the_folder_is_refused(tmp_path: Path) -> None:
    folder = built(tmp_path / "public")
    (folder / "advisories" / "key").symlink_to(tmp_path / "private.pem")
    with pytest.raises(AdvisoryError, match="not a plain file"):
        copy_advisories(folder, tmp_path / "draft")


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdvisoryError, match="is not a folder that `firstboot advisory build` made"):
        copy_advisories(tmp_path, tmp_path / "draft")


def signed(folder: Path, *names: str) -> Path:
    """Return a folder whose metadata says that its documents are signed, with signatures and key."""
    built(folder, *names)
    key = {"fingerprint": "AB" * 20, "url": f"{BASE}{FOLDER}/openpgp/{'AB' * 20}.asc"}
    document = {"role": "csaf_trusted_provider", "public_openpgp_keys": [key]}
    (folder / FOLDER / "provider-metadata.json").write_text(json.dumps(document))
    (folder / FOLDER / "openpgp").mkdir()
    for name in (*names, f"openpgp/{'AB' * 20}"):
        suffix = ".asc"
        (folder / FOLDER / f"{name}{suffix}").write_text("signature or key")
    return folder


def test_signatures_and_keys_come_into_the_site(tmp_path: Path) -> None:
    build_site(site(tmp_path, signed(tmp_path / "public", "2026/sa-2026-0001.json")))
    assert (tmp_path / "site" / FOLDER / "2026/sa-2026-0001.json.asc").is_file()
    assert len(list((tmp_path / "site" / FOLDER / "openpgp").iterdir())) == 1


@pytest.mark.parametrize("missing", ["2026/sa-2026-0001.json.asc", f"openpgp/{'AB' * 20}.asc"])
def test_a_signature_or_a_key_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    folder = signed(tmp_path / "public", "2026/sa-2026-0001.json")
    (folder / FOLDER / missing).unlink()
    with pytest.raises(AdvisoryError, match=f"says that documents are signed, and {missing} is missing"):
        copy_advisories(folder, tmp_path / "draft")


def test_a_site_with_signatures_does_not_lose_them_with_the_next_build(tmp_path: Path) -> None:
    build_site(site(tmp_path, signed(tmp_path / "public", "2026/sa-2026-0001.json")))
    with pytest.raises(SiteError, match="have OpenPGP signatures"):
        build_site(site(tmp_path, built(tmp_path / "other", "2026/sa-2026-0001.json")))


def test_metadata_that_is_damaged_is_refused(tmp_path: Path) -> None:
    folder = built(tmp_path / "public", "2026/sa-2026-0001.json")
    (folder / FOLDER / "provider-metadata.json").write_text("[")
    with pytest.raises(AdvisoryError, match="is damaged"):
        copy_advisories(folder, tmp_path / "draft")
