"""The messages of a unit for Home Assistant: topics, members and bounds on every interpreter."""

import json

from device.limits import APP_READINGS, HOME_SUMMARY_CHARS, HOME_TEXT_CHARS
from device.net import home_assistant as home

UNIT = home.Unit("lamp-0001", "Firstboot", "Lamp One", "1.2.3+0")
NAMES = (
    "latest",
    "sequence",
    "is_busy",
    "summary",
    "support_end",
    "update",
    "is_stale",
    "is_withheld",
    "readings",
)
FACTS = home.Facts("1.3.0", 7, False, "a leak of names", "2031-03-31", "idle", False, True, ())


def facts_with(**changes):
    return home.Facts(*[changes.get(name, FACTS[index]) for index, name in enumerate(NAMES)])


def configured(facts=FACTS, may_install=True):
    """Return {topic: decoded payload}, None for an empty one."""
    return {
        topic: json.loads(payload) if payload else None
        for topic, payload in home.configurations(UNIT, facts, may_install)
    }


def published(facts=FACTS):
    """Return the decoded states of the update entity and of everything else."""
    (_, update), (_, state) = home.states(UNIT, facts)
    return json.loads(update), json.loads(state)


def test_the_update_entity_can_be_installed_only_if_the_owner_allows_it():
    topic = "homeassistant/update/lamp-0001_update/config"
    allowed = configured()[topic]
    assert allowed["command_topic"] == "firstboot/lamp-0001/install"
    assert allowed["payload_install"] == "install-7" and allowed["retain"] is False
    refused = configured(may_install=False)[topic]
    assert "command_topic" not in refused and "payload_install" not in refused


def test_the_command_names_the_release_that_waits():
    assert home.command(7) == "install-7" and home.command(8) != home.command(7)


def test_every_entity_belongs_to_one_device_and_has_the_same_availability():
    found = [config for config in configured().values() if config]
    assert {config["device"]["identifiers"][0] for config in found} == {"firstboot_lamp-0001"}
    assert {config["availability_topic"] for config in found} == {"firstboot/lamp-0001/availability"}
    assert len({config["unique_id"] for config in found}) == len(found) == 5


def test_the_state_of_the_update_names_both_versions():
    update, state = published()
    assert (update["installed_version"], update["latest_version"]) == ("1.2.3+0", "1.3.0")
    assert update["in_progress"] is False and update["release_summary"] == "a leak of names"
    assert state == {
        "support_end": "2031-03-31",
        "update_state": "idle",
        "stale": "OFF",
        "withheld": "ON",
    }


def test_each_template_names_a_member_of_the_state():
    facts = facts_with(readings=(("Heat", "C", 20.5), ("Mode", "", "warm")))
    _, state = published(facts)
    for topic, config in configured(facts).items():
        if config and "value_template" in config:
            assert config["value_template"] == "{{ value_json." + topic.split("/")[2][10:] + " }}"
            assert config["value_template"][14:-3] in state


def test_an_application_has_as_many_sensors_as_readings_and_the_rest_is_removed():
    facts = facts_with(readings=(("Heat", "C", 20.5), ("Lit", "", True)))
    found = configured(facts)
    shown = [topic for topic in found if "_app_" in topic and found[topic]]
    assert len(shown) == 2 and len([topic for topic in found if found[topic] is None]) == APP_READINGS - 2
    heat = found["homeassistant/sensor/lamp-0001_app_0/config"]
    assert heat["name"] == "Heat" and heat["unit_of_measurement"] == "C"
    assert "unit_of_measurement" not in found["homeassistant/sensor/lamp-0001_app_1/config"]


def test_a_reading_with_a_unit_is_a_number_or_nothing():
    values = (3, 2.5, None, "warm", True, False)
    facts = facts_with(readings=tuple([("Heat", "C", value) for value in values]))
    _, state = published(facts)
    assert [state["app_" + str(index)] for index in range(6)] == [3, 2.5, None, None, None, None]
    facts = facts_with(readings=tuple([("Heat", "", value) for value in values]))
    _, state = published(facts)
    assert [state["app_" + str(index)] for index in range(6)] == [3, 2.5, None, "warm", "yes", "no"]


def test_long_texts_are_cut_and_no_text_breaks_the_json():
    facts = facts_with(latest="9" * 400, summary='"}' * 400, readings=(("La\nmp", "", "\u2028" * 200),) * 12)
    update, state = published(facts)
    assert len(update["latest_version"]) == HOME_TEXT_CHARS
    assert len(update["release_summary"]) == HOME_SUMMARY_CHARS
    assert len(state["app_7"]) == HOME_TEXT_CHARS and "app_8" not in state
    assert len(configured(facts)) == 5 + APP_READINGS


def test_everything_that_is_published_can_be_removed():
    facts = facts_with(readings=(("Heat", "C", 1),) * APP_READINGS)
    topics = set(configured(facts)) | {topic for topic, _ in home.states(UNIT, facts)}
    topics.add(home.availability_topic(UNIT))
    removed = list(home.removals(UNIT))
    assert {topic for topic, _ in removed} == topics and not any([payload for _, payload in removed])


def test_nothing_of_the_unit_but_its_name_is_in_a_topic():
    for topic in configured():
        assert topic.startswith("homeassistant/") and topic.endswith("/config") and "lamp-0001" in topic
