"""The interface of both brokers: mosquitto, and amqtt for machines without mosquitto."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from provisioning.keys.pki import Credentials
from provisioning.servers.access import SERVICES

LOOPBACK = "127.0.0.1"
# mosquitto writes its database after this many changes of retained messages. A write for each change would take minutes
# for a release of 500 chunks. Instead the publisher ends with this many small changes (RetainedTopics.make_durable).
SAVED_AFTER_CHANGES: Final = 32


@dataclass(frozen=True)
class BrokerSetup:
    """The settings of a broker. `client_ca_pem`: one or more authorities of devices and of the maker's own clients.
    `units`: device ids that have access from the start; None: every device that these authorities certified.
    """

    directory: Path  # the broker's own; holds its configuration and its log
    server: Credentials
    client_ca_pem: bytes
    class_ids: tuple[bytes, ...]
    port: int | None = None  # None: a free one
    host: str = LOOPBACK
    units: tuple[bytes, ...] | None = None
    services: tuple[str, ...] = SERVICES  # user names: publisher, tracker, or publisher-NAME, tracker-NAME


class Broker(Protocol):
    """A running MQTT broker with client certificates and the rights of provisioning.servers.access.

    start() returns when the broker listens; it raises ServerError and its subclasses. stop() can be called twice. After
    serve_units() only these device ids have access; other devices lose it even if they are connected.
    """

    host: str
    port: int
    log_path: Path

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def serve_units(self, device_ids: Iterable[bytes]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def free_port(host: str = LOOPBACK, kind: int = socket.SOCK_STREAM) -> int:
    """Return a port that was free a moment ago. Another process can take it before the caller binds it."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_port_free(host: str, port: int, kind: int = socket.SOCK_STREAM) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def replace_file(source: Path, target: Path) -> None:
    """Copy `source`, if it exists, over `target` atomically."""
    if source.exists():
        draft = target.with_name(target.name + ".new")
        shutil.copyfile(source, draft)
        draft.replace(target)
