"""Publishing to several targets: each one is tried, and each result is reported by itself.

A target that fails says nothing about the others: a store may have the release, and units install it, while the broker
could not be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from device.errors import FirstbootError
from provisioning.publishing.coap import CoapPublisher
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.publishing.order import require_forward
from provisioning.publishing.records import SignedRecord
from provisioning.release.release import Release
from provisioning.release.store import PublishError, ReleaseStore
from provisioning.servers.errors import ServerError
from provisioning.servers.mqtt_client import MqttAccess

Publisher = CoapPublisher | MqttPublisher


@dataclass(frozen=True)
class Parcel:
    """The objects that are published together, all for one product class.

    `may_go_back`: an older one replaces a newer one (`provisioning/publishing/order.py`).
    """

    class_id: bytes
    release: Release | None
    records: Sequence[SignedRecord]
    may_go_back: bool = False


@dataclass(frozen=True)
class Target:
    """One place to publish to. `name` is for people; `open` gives the publisher for a class, as a context manager."""

    name: str
    open: Callable[[bytes], AbstractContextManager[Publisher]]


@dataclass(frozen=True)
class TargetResult:
    """The result of one target: items published and superseded ones removed, and the error if there was one.

    `done`: the words for what was published before the error.
    """

    to: str
    items: int = 0
    removed: int = 0
    error: str | None = None
    done: tuple[str, ...] = ()


def store_target(name: str, store_of: Callable[[bytes], ReleaseStore]) -> Target:
    """Return as a target the release store that a CoAP server serves. `store_of` opens the store of a class id."""

    def opened(class_id: bytes) -> AbstractContextManager[CoapPublisher]:
        try:
            return nullcontext(CoapPublisher(store_of(class_id)))
        except OSError as error:
            raise PublishError(f"store {name}: {error.strerror}") from error

    return Target(f"store {name}", opened)


def broker_target(access: MqttAccess) -> Target:
    """Return a broker as a target."""
    return Target(f"broker {access.host}:{access.port}", lambda class_id: MqttPublisher(access, class_id))


def publish_to(targets: Sequence[Target], parcel: Parcel, *, is_clean: bool = False) -> list[TargetResult]:
    """Publish to every target, and return their results in order. `is_clean` also removes what the release supersedes.

    An error of one target is part of its result; the next target is tried anyway.
    """
    return [_publish(target, parcel, is_clean) for target in targets]


def _publish(target: Target, parcel: Parcel, is_clean: bool) -> TargetResult:
    items = 0
    done: list[str] = []
    try:
        with target.open(parcel.class_id) as publisher:
            _require_forward(publisher, parcel)
            put = {
                "keyset": publisher.publish_keyset,
                "support": publisher.publish_support,
                "contact": publisher.publish_contact,
            }
            for one in parcel.records:
                put[one.kind.name](one.data)
                items += 1
                done.append(one.kind.words)
            if parcel.release is not None:
                items += publisher.publish_release(parcel.release)
                done.append(f"release {parcel.release.sequence_number}")
            removed = len(publisher.remove_superseded()) if is_clean else 0
    except (PublishError, ServerError, FirstbootError, OSError) as error:
        return TargetResult(target.name, items, error=str(error), done=tuple(done))
    return TargetResult(target.name, items, removed, done=tuple(done))


def _require_forward(publisher: Publisher, parcel: Parcel) -> None:
    """Check every part before the first is published. Raises PublishError."""
    if parcel.may_go_back:
        return
    offered = {one.kind.name: one.data for one in parcel.records}
    if parcel.release is not None:
        offered["manifest"] = parcel.release.envelope
    for name, data in offered.items():
        require_forward(name, publisher.published(name), data)
