"""The messages of a unit to Home Assistant over MQTT, and the one command that it takes: topics and JSON, no I/O.

Rules:
1. Every topic begins with the discovery prefix or with `firstboot/`, and contains the unit's name on the network, which
   is on its label. No serial number, no key, no owner.
2. The unit publishes only retained messages. An empty one removes an entity.
3. A command names the release that it installs. The unit ignores one for another release, and one that a broker kept.
4. A reading with a unit is a number or nothing: Home Assistant keeps a history of it.

Source: Home Assistant's documentation of MQTT discovery, and of the entities update, sensor and binary sensor.
"""

import json
from collections import namedtuple

from device.compat import const
from device.limits import APP_READINGS, HOME_EXPIRE_S, HOME_SUMMARY_CHARS, HOME_TEXT_CHARS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator

DISCOVERY = "homeassistant/"
ONLINE = b"online"
OFFLINE = b"offline"

# The unit as the home sees it. name: on its network; model, brand: texts of the maker; version: of the software.
Unit = namedtuple("Unit", ("name", "brand", "model", "version"))
# What is published. latest: version text; sequence: of the release that waits, 0 if none does; is_busy: an update is
# being installed; summary: what that release fixes; support_end: "2031-03-31"; update: a word of service.py or
# agent/status.py; readings: ((label, unit, value), ...).
Facts = namedtuple(
    "Facts",
    (
        "latest",
        "sequence",
        "is_busy",
        "summary",
        "support_end",
        "update",
        "is_stale",
        "is_withheld",
        "readings",
    ),
)

# (component, id, name, further members); the value of each is the member `id` of the state message.
_ENTITIES: "tuple[tuple[str, str, str, dict[str, str]], ...]" = (
    ("sensor", "support_end", "Security updates until", {"device_class": "date"}),
    ("sensor", "update_state", "Update state", {}),
    ("binary_sensor", "stale", "No contact with the manufacturer", {"device_class": "problem"}),
    ("binary_sensor", "withheld", "Published updates do not arrive", {"device_class": "problem"}),
)


def base(unit: "Unit") -> str:
    """Return the beginning of the unit's own topics, with the final slash."""
    return "firstboot/" + str(unit.name) + "/"


def availability_topic(unit: "Unit") -> str:
    return base(unit) + "availability"


def command_topic(unit: "Unit") -> str:
    return base(unit) + "install"


def command(sequence: int) -> str:
    """Return the only payload that starts the installation of the release `sequence`."""
    return "install-" + str(sequence)


def configurations(
    unit: "Unit", facts: "Facts", may_install: bool
) -> "Generator[tuple[str, bytes], None, None]":
    """Yield (topic, payload) of every entity; an empty payload for a reading that the application does not have."""
    yield _topic("update", unit, "update"), _update(unit, facts, may_install)
    for component, name, title, more in _ENTITIES:
        yield _topic(component, unit, name), _state_entity(unit, component, name, title, more)
    for index in range(APP_READINGS):
        name = "app_" + str(index)
        if index >= len(facts.readings):
            yield _topic("sensor", unit, name), b""
            continue
        label, measured_in, _ = facts.readings[index]
        measured = {"unit_of_measurement": measured_in, "state_class": "measurement"} if measured_in else {}
        yield _topic("sensor", unit, name), _state_entity(unit, "sensor", name, label, measured)


def removals(unit: "Unit") -> "Generator[tuple[str, bytes], None, None]":
    """Yield (topic, empty payload) for everything that the unit ever publishes."""
    nothing = Facts("", 0, False, "", "", "", False, False, ())
    for topic, _ in configurations(unit, nothing, False):
        yield topic, b""
    for name in ("update", "state", "availability"):
        yield base(unit) + name, b""


def states(unit: "Unit", facts: "Facts") -> "tuple[tuple[str, bytes], ...]":
    """Return (topic, payload) of the present state: of the update entity, and of everything else."""
    shown: "dict[str, Any]" = {
        "installed_version": unit.version[:HOME_TEXT_CHARS],
        "latest_version": facts.latest[:HOME_TEXT_CHARS],
        "in_progress": facts.is_busy,
        "title": _title(unit),
        "release_summary": facts.summary[:HOME_SUMMARY_CHARS] or None,
    }
    values: "dict[str, Any]" = {
        "support_end": facts.support_end or None,
        "update_state": facts.update,
        "stale": "ON" if facts.is_stale else "OFF",
        "withheld": "ON" if facts.is_withheld else "OFF",
    }
    for index in range(min(len(facts.readings), APP_READINGS)):
        _, measured_in, value = facts.readings[index]
        values["app_" + str(index)] = _value(value, measured_in)
    return (base(unit) + "update", _json(shown)), (base(unit) + "state", _json(values))


def _topic(component: str, unit: "Unit", name: str) -> str:
    return DISCOVERY + component + "/" + _identity(unit, name) + "/config"


def _identity(unit: "Unit", name: str) -> str:
    return str(unit.name) + "_" + name


def _title(unit: "Unit") -> str:
    return "{} {}".format(unit.brand, unit.model)[:HOME_TEXT_CHARS]


def _common(unit: "Unit", name: str, title: str) -> "dict[str, Any]":
    return {
        "name": title,
        "unique_id": _identity(unit, name),
        "object_id": _identity(unit, name),
        "availability_topic": availability_topic(unit),
        "device": {
            "identifiers": ["firstboot_" + unit.name],
            "name": _title(unit),
            "manufacturer": unit.brand[:HOME_TEXT_CHARS],
            "model": unit.model[:HOME_TEXT_CHARS],
            "sw_version": unit.version[:HOME_TEXT_CHARS],
            "configuration_url": "https://" + unit.name + ".local/",
        },
        "origin": {"name": "Firstboot", "sw_version": unit.version[:HOME_TEXT_CHARS]},
    }


def _update(unit: "Unit", facts: "Facts", may_install: bool) -> bytes:
    found = _common(unit, "update", "Software")
    found["state_topic"] = base(unit) + "update"
    found["device_class"] = "firmware"
    found["entity_category"] = "config"
    if may_install:
        found["command_topic"] = command_topic(unit)
        found["payload_install"] = command(facts.sequence)
        found["retain"] = False
        found["qos"] = 0
    return _json(found)


def _state_entity(unit: "Unit", component: str, name: str, title: str, more: "dict[str, str]") -> bytes:
    found = _common(unit, name, title)
    found["state_topic"] = base(unit) + "state"
    found["value_template"] = "{{ value_json." + name + " }}"
    found["expire_after"] = HOME_EXPIRE_S
    if not name.startswith("app_"):
        found["entity_category"] = "diagnostic"
    for key in more:
        found[key] = more[key]
    return _json(found)


def _value(value: "Any", measured_in: str) -> "Any":
    if isinstance(value, bool):
        return None if measured_in else ("yes" if value else "no")
    if isinstance(value, (int, float)) or value is None:
        return value
    return None if measured_in else str(value)[:HOME_TEXT_CHARS]


def _json(value: "dict[str, Any]") -> bytes:
    return json.dumps(value).encode("utf-8")
