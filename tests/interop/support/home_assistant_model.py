"""A model of Home Assistant's MQTT discovery, written from its documentation: what it accepts, what an entity shows.

It knows nothing of device/. Sources: the pages "MQTT", "MQTT update", "MQTT sensor" and "MQTT binary sensor" of
Home Assistant's documentation.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TOPIC = re.compile(
    r"homeassistant/(?P<component>[a-z_]+)/((?P<node>[A-Za-z0-9_-]+)/)?(?P<object>[A-Za-z0-9_-]+)/config"
)
_COMMON = {
    "availability_topic", "availability_mode", "availability_template", "payload_available",
    "payload_not_available", "device", "device_class", "enabled_by_default", "encoding", "entity_category", "icon",
    "json_attributes_topic", "json_attributes_template", "name", "object_id", "origin", "qos", "unique_id",
    "value_template", "state_topic",
}  # fmt: skip
_OWN = {
    "update": {
        "command_topic", "payload_install", "retain", "latest_version_topic", "latest_version_template", "title",
        "release_summary", "release_url", "entity_picture",
    },
    "sensor": {"expire_after", "force_update", "state_class", "unit_of_measurement", "suggested_display_precision"},
    "binary_sensor": {"expire_after", "force_update", "off_delay", "payload_on", "payload_off"},
}  # fmt: skip
_CLASSES = {
    "update": {"firmware"},
    "sensor": {"date", "timestamp", "enum", "temperature", "humidity"},
    "binary_sensor": {"problem", "update", "connectivity"},
}
_UPDATE_STATE = {
    "installed_version": str,
    "latest_version": str,
    "title": str,
    "release_summary": (str, type(None)),
    "release_url": str,
    "entity_picture": str,
    "in_progress": bool,
    "update_percentage": (int, float, type(None)),
}
_TEMPLATE = re.compile(r"\{\{ value_json\.([a-z0-9_]+) \}\}")
_DEVICE = {
    "configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model", "model_id", "name",
    "serial_number", "suggested_area", "sw_version", "via_device",
}  # fmt: skip


class Refused(Exception):
    """Home Assistant would refuse the message, or show nothing."""


@dataclass(frozen=True)
class Entity:
    """One accepted configuration."""

    component: str
    config: dict[str, Any]

    def is_available(self, messages: Mapping[str, bytes]) -> bool:
        return messages.get(self.config["availability_topic"]) == b"online"

    def state(self, messages: Mapping[str, bytes]) -> Any:
        """Return what the entity shows; raises Refused for a state that it does not understand."""
        payload = messages.get(self.config["state_topic"])
        if payload is None:
            return None
        values = json.loads(payload)
        if self.component == "update":
            return _update(values)
        name = _TEMPLATE.fullmatch(self.config["value_template"])
        if name is None:
            raise Refused("template")
        value = values.get(name[1])
        if self.component == "binary_sensor":
            if value not in (self.config.get("payload_on", "ON"), self.config.get("payload_off", "OFF")):
                raise Refused(f"binary state {value!r}")
            return value == self.config.get("payload_on", "ON")
        if value is not None and self.config.get("device_class") == "date":
            return datetime.date.fromisoformat(value)
        if value is not None and "unit_of_measurement" in self.config:
            return float(value)
        return value


def _update(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if name not in _UPDATE_STATE:
            raise Refused(f"update state {name}")
        if not isinstance(value, _UPDATE_STATE[name]):
            raise Refused(f"update state {name}: {value!r}")
    if len(values.get("release_summary") or "") > 255:
        raise Refused("release_summary")
    return values


def discovered(messages: Mapping[str, bytes]) -> list[Entity]:
    """Return the entities that the retained messages make. Raises Refused."""
    found = [
        _entity(topic, messages[topic]) for topic in sorted(messages) if topic.startswith("homeassistant/")
    ]
    identifiers = [entity.config["unique_id"] for entity in found]
    if len(identifiers) != len(set(identifiers)):
        raise Refused("two entities have one unique_id")
    return found


def _entity(topic: str, payload: bytes) -> Entity:
    place = _TOPIC.fullmatch(topic)
    if place is None or place["component"] not in _OWN:
        raise Refused(f"topic {topic}")
    component = place["component"]
    config = json.loads(payload)
    unknown = set(config) - _COMMON - _OWN[component]
    if unknown:
        raise Refused(f"{topic}: {sorted(unknown)}")
    for name in ("unique_id", "state_topic", "name", "device", "availability_topic"):
        if not config.get(name):
            raise Refused(f"{topic}: no {name}")
    if config["unique_id"] != place["object"]:
        raise Refused("best practice: the object id is the unique_id")
    _kinds(component, config)
    _device(config["device"])
    if not config.get("origin", {}).get("name"):
        raise Refused("origin has no name")
    return Entity(component, config)


def _kinds(component: str, config: dict[str, Any]) -> None:
    if config.get("device_class") not in _CLASSES[component] | {None}:
        raise Refused(f"device class {config['device_class']}")
    if config.get("entity_category") not in ("config", "diagnostic", None):
        raise Refused("entity category")
    if component == "sensor" and config.get("entity_category") == "config":
        raise Refused("a sensor cannot be of the category config")
    if ("payload_install" in config) != ("command_topic" in config):
        raise Refused("payload_install and command_topic belong together")


def _device(device: dict[str, Any]) -> None:
    if set(device) - _DEVICE or (not device.get("identifiers") and not device.get("connections")):
        raise Refused("device")
    if not device.get("configuration_url", "https://").startswith(
        ("http://", "https://", "homeassistant://")
    ):
        raise Refused("configuration_url")
