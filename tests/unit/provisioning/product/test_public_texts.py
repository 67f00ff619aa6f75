"""Texts that a maker publishes are values: times, addresses, lines."""

from __future__ import annotations

import pytest

from provisioning.product.public_texts import (
    LINE,
    POLICY,
    REPORT,
    acknowledgement_words,
    status_update_words,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("within 3 working days", "within 3 working days"),
        ("Within 24 hours", "within 24 hours"),
        ("1 day", "within 1 day"),
        ("1 days", "within 1 day"),
    ],
)
def test_a_time_of_acknowledgement_is_printed_from_its_value(text: str, words: str) -> None:
    assert acknowledgement_words(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "as soon as possible; our phones are staffed 24 hours a day",
        "we do not promise 3 days",
        "within 0 days",
        "within -3 days",
        "within 2.5 days",
        "within 3 working days, usually",
        "not within 3 days",
        "within three days",
        "within \u0663 days",
        "within 3 days\n",
        "promptly",
        "",
    ],
)
def test_a_sentence_that_mentions_a_number_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="RP-02"):
        acknowledgement_words(text)


def test_status_updates_come_until_the_problem_is_resolved() -> None:
    assert status_update_words("every 14 days until resolved") == "every 14 days until resolved"
    assert status_update_words(status_update_words("Every 1 weeks until it is resolved"))
    for text in ("every 14 days", "every 0 days until resolved", "we may write every 14 days until resolved"):
        with pytest.raises(ValueError, match="RP-03"):
            status_update_words(text)


@pytest.mark.parametrize(
    "text",
    [
        "mailto:security@maker.co.uk",
        "mailto:a.b+c@x-y.org",
        "tel:+44-20-7946-0000",
        "https://maker.co.uk/report/",
    ],
)
def test_an_address_that_a_report_reaches_is_taken(text: str) -> None:
    assert REPORT.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "mailto:", "mailto:@maker.uk", "mailto:security", "mailto:security@", "mailto:a@b@c.uk", "mailto:a@localhost",
        "mailto:.a@maker.uk", "mailto:a@maker.uk?cc=b@maker.uk", "mailto:a@-maker.uk", "mailto:a@192.0.2.1", "tel:",
        "tel:999", "tel:+44", "https://", "https://maker", "https://user:pass@maker.uk/", "http://maker.uk/",
    ],
)  # fmt: skip
def test_an_address_without_a_server_is_refused(text: str) -> None:
    assert not REPORT.fullmatch(text)


@pytest.mark.parametrize(
    "path", ["../x", "a/../x", "a/./x", "..", ".", "a//b", "a\\b", "%2e%2e/x", "a?b", "a#b", "a b", "a\n"]
)
def test_a_policy_is_a_page_of_plain_names(path: str) -> None:
    assert POLICY.fullmatch("https://maker.uk/security.html/policy-1")
    assert not POLICY.fullmatch(f"https://maker.uk/{path}")


@pytest.mark.parametrize(
    "sign", ["\n", "\u202e", "\u2066", "\u200b", "\u2028", "\x1b", "\x85", "\ufeff", "\U000e0041"]
)
def test_a_character_that_changes_how_a_line_is_shown_is_refused(sign: str) -> None:
    assert LINE.fullmatch("Łampa Ö 2") and not LINE.fullmatch(f"a{sign}b")
