"""Objects that a publisher reported as published survive a kill of the broker and of its parent process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.publishing.mqtt import MqttPublisher
from provisioning.publishing.topics import RetainedTopics
from provisioning.servers import mosquitto
from provisioning.servers.mosquitto import MosquittoBroker
from tests.interop.support.maker import CLASS_ID, Maker
from tests.patience import ended

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(mosquitto.find_mosquitto() is None, reason="mosquitto is not installed"),
]

PREFIX = f"fb/{CLASS_ID.hex()}/"


def kill(broker: MosquittoBroker) -> None:
    process = broker._process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    ended(process)
    broker.stop()


def retained(maker: Maker, broker: MosquittoBroker, topics: list[str]) -> dict[str, bytes]:
    with RetainedTopics(maker.access(broker.port, "publisher"), "publisher") as reader:
        return reader.get(topics)


def test_a_published_release_survives_a_broker_that_is_killed(maker: Maker, tmp_path: Path) -> None:
    release = maker.release(20_000)
    broker = MosquittoBroker(maker.broker_setup(tmp_path))
    broker.start()
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_release(release)
        kill(broker)
    with broker:
        wanted = {PREFIX + "manifest": release.envelope}
        wanted |= {f"{PREFIX}o/{digest.hex()}": data for digest, data in release.small_objects().items()}
        assert retained(maker, broker, list(wanted)) == wanted


def test_a_record_and_a_removal_survive_a_broker_that_is_killed(maker: Maker, tmp_path: Path) -> None:
    old, new = maker.release(20_000, 1), maker.release(20_000, 2)
    broker = MosquittoBroker(maker.broker_setup(tmp_path))
    broker.start()
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_release(old)
        publisher.publish_release(new)
        publisher.remove_superseded()
        publisher.publish_support(b"record")
        kill(broker)
    with broker:
        superseded = [f"{PREFIX}o/{digest.hex()}" for digest in old.small_objects()]
        assert retained(maker, broker, [*superseded, PREFIX + "support"]) == {PREFIX + "support": b"record"}


SCRIPT = """
import sys
from pathlib import Path
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.servers.mosquitto import MosquittoBroker
from tests.interop.support.maker import CLASS_ID, Maker
maker = Maker(Path(sys.argv[1]))
broker = MosquittoBroker(maker.broker_setup(Path(sys.argv[2])))
broker.start()
with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
    publisher.publish_support(b"record")
print(broker._process.pid, flush=True)
sys.stdin.read()
"""


def test_a_record_survives_a_kill_of_the_brokers_parent_and_no_broker_keeps_running(
    maker: Maker, tmp_path: Path
) -> None:
    folder = tmp_path / "broker"
    (tmp_path / "other").mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "other"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    ended(owner)
    runtime = Path((folder / mosquitto.RUN_FILE).read_text().splitlines()[1])
    assert mosquitto._runs_from(pid, runtime)
    with MosquittoBroker(maker.broker_setup(folder)) as broker:
        assert retained(maker, broker, [PREFIX + "support"]) == {PREFIX + "support": b"record"}
        assert not mosquitto._runs_from(pid, runtime)
    assert not (folder / mosquitto.RUN_FILE).exists()
