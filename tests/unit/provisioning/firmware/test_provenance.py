"""Build provenance and the comparison of an image with its rebuild."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from provisioning.cli.main import app
from provisioning.firmware import provenance, rebuild
from provisioning.firmware.build import FirmwareBuild
from provisioning.firmware.errors import FirmwareError

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

    def build(variant: str, *, root: Path, progress: Any, objects: Path) -> FirmwareBuild:
        assert not list(objects.iterdir())
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
        "variant": "release",
        "image_sha256": SHA,
        "rebuilt_sha256": SHA,
        "differences": [],
    }


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
