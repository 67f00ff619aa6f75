"""The maker's site: built from the records, or refused and not changed (RP-01 to RP-07, SP-01 to SP-06)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from device.records import support
from provisioning.cli import site as site_commands
from provisioning.compliance import plain
from provisioning.compliance.check import REGISTER, SECURITY_TXT
from provisioning.compliance.check_outcomes import NOT_APPLICABLE, PASS
from provisioning.compliance.device_record import DeviceRecords
from provisioning.compliance.issue import draw_key
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.security_txt import SecurityTxtError, check_security_txt, make_security_txt
from provisioning.compliance.site import Site, SiteError, build_site
from provisioning.compliance.site_check import check_site
from provisioning.compliance.statement import ISO_29147
from provisioning.compliance.support_register import RegisterError, history, publish
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.key_ring import ROLES
from provisioning.keys.signer import sign_record
from provisioning.product.product import Product, Support
from provisioning.product.record import support_payload
from tests.unit.provisioning.compliance.statement_bench import PASSPHRASE, PRODUCT, TODAY, issue_one
from tests.unit.provisioning.real_maker import REAL

BASE = "https://tallowgate-lighting.co.uk/"


def site(folder: Path, *products: Product, **changes: object) -> Site:
    settings: dict[str, object] = {
        "products": products or (PRODUCT,),
        "base_url": BASE,
        "register": folder / "register.jsonl",
        "archive": folder / "archive",
        "out": folder / "site",
        "today": TODAY,
    }
    return Site(**(settings | changes))  # type: ignore[arg-type]


def until(end: dt.date, product: Product = PRODUCT, **changes: object) -> Product:
    support: Support = dataclasses.replace(product.support, end_date=end, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(product, support=support)


SUPPORT = FileSigner(ec.generate_private_key(ec.SECP256R1()))


def for_devices(product: Product, *, signer: FileSigner = SUPPORT) -> DeviceRecords:
    """Return the record for the product's devices, and the key that is trusted for it."""
    record = sign_record(support_payload(product, 1), support.TYP, signer)
    return DeviceRecords(
        [record], [AnchorKey(SUPPORT.key_id, SUPPORT.algorithm, ROLES["support"], SUPPORT.public)]
    )


def refused(wanted: Site) -> list[str]:
    before = sorted(wanted.out.rglob("*")) if wanted.out.exists() else []
    register = wanted.register.read_bytes() if wanted.register.exists() else b""
    with pytest.raises(SiteError) as caught:
        build_site(wanted)
    assert before == (sorted(wanted.out.rglob("*")) if wanted.out.exists() else [])
    assert register == (wanted.register.read_bytes() if wanted.register.exists() else b"")
    assert not list(wanted.out.parent.glob(".*.new"))
    return caught.value.problems


def second(model: str = "FB-2") -> Product:
    return dataclasses.replace(PRODUCT, model=model, class_id=bytes(16))


# Published pages -----------------------------------------------------------------------------------------


def test_the_example_builds_and_every_publication_check_passes(tmp_path: Path) -> None:
    (evidence,) = build_site(site(tmp_path))
    assert not evidence.problems()
    assert {check.outcome for check in evidence.checks} == {PASS, NOT_APPLICABLE}
    assert [check.id for check in evidence.checks if check.outcome == NOT_APPLICABLE] == ["RP-07"]
    assert check_site(tmp_path / "site", BASE, TODAY) == []


