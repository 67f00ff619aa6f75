"""`firstboot release` with an application: the same bytes each time, refused as by a unit, shown file by file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from device.codec import bundle
from device.trust.profile import Circumstances
from device.trust.verify import verify_envelope
from provisioning.cli import conformance as conformance_commands
from provisioning.cli.release import app
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.pem import private_pem, write_private
from provisioning.product.example import EXAMPLE
from provisioning.product.product import load_product
from provisioning.publishing.coap import CoapPublisher
from provisioning.release import application_set as appset
from provisioning.release.folder_store import FolderStore
from provisioning.release.image import sign_image
from provisioning.release.payload import ReleaseError
from provisioning.release.release import Release, anchors_of

ROOT = Path(__file__).resolve().parents[4]
START = "async def run(context):\n    pass\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An application of three files, and leftovers of an editor."""
    place = tmp_path / "app"
    (place / "data").mkdir(parents=True)
    (place / "__pycache__").mkdir()
    (place / "__init__.py").write_text(START)
    (place / "helper.py").write_text("X = 1\n")
    (place / "data" / "table.bin").write_bytes(bytes(range(256)) * 20)
    (place / ".hidden").write_text("x")
    (place / "__pycache__" / "helper.cpython-311.pyc").write_bytes(b"x")
    return place


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A maker's desk: signed images of builds 2 and 3, a product, an author's key."""
    desk = tmp_path_factory.mktemp("desk")
    write_private(desk / "image.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
    write_private(desk / "author.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
    (desk / "product.toml").write_text(EXAMPLE)
    (desk / "body.bin").write_bytes(bytes(9000))
    for build in (2, 3):
        sign_image(
            desk / "body.bin",
            desk / "image.pem",
            version=f"1.0.0+{build}",
            security_counter=1,
            out=desk / f"{build}.img",
        )
    return desk


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def sign(desk: Path, image: str, out: Path, log: Path, *more: object) -> Result:
    return run(
        "sign", desk / image, "--out", out, "--product", desk / "product.toml", "--key", desk / "author.pem",
        "--mitigates", "a hole", "--interrupts", "one restart", "--log", log, *more,
    )  # fmt: skip


def runs(desk: Path, out: Path, is_running: bool) -> bool:
    """Return whether a unit fetches the firmware; `is_running`: it runs the release's image."""
    ids = load_product(desk / "product.toml")
    anchors = anchors_of(ids.vendor_id, ids.class_id, FileSigner.load(desk / "author.pem"))
    around = Circumstances(None, None, None, lambda digest, size: is_running)
    found = verify_envelope(Release.load(out).envelope, anchors, circumstances=around)
    assert found.app is not None
    return found.chunks is not None


def test_a_set_has_the_files_and_no_leftovers(folder: Path) -> None:
    assert list(appset.collect(folder)) == ["__init__.py", "data/table.bin", "helper.py"]


def test_the_same_folder_gives_the_same_set_whatever_its_dates(folder: Path) -> None:
    first = appset.build_set(folder).content
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    assert appset.build_set(folder).content == first


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("Upper.py", b"", "cannot be a file name"),
        ("a b.py", b"", "cannot be a file name"),
        ("bad.py", b"def:\n", "bad.py, line 1: not valid Python source"),
        ("latin.py", b"# \xe9\n", "latin.py: not valid Python source"),
        ("large.bin", bytes(65537), "limit=65536"),
        ("__init__.py", b"def run(context):\n    pass\n", "no `async def run"),
        ("x" * 49, b"", "cannot be a file name"),
    ],
)
def test_a_set_that_a_unit_would_refuse_is_refused_by_name(
    folder: Path, name: str, content: bytes, text: str
) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ReleaseError, match=text):
        appset.build_set(folder)


def test_a_folder_without_a_start_and_one_with_a_link_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "link.py").symlink_to(folder / "helper.py")
    with pytest.raises(ReleaseError, match="link"):
        appset.build_set(folder)
    (folder / "link.py").unlink()
    (folder / "__init__.py").unlink()
    with pytest.raises(ReleaseError, match="__init__"):
        appset.build_set(folder)
    with pytest.raises(ReleaseError, match="is not a folder"):
        appset.build_set(tmp_path / "nothing")


def test_a_set_that_no_unit_has_room_for_is_refused(folder: Path) -> None:
    for number in range(8):
        (folder / f"big{number}.bin").write_bytes(bytes(65536))
    with pytest.raises(ReleaseError, match="a unit takes"):
        appset.build_set(folder)


