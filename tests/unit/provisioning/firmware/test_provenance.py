"""Build provenance and the comparison of an image with its rebuild."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from test_rp2350_image import block, image_type, u32  # tests/dual is on the path
from typer.testing import CliRunner

from provisioning.cli.main import app
from provisioning.firmware import provenance, rebuild
from provisioning.firmware.build import FirmwareBuild
from provisioning.firmware.errors import FirmwareError
from provisioning.release import rp2350

IMAGE = b"a firmware" * 100
SHA = hashlib.sha256(IMAGE).hexdigest()
INPUTS = {"frozen/device/errors.py": "11" * 32, "micropython.tar.xz": "22" * 32}


def _statement(inputs: dict[str, str], sha256: str = SHA, compiler: str = "gcc 12.2") -> dict[str, Any]:
    return provenance.statement(
        "firmware.bin", sha256, parameters={"variant": "release"}, tools={"compiler": compiler}, inputs=inputs
    )


def _write(path: Path, document: Any) -> Path:
    path.write_text(provenance.written(document))
    return path


@pytest.fixture
def rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build in place of the compiler's: its image is IMAGE, its inputs are INPUTS."""
    (tmp_path / "image.bin").write_bytes(IMAGE)

    def build(variant: str, *, root: Path, progress: Any, objects: Path, board: str) -> FirmwareBuild:
        assert not list(objects.iterdir())
        (tmp_path / "board").write_text(board)
        record = _write(tmp_path / "rebuilt.json", _statement(INPUTS))
        return FirmwareBuild(variant, tmp_path / "image.bin", tmp_path / "x", SHA, {}, {}, record)

    monkeypatch.setattr(rebuild, "build", build)
    return tmp_path


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["firmware", "verify", *arguments])


def test_an_image_with_the_same_bytes_and_inputs_is_the_same(rebuilt: Path) -> None:
    record = _write(rebuilt / "provenance.json", _statement(INPUTS))
    done = _run(str(rebuilt / "image.bin"), "--provenance", str(record), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "same": True,
        "board": "mps2_an385",
        "variant": "release",
        "image_sha256": SHA,
        "rebuilt_sha256": SHA,
        "differences": [],
    }


