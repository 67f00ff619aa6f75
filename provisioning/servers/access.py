"""The rights on MQTT topics: one table (docs/reference/topics.md) from which both brokers get their rules.

`%u` is the user name, which is the common name of the TLS client certificate. A right that no row gives is denied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

PUBLISHER: Final = "publisher"
TRACKER: Final = "tracker"
SERVICES: Final = (PUBLISHER, TRACKER)
_SERVICE: Final = re.compile(rf"({'|'.join(SERVICES)})(?:-[A-Za-z0-9._-]{{1,64}})?")


def service_of(user: str) -> str | None:
    """Return the service of a user name: "publisher" for "publisher" and "publisher-NAME"; None for a device, and for
    a NAME that is not plain: it goes into the broker's files as it is.
    """
    found = _SERVICE.fullmatch(user)
    return None if found is None else found[1]


@dataclass(frozen=True)
class Rights:
    """The topic filters that a user may publish and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def device_rights(class_ids: Sequence[bytes]) -> Rights:
    """Return the rights of every device: use its own topics, and read what its maker publishes for these classes."""
    return Rights(
        publish=("fb/d/%u/fresh/req", "fb/d/%u/report"),
        subscribe=("fb/d/%u/fresh", *(f"fb/{class_id.hex()}/#" for class_id in class_ids)),
    )


def service_rights(class_ids: Sequence[bytes]) -> dict[str, Rights]:
    """Return the rights of the maker's own services. The publisher may also read, to check what it wrote."""
    releases = tuple(f"fb/{class_id.hex()}/#" for class_id in class_ids)
    return {
        PUBLISHER: Rights(publish=releases, subscribe=releases),
        TRACKER: Rights(publish=("fb/d/+/fresh",), subscribe=("fb/d/+/fresh/req", "fb/d/+/report")),
    }


def rights_of(user: str, class_ids: Sequence[bytes]) -> Rights:
    """Return the rights of one user, with `%u` filled in. A user name with a wildcard or a slash has no rights."""
    if not user or any(character in user for character in "+#/"):
        return Rights((), ())
    service = service_of(user)
    if service is not None:
        return service_rights(class_ids)[service]
    rights = device_rights(class_ids)
    return Rights(
        publish=tuple(topic.replace("%u", user) for topic in rights.publish),
        subscribe=tuple(topic.replace("%u", user) for topic in rights.subscribe),
    )


class ServedUnits:
    """The devices that have access now; None: every device. The set can be replaced while a broker runs."""

    def __init__(self, device_ids: Iterable[bytes] | None = None) -> None:
        self.ids: frozenset[bytes] | None = None
        if device_ids is not None:
            self.replace(device_ids)

    def replace(self, device_ids: Iterable[bytes]) -> None:
        """Replace the set: from now on only these devices have access."""
        self.ids = frozenset(device_ids)

    def holds(self, user: str) -> bool:
        """Return whether a user of this name has any rights. The maker's own users always have rights."""
        return (
            self.ids is None
            or service_of(user) is not None
            or user in {device_id.hex() for device_id in self.ids}
        )


def covers(allowed: str, wanted: str) -> bool:
    """Return whether the filter `allowed` covers every topic that the filter or topic `wanted` matches."""
    allowed_levels, wanted_levels = allowed.split("/"), wanted.split("/")
    for index, level in enumerate(allowed_levels):
        if level == "#":
            return True
        if index >= len(wanted_levels) or wanted_levels[index] == "#":
            return False
        if level != "+" and level != wanted_levels[index]:
            return False
    return len(allowed_levels) == len(wanted_levels)


def mosquitto_acl(
    class_ids: Sequence[bytes], units: Iterable[bytes] | None = None, services: Sequence[str] = SERVICES
) -> str:
    """Return the table in mosquitto's acl_file syntax.

    `units`: the device ids that have access, each with rights of its own; any other device has no rights, even with a
    valid certificate. None: a pattern that gives each certificate rights on its own topics. Raises ValueError for a
    name that is not a service's.
    """
    if unknown := [user for user in services if service_of(user) is None]:
        raise ValueError(f"{unknown[0]!r} is not a publisher or tracker")
    lines = []
    for user in services:
        rights = rights_of(user, class_ids)
        lines.append(f"user {user}")
        lines += [f"topic write {topic}" for topic in rights.publish]
        lines += [f"topic read {topic}" for topic in rights.subscribe]
        lines.append("")
    if units is None:
        rights = device_rights(class_ids)
        lines += [f"pattern write {topic}" for topic in rights.publish]
        lines += [f"pattern read {topic}" for topic in rights.subscribe]
    for device_id in units or ():
        user = device_id.hex()
        rights = rights_of(user, class_ids)
        lines.append(f"user {user}")
        lines += [f"topic write {topic}" for topic in rights.publish]
        lines += [f"topic read {topic}" for topic in rights.subscribe]
        lines.append("")
    return "\n".join(lines) + "\n"
