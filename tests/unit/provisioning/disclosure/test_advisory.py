"""Advisories: valid CSAF 2.0, pages and feed of public cases, and nothing of a case under embargo."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from csaf_lib.verification.verifier import Verifier

from provisioning.compliance.site_check import _check_page
from provisioning.csaf_names import FOLDER, METADATA
from provisioning.disclosure import advisory, csaf, desk, provider
from provisioning.disclosure.advisory import Advisory, Justification, Text
from provisioning.disclosure.csaf import Publisher
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.errors import CaseInputError, StateError
from provisioning.disclosure.severity import severity
from provisioning.disclosure.signatures import Signing
from provisioning.disclosure.states import Step
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT, Cases

BASE = "https://example.com/"
PUBLISHER = Publisher(PRODUCT.manufacturer.name, BASE, PRODUCT.contact.report)
VECTOR = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
TEXT = Text("A reset leaves the owner's data.", "Install version 1.2.1.", "CVE-2026-12345")
TITLE = "Factory reset leaves data"


class Desk:
    """The cases of one maker."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases

    def triaged(self, **facts: object) -> str:
        code = self.cases.report(text="Secret words of Ada").case
        self.cases.decide(code, Step.ACKNOWLEDGE)
        self.cases.decide(
            code, Step.TRIAGE, **{"title": TITLE, "batches": [], "versions": ["1.2.0"], **facts}
        )
        return code

    def confirmed(self, **facts: object) -> str:
        code = self.triaged(**facts)
        self.cases.decide(code, Step.CONFIRM)
        return code

    def fixed(self, **facts: object) -> str:
        code = self.confirmed(**facts)
        self.cases.decide(code, Step.RESOLVE, release="1.2.1")
        return code

    def write(self, code: str, text: Text = TEXT, reason: str = "first text") -> Advisory:
        decision = Decision("E. Example", self.cases.case(code).version, reason=reason)
        return advisory.write(self.cases.store, code, text, decision)

    def lift(self, code: str, is_lifted: bool = True) -> None:
        decision = Decision("E. Example", self.cases.case(code).version)
        until = "" if is_lifted else "2027-01-01"
        desk.record_embargo(self.cases.store, code, until, is_lifted, decision)

    def published(self, **facts: object) -> str:
        code = self.fixed(**facts)
        self.write(code)
        self.cases.clock.go(days=1)
        self.cases.decide(code, Step.PUBLISH)
        return code

    def public(self) -> list[Advisory]:
        return advisory.public(desk.load_all(self.cases.store).values())

    def contents(self) -> dict[str, bytes]:
        return provider.contents(self.site())

    def site(self, signing: Signing | None = None) -> provider.Site:
        return provider.Site(self.public(), PRODUCT, PUBLISHER, self.cases.clock.now_s, signing)

    def document(self, code: str) -> dict[str, Any]:
        found = advisory.advisory_of(self.cases.case(code))
        return dict(json.loads(csaf.written(found, PRODUCT, PUBLISHER, f"{BASE}{FOLDER}/")))


@pytest.fixture
def maker(cases: Cases) -> Desk:
    return Desk(cases)


def faults(document: dict[str, Any]) -> list[str]:
    """Return what Red Hat's csaf-lib finds: the JSON schema, tests of CSAF section 6.1, data types.

    Its first test asks for the VEX profile, which a security advisory does not have.
    """
    report = Verifier(document, raw_content=json.dumps(document)).run_all()
    is_vex = document["document"]["category"] == "csaf_vex"
    return [
        f"{one.test_name}: {one.message}"
        for one in report.results
        if one.status.name not in ("PASS", "SKIP") and (is_vex or one.test_id != "1.1")
    ]


def status(document: dict[str, Any]) -> dict[str, list[str]]:
    return dict(document["vulnerabilities"][0]["product_status"])


def test_the_independent_validator_finds_a_fault(maker: Desk) -> None:
    document = maker.document(maker.published())
    document["vulnerabilities"][0]["product_status"]["known_not_affected"] = ["unknown product"]
    assert faults(document) != []


