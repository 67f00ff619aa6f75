"""`firstboot serve` as a maker runs it: a real broker, real processes, real signals."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device.errors import FirstbootError
from device.records import freshness
from provisioning.cli import serve
from provisioning.cli.exit_codes import ExitCode
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import Release
from provisioning.servers.broker import Broker
from provisioning.servers.local_broker import make_broker
from provisioning.servers.signing_clock import is_synchronised
from tests.interop.support.maker import CLASS_ID, fetch_payload, freshness_request
from tests.interop.support.serving import ANSWERS_S, MakersFolder, Serving
from tests.own_port import own_port

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]


def numbers(folder: MakersFolder, source) -> tuple[int, int]:
    """The newest numbers that the tracker signs, asked by a unit over `source`."""
    nonce, request = freshness_request()
    answer = asyncio.run(ask(source, request))
    found = freshness.accept(
        folder.maker.verify_freshness(answer), freshness.challenge(nonce, CLASS_ID, 0), 0, 0
    )
    return found.newest_manifest, found.newest_support


async def ask(source, request: bytes) -> bytes:
    await source.open()
    try:
        return await source.freshness(request)
    finally:
        await source.close()


async def fetch(source, release: Release, wanted: list[int]) -> bytes:
    await source.open()
    try:
        return await fetch_payload(source, release, wanted)
    finally:
        await source.close()


def over_mqtt(folder: MakersFolder, port: int) -> tuple[int, int]:
    return numbers(folder, folder.maker.mqtt_source(folder.maker.unit(), port))


def over_coap(folder: MakersFolder, serving: Serving) -> tuple[int, int]:
    return numbers(folder, folder.maker.coap_source(folder.unit(), coap_port(serving)))


def coap_port(serving: Serving) -> int:
    return int(next(one["coap"] for one in serving.seen if "coap" in one).rpartition(":")[2])


def started(serving: Serving) -> Serving:
    serving.event("ready")
    return serving


def test_units_get_the_published_numbers_over_both_transports_from_one_process(
    folder: MakersFolder, own_broker: Broker
) -> None:
    with Serving("all", folder.settings(own_broker.port)) as serving:
        started(serving)
        assert over_mqtt(folder, own_broker.port) == over_coap(folder, serving) == (0, 0)
        FolderStore(folder.store, CLASS_ID).put_release(folder.maker.release(5000, sequence_number=41))
        assert over_mqtt(folder, own_broker.port) == over_coap(folder, serving) == (41, 0)
        assert serving.stop() == ExitCode.DONE
        assert serving.event("stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_servers_with_exit_code_0(
    folder: MakersFolder, own_broker: Broker, number: int
) -> None:
    with Serving("all", folder.settings(own_broker.port)) as serving:
        started(serving)
        assert serving.stop(number) == ExitCode.DONE


def test_a_signal_while_the_broker_is_down_ends_the_servers_too(folder: MakersFolder) -> None:
    with Serving("all", folder.settings(own_port())) as serving:
        assert "broker" in serving.event("not_ready")
        assert serving.stop() == ExitCode.DONE


def test_a_broker_that_is_down_at_the_start_is_waited_for(folder: MakersFolder) -> None:
    port = own_port()
    with Serving("tracker", folder.settings(port)) as serving:
        assert "broker" in serving.event("not_ready")
        serving.wait_for("the reason", lambda: "refused" in serving.get("/readyz")[1])
        assert serving.get("/readyz")[0] == 503
        assert serving.get("/healthz")[0] == 200
        with make_broker(folder.broker_setup(port)):
            started(serving)
            assert serving.get("/readyz")[0] == 200
            assert over_mqtt(folder, port) == (0, 0)


def test_the_health_endpoint_reports_a_broker_that_is_lost_until_it_is_back(folder: MakersFolder) -> None:
    port = own_port()
    with Serving("all", folder.settings(port)) as serving:
        broker = make_broker(folder.broker_setup(port))
        with broker:
            started(serving)
            assert serving.metrics()["firstboot_broker_connected"] == 1
        assert "broker" in serving.event("not_ready")
        status, body = serving.get("/readyz")
        parts = json.loads(body)["parts"]
        assert status == 503 and parts["broker"] != "ok" and parts["coap"] == "ok"
        assert serving.metrics()["firstboot_broker_connected"] == 0
        assert over_coap(folder, serving) == (0, 0), "the CoAP server goes on"
        with broker:
            started(serving)
            assert over_mqtt(folder, port) == (0, 0)


def test_a_port_in_use_is_exit_code_75(folder: MakersFolder, own_broker: Broker) -> None:
    with Serving("coap", folder.settings(own_broker.port)) as first:
        started(first)
        config = folder.settings(own_broker.port, coap_port(first), state="other")
        with Serving("coap", config, "--oscore", "other-oscore") as second:
            assert second.ended() == ExitCode.TRY_LATER
            assert "in use" in second.log()
        taken = first.seen[0]["health"].removeprefix("http://")
        with Serving("tracker", config, "--health", taken) as third:
            assert third.ended() == ExitCode.TRY_LATER
            assert "in use" in third.log()


@pytest.mark.parametrize("name", ["tracker.pem", "tracker.key"])
def test_a_key_file_that_others_can_read_is_exit_code_2(
    folder: MakersFolder, own_broker: Broker, name: str
) -> None:
    config = folder.settings(own_broker.port)
    (folder.folder / name).chmod(0o640)
    with Serving("all", config) as serving:
        assert serving.ended() == ExitCode.WRONG_INPUT
        assert f"chmod 600 {name}" in serving.log()


def test_a_certificate_of_another_user_is_exit_code_2(folder: MakersFolder, own_broker: Broker) -> None:
    config = folder.settings(own_broker.port)
    with Serving("tracker", config, "--cert", "publisher.crt", "--key", "publisher.key") as serving:
        assert serving.ended() == ExitCode.WRONG_INPUT
        assert "'publisher'" in serving.log() and "keys ca issue client tracker" in serving.log()


def test_a_clock_that_is_not_synchronised_is_reported_and_waited_for(
    folder: MakersFolder, own_broker: Broker
) -> None:
    if is_synchronised():
        pytest.skip("the clock of this machine is synchronised")
    with Serving("coap", folder.settings(own_broker.port, **{"trust-clock": False})) as serving:
        assert "not synchronised" in serving.event("not_ready")["clock"]
        assert serving.get("/readyz")[0] == 503
        assert serving.stop() == ExitCode.DONE


def test_a_transfer_goes_on_after_the_server_was_stopped_in_it_and_started_again(
    folder: MakersFolder, own_broker: Broker
) -> None:
    release = folder.maker.release(60_000)
    FolderStore(folder.store, CLASS_ID).put_release(release)
    port = own_port()
    config = folder.settings(own_broker.port, port)
    source = folder.maker.coap_source(folder.unit(), port)
    with Serving("coap", config) as first:
        started(first)
        began = asyncio.run(fetch(source, release, [0, 1, 2, 3]))
        assert first.stop() == ExitCode.DONE
    with Serving("coap", config) as second:
        started(second)
        rest = asyncio.run(fetch(source, release, list(range(4, len(release.chunk_list) // 32))))
        assert began + rest == release.payload


def test_numbers_secrets_and_sequence_outlive_a_kill(folder: MakersFolder, own_broker: Broker) -> None:
    FolderStore(folder.store, CLASS_ID).put_release(folder.maker.release(5000, sequence_number=9))
    unit = folder.unit()
    port = own_port()
    config = folder.settings(own_broker.port, port)
    source = folder.maker.coap_source(unit, port)
    reserved = 0
    for _ in range(3):
        with Serving("all", config) as serving:
            started(serving)
            assert numbers(folder, source) == (9, 0)
            sequence = folder.oscore.first_sequence(unit.device_id[:7])
            assert sequence > reserved, "a number could be used again"
            reserved = sequence
            serving.process.kill()
            serving.process.wait()


def test_a_jump_of_the_clock_is_refused_after_a_restart_too(folder: MakersFolder, own_broker: Broker) -> None:
    config = folder.settings(own_broker.port)
    with Serving("coap", config) as first:
        started(first)
    base = folder.folder / "state" / "coap.clock.base"
    boot, now_s, steady_s = base.read_text().split()
    base.write_text(
        f"{boot} {int(now_s) - 86400} {steady_s}\n"
    )  # as if the clock had been set a day ahead since
    for _ in range(2):
        with Serving("coap", config) as serving:
            assert "jumped by +86" in serving.event("not_ready")["clock"]
    confirmed = CliRunner().invoke(serve.app, ["accept-clock", "--state", str(folder.folder / "state")])
    assert confirmed.exit_code == ExitCode.DONE, confirmed.output
    with Serving("coap", config) as serving:
        started(serving)


def test_a_second_server_with_the_same_folders_is_exit_code_75(
    folder: MakersFolder, own_broker: Broker
) -> None:
    config = folder.settings(own_broker.port)
    with Serving("all", config) as first:
        started(first)
        with Serving("all", config) as second:
            assert second.ended() == ExitCode.TRY_LATER
            assert "another server uses" in second.log()
        with Serving("coap", config, "--state", "other") as third:
            assert third.ended() == ExitCode.TRY_LATER
            assert "oscore" in third.log()
        assert over_mqtt(folder, own_broker.port) == (0, 0)


def test_two_trackers_of_one_name_report_that_they_take_over_from_each_other(
    folder: MakersFolder, own_broker: Broker
) -> None:
    config = folder.settings(own_broker.port)
    with Serving("tracker", config) as first, Serving("tracker", config, "--state", "other") as second:
        first.event("listening")
        second.event("listening")

        def is_reported() -> bool:
            logs = first.log() + second.log()
            return "broker_takeover" in logs and "takes over the session of 'tracker'" in logs

        first.wait_for("a report of the takeover", is_reported)
        taken = [one.metrics().get("firstboot_broker_takeovers_total", 0) for one in (first, second)]
        assert sum(taken) > 0


def test_metrics_count_requests_answers_refusals_and_reports(
    folder: MakersFolder, own_broker: Broker
) -> None:
    release = folder.maker.release(5000)
    FolderStore(folder.store, CLASS_ID).put_release(release)
    with Serving("all", folder.settings(own_broker.port)) as serving:
        started(serving)
        over_mqtt(folder, own_broker.port)
        over_coap(folder, serving)
        over_coap(folder, serving)
        asyncio.run(misuse(folder, coap_port(serving)))
        found = serving.metrics()
    expected = {
        'firstboot_requests_total{kind="freshness",source="mqtt"}': 1,
        'firstboot_requests_total{kind="freshness",source="coap"}': 3,
        'firstboot_freshness_answers_total{source="mqtt"}': 1,
        'firstboot_freshness_answers_total{source="coap"}': 2,
        'firstboot_refused_requests_total{kind="freshness",reason="class",source="coap"}': 1,
        'firstboot_requests_total{kind="manifest",source="coap"}': 1,
        'firstboot_sent_bytes_total{kind="manifest",source="coap"}': len(release.envelope),
        'firstboot_refused_requests_total{kind="object",reason="not found",source="coap"}': 1,
        'firstboot_requests_total{kind="report",source="coap"}': 2,
        'firstboot_reports_total{source="coap"}': 1,
        'firstboot_refused_requests_total{kind="report",reason="size",source="coap"}': 1,
        'firstboot_refused_requests_total{kind="message",reason="unknown unit",source="coap"}': 2,  # asked again
        "firstboot_broker_connections_total": 1,
        "firstboot_broker_connected": 1,
        "firstboot_ready": 1,
        f'firstboot_published_manifest{{class="{CLASS_ID.hex()}"}}': 7,
        f'firstboot_store_files{{class="{CLASS_ID.hex()}"}}': len(release.whole_objects()) + 1,
    }
    assert {name: found.get(name) for name in expected} == expected


async def misuse(folder: MakersFolder, port: int) -> None:
    """One good report, and one of each request that is refused."""
    source = folder.maker.coap_source(folder.unit(), port)
    await source.open()
    try:
        assert await source.envelope() is not None
        await source.report(b"\xa0")
        for refused in (
            source.freshness(freshness_request(bytes(16))[1]),
            source.object(bytes(32), 100),
            source.report(bytes(600)),
        ):
            with pytest.raises(FirstbootError):
                await refused
    finally:
        await source.close()
    stranger = folder.maker.coap_source(folder.maker.unit(), port)
    await stranger.open()
    with pytest.raises(FirstbootError):
        await stranger.envelope()
    await stranger.close()


def test_a_device_id_is_never_the_label_of_a_metric(folder: MakersFolder, own_broker: Broker) -> None:
    unit = folder.unit()
    with Serving("all", folder.settings(own_broker.port)) as serving:
        started(serving)
        numbers(folder, folder.maker.coap_source(unit, coap_port(serving)))
        assert unit.device_id.hex() not in serving.get("/metrics")[1]


def test_sd_notify_reports_ready_only_after_the_broker_answers(folder: MakersFolder, tmp_path: Path) -> None:
    port = own_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(ANSWERS_S)
        with Serving("all", folder.settings(port), NOTIFY_SOCKET=str(tmp_path / "notify")) as serving:
            assert manager.recv(4096).startswith(b"STATUS=not ready: broker")
            with make_broker(folder.broker_setup(port)):
                assert manager.recv(4096) == b"READY=1\nSTATUS=ready"
                assert serving.stop() == ExitCode.DONE
                assert manager.recv(4096) == b"STOPPING=1"


def test_show_config_reads_the_table_serve_and_shows_no_secret(folder: MakersFolder) -> None:
    config = folder.settings(8883)
    result = CliRunner().invoke(serve.app, ["all", "--config", str(config), "--show-config", "--json"])
    assert result.exit_code == ExitCode.DONE, result.output
    shown = json.loads(result.stdout)
    assert shown["signer"]["value"] == str(folder.folder / "tracker.pem")
    assert shown["mqtt"]["source"].endswith("[serve]")
