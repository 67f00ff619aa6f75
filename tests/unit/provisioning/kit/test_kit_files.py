"""Kits and lists as an attacker or an accident leaves them: every fault is a KitError or a DeliveryError."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.keys.file_signer import FileSigner
from provisioning.kit import content as content_module
from provisioning.kit import delivery as delivery_module
from provisioning.kit.content import read_content
from provisioning.kit.delivery import read_delivery, read_delivery_file
from provisioning.kit.errors import DeliveryError, KitError
from provisioning.kit.page import render_page
from provisioning.kit.signed import CONTENT, PAGE, SIGNED, open_kit, sign_kit
from tests.unit.provisioning.kit.kit_bench import KitFactory


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> KitFactory:
    """A factory that built a kit; tests only read it."""
    made = KitFactory(tmp_path_factory.mktemp("factory"))
    made.build()
    return made


@pytest.fixture
def factory(made: KitFactory, tmp_path: Path) -> KitFactory:
    """The same factory with a copy of its kit for this test."""
    copied = copy(made)
    copied.folder = tmp_path / "kit"
    shutil.copytree(made.folder, copied.folder)
    return copied


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda kit: append(kit / PAGE), "is not the file"),
        (lambda kit: append(kit / CONTENT), "is not the file"),
        (lambda kit: append(next(kit.glob("statements/*/statement.html"))), "is not the file"),
        (lambda kit: (kit / PAGE).unlink(), "the kit has no index.html"),
        (lambda kit: (kit / "offer.html").write_text("x"), "did not sign"),
        (lambda kit: (kit / "statements" / "link").symlink_to(kit), "a link"),
        (lambda kit: (kit / SIGNED).write_bytes(b"\xd2\x84"), "the kit is"),
        (lambda kit: (kit / SIGNED).write_bytes(b""), "the kit is"),
        (lambda kit: (kit / SIGNED).write_bytes(bytes((4 << 20) + 1)), "longer than"),
    ],
)
def test_a_changed_kit_is_refused(fault: Callable[[Path], Any], words: str, factory: KitFactory) -> None:
    fault(factory.folder)
    with pytest.raises(KitError, match=words):
        factory.open()


def test_a_kit_of_another_station_is_refused(factory: KitFactory) -> None:
    thief = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    files = {
        path.relative_to(factory.folder).as_posix(): path.read_bytes()
        for path in factory.folder.rglob("*")
        if path.is_file() and path.name != SIGNED
    }
    content = read_content(files[CONTENT])
    (factory.folder / SIGNED).write_bytes(sign_kit(content, files, thief))
    with pytest.raises(KitError, match="not signed by a station that you trust"):
        factory.open()
    with pytest.raises(KitError):
        open_kit(factory.folder, [])


def test_a_file_that_a_desktop_leaves_is_no_fault(factory: KitFactory) -> None:
    (factory.folder / "statements" / ".DS_Store").write_bytes(b"1")
    assert factory.open().content.units


def test_a_folder_without_a_signature_is_no_kit(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=SIGNED):
        open_kit(tmp_path, [])


def put(path: list[str | int], value: object) -> Callable[[Any], None]:
    """Return a change that sets one value of the kit's data."""

    def change(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        data[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put(["form"], 2),
        put(["units"], []),
        put(["units"], {}),
        put(["units", 0], None),
        put(["units", 0, "serial"], "FB1 000001"),
        put(["units", 0, "serial"], "x" * 65),
        put(["units", 0, "state"], "sold"),
        put(["units", 0, "statement"], "no-such"),
        put(["units", 0, "shipped"], "2026-13-01"),
        put(["statements", 0, "id"], "../../etc"),
        put(["statements", 0, "support_end"], "2099-01-01"),
        put(["statements", 0, "keep_until"], 20260101),
        put(["statements", 0, "labels"], [{}]),
        put(["support_ends"], []),
        put(["station_keys"], ["zz"]),
        put(["role"], "king"),
        put(["maker"], "line\nbreak"),
        put(["policy"], "x" * 2001),
        put(["more"], 1),
        put(["issued"], None),
    ],
)
def test_data_of_another_form_is_refused(change: Callable[[Any], None], factory: KitFactory) -> None:
    data = json.loads((factory.folder / CONTENT).read_bytes())
    change(data)
    with pytest.raises(KitError):
        read_content(json.dumps(data).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"form":1}'])