def test_rp_09_an_advisory_of_a_fixed_case_is_valid(maker: Desk) -> None:
    found = severity(VECTOR)
    facts = {"cvss": found.vector, "score": found.score, "rating": found.rating, "batches": ["B1"]}
    document = maker.document(maker.published(**facts))
    assert faults(document) == []
    assert document["document"]["category"] == "csaf_security_advisory"
    assert status(document) == {
        "known_affected": ["TS-1:1.2.0"],
        "fixed": ["TS-1:1.2.1"],
        "first_fixed": ["TS-1:1.2.1"],
    }
    assert document["vulnerabilities"][0]["remediations"][0]["category"] == "vendor_fix"
    assert document["document"]["aggregate_severity"]["text"] == "Critical"


def test_rp_09_a_product_that_is_not_affected_gives_a_valid_vex(maker: Desk) -> None:
    code = maker.triaged()
    maker.cases.decide(code, Step.REJECT)
    why = Justification.PATH
    maker.write(code, Text("A fault of Mbed TLS.", "We do not use this function.", "CVE-2026-1000", why))
    maker.lift(code)
    document = maker.document(code)
    assert faults(document) == []
    assert document["document"]["category"] == "csaf_vex"
    assert status(document) == {"known_not_affected": ["TS-1:1.2.0"]}
    assert document["vulnerabilities"][0]["flags"] == [{"label": why, "product_ids": ["TS-1:1.2.0"]}]


def test_an_advisory_without_a_fix_and_without_a_cve_is_valid(maker: Desk) -> None:
    code = maker.confirmed(versions=[])
    maker.write(code, Text("A fault.", "Switch it off at night."))
    maker.lift(code)
    document = maker.document(code)
    assert faults(document) == []
    assert status(document) == {"known_affected": ["TS-1:all"]}
    assert document["vulnerabilities"][0]["remediations"][0]["category"] == "none_available"
    assert document["vulnerabilities"][0]["ids"][0]["text"] == "SA-2026-0001"


def test_versions_that_nobody_named_are_all_before_the_fix(maker: Desk) -> None:
    document = maker.document(maker.published(versions=[]))
    assert faults(document) == []
    branches = document["product_tree"]["branches"][0]["branches"][0]["branches"]
    assert [one["category"] for one in branches] == ["product_version_range", "product_version"]
    assert branches[0]["name"] == "vers:generic/<1.2.1"


def test_a_case_that_is_looked_into_is_valid(maker: Desk) -> None:
    code = maker.triaged()
    maker.write(code)
    maker.lift(code)
    document = maker.document(code)
    assert faults(document) == []
    assert status(document) == {"under_investigation": ["TS-1:1.2.0"]}


def test_a_draft_is_valid_and_marked_red(maker: Desk) -> None:
    code = maker.fixed()
    maker.write(code)
    document = maker.document(code)
    assert faults(document) == []
    tracking = document["document"]["tracking"]
    assert (tracking["status"], tracking["version"]) == ("draft", "0")
    assert document["document"]["distribution"]["tlp"]["label"] == "RED"


def test_an_embargo_keeps_a_case_from_every_file(maker: Desk) -> None:
    maker.published()
    secret = maker.fixed(title="Secret second issue")
    maker.write(secret, Text("Secret description", "Secret action", "CVE-2026-99999"))
    files = maker.contents()
    shown = b"".join(files.values()) + "".join(files).encode()
    for word in (b"Secret", b"99999", b"SA-2026-0002", b"sa-2026-0002", secret.encode()):
        assert word not in shown
    maker.cases.decide(secret, Step.PUBLISH)
    assert b"Secret second issue" in maker.contents()["advisories/index.html"]


def test_an_embargo_that_is_set_again_takes_a_text_back_into_the_drafts(maker: Desk) -> None:
    code = maker.confirmed()
    maker.write(code)
    maker.lift(code)
    assert len(maker.public()) == 1
    maker.lift(code, is_lifted=False)
    assert maker.public() == []


