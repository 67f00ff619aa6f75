"""`firstboot rp2350`, and releases of images in each boot loader's format."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_rp2350_image import block, image_type, u32
from typer.testing import CliRunner

from device.errors import ImageFormatError
from provisioning.cli.main import app, load_commands
from provisioning.keys.pem import private_pem, write_private
from provisioning.product.example import EXAMPLE
from provisioning.release import rp2350
from provisioning.release.formats import ESP_IDF, RP2350, boot_image
from tests.unit.device.ports import esp_tools


@pytest.fixture(scope="module", autouse=True)
def _commands() -> None:
    if not app.registered_groups:
        load_commands(app)


def firmware(size: int = 5000) -> bytes:
    vectors = u32(0x20082000) + u32(0x1000015D) + bytes(range(256))[8:]
    first = block([image_type(0x1021)], size - 256)
    return vectors + first + bytes(size - 276) + block([u32(0xFE | 1 << 8)], 256 - size)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a firmware and a key."""
    key = ec.generate_private_key(ec.SECP256K1())
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )
    (tmp_path / "firmware.bin").write_bytes(firmware())
    return tmp_path


def run(place: Path, *arguments: str) -> dict:
    done = CliRunner().invoke(
        app, ["rp2350", *(text.replace("@", f"{place}/") for text in arguments), "--json"]
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def image_arguments(**changes: str) -> list[str]:
    options = {"--key": "@key.pem", "--version": "1.2.0+12", "--security-counter": "2", "--out": "@12.img"}
    return ["image", "@firmware.bin", *(part for pair in (options | changes).items() for part in pair)]


def test_the_image_command_writes_an_update_and_the_factorys_uf2(place: Path) -> None:
    result = run(place, *image_arguments(**{"--factory": "@12.uf2"}))
    update = (place / "12.img").read_bytes()
    assert rp2350.read_image(update).digest.hex() == result["digest"]
    pages = [(place / "12.uf2").read_bytes()[at + 32 : at + 288] for at in range(512, 512 * 22, 512)]
    factory = b"".join(pages)[: len(update)]
    assert rp2350.read_image(factory).digest.hex() == result["digest"] and factory != update


def test_a_refused_image_leaves_no_file(place: Path) -> None:
    (place / "firmware.bin").write_bytes(bytes(5000))
    arguments = [text.replace("@", f"{place}/") for text in image_arguments(**{"--factory": "@12.uf2"})]
    done = CliRunner().invoke(app, ["rp2350", *arguments])
    assert done.exit_code != 0
    assert sorted(path.name for path in place.iterdir()) == ["firmware.bin", "key.pem"]


def test_the_table_command_signs_the_boards_table(place: Path) -> None:
    assert run(place, "partitions", "--key", "@key.pem", "--out", "@table.uf2")["signed"] == "true"
    table = (place / "table.uf2").read_bytes()[512 + 32 :]
    assert table.startswith(u32(0xFFFFDED3) + b"\x0a")


def test_a_table_of_another_form_is_refused(place: Path) -> None:
    (place / "table.json").write_text('{"partitions": []}')
    done = CliRunner().invoke(
        app, ["rp2350", "partitions", "--out", str(place / "t"), "--table", str(place / "table.json")]
    )
    assert done.exit_code != 0 and "not a partition table" in done.output + str(done.exception)
    assert not (place / "t").exists()


def test_the_otp_command_takes_each_key_once(place: Path) -> None:
    result = run(place, "otp", "--key", "@key.pem", "--out", "@otp.json")
    plan = json.loads((place / "otp.json").read_text())
    assert bytes(plan["bootkey0"]).hex() == result["key_hashes"][0]
    key = str(place / "key.pem")
    done = CliRunner().invoke(
        app, ["rp2350", "otp", "--key", key, "--key", key, "--out", str(place / "2.json")]
    )
    assert done.exit_code != 0 and not (place / "2.json").exists()


def test_a_release_of_the_image_is_numbered_by_its_build_and_keeps_the_bill_of_its_firmware(
    place: Path,
) -> None:
    run(place, *image_arguments())
    write_private(place / "author.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
    (place / "product.toml").write_text(EXAMPLE)
    digest = hashlib.sha256(firmware()).hexdigest()
    component = {"name": "firmware", "hashes": [{"alg": "SHA-256", "content": digest}]}
    (place / "bill.json").write_text(
        json.dumps({"bomFormat": "CycloneDX", "metadata": {"component": component}})
    )
    options = {
        "--out": "12", "--product": "product.toml", "--log": "log", "--key": "author.pem", "--sbom": "bill.json"
    }  # fmt: skip
    arguments = [part for name, file in options.items() for part in (name, str(place / file))]
    texts = ["--mitigates", "a hole", "--interrupts", "one restart", "--json"]
    done = CliRunner().invoke(app, ["release", "sign", str(place / "12.img"), *arguments, *texts])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["sequence_number"], result["security_counter"]) == (12, 2)
    assert (place / "12" / "payload.bin").read_bytes() == (place / "12.img").read_bytes()


# Formats ------------------------------------------------------------------------------------------------------------
def sealed(**changes: object) -> bytes:
    key = rp2350.Rp2350Key(ec.generate_private_key(ec.SECP256K1()))
    options = {"version": "1.2.0+12", "security_counter": 2, **changes}
    return rp2350.seal(firmware(), key, **options)  # type: ignore[arg-type]


def test_an_rp2350_update_gives_its_facts_and_the_firmware_that_was_sealed() -> None:
    found = boot_image(sealed())
    assert found.format == RP2350
    assert (found.info.version_text, found.info.security_counter) == ("1.2.0+12", 2)
    assert found.raw == firmware()


def test_the_factorys_image_is_no_update() -> None:
    with pytest.raises(ImageFormatError, match="no trial"):
        boot_image(sealed(is_trial=False))


def test_an_rp2350_image_whose_signature_does_not_match_is_refused() -> None:
    data = bytearray(sealed())
    data[4000] ^= 1
    with pytest.raises(ImageFormatError, match="signature"):
        boot_image(bytes(data))


def test_an_unknown_beginning_is_refused_as_mcuboots() -> None:
    with pytest.raises(ImageFormatError):
        boot_image(bytes(8192))


def test_an_esp_image_gives_its_facts(tmp_path: Path) -> None:
    found = boot_image(esp_tools.image(tmp_path, counter=2).read_bytes())
    assert found.format == ESP_IDF and found.info.version_text == "1.2.3+4" and found.raw == b""
    assert found.info.security_counter == 2
