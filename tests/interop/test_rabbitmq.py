"""`firstboot broker check` against a cluster of RabbitMQ on loopback; runs with --nightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.publishing import broker_check
from provisioning.publishing.broker_bench import Bench, Users
from provisioning.publishing.broker_check import BrokerCheck, Finding
from tests.interop.support.maker import CLASS_ID, Maker
from tests.rabbitmq import Cluster, missing_reason

pytestmark = [pytest.mark.interop, pytest.mark.nightly]
USERS = ("publisher", "tracker", "00" * 16, "11" * 16)


@pytest.fixture
def users(maker: Maker, tmp_path: Path) -> Path:
    """The certificates of a check."""
    folder = tmp_path / "users"
    folder.mkdir()
    for name in USERS:
        maker.device_ca.issue_client(name).save(folder, name)
    return folder


@pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
def test_a_cluster_of_three_serves_units_but_keeps_retained_objects_on_one_node_and_loses_them(
    maker: Maker, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_check, "MANY", 150)  # each subscription is a transaction of the whole cluster
    with Cluster(maker.server, maker.device_ca.certificate_pem, USERS, CLASS_ID, 3) as cluster:
        first, *others = cluster.nodes
        bench = Bench(maker.access(first.port, "publisher"), CLASS_ID, Users.of_folder(users))

        def restart() -> None:
            cluster.kill(first)
            cluster.start(first)

        nodes = [("127.0.0.1", node.port) for node in others]
        found: dict[str, Finding] = {}
        for one in BrokerCheck(bench, nodes, restart).run():
            found[one.name] = one
            print(one)
    wanted = {"every node", "a broker that is killed"}
    assert {name for name, one in found.items() if one.is_met is not True} == wanted, found
    assert "publish to each node" in found["every node"].text
