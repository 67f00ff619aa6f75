"""The site leads to the maker's report form, if there is one (RP-01, RP-04)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from provisioning.compliance.check import SECURITY_TXT
from provisioning.compliance.security_txt import check_security_txt
from provisioning.compliance.site import build_site
from provisioning.compliance.site_check import check_site
from provisioning.product.product import Product
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.compliance.test_site import BASE, refused, second, site


def with_form(address: str, product: Product = PRODUCT) -> Product:
    publication = dataclasses.replace(product.publication, report_form=address)  # type: ignore[type-var]
    return dataclasses.replace(product, publication=publication)


def test_rp_04_a_visitor_of_the_site_finds_the_form_that_needs_no_address(tmp_path: Path) -> None:
    address = f"{BASE}security/report/"
    build_site(site(tmp_path, with_form(address), with_form(address, second())))
    page = (tmp_path / "site/security/policy/index.html").read_text()
    assert page.count(f'<a href="{address}">Use our form</a>') == 1
    fields = check_security_txt((tmp_path / "site" / SECURITY_TXT).read_bytes(), TODAY)
    assert fields.contacts == (PRODUCT.contact.report, address)
    assert check_site(tmp_path / "site", BASE, TODAY) == []


def test_a_form_at_an_address_that_reaches_nobody_is_refused(tmp_path: Path) -> None:
    found = refused(site(tmp_path, with_form("https://example.com/security/report/")))
    assert any("[publication] report_form is a placeholder" in each for each in found)
