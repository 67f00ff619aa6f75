"""Retained topics of a broker by their exact names: read, write with read-back, remove.

At most WINDOW topics are subscribed to at a time, so a broker never has more than WINDOW messages to queue for us.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from provisioning import fair_time
from provisioning.release.store import PublishError
from provisioning.servers.broker import SAVED_AFTER_CHANGES
from provisioning.servers.errors import ServerError
from provisioning.servers.mqtt_client import MqttAccess, MqttClient
from provisioning.servers.service import Service

READ_BACK_S: Final = 15.0  # without a message of the broker; each message starts it again
WINDOW: Final = 64


class RetainedTopics(Service):
    """One connection as the user `name`. Use as a context manager. Raises PublishError."""

    def __init__(self, access: MqttAccess, name: str) -> None:
        self._changed = threading.Condition()
        self._messages = 0
        self._received: dict[str, bytes] = {}  # of the topics that are subscribed to now
        self._client = MqttClient(access, name, on_message=self._keep)

    def start(self) -> None:
        """Connect."""
        try:
            self._client.start()
        except ServerError as error:
            raise PublishError(str(error)) from error

    def stop(self) -> None:
        self._client.stop()

    def get(self, topics: Sequence[str]) -> dict[str, bytes]:
        """Return what the broker retains under `topics`. A topic without a retained message is left out.

        A broker handles one packet of a connection after the other, and waits for no receipts here (QoS 0): it has
        sent what it retains before it acknowledges the end of the subscription. So a missing message is known at
        once, without a timeout.
        """
        found: dict[str, bytes] = {}
        for window in _windows(topics):
            self._subscribe(window)
            found |= self._unsubscribe(window)
        return found

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Retain `contents`, then read each topic back and compare."""
        for window in _windows(list(contents)):
            self._publish({topic: contents[topic] for topic in window})
            wanted = {topic: _digest(contents[topic]) for topic in window}
            self._subscribe(window)
            self._wait(
                lambda wanted=wanted: all(  # type: ignore[misc]
                    _digest(self._received.get(topic, b"")) == digest for topic, digest in wanted.items()
                ),
                READ_BACK_S,
            )
            found = self._unsubscribe(window)
            missing = [topic for topic in window if _digest(found.get(topic, b"")) != wanted[topic]]
            self._require_none(missing, "does not give back")

    def remove(self, topics: Sequence[str]) -> None:
        """Remove what is retained under `topics`; the broker has to pass each removal on."""
        for window in _windows(topics):
            self._subscribe(window)
            self._publish(dict.fromkeys(window, b""))
            self._wait(
                lambda window=window: all(self._received.get(topic) == b"" for topic in window),  # type: ignore[misc]
                READ_BACK_S,
            )
            found = self._unsubscribe(window)
            self._require_none([topic for topic in window if found.get(topic) != b""], "does not remove")

    def make_durable(self, topic: str) -> None:
        """Make the broker save what was published before: change the retained `topic` often enough, then remove it.

        For brokers that save after SAVED_AFTER_CHANGES changes (mosquitto's autosave_on_changes). The broker has
        saved when it answers the subscription, because it answers one packet after the other.
        """
        try:
            changes = [b"."] * SAVED_AFTER_CHANGES + [b""]
            self._client.wait([self._client.publish(topic, data, is_retained=True) for data in changes])
            self._client.subscribe([topic])
            self._client.unsubscribe([topic])
        except ServerError as error:
            raise PublishError(str(error)) from error

    def _require_none(self, missing: Sequence[str], what: str) -> None:
        if missing:
            cause = self._client.problem or self._client.last_end
            problem = f" ({cause})" if cause else ""
            raise PublishError(f"the broker {what} {len(missing)} topics, the first is {missing[0]}{problem}")

    def _publish(self, contents: Mapping[str, bytes]) -> None:
        try:
            self._client.wait(
                [
                    self._client.publish(topic, payload, is_retained=True)
                    for topic, payload in contents.items()
                ]
            )
        except ServerError as error:
            raise PublishError(str(error)) from error

    def _subscribe(self, topics: Sequence[str]) -> None:
        with self._changed:
            self._received = {}
        try:
            self._client.subscribe(topics)
        except ServerError as error:
            raise PublishError(str(error)) from error

    def _unsubscribe(self, topics: Sequence[str]) -> dict[str, bytes]:
        """Unsubscribe. Return the messages that were received since `_subscribe`."""
        try:
            self._client.unsubscribe(topics)
        except ServerError as error:
            raise PublishError(str(error)) from error
        with self._changed:
            found, self._received = self._received, {}
        return found

    def _wait(self, is_done: Callable[[], bool], quiet_s: float) -> None:
        """Return when `is_done`, or after `quiet_s` without a message."""
        with self._changed:
            while not is_done():
                seen = self._messages
                if not fair_time.wait_for(self._changed, lambda seen=seen: self._messages != seen, quiet_s):  # type: ignore[misc]
                    return

    def _keep(self, topic: str, payload: bytes) -> None:
        with self._changed:
            self._received[topic] = payload
            self._messages += 1
            self._changed.notify_all()


def _windows(topics: Sequence[str]) -> list[Sequence[str]]:
    return [topics[at : at + WINDOW] for at in range(0, len(topics), WINDOW)]


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
