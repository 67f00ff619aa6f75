"""A mosquitto as an owner runs one at home: TLS, one user for a device, the rights of docs/how-to/home-assistant.md."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from cryptography.hazmat.primitives import serialization
from paho.mqtt.enums import CallbackAPIVersion

from provisioning.servers.mosquitto import find_mosquitto
from simulator.story.runner import wait_until
from tests.emulated.tls_peers import SERVER, Identity, issue

NAME = "localhost"
USER, PASSWORD = "lamp", "fish and chips at noon"
VIEWER, VIEWER_PASSWORD = "home", "the other half of the house"
ANSWER_S = 30.0


class HomeBroker:
    """A running broker; `ca` is the PEM that an owner pastes. `viewer()` reads and writes everything."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.authority = issue("Home")
        self.identity = issue(NAME, self.authority, usages=[SERVER])
        self.ca = self.pem(self.authority)
        self.log = folder / "log"

    @staticmethod
    def pem(identity: Identity) -> str:
        return identity.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def prepare(self, name: str) -> Path:
        """Write the configuration for a device of this name."""
        self.identity.write_pem(self.folder / "server.pem")
        passwords = self.folder / "passwords"
        passwords.write_text(f"{USER}:{PASSWORD}\n{VIEWER}:{VIEWER_PASSWORD}\n", encoding="utf-8")
        passwords.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        (self.folder / "acl").write_text(
            f"user {USER}\ntopic write homeassistant/+/+/config\ntopic write firstboot/{name}/#\n"
            f"topic read firstboot/{name}/install\n\nuser {VIEWER}\ntopic readwrite #\n",
            encoding="utf-8",
        )
        (self.folder / "acl").chmod(0o600)
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\ncertfile {self.folder}/server.pem\n"
            f"keyfile {self.folder}/server.pem\nallow_anonymous false\npassword_file {passwords}\n"
            f"acl_file {self.folder}/acl\nlog_dest file {self.log}\n",
            encoding="utf-8",
        )
        return configuration

    def viewer(self) -> Viewer:
        """Return a connected client with all rights, as Home Assistant has."""
        return Viewer(self)


class Viewer:
    """Keeps what the unit retains, `messages`; `publish` sends a command, which is not kept."""

    def __init__(self, broker: HomeBroker) -> None:
        self.messages: dict[str, bytes] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="viewer")
        context = ssl.create_default_context(cadata=broker.ca)
        context.check_hostname = False
        self._client.tls_set_context(context)
        self._client.username_pw_set(VIEWER, VIEWER_PASSWORD)
        self._client.on_message = self._note
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("homeassistant/#", 0), ("firstboot/#", 0)]
        )
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def _note(self, _client: Any, _data: Any, message: Any) -> None:
        if message.topic.endswith("/install"):
            return
        if message.payload:
            self.messages[message.topic] = message.payload
        else:
            self.messages.pop(message.topic, None)

    def publish(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload)

    def state(self, topic: str) -> dict[str, Any]:
        """Return the decoded message of a topic, {} without one."""
        found: dict[str, Any] = json.loads(self.messages.get(topic, b"{}"))
        return found

    def until(self, what: str, probe: Any) -> Any:
        return wait_until(what, probe, ANSWER_S, 0.05)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def home_broker(folder: Path, port: int, name: str) -> Iterator[HomeBroker]:
    """Run a broker for the device `name` until the block ends."""
    program = find_mosquitto()
    assert program is not None
    broker = HomeBroker(folder, port)
    configuration = broker.prepare(name)
    process = subprocess.Popen([str(program), "-c", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        wait_until("the broker", lambda: is_listening(broker) or None, ANSWER_S, 0.05)
        yield broker
    finally:
        process.terminate()
        process.wait(10)


def is_listening(broker: HomeBroker) -> bool:
    return broker.log.exists() and "running" in broker.log.read_text(encoding="utf-8")


def fields(broker: HomeBroker, **changes: str) -> dict[str, str]:
    """Return the form of the owner's page for this broker."""
    form = {
        "action": "save",
        "address": "127.0.0.1",
        "port": str(broker.port),
        "name": NAME,
        "user": USER,
        "password": PASSWORD,
        "authority": broker.ca,
    }
    return form | changes
