"""Publishing over MQTT: retained topics of docs/reference/topics.md, written by the user `publisher`.

Rules:
1. Chunks and chunk lists first, then the manifest, so a device never sees a manifest whose objects are missing.
2. A broker acknowledges messages that it denies, so each topic is read back by its exact name and compared. A
   wildcard would make the broker queue every retained object at once, and brokers drop what exceeds their queue
   (mosquitto: 1000 messages).
3. The topic `published` lists the chunk lists whose objects the broker may hold. It is written before the objects.
   Each chunk list names its chunks, so everything that was ever published can be found without a wildcard.
4. Superseded objects are removed only on request, after the manifest that replaced them: the chunks first, their list
   last, so an interrupted removal can be repeated.
5. Each operation returns after the broker saved the result (RetainedTopics.make_durable).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from device.errors import FirstbootError
from provisioning.publishing.topics import RetainedTopics
from provisioning.release.release import Release, image_digests
from provisioning.release.store import PublishError
from provisioning.servers.access import PUBLISHER
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.service import Service

DIGEST_BYTES: Final = 32
PUBLISHED: Final = "published"
FENCE: Final = "fence"
PUBLISHED_BYTES: Final = 65536 - 256  # one message of a broker that takes packets of 64 KiB


class MqttPublisher(Service):
    """Publishes for one product class. Use as a context manager. Raises PublishError.

    `name` is the user name in the certificate: "publisher", or "publisher-NAME" for one of several at a time.
    """

    def __init__(self, access: MqttAccess, class_id: bytes, name: str = PUBLISHER) -> None:
        self.class_id = class_id
        self._prefix = f"fb/{class_id.hex()}/"
        self._current: Release | None = None
        self._topics = RetainedTopics(access, name)

    def start(self) -> None:
        """Connect."""
        self._topics.start()

    def stop(self) -> None:
        self._topics.stop()

    def publish_release(self, release: Release) -> int:
        """Publish objects, then the manifest. Returns the number of topics, without the list."""
        objects = {f"o/{digest.hex()}": data for digest, data in release.small_objects().items()}
        self._write_list({*self._read_list(), *_chunk_lists(release)})
        self._put(objects)
        self._put({"manifest": release.envelope})
        self._topics.make_durable(self._prefix + FENCE)
        self._current = release
        return len(objects) + 1

    def publish_support(self, record: bytes) -> None:
        """Publish a signed support record."""
        self._put_record("support", record)

    def publish_contact(self, record: bytes) -> None:
        """Publish a signed security contact."""
        self._put_record("contact", record)

    def publish_keyset(self, record: bytes) -> None:
        """Publish a signed key set."""
        self._put_record("keyset", record)

    def published(self, name: str) -> bytes | None:
        """Return what the broker retains under "manifest", "keyset", "support" or "contact", or None."""
        return self._read(name)

    def publish_raw(self, topic: str, payload: bytes) -> None:
        """Publish one retained topic as it is; an empty payload removes it."""
        if payload:
            self._topics.put({topic: payload})
        else:
            self._topics.remove([topic])

    def remove_superseded(self) -> list[str]:
        """Remove the objects that the release published last by this object does not need. Returns their topics."""
        current = self._current
        if current is None:
            raise PublishError("publish a release first: it decides which objects are superseded")
        if self._read("manifest") != current.envelope:
            raise PublishError(
                "another publisher replaced the manifest meanwhile, so nothing was removed: its objects are needed"
            )
        keep = set(current.small_objects())
        removed: list[str] = []
        for digest in sorted(self._read_list() - _chunk_lists(current)):
            chunks = self._chunks_of(digest) - keep
            removed += self._remove(chunks)
            removed += self._remove({digest})
            keep |= chunks  # a chunk of two superseded lists is removed once
        self._write_list(_chunk_lists(current))
        self._topics.make_durable(self._prefix + FENCE)
        return removed

    def _put_record(self, name: str, record: bytes) -> None:
        self._put({name: record})
        self._topics.make_durable(self._prefix + FENCE)

    def _put(self, contents: Mapping[str, bytes]) -> None:
        self._topics.put({self._prefix + name: data for name, data in contents.items()})

    def _remove(self, digests: Iterable[bytes]) -> list[str]:
        topics = [f"{self._prefix}o/{digest.hex()}" for digest in sorted(digests)]
        self._topics.remove(topics)
        return topics

    def _read(self, name: str) -> bytes | None:
        topic = self._prefix + name
        return self._topics.get([topic]).get(topic)

    def _chunks_of(self, chunk_list: bytes) -> set[bytes]:
        """Return the digests of a chunk list on the broker; empty if it is gone or does not match its name."""
        data = self._read(f"o/{chunk_list.hex()}") or b""
        return _split(data) if hashlib.sha256(data).digest() == chunk_list else set()

    def _read_list(self) -> set[bytes]:
        """Return the digests of the chunk lists whose objects the broker may still have."""
        data = self._read(PUBLISHED)
        if data is not None:
            return _split(data)
        manifest = self._read("manifest")  # a broker that an older version of this class published to
        try:
            digests = set() if manifest is None else image_digests(manifest)
        except FirstbootError:
            return set()
        topics = {f"{self._prefix}o/{digest.hex()}": digest for digest in digests}
        return {topics[topic] for topic in self._topics.get(list(topics))}  # payloads are not retained whole

    def _write_list(self, digests: set[bytes]) -> None:
        data = b"".join(sorted(digests))
        if len(data) > PUBLISHED_BYTES:
            raise PublishError("the broker holds too many releases: remove the superseded ones first")
        self._put({PUBLISHED: data})


def _chunk_lists(release: Release) -> set[bytes]:
    return {one.chunk_list_digest for one in release.payloads}


def _split(data: bytes) -> set[bytes]:
    """Return the digests of a list; a last one that is incomplete is left out."""
    whole = len(data) - len(data) % DIGEST_BYTES
    return {data[at : at + DIGEST_BYTES] for at in range(0, whole, DIGEST_BYTES)}
