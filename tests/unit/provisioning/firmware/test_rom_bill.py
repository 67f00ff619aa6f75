"""The bill of materials of a boot ROM: the files that the compiler read for what the linker placed, and no others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from provisioning.firmware import rom_bill as under_test
from provisioning.firmware import sbom
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.rom_bill import rom_bill
from provisioning.firmware.sources import SourceTree

OTHERS = {
    "lib/mbedtls/include/mbedtls/build_info.h": "#define MBEDTLS_VERSION_MAJOR 3\n"
    "#define MBEDTLS_VERSION_MINOR 6\n#define MBEDTLS_VERSION_PATCH 6\n",
    "lib/mbedtls/library/sha256.c": "sha256",
    "lib/mbedtls/library/md5.c": "md5",
}
OURS = ("rom/main.c", "rom/boot.c", "rom/old.c", "include/map.h")


class Bench:
    """A checkout with a ROM that was just built; `link` says which objects the linker placed."""

    def __init__(self, folder: Path) -> None:
        self.root, self.tree, self.work = folder / "root", folder / "tree", folder / "work"
        self.board = self.root / "device" / "boards" / "board"
        for name, text in OTHERS.items():
            self._write(self.tree / name, text)
        for name in OURS:
            self._write(self.board / name, name)
        self._write(self.root / "device" / "cmodules" / "fbcrypto" / "p256.c", "p256")
        self._write(self.work / "layout" / "addresses.h", "layout")
        self._write(self.work / "build" / "image_keys.h", "keys")
        self._write(self.work / "rom.elf", "the ROM")
        self.placed: list[str] = []

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def link(self, name: str, *read: Path, size: int = 16) -> None:
        """Place an object that the compiler made from these files."""
        path = self.work / "build" / f"{name}.o"
        words = [f"{path}:", *map(str, read), "/usr/include/stdint.h", f"{read[0]}:"]
        path.with_suffix(".d").write_text(" \\\n ".join(words) + "\n")
        self.placed.append(f" .text.{name}  0x00000100       0x{size:x} {path}")

    def link_usual(self) -> None:
        rom = self.board / "rom"
        self.link("main", rom / "main.c", rom / ".." / "include" / "map.h", self.work / "build/image_keys.h")
        self.link("sha256", self.tree / "lib/mbedtls/library/sha256.c")

    def bill(self) -> dict[str, Any]:
        lines = ["Linker script and memory map", "", ".text           0x00000000      0x120", *self.placed]
        (self.work / "build" / "rom.map").write_text("\n".join(lines) + "\n")
        tree = SourceTree(self.tree, "11" * 32, True)
        text = rom_bill(self.work, self.root, self.board, tree)
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        return dict(json.loads(text))

    def files(self) -> dict[str, str]:
        code = next(one for one in self.bill()["components"] if one["name"] == "firstboot-boot-rom-code")
        return {one["name"]: one["hashes"][0]["content"] for one in code["components"]}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(under_test, "library_versions", lambda: {"libgcc": "12.2.1", "newlib": "3.3.0"})
    monkeypatch.setattr(under_test, "compiler", lambda: "gcc 12")
    return Bench(tmp_path)


def test_up_14_the_bill_of_a_boot_rom_is_tied_to_the_hash_of_its_file(bench: Bench) -> None:
    bench.link_usual()
    assert sbom.image_sha256(bench.bill()) == hashlib.sha256(b"the ROM").hexdigest()


def test_up_14_the_bill_of_a_boot_rom_has_the_files_that_were_compiled_and_no_others(bench: Bench) -> None:
    bench.link_usual()
    bench.link("boot", bench.board / "rom" / "boot.c", size=0)  # the linker dropped it
    found = bench.files()
    assert set(found) == {"rom/main.c", "include/map.h", "generated/image_keys.h"}
    assert found["generated/image_keys.h"] == hashlib.sha256(b"keys").hexdigest()


def test_a_library_is_in_the_bill_of_a_boot_rom_if_the_linker_placed_a_byte_of_it(bench: Bench) -> None:
    bench.link_usual()
    listed = {name: (version, license_) for name, version, license_ in sbom.components_of(bench.bill())}
    assert listed["mbedtls"] == ("3.6.6", "Apache-2.0 OR GPL-2.0-or-later")
    assert set(listed) == {"firstboot-boot-rom-code", "mbedtls"}


def test_a_boot_rom_whose_dependency_files_are_missing_has_no_bill(bench: Bench) -> None:
    bench.link("sha256", bench.tree / "lib/mbedtls/library/sha256.c")
    with pytest.raises(FirmwareError, match="name no source file of the boot ROM"):
        bench.bill()
