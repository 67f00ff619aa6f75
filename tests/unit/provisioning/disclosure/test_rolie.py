"""The ROLIE feed of the advisories: it names every published document, and nothing before there is one."""

from __future__ import annotations

import json
from typing import Any

from provisioning.csaf_names import FOLDER, METADATA, ROLIE
from tests.unit.provisioning.disclosure.test_advisory import BASE, TITLE, Desk, maker

__all__ = ["maker"]
PLACE = f"{FOLDER}/{ROLIE}"


def feed(maker: Desk) -> Any:
    return json.loads(maker.contents()[PLACE])["feed"]


def test_rp_09_the_feed_links_to_each_document_and_to_its_hash(maker: Desk) -> None:
    maker.published()
    maker.cases.clock.go(days=1)
    maker.published()
    files = maker.contents()
    entries = feed(maker)["entry"]
    assert [one["id"] for one in entries] == ["SA-2026-0002", "SA-2026-0001"]
    for entry in entries:
        links = {one["rel"]: one["href"] for one in entry["link"]}
        assert set(links) == {"self", "hash"}
        document = json.loads(files[links["self"].removeprefix(BASE)])
        assert document["document"]["tracking"]["id"] == entry["id"]
        assert links["hash"].removeprefix(BASE) in files
        assert (entry["title"], entry["content"]["src"]) == (TITLE, links["self"])


def test_a_new_revision_changes_the_time_of_its_entry_and_of_the_feed(maker: Desk) -> None:
    code = maker.published()
    before = feed(maker)
    maker.cases.clock.go(days=1)
    maker.write(code, reason="clearer")
    (entry,) = feed(maker)["entry"]
    assert entry["published"] == before["entry"][0]["published"]
    assert entry["updated"] == feed(maker)["updated"] > before["updated"]


def test_the_metadata_and_the_page_of_the_folder_name_the_feed(maker: Desk) -> None:
    maker.published()
    files = maker.contents()
    (found,) = [one["rolie"] for one in json.loads(files[METADATA])["distributions"] if "rolie" in one]
    assert found["feeds"][0]["url"] == f"{BASE}{PLACE}" == feed(maker)["link"][0]["href"]
    assert found["feeds"][0]["tlp_label"] == "WHITE"
    assert ROLIE.encode() in files[f"{FOLDER}/index.html"]


def test_before_the_first_advisory_there_is_no_feed(maker: Desk) -> None:
    maker.write(maker.confirmed())  # under embargo
    files = maker.contents()
    assert PLACE not in files
    assert json.loads(files[METADATA])["distributions"] == [{"directory_url": f"{BASE}.well-known/csaf"}]
