"""MQTT client of the maker's own services (publisher, tracker) on paho-mqtt: client certificate, typed errors."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from provisioning import fair_time
from provisioning.keys.pem import read_private
from provisioning.keys.secret_input import KEY_VARIABLE, ask
from provisioning.servers.errors import ServerError
from provisioning.servers.service import Service

TIMEOUT_S: Final = 15.0
RETRY_S: Final = 0.1
TAKEOVERS: Final = 2
TAKEOVER_S: Final = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MqttAccess:
    """The address of a broker, and the PEM files with which both ends authenticate."""

    host: str
    port: int
    ca: Path
    certificate: Path
    key: Path
    server_name: str | None = None  # name in the server certificate, if it is not `host`


class _NamedContext(ssl.SSLContext):
    """A TLS context that checks the certificate against `peer_name` instead of the address of the connection."""

    peer_name: str | None = None

    def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        if self.peer_name is not None:
            options["server_hostname"] = self.peer_name
        return super().wrap_socket(sock, *arguments, **options)


def tls_context(access: MqttAccess) -> ssl.SSLContext:
    """Return the TLS settings of a connection. The passphrase of an encrypted key comes from `secret_input`.

    Raises OSError (ssl.SSLError among them), and ValueError for a private key that others can read.
    """
    read_private(access.key)
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.peer_name = access.server_name
    context.load_verify_locations(cafile=access.ca)
    context.load_cert_chain(
        access.certificate, access.key, lambda: ask(KEY_VARIABLE, "passphrase of the key")
    )
    return context


class MqttClient(Service):
    """One connection with a background thread; start() returns when it is accepted. Raises ServerError.

    `on_message(topic, payload)` runs in that thread; an exception in it is logged and does not end the thread.
    A lost connection is opened again, with the same topics. A broker ends a session if another client connects with
    the same client id; `problem` and the log report it if it happens TAKEOVERS times within TAKEOVER_S. A later end of
    another kind clears `problem`.
    """

    def __init__(
        self,
        access: MqttAccess,
        client_id: str,
        *,
        topics: tuple[str, ...] = (),
        on_message: Callable[[str, bytes], None] | None = None,
        is_retained_wanted: bool = True,
        on_state: Callable[[bool, str], None] | None = None,
    ) -> None:
        """`on_state(is_connected, reason)` is called when the topics are granted and when the connection ends."""
        self.client_id = client_id
        self.problem: str | None = None
        self.last_end: str | None = None  # why the latest session ended, if nobody here ended it
        self._access = access
        self._topics = topics
        self._on_message = on_message
        self._is_retained_wanted = is_retained_wanted
        self._on_state = on_state or (lambda is_connected, reason: None)
        self._subscribed = threading.Event()
        self._refusal: str | None = None  # why start() fails
        self._is_accepted = False  # the broker accepted the session that is open now
        self._is_stopping = False
        self._ended: deque[float] = deque(
            maxlen=TAKEOVERS
        )  # times at which the broker ended an accepted session
        self._acknowledged = threading.Condition()
        self._answers: dict[int, bool] = {}  # message id of a (un)subscription -> whether it was granted
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscription_answered
        client.on_unsubscribe = self._subscription_answered
        client.on_message = self._received
        client.suppress_exceptions = True
        client.reconnect_delay_set(1, 10)
        self._client = client

    def start(self) -> None:
        """Connect, subscribe, and return when both are acknowledged."""
        access = self._access
        self._is_stopping = False
        try:
            self._client.tls_set_context(tls_context(access))
            self._client.connect(access.host, access.port, keepalive=30)
        except (OSError, ValueError) as error:
            raise ServerError(f"broker {access.host}:{access.port}: {error}") from error
        self._client.loop_start()
        if not fair_time.wait(self._subscribed, TIMEOUT_S) or self._refusal is not None:
            self.stop()
            raise ServerError(
                f"broker {access.host}:{access.port}: {self._refusal or 'no acknowledgement in time'}"
            )

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._is_stopping = True
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, is_retained: bool) -> paho.MQTTMessageInfo:
        """Send a QoS 1 message; pass the result to `wait`. An empty retained message deletes the retained one.

        A message that is published while the connection is down is sent once it is open again.
        """
        message = self._client.publish(topic, payload, qos=1, retain=is_retained)
        if message.rc == MQTTErrorCode.MQTT_ERR_NO_CONN:  # paho keeps the message, and still calls it failed
            message.rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        return message

    def wait(self, messages: list[paho.MQTTMessageInfo]) -> None:
        """Return when the broker acknowledged all of `messages`. It also acknowledges messages that it denies."""
        for message in messages:
            try:
                end_s = fair_time.now() + TIMEOUT_S
                while not message.is_published() and fair_time.now() < end_s:
                    message.wait_for_publish(fair_time.SLICE_S)
            except (ValueError, RuntimeError) as error:
                raise ServerError(self._cause() or f"publish failed: {error}") from error
            if not message.is_published():
                raise ServerError(self._cause() or "publish was not acknowledged in time")

    def subscribe(self, topics: Sequence[str]) -> None:
        """Subscribe to `topics` until `unsubscribe`; return when the broker granted all of them.

        The broker sends their messages once, without a receipt (QoS 0): it may hold back messages that wait for
        receipts (MQTT 3.1.1, 4.4), and would then acknowledge `unsubscribe` before it has sent the last of them.
        """
        self._ask(lambda: self._client.subscribe([(topic, 0) for topic in topics]), "subscribe")

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """End a subscription. No message of these topics arrives after the return."""
        self._ask(lambda: self._client.unsubscribe(list(topics)), "unsubscribe")

    def _cause(self) -> str | None:
        """Return why this connection may not have worked, None if nothing is known."""
        return self.problem or self.last_end

    def _ask(self, send: Callable[[], tuple[Any, int | None]], what: str) -> None:
        end_s = fair_time.now() + TIMEOUT_S
        while (number := send()[1]) is None:  # the connection is down, and is opened again meanwhile
            if fair_time.now() >= end_s:
                raise ServerError(self._cause() or f"{what}: the connection to the broker is down")
            time.sleep(RETRY_S)
        with self._acknowledged:
            is_answered = fair_time.wait_for(self._acknowledged, lambda: number in self._answers, TIMEOUT_S)
            is_granted = self._answers.pop(number, False)
        if not is_answered:
            raise ServerError(self._cause() or f"{what}: no acknowledgement in time")
        if not is_granted:
            raise ServerError(f"{what}: the broker denies it to {self.client_id}")

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._is_accepted = not code.is_failure
        if code.is_failure and self._is_started():  # paho tries again
            self._report_end(f"the broker refuses the session of {self.client_id!r}: {code}")
        elif code.is_failure:
            self._refusal = str(code)
            self._subscribed.set()
        elif self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._subscribed.set()

    def _is_started(self) -> bool:
        return self._subscribed.is_set() and self._refusal is None

    def _report_end(self, reason: str) -> None:
        self.problem, self.last_end = None, reason
        _log.warning("%s", reason)
        self._on_state(False, reason)

    def _disconnected(
        self, _client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        was_accepted, self._is_accepted = self._is_accepted, False
        if self._is_stopping or not was_accepted or not self._is_started():
            return
        now_s = time.monotonic()
        self._ended.append(now_s)
        if len(self._ended) == TAKEOVERS and now_s - self._ended[0] < TAKEOVER_S:
            self.problem = (
                f"another client takes over the session of {self.client_id!r}: "
                "stop it, or give it a certificate with a name of its own. Without another client, the "
                "broker ends the session for something that it denies"
            )
            _log.error("%s", self.problem)
            self._on_state(False, self.problem)
        else:
            self._report_end(f"the broker ended the session of {self.client_id!r}: {code}")

    def _subscription_answered(
        self, _client: paho.Client, _data: Any, number: int, codes: list[Any], _properties: Any
    ) -> None:
        is_granted = not any(code.is_failure for code in codes)
        with self._acknowledged:
            self._answers[number] = is_granted
            self._acknowledged.notify_all()
        if self._topics and self._is_started() and not is_granted:
            self._report_end(f"the broker denies the topics of {self.client_id!r}")
        if not self._subscribed.is_set():
            if not is_granted:
                self._refusal = "subscription denied"
            self._subscribed.set()
        if is_granted and self._topics:
            self._on_state(True, "")

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if self._on_message is None or (message.retain and not self._is_retained_wanted):
            return
        try:
            self._on_message(message.topic, bytes(message.payload))
        except Exception:  # one bad message must not end the service for other devices
            _log.exception("message of topic %s was not handled", message.topic)