def test_no_word_of_a_reporter_is_published(maker: Desk) -> None:
    maker.published()
    shown = b"".join(maker.contents().values())
    assert b"Secret words" not in shown and b"reporter.example" not in shown


def test_each_change_after_the_publication_is_a_revision(maker: Desk) -> None:
    code = maker.confirmed()
    maker.write(code)
    maker.write(code, reason="before the publication")
    maker.lift(code)
    maker.cases.clock.go(days=2)
    maker.cases.decide(code, Step.RESOLVE, release="1.2.1")
    maker.cases.clock.go(days=1)
    maker.write(code, reason="how to install the fix")
    document = maker.document(code)
    assert faults(document) == []
    history = document["document"]["tracking"]["revision_history"]
    assert [(one["number"], one["summary"]) for one in history] == [
        ("1", "First version."),
        ("2", "A fix is available."),
        ("3", "how to install the fix"),
    ]
    assert document["document"]["tracking"]["version"] == "3"


def test_a_text_that_is_written_after_the_publication_begins_with_it(maker: Desk) -> None:
    code = maker.fixed()
    maker.cases.decide(code, Step.PUBLISH)
    assert maker.public() == []
    maker.cases.clock.go(days=3)
    found = maker.write(code)
    assert [one.time_s for one in found.revisions] == [maker.cases.clock.now_s]


def test_a_closed_case_stays_published(maker: Desk) -> None:
    code = maker.published()
    maker.cases.decide(code, Step.CLOSE)
    assert [one.id for one in maker.public()] == ["SA-2026-0001"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (Text("", "x"), "description is empty"),
        (Text("x", " \n"), "action is empty"),
        (Text("x" * 4001, "x"), "more than 4000"),
        (Text("x\x1b[2J", "x"), "control"),
        (Text("x", "right\u202eleft"), "control"),
        (Text("x", "x", "CVE-26-1"), "not a CVE number"),
        (Text("x", "x", "", "because"), "justification is one of"),
    ],
)
def test_a_text_that_cannot_be_published_is_refused(maker: Desk, text: Text, message: str) -> None:
    code = maker.fixed()
    before = maker.cases.case(code).version
    with pytest.raises(CaseInputError, match=message):
        maker.write(code, text)
    assert maker.cases.case(code).version == before


def test_a_confirmed_issue_cannot_be_declared_as_not_affecting(maker: Desk) -> None:
    with pytest.raises(CaseInputError, match="is confirmed, so the product is affected"):
        maker.write(maker.confirmed(), Text("x", "x", "", Justification.CODE))


def test_an_issue_that_was_not_confirmed_cannot_be_declared_as_affecting(maker: Desk) -> None:
    code = maker.triaged()
    maker.cases.decide(code, Step.REJECT)
    with pytest.raises(CaseInputError, match="give a reason"):
        maker.write(code)


def test_a_case_without_a_title_of_the_maker_has_no_advisory(maker: Desk) -> None:
    code = maker.cases.report().case
    with pytest.raises(StateError, match="was not triaged"):
        maker.write(code)


def test_a_fix_that_is_an_affected_version_is_refused(maker: Desk) -> None:
    with pytest.raises(CaseInputError, match="also an affected version"):
        maker.write(maker.fixed(versions=["1.2.1"]))


def test_the_justifications_are_those_of_the_schema(maker: Desk) -> None:
    from csaf_lib.verification import verifier

    schema = json.loads((Path(verifier.__file__).parent / "schemas" / "csaf_2_0.json").read_text())
    flags = schema["properties"]["vulnerabilities"]["items"]["properties"]["flags"]
    assert set(flags["items"]["properties"]["label"]["enum"]) == set(Justification)


# The folder of the provider ---------------------------------------------------------------------------------------


