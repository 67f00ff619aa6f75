"""Publishing over MQTT: retained topics of docs/reference/topics.md, written by the user `publisher`.

Rules:
1. Chunks and chunk list first, then the manifest, so a device never sees a manifest whose objects are missing.
2. A broker acknowledges what it denies, so everything is read back and compared.
3. Superseded objects are removed only when asked for, after the manifest that replaced them.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Final

from provisioning.release.release import Release
from provisioning.release.store import PublishError
from provisioning.servers.access import PUBLISHER
from provisioning.servers.errors import ServerError
from provisioning.servers.mqtt_client import MqttAccess, MqttClient
from provisioning.servers.service import Service

READ_BACK_S: Final = 15.0
WINDOW: Final = 64  # messages handed to the client before their acknowledgements are awaited


class MqttPublisher(Service):
    """Publishes for one product class. Use as a context manager. Raises PublishError."""

    def __init__(self, access: MqttAccess, class_id: bytes) -> None:
        self.class_id = class_id
        self._prefix = f"fb/{class_id.hex()}/"
        self._changed = threading.Condition()
        self._digests: dict[str, bytes] = {}  # topic -> SHA-256 of what the broker gives to a reader
        self._current: Release | None = None
        self._client = MqttClient(access, PUBLISHER, topics=(self._prefix + "#",), on_message=self._received)

    def start(self) -> None:
        """Connect and read what is published so far."""
        try:
            self._client.start()
        except ServerError as error:
            raise PublishError(str(error)) from error

    def stop(self) -> None:
        self._client.stop()

    def publish_release(self, release: Release) -> int:
        """Publish objects, then the manifest; gives the number of topics. Raises PublishError."""
        objects = {f"o/{digest.hex()}": data for digest, data in release.small_objects().items()}
        self._publish({self._prefix + name: data for name, data in objects.items()})
        self._publish({self._prefix + "manifest": release.envelope})
        self._current = release
        return len(objects) + 1

    def publish_support(self, record: bytes) -> None:
        """Publish a signed support record."""
        self._publish({self._prefix + "support": record})

    def publish_contact(self, record: bytes) -> None:
        """Publish a signed security contact."""
        self._publish({self._prefix + "contact": record})

    def publish_keyset(self, record: bytes) -> None:
        """Publish a signed key set."""
        self._publish({self._prefix + "keyset": record})

    def publish_raw(self, topic: str, payload: bytes) -> None:
        """Publish one retained topic as it is; an empty payload removes it."""
        self._publish({topic: payload})

    def remove_superseded(self) -> list[str]:
        """Remove retained objects that the release published last by this object does not need."""
        current = self._current
        if current is None:
            raise PublishError("publish a release first: what is superseded follows from it")
        keep = {f"{self._prefix}o/{digest.hex()}" for digest in current.small_objects()}
        with self._changed:
            superseded = sorted(
                topic
                for topic in self._digests
                if topic.startswith(self._prefix + "o/") and topic not in keep
            )
        self._publish(dict.fromkeys(superseded, b""))
        return superseded

    def _publish(self, messages: dict[str, bytes]) -> None:
        topics = list(messages)
        try:
            for start in range(0, len(topics), WINDOW):
                window = topics[start : start + WINDOW]
                self._client.wait(
                    [self._client.publish(topic, messages[topic], is_retained=True) for topic in window]
                )
        except ServerError as error:
            raise PublishError(str(error)) from error
        self._read_back(messages)

    def _read_back(self, messages: dict[str, bytes]) -> None:
        wanted = {topic: hashlib.sha256(data).digest() for topic, data in messages.items()}
        with self._changed:
            is_there = self._changed.wait_for(
                lambda: all(self._digests.get(topic) == digest for topic, digest in wanted.items()),
                READ_BACK_S,
            )
            missing = [topic for topic, digest in wanted.items() if self._digests.get(topic) != digest]
            for topic, data in messages.items():
                if not data:
                    self._digests.pop(topic, None)
        if not is_there:
            raise PublishError(
                f"the broker does not give back {len(missing)} topics, the first is {missing[0]}"
            )

    def _received(self, topic: str, payload: bytes) -> None:
        with self._changed:
            self._digests[topic] = hashlib.sha256(payload).digest()
            self._changed.notify_all()
