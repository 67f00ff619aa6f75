"""The embedded broker (amqtt) for a machine without mosquitto: same certificates, same rights, in its own thread.

Weaker than mosquitto in one point: amqtt ends the session of a client id before it checks the certificate of the client
that connects with it. A device can therefore interrupt another one, but never read or write for it. Retained messages
are kept in memory only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import amqtt.broker
from amqtt.errors import AMQTTError
from amqtt.session import Session

from provisioning.keys.pem import write_private
from provisioning.servers.access import ServedUnits
from provisioning.servers.broker import BrokerSetup, is_port_free
from provisioning.servers.errors import PortBusyError, ServerError
from provisioning.servers.service import LoopThread, Service


class _TlsBroker(amqtt.broker.Broker):  # type: ignore[misc]
    """The amqtt broker with two corrections: it demands a client certificate (and TLS 1.2), and a client that connects
    does not receive messages retained for the subscriptions of other clients."""

    @staticmethod
    def _create_ssl_context(listener: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cafile=listener["cafile"])
        context.load_cert_chain(listener["certfile"], listener["keyfile"])
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # amqtt 0.12 calls this at every connect with every filter of every client.
        subscribers = self.subscriptions.get(subscription[0], [])
        if any(subscriber.client_id == session.client_id for subscriber, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


@contextlib.contextmanager
def _log_in(path: Path) -> Iterator[None]:
    """Write amqtt's log, which names the clients that connect, into a file, as mosquitto does."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("amqtt")
    logger.addHandler(handler)
    was_propagated, logger.propagate = logger.propagate, False
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = was_propagated
        logger.setLevel(level)
        handler.close()


class AmqttBroker(Service):
    """A `Broker` on amqtt. Retained messages are kept in memory until stop()."""

    def __init__(self, setup: BrokerSetup) -> None:
        self._setup = setup
        self._units = ServedUnits(setup.units)
        self._thread = LoopThread("amqtt", self._serve, lambda: _log_in(self.log_path))
        self.host = setup.host
        self.port = setup.port or 0
        self.log_path = setup.directory / "amqtt.log"

    def start(self) -> None:
        """Start and wait until it listens. Raises PortBusyError, ServerError."""
        if self._thread.is_running:
            raise ServerError("this broker is running")
        if self._setup.port is not None and not is_port_free(self.host, self._setup.port):
            raise PortBusyError(f"port {self._setup.port} of {self.host} is in use")
        self._setup.directory.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._thread.stop()

    def serve_units(self, device_ids: Iterable[bytes]) -> None:
        """Serve only these units from now on. Open sessions of other units lose access with their next message."""
        self._units.replace(device_ids)

    async def _serve(self, is_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        broker = _TlsBroker(self._configuration())
        try:
            await broker.start()
        except AMQTTError as error:
            raise ServerError(str(error)) from error
        self.port = int(broker._servers["default"].instance.sockets[0].getsockname()[1])
        is_ready()
        await stopping.wait()
        await broker.shutdown()

    def _configuration(self) -> dict[str, Any]:
        directory: Path = self._setup.directory
        clients, certificate, key = (
            directory / "clients.crt",
            directory / "server.crt",
            directory / "server.key",
        )
        clients.write_bytes(self._setup.client_ca_pem)
        certificate.write_bytes(self._setup.server.certificate_pem)
        write_private(key, self._setup.server.private_key_pem)
        listener = {
            "type": "tcp",
            "bind": f"{self.host}:{self._setup.port or 0}",
            "ssl": True,
            "cafile": str(clients),
            "certfile": str(certificate),
            "keyfile": str(key),
        }
        plugins = "provisioning.servers.amqtt_plugins"
        return {
            "listeners": {"default": listener},
            "plugins": {
                f"{plugins}.CertificateIdentity": {},
                f"{plugins}.TopicRights": {
                    "class_ids": [item.hex() for item in self._setup.class_ids],
                    "units": self._units,
                },
            },
        }
