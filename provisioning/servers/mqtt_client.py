"""A maker's own MQTT client (publisher, tracker): TLS client certificate, reconnects, typed errors. On paho-mqtt."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from provisioning.servers.errors import ServerError
from provisioning.servers.service import Service

TIMEOUT_S = 15.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MqttAccess:
    """Where the broker is and how both ends prove who they are; paths of PEM files."""

    host: str
    port: int
    ca: Path
    certificate: Path
    key: Path
    server_name: str | None = None  # name in the server certificate, where it is not `host`


class _NamedContext(ssl.SSLContext):
    """Checks the certificate against `peer_name` instead of the address that was connected to."""

    peer_name: str | None = None

    def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        if self.peer_name is not None:
            options["server_hostname"] = self.peer_name
        return super().wrap_socket(sock, *arguments, **options)


class MqttClient(Service):
    """One connection with a background thread; start() returns when it is accepted. Raises ServerError.

    `on_message(topic, payload)` runs in that thread; an exception in it is logged and does not end the thread.
    """

    def __init__(
        self,
        access: MqttAccess,
        client_id: str,
        *,
        topics: tuple[str, ...] = (),
        on_message: Callable[[str, bytes], None] | None = None,
        is_retained_wanted: bool = True,
    ) -> None:
        self._access = access
        self._topics = topics
        self._on_message = on_message
        self._is_retained_wanted = is_retained_wanted
        self._subscribed = threading.Event()
        self._refusal: str | None = None
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        client.on_connect = self._connected
        client.on_subscribe = self._subscription_answered
        client.on_message = self._received
        client.suppress_exceptions = True
        client.reconnect_delay_set(1, 10)
        self._client = client

    def start(self) -> None:
        """Connect, subscribe, and return when both are acknowledged."""
        access = self._access
        try:
            self._client.tls_set_context(self._tls())
            self._client.connect(access.host, access.port, keepalive=30)
        except (OSError, ValueError) as error:
            raise ServerError(f"broker {access.host}:{access.port}: {error}") from error
        self._client.loop_start()
        if not self._subscribed.wait(TIMEOUT_S) or self._refusal is not None:
            self.stop()
            raise ServerError(
                f"broker {access.host}:{access.port}: {self._refusal or 'no acknowledgement in time'}"
            )

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, is_retained: bool) -> paho.MQTTMessageInfo:
        """Hand over a QoS 1 message; `wait` makes sure of it. An empty retained one removes what was retained."""
        return self._client.publish(topic, payload, qos=1, retain=is_retained)

    def wait(self, messages: list[paho.MQTTMessageInfo]) -> None:
        """Return when the broker acknowledged all of `messages`. (A broker acknowledges what it denies, too.)"""
        for message in messages:
            try:
                message.wait_for_publish(TIMEOUT_S)
            except (ValueError, RuntimeError) as error:
                raise ServerError(f"publish failed: {error}") from error
            if not message.is_published():
                raise ServerError("publish was not acknowledged in time")

    def _tls(self) -> ssl.SSLContext:
        context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.peer_name = self._access.server_name
        context.load_verify_locations(cafile=self._access.ca)
        context.load_cert_chain(self._access.certificate, self._access.key)
        return context

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._refusal = str(code)
            self._subscribed.set()
        elif self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._subscribed.set()

    def _subscription_answered(
        self, _client: paho.Client, _data: Any, _message_id: int, codes: list[Any], _properties: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            self._refusal = "subscription denied"
        self._subscribed.set()

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if self._on_message is None or (message.retain and not self._is_retained_wanted):
            return
        try:
            self._on_message(message.topic, bytes(message.payload))
        except Exception:  # one bad message must not end the service for everyone else
            _log.exception("message of topic %s was not handled", message.topic)
