"""The bill of materials of a firmware: what the linker took, valid CycloneDX, the same bytes for the same firmware."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from typer.testing import CliRunner

from provisioning.cli import firmware as commands
from provisioning.firmware import components, sbom
from provisioning.firmware.build import FirmwareBuild
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.linked import linked
from provisioning.firmware.sources import PINS, SourceTree

IMAGE = hashlib.sha256(b"a firmware").hexdigest()
FILES = {
    "py/mpconfig.h": "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 25\n"
    "#define MICROPY_VERSION_MICRO 0\n",
    "py/gc.c": "gc",
    "py/dropped.c": "dropped",
    "shared/runtime/gchelper.s": "assembler",
    "lib/littlefs/lfs2.h": "#define LFS2_VERSION 0x00020008\n",
    "lib/littlefs/lfs2.c": "lfs",
    "lib/lwip/src/include/lwip/init.h": "#define LWIP_VERSION_MAJOR 2\n#define LWIP_VERSION_MINOR 2\n"
    "#define LWIP_VERSION_REVISION 1\n",
    "lib/lwip/src/core/tcp.c": "tcp",
    "lib/uzlib/uzlib.c": "uz",
    "lib/new/new.c": "new",
    "extmod/moddeflate.c": "deflate",
}


class Built:
    """A source tree with objects, as the compiler leaves them, and the map of a linker."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.objects = folder / "tree", folder / "objects" / "common"
        for name, text in FILES.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.placed: list[tuple[str, int]] = []
        self.compiled("py/gc.c")
        self.compiled("shared/runtime/gchelper.s", has_dependencies=False)

    def compiled(self, name: str, *included: str, size: int = 16, has_dependencies: bool = True) -> None:
        path = (self.objects / name).with_suffix(".o")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        if has_dependencies:
            words = [f"{path}:", *(str(self.tree / one) for one in (name, *included)), "/usr/include/stdio.h"]
            path.with_suffix(".P").write_text(" \\\n ".join(words) + "\n")
        self.placed.append((str(path), size))

    def map(self) -> str:
        lines = ["Linker script and memory map", "", ".text           0x00100200      0x120"]
        lines += [f" .text.a        0x00100210       0x{size:x} {where}" for where, size in self.placed]
        return "\n".join(lines) + "\n"

    def contents(self) -> sbom.Contents:
        return sbom.Contents(
            name="firstboot-firmware-release",
            variant="release",
            image_sha256=IMAGE,
            linked=linked(self.map(), self.tree, self.objects),
            tree=SourceTree(self.tree, "11" * 32, True),
            ours={"port/main.c": "22" * 32},
            frozen={
                "device/errors.py": "33" * 32,
                "asyncio/core.py": "44" * 32,
                "microdot/microdot.py": "55" * 32,
            },
            versions={"libgcc": "12.2.1", "newlib": "3.3.0"},
            tools={"arm-none-eabi-gcc": "gcc 12", "mpy-cross": "1.25.0"},
            wrapped=["tcp_err", "mbedtls_x509_time_cmp"],
        )

    def bill(self) -> dict[str, Any]:
        return dict(json.loads(sbom.written(self.contents())))

    def component(self, name: str) -> dict[str, Any]:
        return next(one for one in self.bill()["components"] if one["name"] == name)

    def names(self) -> set[str]:
        return {one["name"] for one in self.bill()["components"]}


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path)


def _hash(component: dict[str, Any]) -> str:
    return str(component["hashes"][0]["content"])


def test_the_bill_is_valid_for_the_schema_of_cyclonedx(built: Built) -> None:
    built.compiled("lib/littlefs/lfs2.c")
    built.compiled("lib/lwip/src/core/tcp.c")
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(sbom.written(built.contents())) is None
    assert validator.validate_str(json.dumps(built.bill() | {"bomFormat": "other"})) is not None


def test_up_14_the_bill_is_tied_to_the_hash_of_its_image(built: Built) -> None:
    assert sbom.image_sha256(built.bill()) == IMAGE


def test_up_14_a_library_is_listed_if_the_linker_placed_a_byte_of_it(built: Built) -> None:
    built.compiled("lib/lwip/src/core/tcp.c", size=0)
    assert "lwip" not in built.names()
    built.compiled("lib/lwip/src/core/tcp.c", size=1)
    assert "lwip" in built.names()


def test_a_file_that_another_one_includes_is_in_the_bill(built: Built) -> None:
    built.compiled("extmod/moddeflate.c", "lib/uzlib/uzlib.c")
    assert built.component("uzlib")["licenses"] == [{"expression": "Zlib"}]


def test_an_assembler_file_without_a_dependency_file_counts(built: Built) -> None:
    assert "shared/runtime/gchelper.s" in built.contents().linked.sources


def test_a_header_alone_is_no_component(built: Built) -> None:
    built.compiled("extmod/moddeflate.c", "lib/littlefs/lfs2.h")
    assert "littlefs" not in built.names()


def test_a_library_that_the_table_lacks_is_listed_without_a_licence(built: Built) -> None:
    built.compiled("lib/new/new.c")
    found = built.component("new")
    assert found["licenses"] == [{"license": {"name": "not known"}}]
    assert found["version"] == "micropython-1.25.0"


