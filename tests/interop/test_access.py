"""The table of rights: its content, and that both brokers get the same one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from provisioning.servers.access import PUBLISHER, TRACKER, covers, mosquitto_acl, rights_of

CLASS_IDS = [bytes(16), bytes(range(16))]
LEVELS = st.sampled_from(["fb", "d", "a", "b", "+"])
FILTERS = st.builds(
    lambda levels, is_open: "/".join([*levels, "#"] if is_open else levels),
    st.lists(LEVELS, min_size=1, max_size=4),
    st.booleans(),
)
TOPICS = st.lists(st.sampled_from(["fb", "d", "a", "b"]), min_size=1, max_size=5).map("/".join)


def matches(topic: str, pattern: str) -> bool:
    """Return whether a filter matches a topic (MQTT 3.1.1 section 4.7), as an independent regular expression."""
    levels = ["[^/]+" if level == "+" else re.escape(level) for level in pattern.split("/")]
    text = "/".join(levels)
    if text.endswith("/\\#"):
        text = text[:-3] + "(/.*)?"
    return re.fullmatch(text, topic) is not None


@given(FILTERS, TOPICS)
def test_a_filter_covers_the_topics_that_it_matches(pattern: str, topic: str) -> None:
    assert covers(pattern, topic) == matches(topic, pattern)


@given(FILTERS, FILTERS, TOPICS)
def test_what_covers_a_filter_covers_every_topic_of_it(allowed: str, wanted: str, topic: str) -> None:
    if covers(allowed, wanted) and matches(topic, wanted):
        assert matches(topic, allowed)


def test_a_device_has_its_own_topics_and_the_releases() -> None:
    device = "ab" * 16
    rights = rights_of(device, CLASS_IDS)
    assert rights.publish == (f"fb/d/{device}/fresh/req", f"fb/d/{device}/report")
    assert rights.subscribe == (f"fb/d/{device}/fresh", *(f"fb/{item.hex()}/#" for item in CLASS_IDS))


def test_a_name_with_a_wildcard_or_a_slash_has_no_rights() -> None:
    for name in ("", "+", "#", "a/b", "../x"):
        rights = rights_of(name, CLASS_IDS)
        assert rights.publish == rights.subscribe == ()


def test_only_the_publisher_may_write_releases_and_only_the_tracker_answers() -> None:
    for user in (PUBLISHER, TRACKER, "ab" * 16):
        publish = rights_of(user, CLASS_IDS).publish
        assert any(covers(entry, f"fb/{CLASS_IDS[0].hex()}/manifest") for entry in publish) == (
            user == PUBLISHER
        )
        assert any(covers(entry, "fb/d/" + "cd" * 16 + "/fresh") for entry in publish) == (user == TRACKER)


def test_the_mosquitto_file_holds_exactly_the_table() -> None:
    text = mosquitto_acl([CLASS_IDS[1]])
    release = f"fb/{CLASS_IDS[1].hex()}/#"
    assert text.split("\n\n") == [
        f"user publisher\ntopic write {release}\ntopic read {release}",
        "user tracker\ntopic write fb/d/+/fresh\ntopic read fb/d/+/fresh/req\ntopic read fb/d/+/report",
        "pattern write fb/d/%u/fresh/req\npattern write fb/d/%u/report\n"
        f"pattern read fb/d/%u/fresh\npattern read {release}\n",
    ]