def test_the_provenance_chooses_the_emulated_board_that_is_built_again(rebuilt: Path) -> None:
    document = _statement(INPUTS)
    document["predicate"]["buildDefinition"]["externalParameters"]["board"] = "mps2_an505"
    record = _write(rebuilt / "provenance.json", document)
    done = _run(str(rebuilt / "image.bin"), "--provenance", str(record), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["board"] == (rebuilt / "board").read_text() == "mps2_an505"


def test_a_board_of_another_provenance_is_refused(rebuilt: Path) -> None:
    record = _write(rebuilt / "provenance.json", _statement(INPUTS))
    done = _run(str(rebuilt / "image.bin"), "--provenance", str(record), "--board", "mps2-an505")
    assert done.exit_code != 0 and "The provenance is about the board 'mps2_an385'" in done.output
    assert not (rebuilt / "board").exists()


def test_a_changed_image_fails_and_each_input_that_differs_is_named(rebuilt: Path) -> None:
    other = rebuilt / "other.bin"
    other.write_bytes(IMAGE[:-1] + b"!")
    inputs = {"frozen/device/errors.py": "33" * 32, "frozen/device/backdoor.py": "44" * 32}
    record = _write(rebuilt / "provenance.json", _statement(inputs, compiler="gcc 13"))
    done = _run(str(other), "--provenance", str(record))
    assert done.exit_code == 1
    assert "The provenance is about another image" in done.output
    assert "frozen/device/backdoor.py is not an input here." in done.output
    assert f"frozen/device/errors.py differs: {'33' * 32} there, {'11' * 32} here." in done.output
    assert "micropython.tar.xz is an input here only." in done.output
    assert "tool: compiler differs: gcc 13 there, gcc 12.2 here." in done.output
    assert done.output.rstrip().endswith("DIFFERENT")


def test_the_provenance_names_the_variant(rebuilt: Path) -> None:
    record = _write(rebuilt / "provenance.json", _statement(INPUTS))
    done = _run(str(rebuilt / "image.bin"), "--provenance", str(record), "--variant", "hang")
    assert done.exit_code == 1 and "about the variant 'release'" in done.output


def _firmware_with_a_block(size: int = 5000) -> bytes:
    """A linked firmware as the Pico SDK lays it out: vectors, first block, code, a block that nothing uses."""
    vectors = u32(0x20082000) + u32(0x1000015D) + bytes(range(256))[8:]
    code = bytes(at * 7 & 0xFF for at in range(size - 276))
    return vectors + block([image_type(0x1021)], size - 256) + code + block([u32(0xFE | 1 << 8)], 256 - size)


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build for an RP2350 in place of the compiler's; the folder has its image and its provenance."""
    data = _firmware_with_a_block()
    (tmp_path / "firmware.bin").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()

    def build(
        board: str, variant: str, *, root: Path, progress: Any, checkouts: Any, into: Path
    ) -> FirmwareBuild:
        assert board == "rp2350" and not list(into.iterdir())
        parameters = {"board": board, "variant": variant}
        document = provenance.statement(
            "firmware.bin", sha256, parameters=parameters, tools={}, inputs=INPUTS
        )
        record = _write(tmp_path / "rebuilt.json", document)
        return FirmwareBuild(variant, tmp_path / "firmware.bin", tmp_path / "x", sha256, {}, {}, record)

    monkeypatch.setattr(rebuild, "build_rp2350", build)
    _write(
        tmp_path / "provenance.json",
        provenance.statement(
            "firmware.bin",
            sha256,
            parameters={"board": "rp2350", "variant": "release"},
            tools={},
            inputs=INPUTS,
        ),
    )
    return tmp_path


def test_an_image_of_an_rp2350_is_built_again_for_its_board(chip: Path) -> None:
    done = _run(str(chip / "firmware.bin"), "--board", "rp2350", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["board"] == "rp2350", done.output


def test_a_sealed_image_is_compared_without_its_seal_and_its_provenance_names_the_board(chip: Path) -> None:
    key = rp2350.Rp2350Key(ec.generate_private_key(ec.SECP256K1()))
    raw = (chip / "firmware.bin").read_bytes()
    (chip / "12.img").write_bytes(rp2350.seal(raw, key, version="1.2.0+3", security_counter=1))
    done = _run(str(chip / "12.img"), "--provenance", str(chip / "provenance.json"))
    assert done.exit_code == 0 and done.output.rstrip().endswith("same bytes"), done.output


def test_a_changed_image_of_an_rp2350_differs(chip: Path) -> None:
    (chip / "firmware.bin").with_name("other.bin").write_bytes(_firmware_with_a_block() + b"!")
    assert _run(str(chip / "other.bin"), "--board", "rp2350").exit_code == 1


def test_another_board_than_that_of_the_provenance_is_refused_before_a_build(chip: Path) -> None:
    done = _run(
        str(chip / "firmware.bin"), "--provenance", str(chip / "provenance.json"), "--board", "rp2350w"
    )
    assert done.exit_code == 1 and "about the board 'rp2350'" in done.output
    done = _run(str(chip / "firmware.bin"), "--board", "rp2040")
    assert done.exit_code == 2 and "Use one of" in done.output


def test_a_provenance_of_an_unknown_board_is_refused(chip: Path) -> None:
    text = (chip / "provenance.json").read_text().replace('"rp2350"', '"rp9999"')
    (chip / "provenance.json").write_text(text)
    done = _run(str(chip / "firmware.bin"), "--provenance", str(chip / "provenance.json"))
    assert done.exit_code == 1 and "There is no board 'rp9999'" in done.output


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"_type": 1}',
        json.dumps({"predicate": {"buildDefinition": {"resolvedDependencies": 7}}}),
        json.dumps(_statement(INPUTS) | {"subject": []}),
        json.dumps(_statement(INPUTS)).replace(provenance.BUILD_TYPE, "another"),
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_provenance_is_a_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "provenance.json"
    path.write_text(text)
    with pytest.raises(FirmwareError, match="is not a build provenance"):
        provenance.read(path)
