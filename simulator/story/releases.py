"""The maker's releases in the story: built and signed on first use, published, or damaged as an attacker would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.errors import FirstbootError, SignatureError
from device.suit import report
from device.trust.verify import verify_envelope
from firstboot.locations import source_root
from provisioning.keys.signer import Signer
from provisioning.product.product import Product
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.release.application_set import build_set
from provisioning.release.delta import has_detools
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import Release, anchors_of, build_release
from provisioning.servers.tracker import Tracker
from simulator.story.images import Images

# Vulnerabilities that each release fixes, and how it interrupts the device, as units show it to their owners.
TEXTS: Final = {
    1: ("what it shipped with", "no"),
    2: ("a weakness in the pages", "one restart"),
    3: ("a weakness in the update client", "one restart"),
    4: ("nothing: it hangs at start", "one restart"),
    5: ("a weakness found after the end of support", "one restart"),
}
APP_RELEASE: Final = 3  # contains an application, the example
DELTA_RELEASE: Final = 5  # published as a patch of the running image
APP_FOLDER: Final = source_root() / "examples" / "lamp"
APP_RELEASES: Final = (2, 3, 5)  # contain the application of a maker who names one


@dataclass(frozen=True)
class Shelves:
    """The servers of releases: the broker and the CoAP store. The tracker names the newest release."""

    publisher: MqttPublisher
    store: FolderStore
    tracker: Tracker


class Releases:
    """Releases 1 to 5 of the story. `running_number` returns the release that the unit runs now."""

    def __init__(
        self,
        product: Product,
        images: Images,
        author: Signer,
        shelves: Shelves,
        running_number: Callable[[], int],
        app: Path | None = None,
    ) -> None:
        self._product = product
        self._images = images
        self._author = author
        self._shelves = shelves
        self._running_number = running_number
        self._apps: Mapping[int, Path] = (
            {APP_RELEASE: APP_FOLDER} if app is None else dict.fromkeys(APP_RELEASES, app)
        )
        self._built: dict[int, Release] = {}

    def release(self, number: int) -> Release:
        """Return release `number`, signed by the author."""
        if number not in self._built:
            mitigates, interrupts = TEXTS[number]
            self._built[number] = build_release(
                self._images.signed[number].read_bytes(),
                vendor_id=self._product.vendor_id,
                class_id=self._product.class_id,
                sequence_number=number,
                signer=self._author,
                version=f"{number}.0.0",
                mitigates=mitigates,
                interrupts=interrupts,
                app=build_set(self._apps[number]) if number in self._apps else None,
                delta_from=self._delta_source(number),
            )
        return self._built[number]

    def _delta_source(self, number: int) -> bytes | None:
        """Return the running image if this is DELTA_RELEASE and detools is installed, else None."""
        if number != DELTA_RELEASE or not has_detools():
            return None
        return self._images.signed[self._running_number()].read_bytes()

    def came_as_delta(self) -> bool:
        """Return whether the unit reported that it built a release from a patch."""
        return any(one.fields().get(report.DELTA) == 0 for one in self._shelves.tracker.reports)

    def publish(self, number: int, transport: str) -> None:
        """Publish a release where units look over `transport`."""
        release = self.release(number)
        if transport == "mqtt":
            self._shelves.publisher.publish_release(release)
        else:
            self._shelves.store.put_release(release)
        self._shelves.tracker.classes[self._shelves.publisher.class_id].raise_to(manifest=number)

    def _put_raw(self, transport: str, name: str, data: bytes) -> None:
        """Replace a part of a release with `data`, as a hostile or broken server would."""
        if transport == "mqtt":
            self._shelves.publisher.publish_raw(f"fb/{self._product.class_id.hex()}/{name}", data)
        else:
            self._shelves.store.put_raw(name, data)

    def publish_damaged_envelope(self, number: int, transport: str) -> None:
        """Publish a release with one bit of its envelope's signature flipped."""
        release = self.release(number)
        anchors = anchors_of(self._product.vendor_id, self._product.class_id, self._author)
        for offset in range(len(release.envelope)):
            damaged = bytearray(release.envelope)
            damaged[offset] ^= 1
            try:
                verify_envelope(bytes(damaged), anchors)
            except SignatureError:
                break
            except FirstbootError:
                continue
        self._put_raw(transport, "manifest", bytes(damaged))

    def publish_damaged_payload(self, number: int, transport: str) -> None:
        """Publish a release with a valid envelope and one bit of its payload flipped."""
        release = self.release(number)
        self.publish(number, transport)
        name, content = f"o/{release.payload_digest.hex()}", release.payload
        if transport == "mqtt":
            digest, content = release.chunks()[0]
            name = f"o/{digest.hex()}"
        damaged = bytearray(content)
        damaged[len(damaged) // 2] ^= 1
        self._put_raw(transport, name, bytes(damaged))
