"""The tests' own RabbitMQ cluster with its MQTT plugin: nodes on loopback, TLS, rights by topic.

Nodes keep retained messages in memory (`_ets`). The default (`_dets`) writes them seconds later, so after a kill they
would be lost on a fast machine and there on a busy one. Everything is in a new folder, with an epmd of its own on
loopback. All processes end with the cluster, by their id.
FIRSTBOOT_RABBITMQ_ROOT names a folder with the unpacked Debian packages; without it the installed ones are used.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from provisioning import fair_time
from provisioning.servers.access import rights_of
from tests.own_port import own_port

START_S: Final = 240
ROOT: Final = Path(os.environ.get("FIRSTBOOT_RABBITMQ_ROOT", "/"))
ERLANG: Final = ROOT / "usr/lib/erlang"
_CONFIGURATION: Final = """\
listeners.tcp = none
mqtt.listeners.tcp = none
mqtt.listeners.ssl.1 = 127.0.0.1:{port}
mqtt.allow_anonymous = false
mqtt.ssl_cert_login = true
mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_ets
ssl_cert_login_from = common_name
ssl_options.cacertfile = {folder}/clients.crt
ssl_options.certfile = {folder}/server.crt
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
load_definitions = {folder}/definitions.json
cluster_formation.peer_discovery_backend = classic_config
log.file = false
log.console = true
log.console.level = warning
{peers}
"""


def server() -> Path | None:
    """The newest installed server's folder."""
    found = sorted((ROOT / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    return found[-1] if found else None


def missing_reason() -> str | None:
    """Return why this machine cannot run a cluster, None if it can."""
    if server() is None or not (ERLANG / "bin/erl").exists():
        return "RabbitMQ is not installed (Debian package rabbitmq-server): not run"
    return None


class Node:
    """One node: its MQTT port, its process, its folder."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.port, self.distribution = own_port(), own_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.seen = 0  # characters of the output before the last start

    def log(self) -> str:
        return (self.folder / "output").read_text(errors="replace")[-2000:]


class Cluster:
    """A cluster of `count` nodes for the users of one check. Use as a context manager."""

    def __init__(
        self, server_cert: Any, clients: bytes, users: Sequence[str], class_id: bytes, count: int
    ) -> None:
        """`server_cert`: the server's credentials; `clients`: the authority of the users' certificates (PEM)."""
        self._folder = Path(tempfile.mkdtemp(prefix="firstboot-rmq-"))
        (self._folder / "clients.crt").write_bytes(clients)
        server_cert.save(self._folder, "server")
        (self._folder / "definitions.json").write_text(json.dumps(definitions(users, class_id)))
        (self._folder / ".erlang.cookie").write_text(secrets.token_hex(16))
        (self._folder / ".erlang.cookie").chmod(0o400)
        self._epmd_port = own_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self.nodes = [Node(f"fb{n}@localhost", self._folder / f"node{n}") for n in range(1, count + 1)]

    def __enter__(self) -> Cluster:
        try:
            self._epmd = subprocess.Popen(
                [str(ERLANG / "bin/epmd"), "-address", "127.0.0.1", "-port", str(self._epmd_port)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for node in self.nodes:
                self.start(node)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            self.kill(node)
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, node: Node) -> None:
        """Start a node and wait until its MQTT port answers."""
        node.folder.mkdir(exist_ok=True)
        peers = "\n".join(
            f"cluster_formation.classic_config.nodes.{number} = {one.name}"
            for number, one in enumerate(self.nodes, 1)
        )
        config = node.folder / "rabbitmq.conf"
        config.write_text(_CONFIGURATION.format(port=node.port, folder=self._folder, peers=peers))
        (node.folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
        home = server()
        assert home is not None
        node.seen = (
            len((node.folder / "output").read_text(errors="replace"))
            if (node.folder / "output").exists()
            else 0
        )
        with (node.folder / "output").open("ab") as output:
            node.process = subprocess.Popen(
                [str(home / "sbin/rabbitmq-server")],
                env=self._environment(node, config),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # the server script and the Erlang machine end together
            )
        self._wait(node)

    def kill(self, node: Node) -> None:
        """End a node with SIGKILL."""
        process, node.process = node.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _environment(self, node: Node, config: Path) -> dict[str, str]:
        return {
            "PATH": f"{ERLANG}/bin:{os.environ['PATH']}",
            "ERL_ROOTDIR": str(ERLANG),
            "HOME": str(self._folder),
            "LD_LIBRARY_PATH": str(ROOT / "usr/lib/x86_64-linux-gnu"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": node.name,
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(node.folder / "none.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(node.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(node.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(node.folder / "log"),
            "RABBITMQ_DIST_PORT": str(node.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _wait(self, node: Node) -> None:
        deadline = fair_time.now() + START_S
        while fair_time.now() < deadline:
            assert node.process is not None
            if node.process.poll() is not None:
                raise RuntimeError(f"RabbitMQ ended: {node.log()}")
            if "completed with" in (node.folder / "output").read_text(errors="replace")[node.seen :]:
                return
            time.sleep(0.2)
        raise RuntimeError(f"RabbitMQ did not start: {node.log()}")


def definitions(users: Sequence[str], class_id: bytes) -> dict[str, Any]:
    """Return users and rights (docs/reference/topics.md) in RabbitMQ's form: AMQP names, regular expressions."""
    none = {"hashing_algorithm": "rabbit_password_hashing_sha256", "password_hash": "", "tags": []}
    permissions, topics = [], []
    for user in users:
        rights = rights_of(user, [class_id])
        queue = f"mqtt-subscription-{user}qos[01]"
        own = {
            "configure": f"^{queue}$",
            "write": rf"^({queue}|amq\.topic)$",
            "read": rf"^({queue}|amq\.topic)$",
        }
        permissions.append({"user": user, "vhost": "/", **own})
        allowed = {"write": _pattern(rights.publish), "read": _pattern(rights.subscribe)}
        topics.append({"user": user, "vhost": "/", "exchange": "amq.topic", **allowed})
    return {
        "users": [{"name": user, **none} for user in users],
        "vhosts": [{"name": "/"}],
        "permissions": permissions,
        "topic_permissions": topics,
    }


def _pattern(filters: Sequence[str]) -> str:
    """A regular expression for the topics, and the subscriptions with the same wildcards, that filters allow."""
    found = []
    for one in filters:
        text = re.escape(one.replace("/", ".")).replace(r"\+", r"([^.#]+)").replace(r"\#", ".*")
        found.append(text)
    return f"^({'|'.join(found)})$"
