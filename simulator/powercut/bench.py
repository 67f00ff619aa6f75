"""The files that all runs of a campaign share, in one folder: keys, signed images, releases, the station's records.

Certificates are stored by their request. So a repeated run, in this process or another, writes the same bytes, and a
seed names the same cut. The keys are development keys and protect nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from device.layout import MPS2, NvmLayout
from device.owner.setup_code import check_character
from device.records import store
from firstboot.locations import cache_folder, is_checkout
from provisioning.keys import keyset
from provisioning.keys.key_ring import KeyRing
from provisioning.product import record
from provisioning.product.example import EXAMPLE
from provisioning.product.product import Product, parse_product
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.release.image import key_hash, sign_image
from provisioning.release.payload import Payload
from provisioning.release.release import Release, build_release
from provisioning.station.station import Station, StationConfig
from simulator.device import release_body
from simulator.ports.records import fresh_user_region

# The board's memory map with fewer sectors, at the same offsets.
LAYOUT: NvmLayout = MPS2._replace(
    slot_bytes=0x6000, device_bytes=0x40000, user_bytes=0x10000, set_bytes=0x5000
)
DEVICE_ID = bytes(range(0x40, 0x50))
HARDWARE_ID = bytes(range(16))
WEB_NAME = "fb-00000001"
_SYMBOLS = "ABCDEFGHJKLMNPQRSTUV"
CODE = _SYMBOLS + check_character(_SYMBOLS)
PASSWORD = "kettle on the hob at six"  # noqa: S105 - of a test unit
NEW_PASSWORD = "orange bicycle under the bridge"  # noqa: S105
CHECK_INTERVAL_S = 30
BODY_BYTES = 9000  # three chunks and the image's own bytes
COUNTERS = {
    1: 1,
    2: 2,
    3: 3,
    4: 3,
    5: 3,
}  # release 2 fixes a vulnerability: the older image never starts again


def _product() -> Product:
    text = EXAMPLE.replace('board = "mps2_an385"', 'board = "simulator"')
    return parse_product(text.replace("check_interval_s = 3600", f"check_interval_s = {CHECK_INTERVAL_S}"))


@dataclass
class Bench:
    """Generated once in `folder`; cheap to open again."""

    folder: Path
    product: Product = field(default_factory=_product)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ring = KeyRing.generate_development(self.folder / "keys")
        self._kept: dict[str, bytes] = {}
        # The time when the keys were generated, from which the tracker's key is valid. It is the same in every run.
        self.now_s = int(self._keep("now", lambda: b"%d" % int(time.time())))
        self.opened_s = self.now_s - 86_400

    @cached_property
    def station(self) -> Station:
        """The station that signs the batch's records."""
        registry = Registry.create(self.folder / "registry.db", exist_ok=True, now=lambda: self.opened_s)
        config = StationConfig(
            self.product,
            self.folder / "labels",
            development=True,
            oscore_key=ServerPrivateKey.generate().public,
        )
        return Station(config, registry, self.ring, now=lambda: self.opened_s)

    @cached_property
    def key_hashes(self) -> tuple[bytes, ...]:
        """The SHA-256 of each image key that the boot ROM accepts."""
        return tuple(key_hash(path) for path in self.ring.image_key_paths)

    @property
    def counters(self) -> dict[int, int]:
        """The security counter of each release."""
        return COUNTERS

    def fresh_user_region(self, layout: NvmLayout) -> bytes:
        """Return the bytes of the user region of a unit that leaves the factory."""
        return fresh_user_region(layout)

    @cached_property
    def images(self) -> dict[int, bytes]:
        """Signed images by release number."""
        found = {}
        for number, counter in COUNTERS.items():
            body = self.folder / f"body-{number}.bin"
            body.write_bytes(_body(number))
            out = self.folder / f"release-{number}.img"
            if not out.exists():
                sign_image(
                    body,
                    self.ring.image_key_paths[0],
                    version=f"{number}.0.0+{number}",
                    security_counter=counter,
                    out=out,
                )
            found[number] = out.read_bytes()
        return found

    @cached_property
    def releases(self) -> dict[int, Release]:
        """The same images as releases signed by the author."""
        return {number: self.release(number, number) for number in self.images}

    def release(
        self, number: int, image: int, *, delta_from: bytes | None = None, app: Payload | None = None
    ) -> Release:
        """Release `number` of image `image`, signed by the author, with a patch or an application set if given."""
        return build_release(
            self.images[image],
            vendor_id=self.product.vendor_id,
            class_id=self.product.class_id,
            sequence_number=number,
            signer=self.ring.signer("author"),
            version=f"{image}.0.0",
            mitigates="an invented weakness",
            interrupts="a restart",
            delta_from=delta_from,
            app=app,
        )

    def station_record(self, name: str, requests: dict[str, bytes]) -> bytes:
        """Return the content that the station writes into record `name`. `requests` has the unit's CSRs by role."""
        if name in ("device.crt", "web.crt"):
            return self._certificate(name.removesuffix(".crt"), requests)
        return self._keep(name, lambda: self._fresh_record(name))

    def _fresh_record(self, name: str) -> bytes:
        if name == "identity":
            return record.identity_record(self.product, DEVICE_ID, "FB1-000001")
        if name == "setup":
            return record.setup_record(CODE)
        if name == "oscore":
            return record.OscoreSecret.generate(DEVICE_ID).record()
        return self.station.batch_record(name)

    def _certificate(self, role: str, requests: dict[str, bytes]) -> bytes:
        csr = requests[role]
        name = f"{role}-{hashlib.sha256(csr).hexdigest()[:16]}"
        authority = self.station.device_ca
        if role == "web":
            return self._keep(
                name,
                lambda: authority.issue_from_csr(
                    csr, WEB_NAME, is_server=True, dns_names=(f"{WEB_NAME}.local",)
                ),
            )
        return self._keep(name, lambda: authority.issue_from_csr(csr, DEVICE_ID.hex()))

    def _keep(self, name: str, make: object) -> bytes:
        if name not in self._kept:
            path = self.folder / "records" / name
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                draft = path.with_name(f"{name}.{os.getpid()}")
                draft.write_bytes(make())  # type: ignore[operator]
                draft.replace(path)
            self._kept[name] = path.read_bytes()
        return self._kept[name]

    def next_key_set(self) -> bytes:
        """Return the key set after the factory's, signed by enough roots: the same keys, the next sequence number."""

        def make() -> bytes:
            plan = keyset.ensure_plan(self.ring.directory).changed()
            content = keyset.key_set(plan, self.product.class_id, self.ring.anchor_keys(), self.now_s)
            return keyset.sign_key_set(
                content, keyset.minimal(plan, keyset.root_signers(self.ring.directory))
            )

        return self._keep("keyset", make)

    def station_records(self, requests: dict[str, bytes]) -> dict[str, bytes]:
        """Return every record that a station writes, in the order of store.STATION_RECORDS."""
        return {name: self.station_record(name, requests) for name in store.STATION_RECORDS}


def default_folder() -> Path:
    """Return the folder for exactly this code: if no code changes, a seed names the same cut."""
    root = Path(__file__).resolve().parents[2]
    total = hashlib.sha256()
    for part in ("device", "provisioning", "simulator"):
        for path in sorted((root / part).rglob("*.py")):
            total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    work = root / "build" if is_checkout() else cache_folder()
    return work / "powercut" / total.hexdigest()[:16]


def _body(number: int) -> bytes:
    """Return an image body that differs in each chunk and release and begins as the simulator requires."""
    filler = hashlib.sha256(b"body %d" % number).digest() * (BODY_BYTES // 32)
    mixed = bytes((byte + at // 4096) & 0xFF for at, byte in enumerate(filler))
    return release_body() + mixed
