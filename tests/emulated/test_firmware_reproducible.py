"""The same content gives the same bytes in every folder, and is built once."""

import shutil
import subprocess

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from provisioning.firmware import build as building
from provisioning.firmware import rebuild, sbom
from provisioning.firmware.frozen import VARIANTS
from provisioning.firmware.sources import PINS, cache_folder, source_tree
from tests.emulated.firmware_support import CHECKOUT, kit

__all__ = ["kit"]

pytestmark = pytest.mark.emulated


def copy_checkout(source, folder):
    for name in ("device", "tests/dual"):
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    tarballs = folder / ".cache" / "sources"
    tarballs.mkdir(parents=True)
    for pin in PINS:
        shutil.copy(cache_folder(CHECKOUT) / "sources" / pin.file_name, tarballs)
    return folder


def test_a_rebuild_in_another_folder_gives_the_same_firmware_and_rom(kit, tmp_path, monkeypatch):
    """The copy has sources and objects of its own; its name is longer."""
    monkeypatch.delenv("FIRSTBOOT_CACHE", raising=False)
    monkeypatch.delenv("FIRSTBOOT_MICROPYTHON", raising=False)
    if not all((cache_folder(CHECKOUT) / "sources" / pin.file_name).exists() for pin in PINS):
        pytest.skip("firmware: the pinned tarballs are not in the cache, only an unpacked tree")
    other = copy_checkout(CHECKOUT, tmp_path / "another-place-with-a-longer-name")
    built = kit.firmware("release")
    bills = []

    def build_and_keep_the_bill(*arguments, **options):
        made = building.build(*arguments, **options)
        bills.append(made.sbom.read_text())
        return made

    monkeypatch.setattr(rebuild, "build", build_and_keep_the_bill)
    verdict = rebuild.verify(built.image, root=other, progress=str, record=built.provenance)
    assert bills == [built.sbom.read_text()]
    assert verdict.rebuilt_sha256 == built.sha256
    assert list(verdict.differences) == []
    hashes = ["0" * 64]
    here, there = (building.build_rom(hashes, root=root) for root in (CHECKOUT, other))
    assert here.sha256 == there.sha256
    assert here.sbom.read_text() == there.sbom.read_text()


def test_a_second_build_starts_no_compiler(kit, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("make was started")

    firmware = building.Firmware(CHECKOUT, source_tree(CHECKOUT, str), VARIANTS["release"])
    first = firmware.build(str)
    monkeypatch.setattr(building, "make", refuse)
    assert firmware.build(str) == first


@pytest.mark.parametrize("header", ["layout/addresses.h", "board/port/board.h"])
def test_a_changed_header_compiles_the_files_of_each_variant_again(kit, monkeypatch, header):
    found = []
    monkeypatch.setattr(building, "make", lambda folder, variables: found.append((folder, variables)))
    kit.firmware("release")
    firmware = building.Firmware(CHECKOUT, source_tree(CHECKOUT, str), VARIANTS["release"])
    firmware._compile()
    ((folder, variables),) = found
    options = [f"{name}={value}" for name, value in variables.items()]
    command = ["make", "--dry-run", "--what-if", str(firmware.objects / header), *options]
    planned = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert all(f"-c -o {firmware.objects}/variants/release/{name}.o" in planned for name in ("main", "nvm"))


def test_the_image_names_no_folder_of_this_machine(kit):
    image = kit.firmware("release").image.read_bytes()
    assert str(CHECKOUT).encode() not in image
    assert b"/.cache/" not in image and b"/home/" not in image and b"/usr/" not in image


def test_up_14_the_bill_of_the_firmware_is_valid_and_knows_every_licence(kit):
    built = kit.firmware("release")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(built.sbom.read_text()) is None
    document = sbom.read(built.sbom)
    assert sbom.image_sha256(document) == built.sha256
    listed = {name: license_ for name, _, license_ in sbom.components_of(document)}
    assert {"micropython", "lwip", "mbedtls", "p256-m", "littlefs", "microdot", "newlib"} <= set(listed)
    assert [name for name, license_ in listed.items() if license_ == "not known"] == []


def test_up_14_the_bill_of_the_boot_rom_has_what_was_linked_into_it():
    built = building.build_rom(["0" * 64], root=CHECKOUT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(built.sbom.read_text()) is None
    document = sbom.read(built.sbom)
    assert sbom.image_sha256(document) == built.sha256
    listed = {name: license_ for name, _, license_ in sbom.components_of(document)}
    assert {"mbedtls", "p256-m", "firstboot-boot-rom-code"} <= set(listed)
    assert "lwip" not in listed and "not known" not in listed.values()
    own = next(one for one in document["components"] if one["name"] == "firstboot-boot-rom-code")
    files = {one["name"] for one in own["components"]}
    assert {"rom/main.c", "rom/boot.c", "cmodules/fbcrypto/hss.c", "generated/image_keys.h"} <= files
