"""Content that no unit can store or count is refused before it is signed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from device.codec import cose
from device.layout import MPS2
from device.limits import RECORD_BYTES, SEQUENCE_JUMP
from device.update.slots import BootState
from provisioning.cli import release_record
from provisioning.cli.release import app
from provisioning.keys.pem import private_pem, write_private
from provisioning.product.example import EXAMPLE
from provisioning.release import image as image_module
from provisioning.release.capacities import (
    BUILD_MAX,
    CAPACITIES,
    SECURITY_COUNTER_MAX,
    SEQUENCE_MAX,
    require_capacity,
)
from provisioning.release.log import LogEntry, ReleaseLog, ReleaseLogError
from provisioning.release.numbering import require_build
from provisioning.release.payload import ReleaseError
from simulator.ports.flash import SimFlash

CLASS_ID = bytes(16)


def test_a_signed_image_whose_security_counter_no_unit_can_count_is_not_released(tmp_path: Path) -> None:
    write_private(tmp_path / "key.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
    (tmp_path / "product.toml").write_text(EXAMPLE)
    (tmp_path / "body.bin").write_bytes(bytes(5000))
    image_module._run_imgtool(
        tmp_path / "body.bin", tmp_path / "key.pem", "1.0.0+9", 513, tmp_path / "513.img"
    )
    arguments = [
        "sign", tmp_path / "513.img", "--out", tmp_path / "out", "--product", tmp_path / "product.toml",
        "--mitigates", "a hole", "--interrupts", "one restart", "--log", tmp_path / "log",
        "--key", tmp_path / "key.pem",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code != 0
    assert "the security counter is 513; a unit takes 0 to 512" in result.output
    assert not (tmp_path / "out").exists() and not (tmp_path / "log").exists()


def test_the_largest_security_counter_is_the_one_that_a_unit_counts(tmp_path: Path) -> None:
    flash = SimFlash()
    boot = BootState(flash, MPS2)
    boot.raise_security_counter(SECURITY_COUNTER_MAX)
    assert boot.security_counter() == SECURITY_COUNTER_MAX == 512


@pytest.mark.parametrize("what", CAPACITIES)
def test_every_capacity_has_a_last_value_that_passes_and_a_first_that_does_not(what: str) -> None:
    largest, _ = CAPACITIES[what]
    require_capacity(what, largest)
    for value in (largest + 1, -1):
        with pytest.raises(ReleaseError, match=what):
            require_capacity(what, value)


def test_a_sequence_number_that_no_tracker_can_announce_is_refused(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path / "log")
    log.require_forward(CLASS_ID, SEQUENCE_MAX)
    with pytest.raises(ReleaseError, match="sequence number"):
        log.require_forward(CLASS_ID, SEQUENCE_MAX + 1)


def test_a_sequence_number_that_jumps_further_than_units_follow_is_refused(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path / "log")
    log.append(LogEntry(CLASS_ID.hex(), 7, "1", "", "", ""))
    log.require_forward(CLASS_ID, 7 + SEQUENCE_JUMP)
    with pytest.raises(ReleaseLogError, match="jump"):
        log.require_forward(CLASS_ID, 8 + SEQUENCE_JUMP)


def test_an_image_whose_build_number_does_not_fit_its_header_is_not_signed(tmp_path: Path) -> None:
    write_private(tmp_path / "key.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
    (tmp_path / "body.bin").write_bytes(bytes(5000))
    for version, counter in ((f"1.0.0+{BUILD_MAX + 1}", 1), ("256.0.0+1", 1)):
        with pytest.raises(image_module.ImageSigningError, match=r"build number|version"):
            image_module.sign_image(
                tmp_path / "body.bin", tmp_path / "key.pem", version=version,
                security_counter=counter, out=tmp_path / "out",
            )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_a_release_without_application_has_no_number_that_no_image_can_have() -> None:
    info = image_module.ImageInfo((1, 0, 0, 9), 1, b"", 0, 0, b"", b"")
    with pytest.raises(ReleaseError, match="build number is 4294967296"):
        require_build(info, BUILD_MAX + 1, b"", False, [])


class LongSigner:
    """A signer whose signature has `size` bytes, as those of HSS/LMS may have."""

    algorithm = cose.ALG_HSS_LMS
    key_id = b"long"
    public = bytes(60)

    def __init__(self, size: int) -> None:
        self.size = size

    def sign(self, _message: bytes) -> bytes:
        return bytes(self.size)


def test_a_record_that_is_too_long_with_its_signature_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "product.toml").write_text(EXAMPLE)
    arguments = ["record", "contact", "--product", str(tmp_path / "product.toml"), "--first"]
    arguments += ["--signer", "any", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(release_record, "open_signer", lambda _: LongSigner(RECORD_BYTES))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "a unit takes 0 to 4096 bytes" in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(release_record, "open_signer", lambda _: LongSigner(2000))
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (tmp_path / "out").exists()


def test_a_log_that_is_a_link_to_nowhere_is_no_new_log(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path / "log")
    log.append(LogEntry(CLASS_ID.hex(), 7, "1", "", "", ""))
    log.path.rename(tmp_path / "moved")
    for target in (tmp_path / "nowhere", log.path):
        log.path.symlink_to(target)
        with pytest.raises(OSError, match="log"):
            log.require_forward(CLASS_ID, 1)
        log.path.unlink()
