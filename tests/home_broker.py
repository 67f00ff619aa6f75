"""A mosquitto as an owner runs one at home: TLS, one user for a device, the rights of docs/how-to/home-assistant.md."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from cryptography.hazmat.primitives import serialization
from paho.mqtt.enums import CallbackAPIVersion

from provisioning import fair_time
from provisioning.servers.mosquitto import find_mosquitto
from simulator.story.runner import wait_until
from tests.emulated.tls_peers import SERVER, Identity, issue
from tests.patience import ended
from tests.running import FactoryUnit

NAME = "localhost"
USER, PASSWORD = "lamp", "fish and chips at noon"
VIEWER, VIEWER_PASSWORD = "home", "the other half of the house"
ANSWER_S = 60.0


class HomeBroker:
    """A running broker; `ca` is the PEM that an owner pastes. `viewer()` reads and writes everything."""

    def __init__(self, folder: Path, port: int, host: str = NAME) -> None:
        self.folder = folder
        self.port = port
        self.authority = issue("Home")
        self.identity = issue(host, self.authority, usages=[SERVER])
        self.ca = self.pem(self.authority)
        self.log = folder / "log"
        self._configuration = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def pem(identity: Identity) -> str:
        return identity.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def prepare(self, name: str) -> None:
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
        self._configuration.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\ncertfile {self.folder}/server.pem\n"
            f"keyfile {self.folder}/server.pem\nallow_anonymous false\npassword_file {passwords}\n"
            f"acl_file {self.folder}/acl\nlog_dest file {self.log}\n",
            encoding="utf-8",
        )

    def start(self) -> None:
        """Run the broker; it remembers nothing of an earlier run."""
        program = find_mosquitto()
        assert program is not None
        self.log.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [str(program), "-c", str(self._configuration)], stderr=subprocess.DEVNULL
        )
        wait_until("the broker", lambda: is_listening(self) or None, ANSWER_S, 0.05)

    def hang(self) -> None:
        """Let the broker neither read nor answer nor close, as a computer that froze."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        """End the broker, whether it hangs or not."""
        if self._process is not None:
            self._process.kill()
            ended(self._process)
            self._process = None

    def clients(self, user: str) -> int:
        """Return how many connections of this user it accepted, as its log tells."""
        return self.log.read_text(encoding="utf-8").count(f"u'{user}'")

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

    def publish(self, topic: str, payload: str, *, is_retained: bool = False, qos: int = 0) -> None:
        """Publish; return when the message was sent."""
        self._client.publish(topic, payload, qos, is_retained).wait_for_publish(fair_time.stretched(ANSWER_S))

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
def home_broker(folder: Path, port: int, name: str, host: str = NAME) -> Iterator[HomeBroker]:
    """Run a broker for the device `name` until the block ends."""
    broker = HomeBroker(folder, port, host)
    broker.prepare(name)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


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


class Bench:
    """An owned unit, a broker, and Home Assistant's eyes on it."""

    def __init__(self, unit: FactoryUnit, broker: HomeBroker, viewer: Viewer) -> None:
        self.unit, self.broker, self.viewer = unit, broker, viewer
        self.owner = unit.world.owner
        self.name = unit.name
        self.base = f"firstboot/{self.name}/"
        self._begun = len(unit.machine.console.text)

    def printed(self) -> str:
        """Return what the unit printed since this bench was made."""
        return str(self.unit.machine.console.text[self._begun :])

    def send(self, **changes: str) -> Any:
        return self.post(fields(self.broker, address=self.unit.world.host_address) | changes)

    def post(self, form: dict[str, str]) -> Any:
        return self.owner.request("POST", "/home", form)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.owner.request("GET", "/home", accept="application/json").json()
        return found

    def until_state(self, state: str) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            found = self.status()
            return found if found.get("state") == state else None

        found: dict[str, Any] = self.unit.wait(f"the link: {state}", probe)
        return found
