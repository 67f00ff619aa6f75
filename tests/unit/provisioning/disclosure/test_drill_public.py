"""The folder of the advisories in a drill: each fault in it is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.disclosure import desk, drill_public, provider, rolie
from provisioning.disclosure.signatures import Signing
from provisioning.disclosure.states import Step
from provisioning.keys.openpgp import load_signer
from tests import openpgp as bench
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT, Cases
from tests.unit.provisioning.disclosure.test_advisory import Desk


@pytest.fixture
def published(cases: Cases) -> str:
    """The number of a case whose advisory is public."""
    maker = Desk(cases)
    code = maker.fixed(title=drill_public.TITLE)
    maker.write(code, drill_public.TEXT)
    cases.decide(code, Step.PUBLISH)
    return code


def problems(cases: Cases, code: str, folder: Path, *private: str, is_published: bool = True) -> list[str]:
    """Build the folder, and return what the drill finds in it."""
    drill_public.build(folder, PRODUCT, desk.load_all(cases.store).values(), cases.clock.now_s)
    return list(drill_public.problems(folder, cases.case(code), is_published, private))


def test_a_folder_that_shows_what_is_public_has_no_problem(
    cases: Cases, published: str, tmp_path: Path
) -> None:
    assert problems(cases, published, tmp_path / "public", "Secret words of Ada") == []


def test_each_file_that_shows_an_advisory_under_embargo_is_named(
    cases: Cases, published: str, tmp_path: Path
) -> None:
    found = problems(cases, published, tmp_path / "public", is_published=False)
    for place in (
        "advisories/index.html",
        "advisories/feed.xml",
        ".well-known/csaf/csaf-feed-tlp-white.json",
    ):
        assert f"{place} shows {drill_public.TITLE!r}" in found
    assert ".well-known/csaf/index.txt shows 'SA-2026-0001'" in found


def test_a_word_of_a_reporter_is_found_after_the_publication_too(
    cases: Cases, published: str, tmp_path: Path
) -> None:
    found = problems(cases, published, tmp_path / "public", "OPENS THE LAMP")
    assert "advisories/sa-2026-0001.html shows 'OPENS THE LAMP'" in found


def _no_entry(*_: object) -> bytes:
    return b'{"feed": {"entry": []}}'


@pytest.mark.parametrize(
    ("module", "name", "replacement", "problem"),
    [
        (rolie, "feed", _no_entry, "the feed for programs does not lead to the document"),
        (provider, "_feed", lambda _: b"<rss/>", "the news feed does not have the advisory"),
        (
            provider,
            "_pages",
            lambda *_: {"advisories/index.html": b""},
            "the page of the advisory is not there, or has another text",
        ),
    ],
)
def test_an_advisory_that_a_visitor_does_not_find_is_a_problem(
    cases: Cases,
    published: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    replacement: Callable[..., object],
    problem: str,
) -> None:
    monkeypatch.setattr(module, name, replacement)
    assert problem in problems(cases, published, tmp_path / "public")


def test_a_document_whose_hash_is_not_its_own_is_a_problem(
    cases: Cases, published: str, tmp_path: Path
) -> None:
    folder = tmp_path / "public"
    problems(cases, published, folder)
    (folder / ".well-known/csaf/2026/sa-2026-0001.json.sha512").write_text("00  sa-2026-0001.json\n")
    found = list(drill_public.problems(folder, cases.case(published), True, ()))
    assert found == ["the sha512 beside the document is not its own"]


def test_a_signature_that_is_missing_or_of_another_key_is_a_problem(
    cases: Cases, published: str, tmp_path: Path
) -> None:
    keys = [bench.private_key(tmp_path / f"{name}.asc") for name in ("ours", "other")]
    ours, other = (Signing(load_signer(key, cases.clock.now_s)) for key in keys)
    drill_public.build(
        tmp_path / "public", PRODUCT, desk.load_all(cases.store).values(), cases.clock.now_s, ours
    )

    def found(signing: Signing) -> list[str]:
        return list(
            drill_public.problems(tmp_path / "public", cases.case(published), True, (), signing=signing)
        )

    assert found(ours) == []
    assert found(other) == ["the document does not have the signature of the OpenPGP key"]
