"""Text of a definition never becomes another page, a file elsewhere, or an invented name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from provisioning.compliance.archive import Archive, ArchiveError, slug
from provisioning.compliance.site import SiteError, build_site
from provisioning.compliance.site_pages import write
from provisioning.product.example import EXAMPLE
from provisioning.product.product import Product, parse_product
from tests.unit.provisioning.compliance.statement_bench import PRODUCT
from tests.unit.provisioning.compliance.test_site import BASE, site


def with_policy(path: str) -> Product:
    return dataclasses.replace(PRODUCT, contact=dataclasses.replace(PRODUCT.contact, policy=BASE + path))


@pytest.mark.parametrize(
    "path",
    [
        "../../../PWN2", "security/../../PWN2", "./x", "", "/", "statements", "statements/", "Statements", "support",
        "support/security", "products/FB-1", "support.xml", "style.css", ".well-known/security.txt", "records",
        "support-register.jsonl", "index.html", "%2e%2e/x", "a?b", "a#b",
    ],
)  # fmt: skip
def test_a_policy_that_is_not_a_page_of_its_own_is_refused(path: str, tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    with pytest.raises(SiteError, match="RP-01"):
        build_site(site(home, with_policy(path)))
    assert not list(tmp_path.rglob("PWN2")) and not (home / "site").exists()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x"])
def test_no_file_is_written_outside_of_the_site(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not inside"):
        write(tmp_path / "site", path, b"x")


def test_no_page_is_written_twice(tmp_path: Path) -> None:
    write(tmp_path, "a/index.html", b"first")
    with pytest.raises(FileExistsError):
        write(tmp_path, "a/index.html", b"second")


def test_names_that_differ_have_different_addresses() -> None:
    names = ["Lampe \u00d6", "Lampe \u00dc", "Lampe-", "Lampe", "A_B", "A-B", "A B", "\u706f", "\u71c8"]
    assert len({slug(name).casefold() for name in names}) == len(names)
    assert slug(slug("Lampe Ö")) != slug("Lampe Ö"), "a model may have any name, also that of another's files"
    assert slug("FB-1") == "FB-1" and slug("2026-001") == "2026-001"


@pytest.mark.parametrize("name", ["..", ".", "../../etc", "/etc", "a/b", ""])
def test_an_id_in_the_ledger_that_is_no_folder_here_is_refused(name: str, tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.ledger.append(
        {"event": "issued", "id": name, "model": "M", "batch": "B", "version": 1, "sha256": "", "files": {},
         "retain_until": "2036-01-01"}
    )  # fmt: skip
    with pytest.raises(ArchiveError, match="not the id"):
        archive.statements()


def test_placeholders_are_published_for_development_only_and_the_pages_say_so(tmp_path: Path) -> None:
    example = parse_product(EXAMPLE)
    with pytest.raises(SiteError, match=r"\[manufacturer\] name is a placeholder: 'Example Devices Ltd'"):
        build_site(site(tmp_path, example, base_url="https://example.com/"))
    (evidence,) = build_site(site(tmp_path, example, base_url="https://example.com/", is_development=True))
    assert "does not exist" in (tmp_path / "site/index.html").read_text() and "development" in evidence.of
