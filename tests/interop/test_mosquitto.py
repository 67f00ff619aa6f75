"""Mosquitto as a child process: its start, its failures, its retained messages, its clean end."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from pathlib import Path

import pytest

from provisioning.publishing.mqtt import MqttPublisher
from provisioning.servers import mosquitto
from provisioning.servers.amqtt_broker import AmqttBroker
from provisioning.servers.errors import PortBusyError, ServerError, ServerMissingError
from provisioning.servers.local_broker import make_broker
from provisioning.servers.mosquitto import MosquittoBroker
from provisioning.servers.mqtt_client import MqttClient
from tests.interop.support.maker import CLASS_ID, Maker
from tests.own_port import own_port

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(mosquitto.find_mosquitto() is None, reason="mosquitto is not installed"),
]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_stopped_by_its_pid_and_leaves_only_its_log_and_state(maker: Maker, tmp_path: Path) -> None:
    broker = MosquittoBroker(maker.broker_setup(tmp_path))
    with broker:
        process, runtime = broker._process, broker._runtime
        assert process is not None and runtime is not None
        assert is_running(process.pid)
    assert not is_running(process.pid)
    assert not runtime.exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"mosquitto.log", "mosquitto.db"}
    broker.stop()


def test_its_key_is_readable_by_its_own_user_only(maker: Maker, tmp_path: Path) -> None:
    with MosquittoBroker(maker.broker_setup(tmp_path)) as broker:
        assert broker._runtime is not None and broker._process is not None
        assert stat.S_IMODE(broker._runtime.stat().st_mode) == 0o700
        key = (broker._runtime / "server.key").stat()
        assert stat.S_IMODE(key.st_mode) == 0o600
        assert Path(f"/proc/{broker._process.pid}").stat().st_uid == key.st_uid
        if os.geteuid() == 0:
            assert key.st_uid == pwd.getpwnam("mosquitto").pw_uid


def test_no_key_is_in_its_log_or_on_its_command_line(maker: Maker, tmp_path: Path) -> None:
    with MosquittoBroker(maker.broker_setup(tmp_path)) as broker:
        assert broker._process is not None
        command = Path(f"/proc/{broker._process.pid}/cmdline").read_bytes()
    body = maker.server.private_key_pem.split(b"\n")[1]
    assert body not in broker.log_path.read_bytes()
    assert body not in command


def test_what_is_retained_outlives_a_restart(maker: Maker, tmp_path: Path) -> None:
    broker = MosquittoBroker(maker.broker_setup(tmp_path, own_port()))
    with broker, MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_support(b"record")
    port = broker.port
    with broker:
        assert broker.port == port
        unit = maker.unit()
        seen: list[bytes] = []
        topic = f"fb/{CLASS_ID.hex()}/support"
        client = MqttClient(
            maker.access(port, unit.device_id.hex()),
            unit.device_id.hex(),
            topics=(topic,),
            on_message=lambda _, payload: seen.append(payload),
        )
        with client:
            # The broker answers a publish after it sent the messages of the subscription.
            client.wait([client.publish(f"fb/d/{unit.device_id.hex()}/report", b"", is_retained=False)])
    assert seen == [b"record"]


def test_a_busy_port_is_a_typed_error(maker: Maker, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for kind in (MosquittoBroker, AmqttBroker):
            with pytest.raises(PortBusyError):
                kind(maker.broker_setup(tmp_path, port)).start()


def test_a_port_that_is_lost_between_looking_and_binding_is_tried_again(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1]]
        free_port = mosquitto.free_port
        monkeypatch.setattr(mosquitto, "is_port_free", lambda host, port: True)
        monkeypatch.setattr(mosquitto, "free_port", lambda host: ports.pop() if ports else free_port(host))
        with MosquittoBroker(maker.broker_setup(tmp_path)) as broker:
            assert broker.port != taken.getsockname()[1]


def test_a_missing_program_is_a_typed_error_that_names_the_package(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosquitto, "find_mosquitto", lambda: None)
    with pytest.raises(ServerMissingError, match="Debian package mosquitto"):
        MosquittoBroker(maker.broker_setup(tmp_path)).start()
    assert isinstance(make_broker(maker.broker_setup(tmp_path)), AmqttBroker)


def test_a_broker_that_cannot_run_says_why(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosquitto, "CONFIGURATION", mosquitto.CONFIGURATION + "nonsense true\n")
    broker = MosquittoBroker(maker.broker_setup(tmp_path))
    with pytest.raises(ServerError, match="nonsense"):
        broker.start()
    assert broker._process is None and broker._runtime is None


def test_a_second_start_is_refused(maker: Maker, tmp_path: Path) -> None:
    with MosquittoBroker(maker.broker_setup(tmp_path)) as broker, pytest.raises(ServerError, match="running"):
        broker.start()


def test_amqtt_ends_its_thread_and_can_start_again(maker: Maker, tmp_path: Path) -> None:
    broker = AmqttBroker(maker.broker_setup(tmp_path))
    for _ in range(2):
        with broker:
            thread = broker._thread._thread
            assert thread is not None and thread.is_alive()
            with MqttClient(maker.access(broker.port, "tracker"), "tracker"):
                pass
        assert not thread.is_alive()


def test_a_client_that_reaches_no_server_gets_a_typed_error(maker: Maker) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(ServerError):
            MqttClient(maker.access(closed.getsockname()[1], "tracker"), "tracker").start()