def test_the_folder_follows_the_rules_for_a_directory(maker: Desk) -> None:
    maker.published()
    maker.cases.clock.go(days=20)  # the year ends at day 31
    maker.published()
    maker.cases.clock.go(days=20)
    maker.published()
    files = maker.contents()
    folder = FOLDER
    names = ["2026/sa-2026-0001.json", "2026/sa-2026-0002.json", "2027/sa-2027-0001.json"]
    assert files[f"{folder}/index.txt"].decode().splitlines() == names
    lines = files[f"{folder}/changes.csv"].decode().splitlines()
    assert [re.match(r'"([^"]+)","\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"$', one)[1] for one in lines] == names[::-1]  # type: ignore[index]
    for name in names:
        data = files[f"{folder}/{name}"]
        for algorithm in ("sha256", "sha512"):
            digest = files[f"{folder}/{name}.{algorithm}"].decode().split()[0]
            assert digest == hashlib.new(algorithm, data).hexdigest()


def test_the_metadata_names_the_folder_and_claims_no_signatures(maker: Desk) -> None:
    maker.published()
    found = json.loads(maker.contents()[METADATA])
    assert found["canonical_url"] == f"{BASE}.well-known/csaf/provider-metadata.json"
    assert found["distributions"][0] == {"directory_url": f"{BASE}.well-known/csaf"}
    assert (found["role"], found["public_openpgp_keys"]) == ("csaf_provider", [])


def test_the_feed_has_an_entry_for_each_advisory_and_its_revision(maker: Desk) -> None:
    code = maker.published()
    maker.cases.clock.go(days=1)
    maker.write(code, reason="clearer")
    items = list(ElementTree.fromstring(maker.contents()[provider.FEED]).iter("item"))  # noqa: S314
    assert [one.findtext("title") for one in items] == [TITLE]
    assert items[0].findtext("guid") == f"{BASE}advisories/sa-2026-0001.html#revision-2"


def test_a_text_cannot_become_markup(maker: Desk) -> None:
    code = maker.fixed(title="<script>alert(1)</script>")
    maker.write(code, Text("<img src=x>", "</p><script>"))
    maker.cases.decide(code, Step.PUBLISH)
    files = maker.contents()
    for name, data in files.items():
        if not name.endswith((".json", ".css")):
            assert b"<script>" not in data and b"<img" not in data


def test_every_page_is_english_needs_no_script_and_links_to_files(maker: Desk, tmp_path: Path) -> None:
    maker.published()
    provider.build(maker.site(), tmp_path / "out")
    pages = sorted((tmp_path / "out").rglob("*.html"))
    assert len(pages) == 4
    assert [fault for page in pages for fault in _check_page(page, tmp_path / "out")] == []


def test_a_buyer_reads_versions_batches_and_what_to_do(maker: Desk) -> None:
    maker.published(batches=["B1"])
    page = maker.contents()["advisories/sa-2026-0001.html"].decode()
    for words in (
        "has this software version: 1.2.0",
        "B1",
        "Install version 1.2.1.",
        "Version 1.2.1 has the fix",
    ):
        assert words in page


def test_the_same_store_gives_the_same_files(maker: Desk) -> None:
    maker.published()
    first = maker.contents()
    maker.cases.clock.go(days=9)
    assert maker.contents() == first


def test_an_advisory_that_was_published_does_not_vanish(maker: Desk, tmp_path: Path) -> None:
    maker.published()
    out = tmp_path / "out"
    provider.build(maker.site(), out)
    before = sorted(path.relative_to(out) for path in out.rglob("*"))
    empty = provider.Site([], PRODUCT, PUBLISHER, 0)
    with pytest.raises(CaseInputError, match="was published and this store does not have it"):
        provider.build(empty, out)
    assert sorted(path.relative_to(out) for path in out.rglob("*")) == before


def test_a_revision_that_was_published_does_not_go_back(maker: Desk, tmp_path: Path) -> None:
    code = maker.published()
    older = maker.site()
    maker.write(code, reason="clearer")
    provider.build(maker.site(), tmp_path / "out")
    with pytest.raises(CaseInputError, match="published with revision 2; this store has 1"):
        provider.build(older, tmp_path / "out")


def test_a_folder_of_something_else_is_not_replaced(maker: Desk, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(CaseInputError, match="not a folder that this command built"):
        provider.build(maker.site(), tmp_path)
    assert (tmp_path / "photo.jpg").exists()
