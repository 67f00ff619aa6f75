"""The parts of `firstboot serve`: numbers of the store, health endpoint, metrics, notification, lock."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
from pathlib import Path

import pytest

from device.limits import ROLLOUT_KEY_BYTES
from device.records import support
from device.records.freshness import Rollout
from device.trust import keyset
from device.trust.anchors import NO_RULES, ROLE_ROOT, Key
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.pem import read_private, write_private
from provisioning.keys.signer import sign_record
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import Release, build_release
from provisioning.servers import observer, published_rollout
from provisioning.servers.errors import PortBusyError
from provisioning.servers.folder_lock import FolderInUseError, FolderLock
from provisioning.servers.health import CONNECTIONS, HealthServer
from provisioning.servers.metrics import OTHER, Metrics
from provisioning.servers.notify import notify, watchdog_interval_s
from provisioning.servers.published_numbers import PublishedNumbers
from tests.unit.provisioning.servers.bench import p256

CLASS_ID = bytes(range(16))
SIGNER = FileSigner(p256())


def release(number: int) -> Release:
    return build_release(
        b"payload %d" % number,
        vendor_id=bytes(16),
        class_id=CLASS_ID,
        sequence_number=number,
        signer=SIGNER,
        version="1.0.0",
        mitigates="nothing",
        interrupts="no",
    )


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "published", CLASS_ID)


def reader(store: FolderStore, **options: bool) -> PublishedNumbers:
    return PublishedNumbers(FolderStore(store.directory.parent, CLASS_ID, is_reader=True), **options)


def test_an_empty_store_has_the_numbers_zero(tmp_path: Path) -> None:
    numbers = PublishedNumbers(FolderStore(tmp_path / "missing", CLASS_ID, is_reader=True))
    assert numbers.current() == (0, 0, 0) and numbers.problem is None
    assert not (tmp_path / "missing").exists(), "a reader makes no folder"


def test_numbers_follow_the_store_and_may_go_down(store: FolderStore) -> None:
    numbers = reader(store)
    for number in (7, 1_000_007, 8):
        store.put_release(release(number))
        assert numbers.current() == (number, 0, 0)
    payload = support.encode(support.SupportRecord(CLASS_ID, 20000, 4, 0, 30))
    store.put_support(sign_record(payload, support.TYP, SIGNER))
    assert numbers.current() == reader(store).current() == (8, 4, 0)


def test_a_damaged_file_keeps_the_number_that_was_read_last_and_is_a_problem(store: FolderStore) -> None:
    numbers = reader(store)
    store.put_release(release(7))
    assert numbers.current()[0] == 7
    store.put_raw("manifest", b"damaged")
    assert numbers.current()[0] == 7
    assert numbers.problem is not None and "manifest" in numbers.problem
    store.put_release(release(8))
    assert numbers.current()[0] == 8 and numbers.problem is None


@pytest.mark.parametrize("lost", ["one file", "the whole folder"])
def test_a_file_that_vanishes_keeps_the_number_that_was_read_last_and_is_a_problem(
    store: FolderStore, lost: str
) -> None:
    numbers = reader(store)
    store.put_release(release(7))
    payload = support.encode(support.SupportRecord(CLASS_ID, 20000, 4, 0, 30))
    store.put_support(sign_record(payload, support.TYP, SIGNER))
    assert numbers.current() == (7, 4, 0)
    away = store.directory.with_name("away")
    if lost == "one file":
        (store.directory / "support").rename(away)
    else:
        store.directory.rename(away)
    assert numbers.current() == numbers.current() == (7, 4, 0)
    assert numbers.problem is not None and "vanished" in numbers.problem
    away.rename(store.directory / "support" if lost == "one file" else store.directory)
    store.put_release(release(8))
    assert numbers.current() == (8, 4, 0) and numbers.problem is None


def test_a_rollout_does_not_end_because_the_folder_vanished(store: FolderStore) -> None:
    numbers = reader(store)
    store.put_release(release(7))
    stage = Rollout(7, bytes(ROLLOUT_KEY_BYTES), 10)
    store.put_rollout(published_rollout.encode(stage))
    numbers.current()
    away = store.directory.with_name("away")
    store.directory.rename(away)
    numbers.current()
    assert numbers.rolled_out() == stage
    away.rename(store.directory)
    store.put_rollout(None)
    numbers.current()
    assert numbers.rolled_out() is None, "the maker ended it"


def test_a_key_set_is_named_only_if_the_maker_allows_it(store: FolderStore) -> None:
    root = Key(b"root", SIGNER.algorithm, ROLE_ROOT, SIGNER.public)
    content = keyset.KeySet(CLASS_ID, 1, (root,), NO_RULES._replace(sequence=5), (), keyset.NO_CEILINGS)
    store.put_keyset(sign_record(keyset.encode(content), keyset.TYP, SIGNER))
    assert reader(store).current() == (0, 0, 0)
    assert reader(store, is_keyset_named=True).current() == (0, 0, 5)


def test_published_files_can_be_read_by_a_server_of_another_user(store: FolderStore) -> None:
    store.put_release(release(7))
    assert (store.directory / "manifest").stat().st_mode & 0o777 == 0o644


# Health endpoint -------------------------------------------------------------------------------------------


def health(ready: dict[str, str], port: int = 0) -> HealthServer:
    return HealthServer(
        ("127.0.0.1", port), alive=lambda: {}, ready=lambda: ready, metrics=lambda: ("text/plain", b"# EOF\n")
    )


def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=600)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_ready_is_503_as_long_as_one_part_does_not_answer() -> None:
    parts = {"broker": "connection refused", "coap": ""}
    with health(parts) as server:
        status, body = get(server, "/readyz")
        assert status == 503 and b"connection refused" in body and b'"coap": "ok"' in body
        parts["broker"] = ""
        assert get(server, "/readyz?verbose=1")[0] == 200
        assert get(server, "/healthz")[0] == 200
        assert get(server, "/metrics") == (200, b"# EOF\n")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/../x", 404), ("POST", "/readyz", 501)]
)
def test_other_paths_and_methods_are_refused(method: str, path: str, status: int) -> None:
    with health({}) as server:
        assert get(server, path, method)[0] == status


def test_clients_that_send_nothing_delay_neither_others_nor_the_stop() -> None:
    server = health({})
    server.start()
    idle = [socket.create_connection((server.host, server.port)) for _ in range(CONNECTIONS - 1)]
    assert get(server, "/healthz")[0] == 200
    server.stop()
    for one in idle:
        one.close()


def test_a_host_that_drips_into_every_place_keeps_the_monitoring_out_for_no_request() -> None:
    with health({}) as server:
        dripping = [socket.create_connection((server.host, server.port)) for _ in range(2 * CONNECTIONS)]
        for one in dripping:
            with contextlib.suppress(OSError):  # hung up already
                one.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        for _ in range(CONNECTIONS):
            assert get(server, "/healthz")[0] == 200
        for one in dripping:
            one.close()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nX-Slow: "], ids=["silent", "dripping"])
def test_50_connections_of_50_addresses_keep_the_monitoring_out_for_no_request(sent: bytes) -> None:
    with health({}) as server:
        held = []
        for number in range(1, 51):
            held.append(
                socket.create_connection(("127.0.0.1", server.port), source_address=(f"127.0.2.{number}", 0))
            )
            with contextlib.suppress(OSError):  # hung up already
                held[-1].sendall(sent)
        for _ in range(3):
            assert get(server, "/healthz")[0] == 200
        for one in held:
            one.close()


def test_a_connection_ends_with_its_time_however_often_it_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioning.servers.health.REQUEST_S", 1)
    with health({}) as server, socket.create_connection((server.host, server.port)) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        slow.settimeout(0.2)
        while True:  # until the server hangs up
            try:
                slow.sendall(b"a")
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break


def test_a_check_that_raises_is_an_answer_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> dict[str, str]:
        raise PermissionError(13, "permission denied")

    server = HealthServer(("127.0.0.1", 0), alive=lambda: {}, ready=fail, metrics=lambda: ("text/plain", b""))
    with server:
        status, body = get(server, "/readyz")
        assert status == 503 and b"PermissionError" in body
        assert get(server, "/healthz")[0] == 200
    assert "/readyz cannot be answered" in caplog.text and "Traceback" not in caplog.text


def test_a_taken_port_of_the_health_endpoint_is_a_typed_error() -> None:
    with health({}) as server, pytest.raises(PortBusyError):
        health({}, server.port).start()


# Metrics ---------------------------------------------------------------------------------------------------


def test_a_value_that_is_not_known_counts_as_other() -> None:
    metrics = Metrics(classes=dict, units=lambda: 0, is_ready=lambda: True)
    metrics(observer.REFUSED, source="coap", kind="ab" * 16, reason="x\ny", device="ab" * 16)
    text = metrics.text()[1].decode()
    assert f'firstboot_refused_requests_total{{kind="{OTHER}",reason="{OTHER}",source="coap"}} 1.0' in text
    assert "abab" not in text


# Notification, lock, credentials ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_abstract", [False, True])
def test_a_notification_reaches_the_socket_of_the_service_manager(tmp_path: Path, is_abstract: bool) -> None:
    name = f"@firstboot-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if is_abstract else name)
        assert notify("READY=1", "STATUS=ready", environment={"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1\nSTATUS=ready"


@pytest.mark.parametrize("address", ["", "relative", "/nobody/listens", "@nobody-listens"])
def test_without_a_service_manager_a_notification_does_nothing(address: str) -> None:
    assert not notify("READY=1", environment={"NOTIFY_SOCKET": address})


def test_the_watchdog_is_answered_twice_in_its_limit() -> None:
    assert watchdog_interval_s({"WATCHDOG_USEC": "60000000"}) == 30
    assert watchdog_interval_s({}) is watchdog_interval_s({"WATCHDOG_USEC": "x"}) is None


def test_one_process_at_a_time_uses_a_folder(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "state", "tracker"):
        with pytest.raises(FolderInUseError, match="another server uses"):
            FolderLock(tmp_path / "state", "tracker").start()
        FolderLock(tmp_path / "state", "coap").start()
    with FolderLock(tmp_path / "state", "tracker"):
        pass


def test_a_key_that_systemd_passes_as_a_credential_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "tracker.pem"
    write_private(key, b"key")
    key.chmod(0o440)
    with pytest.raises(ValueError, match="chmod 600"):
        read_private(key)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_private(key) == b"key"
    key.chmod(0o444)
    with pytest.raises(ValueError, match="chmod 600"):
        read_private(key)
