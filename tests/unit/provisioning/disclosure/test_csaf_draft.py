"""Documents of the draft of CSAF 2.1, and a second independent validator for those of CSAF 2.0.

The validator is the package `csaf`: CSAF 2.0, and CSAF 2.1 as committee specification draft 04.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from provisioning.csaf_names import FOLDER
from provisioning.disclosure import csaf_draft
from provisioning.disclosure.advisory import Justification, Text
from provisioning.disclosure.severity import severity
from provisioning.disclosure.states import Step
from tests.unit.provisioning.disclosure.cases_bench import Cases
from tests.unit.provisioning.disclosure.test_advisory import BASE, TEXT, TITLE, VECTOR, Desk

RATED = severity(VECTOR)
FACTS = {"cvss": RATED.vector, "score": RATED.score, "rating": RATED.rating, "batches": ["B1"]}


@pytest.fixture
def maker(cases: Cases) -> Desk:
    return Desk(cases)


def faults(document: dict[str, Any]) -> list[str]:
    """Return the mandatory tests of its version (section 6.1) that a document does not pass."""
    from csaf.csaf.v20 import validate as validate_20
    from csaf.csaf.v21._validator import validate as validate_21

    validate = validate_21 if document["document"]["csaf_version"] == "2.1" else validate_20
    results = validate(document, preset="basic").results
    assert len(results) > 30
    return [f"{one.id} {one.title}: {one.errors}" for one in results if not (one.passed or one.skipped)]


def documents(maker: Desk) -> list[dict[str, Any]]:
    """Return every public document: CSAF 2.0 and the draft of CSAF 2.1."""
    files = maker.contents()
    return [
        json.loads(data)
        for path, data in sorted(files.items())
        if path.rpartition("/")[2].startswith("sa-") and path.endswith(".json")
    ]


def test_rp_09_an_advisory_with_a_fix_is_valid_in_both_versions(maker: Desk) -> None:
    maker.published(**FACTS)
    found = documents(maker)
    assert [one["document"]["csaf_version"] for one in found] == ["2.0", "2.1"]
    assert [faults(one) for one in found] == [[], []]


def test_an_advisory_without_versions_and_without_a_fix_is_valid_in_both_versions(maker: Desk) -> None:
    code = maker.confirmed(versions=[])
    maker.write(code, Text("A fault.", "Switch it off at night."))
    maker.lift(code)
    assert [faults(one) for one in documents(maker)] == [[], []]


def test_a_product_that_is_not_affected_is_valid_in_both_versions(maker: Desk) -> None:
    code = maker.triaged(**FACTS)
    maker.cases.decide(code, Step.REJECT)
    maker.write(code, Text("A fault of Mbed TLS.", "Not used.", "CVE-2026-1000", Justification.PATH))
    maker.lift(code)
    found = documents(maker)
    assert [faults(one) for one in found] == [[], []]
    assert "metrics" not in found[1]["vulnerabilities"][0]


@pytest.mark.parametrize("version", [0, 1])
def test_the_second_validator_finds_a_fault(maker: Desk, version: int) -> None:
    maker.published()
    document = documents(maker)[version]
    document["vulnerabilities"][0]["product_status"]["known_not_affected"] = ["unknown product"]
    assert faults(document) != []


def test_the_draft_has_the_score_where_csaf_2_0_has_a_note(maker: Desk) -> None:
    maker.published(**FACTS)
    earlier, draft = (one["vulnerabilities"][0] for one in documents(maker))
    assert "Severity (CVSS 4.0)" in [one["title"] for one in earlier["notes"]]
    assert [one["title"] for one in draft["notes"]] == ["Description", "Batches"]
    assert draft["metrics"] == [
        {
            "content": {
                "cvss_v4": {
                    "version": "4.0",
                    "vectorString": VECTOR,
                    "baseScore": 9.3,
                    "baseSeverity": "CRITICAL",
                }
            },
            "products": ["TS-1:1.2.0"],
        }
    ]


def test_the_draft_names_its_own_address_and_is_not_in_the_providers_folder(maker: Desk) -> None:
    maker.published()
    files = maker.contents()
    path = "advisories/csaf-2.1-draft/sa-2026-0001.json"
    document = json.loads(files[path])["document"]
    assert [one["url"] for one in document["references"]] == [
        f"{BASE}advisories/sa-2026-0001.html",
        f"{BASE}{path}",
    ]
    assert b"2.1" not in files[f"{FOLDER}/index.txt"]
    assert b'href="csaf-2.1-draft/sa-2026-0001.json"' in files["advisories/sa-2026-0001.html"]


def test_a_case_under_embargo_is_marked_red_in_the_draft_of_csaf_2_1_too(maker: Desk) -> None:
    code = maker.fixed(**FACTS)
    found = maker.write(code)
    site = maker.site()
    document = json.loads(csaf_draft.written(found, site.product, site.publisher, site.folder_url))
    assert faults(document) == []
    assert document["document"]["distribution"]["tlp"]["label"] == "RED"
    assert (document["document"]["title"], TEXT.cve) == (TITLE, document["vulnerabilities"][0]["cve"])
    assert csaf_draft.FOLDER not in " ".join(maker.contents())
