"""The parts of a check of a broker: its users and their connections, what they received, what is removed at the end."""

from __future__ import annotations

import hashlib
import os
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from provisioning import fair_time
from provisioning.file_system import paths_in
from provisioning.publishing.topics import RetainedTopics
from provisioning.release.store import PublishError
from provisioning.servers.access import PUBLISHER, TRACKER, service_of
from provisioning.servers.errors import ServerError
from provisioning.servers.mqtt_client import MqttAccess, MqttClient

ARRIVAL_S: Final = 15.0
_LOOK_S: Final = 0.02
_DEVICE_ID: Final = 32  # hex digits


@dataclass(frozen=True)
class Users:
    """The certificates of a check, by user name: a publisher, a tracker, and units."""

    publisher: Path | None
    tracker: Path | None
    units: tuple[Path, ...]

    @classmethod
    def of_folder(cls, folder: Path) -> Users:
        """Return the users of a folder with NAME.crt and NAME.key. Raises OSError, ValueError."""
        services: dict[str, Path] = {}
        units = []
        for path in paths_in(folder, "*.crt"):
            name = common_name(path)
            service = service_of(name)
            if service is not None:
                services[service] = path
            elif len(name) == _DEVICE_ID and set(name) <= set("0123456789abcdef"):
                units.append(path)
        return cls(services.get(PUBLISHER), services.get(TRACKER), tuple(units[:2]))


def common_name(path: Path) -> str:
    """Return the user name in a certificate (PEM), "" without one. Raises OSError, ValueError."""
    names = x509.load_pem_x509_certificate(path.read_bytes()).subject.get_attributes_for_oid(
        NameOID.COMMON_NAME
    )
    return str(names[0].value) if names else ""


class Inbox:
    """The messages that a client received."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: list[tuple[str, bytes]] = []

    def put(self, topic: str, payload: bytes) -> None:
        """Keep a message; paho's thread calls it."""
        with self._changed:
            self._messages.append((topic, payload))
            self._changed.notify_all()

    def waits_for(self, topic: str, payload: bytes, seconds: float) -> bool:
        """Return whether this message arrives in time."""
        with self._changed:
            return fair_time.wait_for(self._changed, lambda: (topic, payload) in self._messages, seconds)

    def has(self, topic: str) -> bool:
        """Return whether any message of this topic arrived."""
        with self._changed:
            return any(one == topic for one, _ in self._messages)


class removed:
    """A context manager that removes topics at its end, also after a failed check."""

    def __init__(self, topics: RetainedTopics, made: dict[str, bytes]) -> None:
        self._topics, self._names = topics, list(made)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._topics.remove(self._names)
            return
        with suppress(PublishError):
            self._topics.remove(self._names)


class Bench:
    """The connections of a check. `server`: address and authority of the broker; its certificate is not used."""

    def __init__(self, server: MqttAccess, class_id: bytes, users: Users) -> None:
        self.server = server
        self.class_prefix = f"fb/{class_id.hex()}/"
        self.users = users

    def access(self, certificate: Path | None) -> MqttAccess:
        path = certificate or Path()
        return replace(self.server, certificate=path, key=path.with_suffix(".key"))

    def topics(self, access: MqttAccess | None = None) -> RetainedTopics:
        path = self.users.publisher or Path()
        return RetainedTopics(access or self.access(path), common_name(path))

    def listening(self, certificate: Path, topics: Sequence[str], inbox: Inbox) -> MqttClient:
        return MqttClient(
            self.access(certificate), common_name(certificate), topics=tuple(topics), on_message=inbox.put
        )

    def try_to_publish(self, certificate: Path, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """Publish on a connection of its own (rule 3). The broker acknowledges it or ends the connection."""
        is_ended = threading.Event()

        def note(is_connected: bool, _: str) -> None:
            if not is_connected:
                is_ended.set()  # the client would connect and send again, without an end

        with (
            suppress(ServerError),
            MqttClient(self.access(certificate), common_name(certificate), on_state=note) as client,
        ):
            message = client.publish(topic, payload, is_retained=is_retained)
            end_s = fair_time.now() + ARRIVAL_S
            while not message.is_published() and not is_ended.wait(_LOOK_S) and fair_time.now() < end_s:
                pass

    def object(self, data: bytes) -> str:
        return f"{self.class_prefix}o/{hashlib.sha256(data).hexdigest()}"

    def objects(self, count: int, size: int) -> dict[str, bytes]:
        made = [os.urandom(size) for _ in range(count)]
        return {self.object(data): data for data in made}

    def is_let_in(self, certificate: Path | None) -> bool:
        """Return whether the broker accepts a connection with this certificate, or without any."""
        with self.silent(certificate) as is_connected:
            return is_connected

    @contextmanager
    def silent(self, certificate: Path | None) -> Iterator[bool]:
        """Connect, and then neither send nor read anything; gives whether the broker accepted the connection."""
        server = self.server
        context = ssl.create_default_context(cafile=str(server.ca))
        if server.server_name is not None:
            context.check_hostname = False  # only who is let in is of interest here
        if certificate is not None:
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        client_id = PUBLISHER if certificate is None else common_name(certificate)
        accepted: list[bool] = []
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        client.on_connect = lambda *arguments: accepted.append(not arguments[3].is_failure)
        client.tls_set_context(context)
        try:
            code = client.connect(server.host, server.port)
            end_s = fair_time.now() + ARRIVAL_S
            while code == paho.MQTT_ERR_SUCCESS and not accepted and fair_time.now() < end_s:
                code = client.loop(0.2)
        except OSError:
            accepted = [False]
        try:
            yield any(accepted)
        finally:
            client.disconnect()