def test_the_product_page_says_period_and_end_date_in_the_fixed_sentence(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    page = (tmp_path / "site/products/FB-1/index.html").read_text()
    assert "We will provide security updates for FB-1 until 31 December 2031." in page
    assert '<time datetime="2031-12-31">' in page and "5 years" in page


def test_the_sales_block_gives_the_sentence_among_the_main_characteristics(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    block = (tmp_path / "site/products/FB-1/block.html").read_text()
    assert "800 lumen" in block and "We will provide security updates for FB-1" in block
    assert "<html" not in block


def test_the_reporting_page_says_contact_and_both_times(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    page = (tmp_path / "site/security/policy/index.html").read_text()
    for fact in (
        "mailto:security@tallowgate-lighting.co.uk",
        "within 3 working days",
        "every 14 days until resolved",
    ):
        assert fact in page
    assert "FB-1 hardware" in page and "Update service" in page


def test_issued_statements_are_published_with_their_ledger(tmp_path: Path) -> None:
    found = issue_one(tmp_path / "archive", draw_key(tmp_path / "me.pem", PASSPHRASE))
    build_site(site(tmp_path))
    copy = tmp_path / "site/statements" / found.id / "statement.cose"
    assert copy.read_bytes() == found.signed()
    assert f"{found.id}/insert.pdf" in (tmp_path / "site/statements/index.html").read_text()


def test_a_changed_archive_is_not_published(tmp_path: Path) -> None:
    found = issue_one(tmp_path / "archive", draw_key(tmp_path / "me.pem", PASSPHRASE))
    path = found.folder / "statement.html"
    path.chmod(0o644)
    path.write_text("something else")
    result = run_build(tmp_path)
    assert result.exit_code == 1 and "was changed" in result.stderr and not (tmp_path / "site").exists()


def test_words_of_a_definition_cannot_become_markup(tmp_path: Path) -> None:
    publication = dataclasses.replace(
        PRODUCT.publication,
        main_characteristics=("<script>alert(1)</script>",),  # type: ignore[type-var]
    )
    build_site(site(tmp_path, dataclasses.replace(PRODUCT, publication=publication)))
    assert "<script" not in (tmp_path / "site/products/FB-1/index.html").read_text()


# The support register -------------------------------------------------------------------------------------


def test_building_again_adds_no_line_and_an_extension_adds_one(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    build_site(site(tmp_path))
    assert len(Ledger(tmp_path / "register.jsonl").lines()) == 1
    longer = until(dt.date(2033, 12, 31))
    build_site(site(tmp_path, longer, device=for_devices(longer)))
    published = history(Ledger(tmp_path / "site" / REGISTER).lines())
    assert [each.end_date.year for each in published] == [2031, 2033]
    assert "31 December 2033" in (tmp_path / "site/support.xml").read_text()


def test_a_shortened_period_fails_the_build(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    assert "cannot end earlier" in refused(site(tmp_path, until(dt.date(2031, 12, 30))))[0]


def test_a_supported_product_cannot_disappear(tmp_path: Path) -> None:
    build_site(site(tmp_path, PRODUCT, second()))
    assert "must stay published until then" in refused(site(tmp_path))[0]
    assert refused(site(tmp_path))[0].count("SP-02") == 1
    longer = until(dt.date(2040, 1, 1))
    build_site(site(tmp_path, longer, today=dt.date(2032, 1, 1), device=for_devices(longer)))


@pytest.mark.parametrize("how", ["register", "published"])
def test_a_register_that_was_started_again_fails_the_build(how: str, tmp_path: Path) -> None:
    build_site(site(tmp_path))
    earlier = tmp_path / "earlier.jsonl"
    earlier.write_bytes((tmp_path / "register.jsonl").read_bytes())
    (tmp_path / "register.jsonl").unlink()
    shorter = until(dt.date(2030, 1, 1), period="P3Y")
    if how == "published":  # the site on disk is what was published
        assert "published earlier" in refused(site(tmp_path, shorter))[0]
    else:  # only a copy from elsewhere is left
        wanted = site(tmp_path, shorter, out=tmp_path / "other", earlier=(earlier,))
        assert "published earlier" in refused(wanted)[0]


def test_a_changed_line_of_the_register_fails_the_build(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    path = tmp_path / "register.jsonl"
    path.write_text(path.read_text().replace("2031", "2030"))
    assert "changed, dropped or moved" in refused(site(tmp_path, until(dt.date(2030, 12, 31))))[0]


def test_a_register_written_around_its_rules_is_refused_when_read(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    publish(ledger, [PRODUCT], TODAY)
    ledger.append(dict(ledger.entries()[0]) | {"end_date": "2030-01-01"})
    with pytest.raises(RegisterError, match="SP-02"):
        history(ledger.lines())


def test_a_folder_that_is_no_site_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.txt").write_text("mine")
    assert "not a site that this command built" in refused(site(tmp_path))[0]


# Refusals -------------------------------------------------------------------------------------------------


def changed(old: str, new: str) -> Product:
    from provisioning.product.product import parse_product

    assert old in REAL
    return parse_product(REAL.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "requirement"),
    [
        ("tallowgate-lighting.co.uk/security/policy", "tallowgate.uk/policy", "RP-01"),
        ('kind = "hardware"', 'kind = "associated"', "RP-05"),
        ('kind = "pre-installed"', 'kind = "associated"', "RP-05"),
        ('updates = true                        # supp', "updates = true\nsupport_end = 2030-01-01 #", "SP-06"),
        ("that you set up from your phone", "with cryptographic firmware mitigation", "SP-04"),
        ("A lamp for your home that you set up from your phone.", "Supported for its lifetime.", "SP-04"),
    ],
)  # fmt: skip
def test_a_publication_with_a_gap_is_refused(old: str, new: str, requirement: str, tmp_path: Path) -> None:
    assert any(f"({requirement})" in problem for problem in refused(site(tmp_path, changed(old, new))))


def test_without_main_characteristics_there_is_no_page(tmp_path: Path) -> None:
    assert any(
        "SP-05" in each for each in refused(site(tmp_path, dataclasses.replace(PRODUCT, publication=None)))
    )


def test_the_iso_route_needs_the_way_to_report(tmp_path: Path) -> None:
    details = dataclasses.replace(
        PRODUCT.statement,
        routes=PRODUCT.statement.routes | {"reporting": "schedule-2"},
        standards={"reporting": ISO_29147},
    )
    product = dataclasses.replace(PRODUCT, statement=details)
    assert any("RP-07" in each for each in refused(site(tmp_path, product)))
    publication = dataclasses.replace(PRODUCT.publication, how_to_report="Write to us.")  # type: ignore[type-var]
    (evidence,) = build_site(site(tmp_path, dataclasses.replace(product, publication=publication)))
    assert {check.outcome for check in evidence.checks} == {PASS}
    assert "Write to us." in (tmp_path / "site/security/policy/index.html").read_text()


def test_products_with_different_contacts_are_refused(tmp_path: Path) -> None:
    contact = dataclasses.replace(PRODUCT.contact, acknowledgement="within 9 days")
    other = dataclasses.replace(second(), contact=contact)
    assert any("RP-01" in each for each in refused(site(tmp_path, PRODUCT, other)))


def bill(*names: str) -> bytes:
    entries = [{"type": "firmware", "name": name} for name in names]
    library = {"type": "library", "name": "littlefs"}
    return json.dumps(
        {
            "bomFormat": "CycloneDX",
            "metadata": {"component": entries[0]},
            "components": [*entries[1:], library],
        }
    ).encode()


def test_a_program_of_the_bill_of_materials_that_is_not_listed_is_a_gap(tmp_path: Path) -> None:
    build_site(site(tmp_path, bills={"FB-1": bill("FB-1 firmware")}))
    found = refused(site(tmp_path, bills={"FB-1": bill("FB-1 firmware", "Radio firmware")}))
    assert any("Radio firmware" in problem for problem in found)


# The check of a finished site -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("index.html", '<html lang="en">', "<html>", "lang"),
        ("index.html", "</main>", "<script>1</script></main>", "script"),
        ("index.html", "</main>", '<form action="x"></form></main>', "form"),
        ("index.html", "<main>", '<main onclick="x()">', "main"),
        ("index.html", 'href="style.css"', 'href="https://cdn.example/style.css"', "outside the site"),
        ("index.html", "products/FB-1/index.html", "products/FB-1/gone.html", "does not exist"),
        ("security/policy/index.html", "within 3 working days", "promptly", "RP-02"),
        ("security/policy/index.html", "every 14 days until resolved", "open dialogue", "RP-03"),
        ("security/policy/index.html", "mailto:security@", "mailto:nobody@", "RP-01"),
        (SECURITY_TXT, "Policy:", "X-Policy:", "RP-06"),
        (SECURITY_TXT, "Canonical: https://tallow", "Canonical: https://other", "RP-06"),
        (REGISTER, "2031-12-31", "2030-12-31", "SP-02"),
        ("support/index.html", "2031-12-31", "2030-12-31", "SP-01"),
    ],
)
def test_a_fault_of_the_finished_site_is_found(
    file: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    build_site(site(tmp_path))
    path = tmp_path / "site" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert any(words in problem for problem in check_site(tmp_path / "site", BASE, TODAY))


def test_thirty_days_before_its_expiry_security_txt_raises_the_alarm(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    last = TODAY + dt.timedelta(364 - 31)
    assert check_site(tmp_path / "site", BASE, last) == []
    found = check_site(tmp_path / "site", BASE, last + dt.timedelta(1))
    assert [each.count("RP-06") for each in found] == [1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Contact: mailto:a@b.example", "Contact: http://b.example"),
        ("Contact: mailto:a@b.example", "X: y"),
        ("Expires:", "Expires: 2026-12-01T00:00:00Z\r\nExpires:"),
        ("T00:00:00Z", ""),
        ("Expires: 2027", "Expires: 2029"),
        ("Expires: 2027", "Expires: 2025"),
        ("Policy: https", "Policy: http"),
        ("Preferred-Languages: en", "nonsense"),
        ("Preferred-Languages: en", "Preferred-Languages: en\r\nPreferred-Languages: de"),
    ],
)
def test_a_security_txt_that_the_rfc_does_not_allow_is_refused(old: str, new: str) -> None:
    good = make_security_txt(
        ["mailto:a@b.example"], "https://b.example/p", "https://b.example/s", TODAY
    ).decode()
    assert old in good and check_security_txt(good.encode(), TODAY)
    with pytest.raises(SecurityTxtError):
        check_security_txt(good.replace(old, new, 1).encode(), TODAY)


# Plain words ----------------------------------------------------------------------------------------------


def test_the_reading_grade_tells_plain_from_official_prose() -> None:
    assert plain.grade("The cat sat on the mat. It was warm. The sun was out.") < 3
    official = "Notwithstanding the aforementioned considerations, organisational accountability necessitates"
    assert plain.grade(official + " comprehensive documentation of technological vulnerabilities.") > 12
    assert plain.grade("") == 0


def test_without_the_fixed_sentence_a_text_is_not_plain() -> None:
    assert plain.problems("We help you for long.", "We will provide security updates for X until Y.")


# As commands ----------------------------------------------------------------------------------------------


def run_build(folder: Path, text: str = REAL):
    (folder / "product.toml").write_text(text)
    return CliRunner().invoke(
        site_commands.app,
        [
            "build", "--product", str(folder / "product.toml"), "--base-url", BASE,
            "--register", str(folder / "register.jsonl"), "--archive", str(folder / "archive"),
            "--out", str(folder / "site"), "--evidence", str(folder / "evidence"),
        ],
    )  # fmt: skip


def test_the_build_command_leaves_site_and_evidence(tmp_path: Path) -> None:
    result = run_build(tmp_path)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "evidence/publication-FB-1.json").read_bytes())["subject"] == "publication"
    checked = CliRunner().invoke(site_commands.app, ["check", str(tmp_path / "site"), "--base-url", BASE])
    assert checked.exit_code == 0, checked.output


def test_the_build_command_names_each_problem(tmp_path: Path) -> None:
    result = run_build(
        tmp_path, REAL.replace("end_date = 2031-12-31", "end_date = 2031-12-31").replace("800 lumen", "x")
    )
    assert result.exit_code == 0
    earlier = REAL.replace("end_date = 2031-12-31", "end_date = 2030-12-31").replace("P5Y", "P4Y")
    shorter = run_build(tmp_path, earlier)
    assert shorter.exit_code == 1 and "SP-02" in shorter.stderr