def test_bytes_that_are_no_data_of_a_kit_are_refused(data: bytes) -> None:
    with pytest.raises(KitError):
        read_content(data)


def test_a_unit_that_is_listed_twice_is_refused(factory: KitFactory) -> None:
    data = json.loads((factory.folder / CONTENT).read_bytes())
    data["units"].append(data["units"][0])
    with pytest.raises(KitError, match="twice"):
        read_content(json.dumps(data).encode())


def test_the_size_of_a_kit_is_bounded(factory: KitFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (factory.folder / CONTENT).read_bytes()
    monkeypatch.setattr(content_module, "MOST_UNITS", 1)
    with pytest.raises(KitError, match="1 to 1 units"):
        read_content(data)
    monkeypatch.setattr(content_module, "CONTENT_BYTES", len(data) - 1)
    with pytest.raises(KitError, match="longer"):
        read_content(data)


def test_names_reach_the_page_as_text(factory: KitFactory) -> None:
    data = json.loads((factory.folder / CONTENT).read_bytes())
    data["name"] = "</script><script>alert(1)</script>"
    page = render_page(read_content(json.dumps(data).encode())).decode()
    assert "<script>alert" not in page and page.count("</script>") == 2
    assert "\\u003cscript\\u003ealert(1)" in page and "&lt;script&gt;alert(1)" in page


def test_a_folder_that_cannot_be_read_is_not_a_missing_file(
    factory: KitFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "statements":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError, match="statements"):
        factory.open()


# Lists of a delivery --------------------------------------------------------------------------------------------------


def test_a_list_has_one_serial_number_a_line() -> None:
    data = b"\xef\xbb\xbfFB1-000001\r\n\r\n  FB1-000002 \n\xc2\xa0FB1-000003\xe2\x80\x8b\t"
    assert [each.serial for each in read_delivery(data)] == ["FB1-000001", "FB1-000002", "FB1-000003"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no serial number"),
        (b"\n\n", "no serial number"),
        (b"FB1-000001\nFB1-000002;12 pieces", "line 2 is not a serial number"),
        (b"FB1-000001,FB1-000002", "line 1"),
        (b"<b>", "line 1"),
        (b"FB1-000001\n\xff\xfe", "line 2 is not text"),
        (b"{", "line 1 is not a line of a packing list"),
        (b'{"entry": []}', "line 1"),
        (b'{"entry": {"event": "issued", "serial": "FB1-000001"}}', "line 1"),
        (b'{"entry": {"event": "shipped", "serial": 7}}', "line 1"),
        (b'{"entry": {"event": "shipped"}}', "line 1"),
        (b"{" + b'"a":[' * 9000, "line 1"),
        (b"A" * 70_000, "line 1 is longer"),
    ],
)
def test_a_list_of_another_form_is_refused_with_its_line(data: bytes, words: str) -> None:
    with pytest.raises(DeliveryError, match=words):
        read_delivery(data)


def test_the_size_of_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(delivery_module, "MOST_UNITS", 2)
    with pytest.raises(DeliveryError, match="more than 2 units"):
        read_delivery(b"A\nB\nC")
    monkeypatch.setattr(delivery_module, "LIST_BYTES", 4)
    (tmp_path / "list").write_bytes(b"A\nB\nC")
    with pytest.raises(DeliveryError, match="longer than 4"):
        read_delivery_file(tmp_path / "list")
