"""The kind of weakness of an advisory: number and name as CWE has them, in CSAF 2.0 and in the draft of 2.1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.weaknesses import NAMES, VERSION, weakness
from tests.unit.provisioning.disclosure import test_advisory, test_csaf_draft
from tests.unit.provisioning.disclosure.test_advisory import Desk, maker

__all__ = ["maker"]


def test_rp_09_each_name_of_the_table_is_the_one_of_cwe() -> None:
    from csaf.csaf import v21  # an independent copy of CWE

    catalog = json.loads((Path(v21.__file__).parent / "cwe/catalog.json").read_text())
    listed = catalog["weaknesses"]
    assert len(NAMES) > 150 and VERSION in catalog["versions"]
    assert {number: listed[str(number)]["history"][-1][1] for number in NAMES} == NAMES
    assert [number for number in NAMES if listed[str(number)]["status"] in ("Deprecated", "Obsolete")] == []


def test_a_number_of_the_table_gets_its_name() -> None:
    assert weakness("CWE-787") == {"id": "CWE-787", "name": "Out-of-bounds Write"}
    assert weakness("CWE-787: Out-of-bounds Write") == weakness("CWE-787")


def test_a_weakness_that_the_table_does_not_have_comes_with_its_name() -> None:
    text = "CWE-1021: Improper Restriction of Rendered UI Layers or Frames"
    assert weakness(text)["name"] == text.partition(": ")[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("787", "not a weakness like CWE-787"),
        ("CWE-0787", "not a weakness"),
        ("CWE-787 Out-of-bounds Write", "not a weakness"),
        ("CWE-1021", "write CWE-1021: NAME"),
        ("CWE-787: Use After Free", "the name of CWE-787 is 'Out-of-bounds Write'"),
        ("CWE-1021: a\u202eb", "one line"),
        ("CWE-1021: " + "x" * 201, "one line of at most 200"),
    ],
)
def test_another_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(CaseInputError, match=message):
        weakness(text)


def test_rp_09_an_advisory_with_a_weakness_is_valid_in_both_versions(maker: Desk) -> None:
    code = maker.published(cwe=weakness("CWE-226"))
    document = maker.document(code)
    assert test_advisory.faults(document) == []
    name = "Sensitive Information in Resource Not Removed Before Reuse"
    assert document["vulnerabilities"][0]["cwe"] == {"id": "CWE-226", "name": name}
    found = {one["document"]["csaf_version"]: one for one in test_csaf_draft.documents(maker)}
    assert [test_csaf_draft.faults(one) for one in found.values()] == [[], []]
    assert found["2.1"]["vulnerabilities"][0]["cwes"][0]["id"] == "CWE-226"


def test_the_independent_validator_finds_a_wrong_name(maker: Desk) -> None:
    maker.published(cwe={"id": "CWE-226", "name": "Another name"})
    assert any("6.1.11" in one for one in test_csaf_draft.faults(test_csaf_draft.documents(maker)[0]))


def test_a_buyer_reads_the_kind_of_weakness(maker: Desk) -> None:
    maker.published(cwe=weakness("CWE-787"))
    assert "Out-of-bounds Write (CWE-787)" in maker.contents()["advisories/sa-2026-0001.html"].decode()
