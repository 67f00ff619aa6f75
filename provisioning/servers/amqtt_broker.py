"""The embedded broker (amqtt) for a machine without mosquitto: same certificates, same rights, own thread.

Weaker than mosquitto in one point: a client that connects with another's client id ends that one's session
before its certificate is looked at (amqtt's order of steps), so a device can disturb another, never read or write
for it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import amqtt.broker
from amqtt.errors import AMQTTError
from amqtt.session import Session

from provisioning.servers.access import ServedUnits
from provisioning.servers.broker import BrokerSetup, is_port_free
from provisioning.servers.errors import PortBusyError, ServerError
from provisioning.signing.pki import write_private

TIMEOUT_S = 10.0


class _TlsBroker(amqtt.broker.Broker):  # type: ignore[misc]
    """amqtt with two holes closed: it insists on a client certificate (and TLS 1.2), and a client that connects is
    not sent what is retained for other clients' subscriptions."""

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
        # amqtt 0.12 calls this at every connect with every filter that anybody is subscribed to.
        subscribers = self.subscriptions.get(subscription[0], [])
        if any(subscriber.client_id == session.client_id for subscriber, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class AmqttBroker:
    """`Broker` on amqtt. Retained messages live in memory and end with stop()."""

    def __init__(self, setup: BrokerSetup) -> None:
        self._setup = setup
        self._units = ServedUnits(setup.units)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self.host = setup.host
        self.port = setup.port or 0
        self.log_path = setup.directory / "amqtt.log"

    def start(self) -> None:
        """Start and wait until it listens. Raises PortBusyError, ServerError."""
        if self._thread is not None:
            raise ServerError("this broker is running")
        if self._setup.port is not None and not is_port_free(self.host, self._setup.port):
            raise PortBusyError(f"port {self._setup.port} of {self.host} is in use")
        self._setup.directory.mkdir(parents=True, exist_ok=True)
        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=self._main, name="amqtt", daemon=True)
        self._thread.start()
        is_ready = self._ready.wait(TIMEOUT_S)
        if self._error is not None or not is_ready:
            error = self._error
            self.stop()
            raise ServerError(f"amqtt did not start: {error or 'no answer in time'}") from error

    def stop(self) -> None:
        """Close every connection and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None and thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(TIMEOUT_S)
        if thread.is_alive():
            raise ServerError("amqtt did not stop in time")

    def serve_units(self, device_ids: Iterable[bytes]) -> None:
        """Give access to these units alone from now on; sessions that stand lose theirs with the next message."""
        self._units.replace(device_ids)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _main(self) -> None:
        handler = logging.FileHandler(self.log_path)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger = logging.getLogger("amqtt")
        logger.addHandler(handler)
        was_propagated, logger.propagate = logger.propagate, False
        level = logger.level
        logger.setLevel(logging.INFO)  # who connected belongs into a broker's log, as mosquitto has it
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # reported by start(), which waits for it
            self._error = error
        finally:
            self._ready.set()
            logger.removeHandler(handler)
            logger.propagate = was_propagated
            logger.setLevel(level)
            handler.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        broker = _TlsBroker(self._configuration())
        try:
            await broker.start()
        except AMQTTError as error:
            raise ServerError(str(error)) from error
        self.port = int(broker._servers["default"].instance.sockets[0].getsockname()[1])
        self._ready.set()
        await self._stopping.wait()
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
