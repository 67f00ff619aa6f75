"""The tracker's connection to a broker that may be down: it tries again after growing waits, and stays connected.

The files of the connection are checked before the first attempt, so that an error that waiting cannot fix ends the
start.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from provisioning.servers import observer
from provisioning.servers.access import TRACKER, service_of
from provisioning.servers.errors import ServerError
from provisioning.servers.mqtt_client import MqttAccess, tls_context
from provisioning.servers.service import Service
from provisioning.servers.tracker import MqttTracker, Tracker

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
_log = logging.getLogger(__name__)


class AccessFilesError(ServerError):
    """A certificate or key of the connection cannot be used; the text names the file and the next step."""


def user_of(access: MqttAccess) -> str:
    """Return the MQTT user name, the client certificate's common name. Raises AccessFilesError for any other client.

    It also opens the private key once, to find a wrong passphrase or a key that other users can read at the start.
    """
    try:
        tls_context(access)
        subject = x509.load_pem_x509_certificate(access.certificate.read_bytes()).subject
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AccessFilesError(
            f"the files of the connection cannot be used ({access.ca}, {access.certificate}, {access.key}): {reason}"
        ) from None
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    if service_of(name) != TRACKER:
        raise AccessFilesError(
            f"{access.certificate} is the certificate of {name!r}. The tracker needs one whose name is `tracker` or "
            "`tracker-NAME`: firstboot keys ca issue client tracker"
        )
    return name


class BrokerLink(Service):
    """The connection of the tracker, tried until stop(). start() returns at once; `is_connected` is the state."""

    def __init__(
        self,
        tracker: Tracker,
        access: MqttAccess,
        *,
        waits_s: tuple[float, float] = (FIRST_WAIT_S, LONGEST_WAIT_S),
    ) -> None:
        """`waits_s`: the first and the longest wait between attempts. Raises AccessFilesError."""
        self.name = user_of(access)
        self.is_connected = False
        self.reason = "not connected yet"
        self._tracker = tracker
        self._access = access
        self._waits_s = waits_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._service: MqttTracker | None = None

    def start(self) -> None:
        """Begin to connect."""
        if self._thread is not None:
            raise ServerError("this connection is open")
        self._stopping.clear()
        self._thread = threading.Thread(target=self._connect, name="broker link", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        service, self._service = self._service, None
        if service is not None:
            service.stop()
        self.is_connected = False

    def _connect(self) -> None:
        """Try until the broker accepts a connection; paho keeps it open after that."""
        wait_s, longest_s = self._waits_s
        while not self._stopping.is_set():
            service = MqttTracker(self._tracker, self._access, self.name, on_state=self._changed)
            try:
                service.start()
            except ServerError as error:
                self.reason = str(error)
                self._tracker.observe(observer.BROKER_DOWN, reason=self.reason, retry_s=round(wait_s))
                self._stopping.wait(wait_s)
                wait_s = min(2 * wait_s, longest_s)
                continue
            self._service = service
            return

    def _changed(self, is_connected: bool, reason: str) -> None:
        if self._stopping.is_set():
            return
        self.is_connected = is_connected
        self.reason = reason
        if is_connected:
            self._tracker.observe(observer.BROKER_UP, user=self.name)
        elif "takes over" in reason:
            self._tracker.observe(observer.TAKEOVER, reason=reason)
        else:
            self._tracker.observe(observer.BROKER_DOWN, reason=reason)