def test_versions_come_from_the_compiled_sources(built: Built) -> None:
    built.compiled("lib/littlefs/lfs2.c")
    built.compiled("lib/lwip/src/core/tcp.c")
    assert (built.component("littlefs")["version"], built.component("lwip")["version"]) == ("2.8", "2.2.1")
    (built.tree / "lib/littlefs/lfs2.h").write_text("#define LFS2_VERSION 0x0002000a\n")
    assert built.component("littlefs")["version"] == "2.10"


def test_a_version_that_cannot_be_read_is_a_clear_error(built: Built) -> None:
    (built.tree / "py/mpconfig.h").write_text("nothing")
    with pytest.raises(FirmwareError, match=r"py/mpconfig.h does not state its version"):
        built.bill()


def test_a_pinned_archive_has_its_hash_and_a_copy_inside_names_the_archive(built: Built) -> None:
    built.compiled("lib/littlefs/lfs2.c")
    pin = PINS[0]
    assert _hash(built.component("micropython")) == pin.sha256
    littlefs = built.component("littlefs")
    assert "hashes" not in littlefs
    properties = {one["name"]: one["value"] for one in littlefs["properties"]}
    assert properties["firstboot:archive"] == pin.file_name
    assert properties["firstboot:archive-sha256"] == pin.sha256


def test_a_local_checkout_claims_no_archive(built: Built) -> None:
    tree = SourceTree(built.tree, "11" * 32, False)
    document = json.loads(sbom.written(replace(built.contents(), tree=tree)))
    micropython = next(one for one in document["components"] if one["name"] == "micropython")
    assert "hashes" not in micropython
    assert {"name": "firstboot:checkout", "value": "11" * 32} in micropython["properties"]


def test_a_library_whose_functions_the_linker_replaces_is_named_as_patched(built: Built) -> None:
    built.compiled("lib/lwip/src/core/tcp.c")
    pedigree = built.component("lwip")["pedigree"]
    assert pedigree["patches"] == [{"type": "unofficial"}]
    assert "tcp_err" in pedigree["notes"] and "mbedtls" not in pedigree["notes"]
    assert "patches" not in built.component("micropython")["pedigree"]


def test_a_library_of_the_compiler_has_the_hash_of_the_archive_that_was_linked(
    built: Built, tmp_path: Path
) -> None:
    (tmp_path / "libc_nano.a").write_bytes(b"archive")
    built.placed.append((f"{tmp_path}/libc_nano.a(lib_a-ctype_.o)", 4))
    found = built.component("newlib")
    assert (found["version"], _hash(found)) == ("3.3.0", hashlib.sha256(b"archive").hexdigest())


def test_every_frozen_file_is_in_one_component_with_its_hash(built: Built) -> None:
    def files(name: str) -> dict[str, str]:
        return {one["name"]: _hash(one) for one in built.component(name)["components"]}

    assert files("microdot") == {"microdot/microdot.py": "55" * 32}
    assert files("micropython") == {"asyncio/core.py": "44" * 32}
    assert files("firstboot-device") == {"frozen/device/errors.py": "33" * 32, "port/main.c": "22" * 32}


def test_the_same_firmware_has_the_same_bill_on_another_machine(tmp_path: Path) -> None:
    first, second = Built(tmp_path / "one"), Built(tmp_path / "two")
    assert sbom.written(first.contents()) == sbom.written(second.contents())
    (second.tree / "py/gc.c").write_text("changed")
    assert first.bill()["serialNumber"] != second.bill()["serialNumber"]


def test_the_bill_has_no_time(built: Built) -> None:
    assert "timestamp" not in sbom.written(built.contents())


def test_a_map_of_another_build_is_refused(built: Built, tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="names no object of the source tree"):
        linked(built.map(), tmp_path / "elsewhere", tmp_path / "objects-elsewhere")


def test_the_table_of_origins_takes_the_longest_folder() -> None:
    assert components.origin_of("lib/mbedtls/3rdparty/p256-m/p256-m/p256-m.c").name == "p256-m"
    assert components.origin_of("lib/mbedtls_errors/x.c").name == "mbedtls-errors"
    assert components.origin_of("lib/mbedtls/library/sha256.c").name == "mbedtls"
    assert components.origin_of("extmod/modre.c").name == "micropython"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"bomFormat": "CycloneDX"}',
        json.dumps({"bomFormat": "CycloneDX", "metadata": {"component": {"hashes": []}}}),
        json.dumps({"bomFormat": "CycloneDX", "metadata": {"component": {"hashes": [{"alg": "MD5"}]}}}),
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_bill_is_a_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sbom.cdx.json"
    path.write_text(text)
    with pytest.raises(FirmwareError, match="is not a CycloneDX bill of materials of a firmware"):
        sbom.read(path)


def test_the_command_prints_each_library_and_writes_the_bill(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sbom.written(built.contents())
    (tmp_path / sbom.FILE_NAME).write_text(text)
    image = tmp_path / "firmware.bin"
    made = FirmwareBuild("release", image, image, IMAGE, {}, {}, tmp_path / "provenance.json")
    monkeypatch.setattr(commands, "build", lambda *arguments, **options: made)
    copy = tmp_path / "copy.json"
    done = CliRunner().invoke(commands.app, ["sbom", "--to", str(copy)])
    assert done.exit_code == 0, done.output
    assert "micropython         1.25.0                MIT\n" in done.output
    assert copy.read_text() == text
    assert json.loads(CliRunner().invoke(commands.app, ["sbom", "--json"]).stdout) == json.loads(text)