def test_firmware_and_application_go_out_as_one_release(desk: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    result = sign(desk, "2.img", out, tmp_path / "log", "--sequence", 2, "--app", folder)
    assert result.exit_code == 0, result.output
    assert "with the firmware" in result.output
    release = Release.load(out)
    assert release.app is not None and release.app.content == appset.build_set(folder).content
    assert runs(desk, out, is_running=False)
    result = run("verify", out, "--key", desk / "author.pem", "--product", desk / "product.toml", "--json")
    assert json.loads(result.stdout)["app_sha256"] == release.app.digest.hex()


def test_a_released_image_can_get_a_newer_application_without_firmware(
    desk: Path, folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    assert sign(desk, "2.img", tmp_path / "a", log, "--sequence", 2, "--app", folder).exit_code == 0
    result = sign(desk, "2.img", tmp_path / "b", log, "--app", folder)
    assert result.exit_code == 0 and "without firmware for units that run 1.0.0+2" in result.output, (
        result.output
    )
    assert Release.load(tmp_path / "b").sequence_number == 3
    assert not runs(desk, tmp_path / "b", is_running=True)
    assert runs(desk, tmp_path / "b", is_running=False)


def test_an_image_that_was_never_released_needs_its_own_number(
    desk: Path, folder: Path, tmp_path: Path
) -> None:
    for image, number in (("2.img", 3), ("3.img", 2)):
        result = sign(desk, image, tmp_path / "x", tmp_path / "log", "--sequence", number, "--app", folder)
        assert result.exit_code == 2 and "build" in result.output
        assert not (tmp_path / "x").exists()


def test_inspect_shows_every_file(desk: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    assert sign(desk, "2.img", out, tmp_path / "log", "--sequence", 2, "--app", folder).exit_code == 0
    shown = run("inspect", out).output
    for name in ("app/__init__.py", "app/data/table.bin", "app/helper.py"):
        assert name in shown
    assert "fetches only the set" in shown


def test_a_release_with_an_application_conforms(desk: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    assert sign(desk, "2.img", out, tmp_path / "log", "--sequence", 2, "--app", folder).exit_code == 0
    result = CliRunner().invoke(
        conformance_commands.app, ["check", str(out / "release.suit"), "--anchor", str(desk / "author.pem")]
    )
    assert (result.exit_code, result.output.strip()) == (0, "accept")


def test_verify_refuses_a_changed_set(desk: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    sign(desk, "2.img", out, tmp_path / "log", "--sequence", 2, "--app", folder)
    data = bytearray((out / "app.bin").read_bytes())
    data[-1] ^= 1
    (out / "app.bin").write_bytes(data)
    result = run("verify", out, "--key", desk / "author.pem", "--product", desk / "product.toml")
    assert result.exit_code != 0


def test_both_payloads_are_published_and_a_superseded_set_is_removed(
    desk: Path, folder: Path, tmp_path: Path
) -> None:
    log, ids = tmp_path / "log", load_product(desk / "product.toml")
    sign(desk, "2.img", tmp_path / "a", log, "--sequence", 2, "--app", folder)
    (folder / "helper.py").write_text("X = 2\n")
    sign(desk, "2.img", tmp_path / "b", log, "--app", folder)
    publisher = CoapPublisher(FolderStore(tmp_path / "store", ids.class_id))
    first, second = Release.load(tmp_path / "a"), Release.load(tmp_path / "b")
    publisher.publish_release(first)
    publisher.publish_release(second)
    removed = publisher.remove_superseded()
    assert first.app is not None and second.app is not None
    assert removed == sorted("o/" + one.hex() for one in (first.app.digest, first.app.chunk_list_digest))
    assert publisher.store.read(f"o/{second.app.digest.hex()}") == second.app.content
    assert publisher.store.read(f"o/{second.payload_digest.hex()}") == second.payload


def test_the_example_is_a_set_that_units_take() -> None:
    files = appset.collect(ROOT / "examples" / "lamp")
    assert list(files) == ["__init__.py", "data/day.bin", "scene.py"]
    assert len(files["data/day.bin"]) == 24
    assert appset.build_set(ROOT / "examples" / "lamp").name == "app"


def test_a_bundle_says_where_each_file_lies(folder: Path) -> None:
    data = appset.build_set(folder).content
    files = bundle.decode(lambda offset, length: data[offset : offset + length], len(data))
    for file in files:
        assert data[file.offset : file.offset + file.size] == (folder / file.name).read_bytes()
