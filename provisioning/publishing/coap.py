"""Publishing over CoAP: writes the FolderStore that provisioning.servers.coap_server serves."""

from __future__ import annotations

from provisioning.release.release import Release
from provisioning.release.store import PublishError, ReleaseStore


class CoapPublisher:
    """The operations of MqttPublisher on a store. Raises PublishError."""

    def __init__(self, store: ReleaseStore) -> None:
        self.store = store

    def publish_release(self, release: Release) -> int:
        """Write the objects, then the manifest. Returns the number of files."""
        try:
            self.store.put_release(release)
        except OSError as error:
            raise PublishError(f"store {self.store.place}: {error.strerror}") from error
        return len(release.whole_objects()) + 1

    def publish_support(self, record: bytes) -> None:
        """Publish a signed support record."""
        self.store.put_support(record)

    def publish_contact(self, record: bytes) -> None:
        """Publish a signed security contact."""
        self.store.put_contact(record)

    def publish_keyset(self, record: bytes) -> None:
        """Publish a signed key set."""
        self.store.put_keyset(record)

    def published(self, name: str) -> bytes | None:
        """Return what is published under a name, or None. Raises OSError."""
        return self.store.published(name)

    def put_raw(self, name: str, data: bytes) -> None:
        """Write one published name ("manifest", "support", "keyset", "o/SHA256"); the content is not checked."""
        self.store.put_raw(name, data)

    def remove_superseded(self) -> list[str]:
        """Delete the objects that the published manifest does not need. Returns their names."""
        return self.store.remove_superseded()
