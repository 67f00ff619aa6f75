"""`firstboot nvm`: the content of a flash image, without its secrets."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device.codec.bundle import encode
from device.layout import MPS2
from device.records import store
from device.update.appset import AppSets, Binding
from simulator.cli.nvm import app
from simulator.ports.flash import SimFlash
from simulator.ports.records import device_records, user_records

SECRET = b"\xa5secret-of-the-unit"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with one public and two secret records, one of them unknown to this version."""
    flash = SimFlash()
    device, user = device_records(flash), user_records(flash)
    device.format()
    user.format()
    device.write("identity", store.wrap(b"\x83\x01\x02\x42\xa5\xff"))
    device.write("later.record", store.wrap(SECRET))
    user.write("credential", store.wrap(SECRET))
    flash.save(tmp_path / "nvm.bin")
    return tmp_path / "nvm.bin"


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_ls_lists_records_and_slots_and_no_content(image: Path) -> None:
    code, text = _run("ls", str(image))
    assert code == 0
    assert "device/identity" in text and "slot0" in text and "user/credential" in text
    assert SECRET.decode("latin-1") not in text and SECRET.hex() not in text


def test_ls_shows_the_sets_in_the_application_slots(image: Path) -> None:
    flash = SimFlash()
    flash.load_image(image.read_bytes())
    sets = AppSets(flash, MPS2)
    bundle = encode({"__init__.py": b"", "text.txt": b"hello"})
    stored = bundle + b"\xff" * (-len(bundle) % MPS2.unit_bytes)
    flash.write(MPS2.set_offsets[0], stored)
    sets.bind(0, Binding(7, b"\xab" * 32, sha256(bundle).digest(), len(bundle), True))
    sets.stage(0)
    sets.bind(1, Binding(8, b"\xab" * 32, bytes(32), 100, False))
    flash.save(image)
    code, text = _run("ls", str(image))
    assert code == 0
    assert "set of release 7 for image abababababababab, 2 files; marks: staged" in text
    assert (
        "set of release 8 for image abababababababab, DAMAGED: changed index; the image's marks count" in text
    )


def test_ls_shows_an_empty_application_slot(image: Path) -> None:
    lines = [line.split() for line in _run("ls", str(image))[1].splitlines()]
    assert ["application-slot1", "0", "no", "complete", "set;", "marks:", "none"] in lines


def test_cat_prints_a_public_record_in_diagnostic_notation(image: Path) -> None:
    code, text = _run("cat", str(image), "device/identity")
    assert code == 0 and text.strip() == "[1, 2, h'a5ff']"


@pytest.mark.parametrize("name", ["user/credential", "device/later.record"])
def test_cat_prints_a_secret_or_unknown_record_only_with_reveal(image: Path, name: str) -> None:
    code, text = _run("cat", str(image), name)
    assert code == 1 and SECRET.hex() not in text and "--reveal" in text
    code, text = _run("cat", str(image), name, "--reveal")
    assert code == 0 and SECRET.hex() in text


def test_diff_names_a_changed_record_without_its_content(image: Path, tmp_path: Path) -> None:
    assert _run("diff", str(image), str(image)) == (0, "")
    flash = SimFlash()
    flash.load_image(image.read_bytes())
    user = user_records(flash)
    user.mount()
    user.write("credential", store.wrap(SECRET + b"2"))
    flash.save(tmp_path / "after.bin")
    code, text = _run("diff", str(image), str(tmp_path / "after.bin"))
    assert code == 1 and text.startswith("~ user/credential") and SECRET.hex() not in text


@pytest.mark.parametrize(
    ("offset", "region"),
    [(0x2DC6C0, "slot0"), (0x010000, "entropy"), (0x7FFFFF, "application-slot1"), (0xFFFFFF, "unused")],
)
def test_diff_names_the_region_of_any_byte_that_differs(
    image: Path, tmp_path: Path, offset: int, region: str
) -> None:
    content = bytearray(image.read_bytes())
    content[offset] ^= 1
    (tmp_path / "after.bin").write_bytes(content)
    code, text = _run("diff", str(image), str(tmp_path / "after.bin"))
    assert code == 1 and text.startswith(f"* {region}: 1 of ") and text.endswith(f"from 0x{offset:06x}\n")


def test_a_damaged_record_is_named(image: Path) -> None:
    flash = SimFlash()
    flash.load_image(image.read_bytes())
    device = device_records(flash)
    device.mount()
    device.write("identity", b"x" * 40)
    flash.save(image)
    assert "DAMAGED" in next(line for line in _run("ls", str(image))[1].splitlines() if "identity" in line)
