"""Keys that are not in plain files: authorities, the station's chain and the signatory in a token; encrypted files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from typer.testing import CliRunner, Result

from provisioning.cli.keys import app as keys_app
from provisioning.cli.statement import app as statement_app
from provisioning.compliance.archive import Archive
from provisioning.compliance.issue import draw_key
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.register_copies import keep_copy
from provisioning.compliance.support_register import publish
from provisioning.keys.file_signer import FileSigner, load_file_signer
from provisioning.keys.key_ring import KeyRing, KeyRingError
from provisioning.keys.pkcs11_signer import PIN_VARIABLE, Pkcs11Signer
from provisioning.keys.public_keys import public_pem
from provisioning.keys.secret_input import KEY_VARIABLE, SecretMissingError, ask, from_environment
from provisioning.registry.errors import RegistryError
from provisioning.registry.registry import Registry
from provisioning.release.image import image_info
from tests.unit.conftest import PIN
from tests.unit.provisioning.compliance.image_bench import signed
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, RUNNER_KEY, TODAY, evidence
from tests.unit.provisioning.real_maker import REAL
from tests.unit.provisioning.registry.registry_bench import finish, open_batch
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit

PHRASE = "a phrase of the key's owner"


def run(app: object, *arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=typed)  # type: ignore[arg-type]


def uri(module: str, name: str) -> str:
    """Return the URI of a P-256 key of this name; generate it in the token if it is new."""
    found = f"pkcs11:token=maker;object={name}?module-path={module}"
    Pkcs11Signer.create(found, "p256", lambda: PIN)
    return found


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return KeyRing.generate_development(tmp_path / "keys").directory


# Authorities -------------------------------------------------------------------------------------------------


def test_a_renewal_keeps_name_and_key_and_the_old_certificate(keys: Path) -> None:
    before = KeyRing(keys).device_ca.credentials.certificate
    result = run(keys_app, "ca", "renew", "device", "--keys", keys, "--days", "400")
    assert result.exit_code == 0, result.output
    after = KeyRing(keys).device_ca.credentials.certificate
    assert (after.subject, after.public_key()) == (before.subject, before.public_key())
    assert after.serial_number != before.serial_number and after.not_valid_after_utc.year < 9999
    (kept,) = keys.glob("device-ca.*.old.crt")
    assert x509.load_pem_x509_certificate(kept.read_bytes()) == before


@pytest.mark.parametrize("arguments", [("renew", "author"), ("issue", "cat", "name", "--out", "x")])
def test_what_is_no_authority_and_no_certificate_is_refused(keys: Path, arguments: tuple[str, ...]) -> None:
    assert run(keys_app, "ca", *arguments, "--keys", keys).exit_code == 2


def test_a_server_gets_its_certificate_and_no_second_of_the_same_name(keys: Path, tmp_path: Path) -> None:
    arguments = ("ca", "issue", "server", "updates.example", "--keys", keys, "--out", tmp_path / "broker")
    assert run(keys_app, *arguments).exit_code == 0
    assert run(keys_app, *arguments).exit_code == 2
    made = x509.load_pem_x509_certificate((tmp_path / "broker" / "updates.example.crt").read_bytes())
    made.verify_directly_issued_by(KeyRing(keys).server_ca.credentials.certificate)
    assert (tmp_path / "broker" / "updates.example.key").stat().st_mode & 0o777 == 0o600


def test_a_station_makes_units_under_an_authority_in_a_token(
    softhsm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    bench = Bench(tmp_path)
    folder = bench.keys.directory
    for name in ("device-ca.crt", "device-ca.key"):
        (folder / name).unlink()
    arguments = ("--keys", folder, "--signer", uri(softhsm, "device-ca"), "--name", "Example device CA")
    result = run(keys_app, "ca", "generate", "device", *arguments)
    assert result.exit_code == 0, result.output
    assert run(keys_app, "ca", "generate", "device", *arguments).exit_code == 2
    unit = MemoryUnit()
    bench.station().provision(unit.stream())
    certificate = x509.load_der_x509_certificate(unit.store.require("device.crt"))
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate((folder / "device-ca.crt").read_bytes())
    )
    assert PIN not in result.output and not any(
        PIN.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file()
    )
    renewed = run(keys_app, "ca", "renew", "device", "--keys", folder)
    assert renewed.exit_code == 0, renewed.output
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate((folder / "device-ca.crt").read_bytes())
    )


def test_a_station_needs_no_key_that_it_does_not_use(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    whole = bench.keys
    small = tmp_path / "small"
    small.mkdir()
    for role in ("author", "tracker"):
        signer = whole.signer(role)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), signer.public)
        (small / f"{role}.pub").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for name in ("support.pem", "signatory.pem", "device-ca.crt", "device-ca.key", "server-ca.crt"):
        shutil.copy(whole.directory / name, small / name)
    shutil.copy(whole.directory / "DEVELOPMENT-KEYS", small)
    bench.keys = KeyRing(small)
    assert bench.station().provision(MemoryUnit().stream()).serial == "FB1-000001"
    with pytest.raises(KeyRingError, match="lacks server-ca"):
        KeyRing(small).server_ca  # noqa: B018 - the property is what is asked


def test_a_station_makes_units_under_an_authority_in_an_encrypted_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    key = bench.keys.device_ca.credentials.key
    path = bench.keys.directory / "device-ca.key"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PHRASE.encode()))
    )
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(SecretMissingError, match=KEY_VARIABLE):
        bench.station()
    monkeypatch.setenv(KEY_VARIABLE, PHRASE)
    unit = MemoryUnit()
    bench.station().provision(unit.stream())
    made = x509.load_der_x509_certificate(unit.store.require("device.crt"))
    made.verify_directly_issued_by(bench.keys.device_ca.credentials.certificate)


def test_a_public_half_of_another_key_is_refused(keys: Path) -> None:
    draw_key(keys / "other.pem", PHRASE)
    shutil.copy(keys / "other.pub", keys / "support.pub")
    with pytest.raises(KeyRingError, match=r"support\.pub"):
        KeyRing(keys).signer("support")


# The station's chain -----------------------------------------------------------------------------------------


def test_a_token_signs_the_chain_and_no_key_file_appears(
    softhsm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    place = tmp_path / "registry.db"
    named = uri(softhsm, "station")
    result = run(keys_app, "assign-station", named, "--registry", place)
    assert result.exit_code == 0, result.output
    registry = Registry.create(place)
    open_batch(registry)
    finish(registry, 1, "code1")
    signer = Pkcs11Signer(named, lambda: PIN)
    assert registry.verify(trusted=[signer.public]).signers == (signer.key_id.hex(),)
    registry.close()
    assert not list(tmp_path.glob("*.station.pem"))
    assert run(keys_app, "assign-station", named, "--registry", place).exit_code == 2


def test_a_chain_that_a_file_signs_keeps_its_key(
    softhsm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    registry = Registry.create(tmp_path / "registry.db")
    open_batch(registry)
    finish(registry, 1, "code1")
    registry.close()
    result = run(keys_app, "assign-station", uri(softhsm, "late"), "--registry", tmp_path / "registry.db")
    assert result.exit_code == 2 and "signs here already" in result.stderr


def test_a_token_that_is_away_stops_the_record_and_not_the_registry(
    softhsm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    run(keys_app, "assign-station", uri(softhsm, "away"), "--registry", tmp_path / "registry.db")
    monkeypatch.setenv(PIN_VARIABLE, "00000000")
    registry = Registry.create(tmp_path / "registry.db")
    open_batch(registry)
    with pytest.raises(RegistryError, match="does not open") as caught:
        finish(registry, 1, "code1")
    assert "00000000" not in str(caught.value)
    assert [unit.status for unit in registry.units()] == ["complete"]
    registry.close()


# The signatory -----------------------------------------------------------------------------------------------


def test_a_signatory_signs_with_a_token_whose_pin_is_typed(
    softhsm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)  # an automatic PIN is not accepted: a person signs
    monkeypatch.setattr("provisioning.cli.statement_issue.today_utc", lambda: TODAY)
    named = uri(softhsm, "signatory")
    (tmp_path / "product.toml").write_text(REAL)
    (tmp_path / "runner.pub").write_bytes(public_pem(RUNNER_KEY.public))
    image = signed(b"a firmware" * 40)
    (tmp_path / "image.bin").write_bytes(image)
    register = Ledger(tmp_path / "register.jsonl")
    publish(register, [PRODUCT], TODAY)
    keep_copy(register, tmp_path / "archive")
    pieces: list[object] = ["--runner", tmp_path / "runner.pub", "--image", tmp_path / "image.bin"]
    for number, piece in enumerate(evidence(image=image_info(image).digest)):
        (tmp_path / f"{number}.cose").write_bytes(piece.record)
        pieces += ["--evidence", tmp_path / f"{number}.cose"]
    arguments = (
        "issue", "--product", tmp_path / "product.toml", *pieces, "--archive", tmp_path / "archive", "--key", named,
        "--name", PRODUCT.statement.signatory_name, "--function", PRODUCT.statement.signatory_function,
    )  # fmt: skip
    assert run(statement_app, *arguments, typed=f"{PRODUCT.batch}\n99999999\n").exit_code == 2
    assert not Archive(tmp_path / "archive").statements()
    result = run(statement_app, *arguments, typed=f"{PRODUCT.batch}\n{PIN}\n")
    assert result.exit_code == 0, result.output
    assert PIN not in result.output
    (issued,) = Archive(tmp_path / "archive").statements()
    assert Pkcs11Signer(named, lambda: PIN).key_id.hex() in json.dumps(issued.document()["signatory"])


# Files -------------------------------------------------------------------------------------------------------


def test_an_encrypted_key_file_signs_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, PHRASE)
    path = tmp_path / "author.pem"
    result = run(keys_app, "generate", "signing", "--out", path, "--encrypt", "--json")
    assert result.exit_code == 0, result.output
    assert b"ENCRYPTED" in path.read_bytes() and PHRASE not in result.output
    assert load_file_signer(path).key_id.hex() == json.loads(result.stdout)["key_id"]
    assert isinstance(load_file_signer(path), FileSigner)
    monkeypatch.setenv(KEY_VARIABLE, "another phrase entirely")
    with pytest.raises(ValueError, match="does not open") as caught:
        load_file_signer(path)
    assert "another" not in str(caught.value).replace("another passphrase", "")
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(SecretMissingError, match=KEY_VARIABLE):
        load_file_signer(path)


def test_a_short_passphrase_makes_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "short")
    assert run(keys_app, "generate", "signing", "--out", tmp_path / "k.pem", "--encrypt").exit_code == 2
    assert not (tmp_path / "k.pem").exists()


def test_a_secret_comes_from_a_file_that_its_owner_alone_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "pin"
    place.write_text("1234\n")
    place.chmod(0o644)
    monkeypatch.delenv(PIN_VARIABLE, raising=False)
    monkeypatch.setenv(PIN_VARIABLE + "_FILE", str(place))
    with pytest.raises(SecretMissingError, match="0600"):
        ask(PIN_VARIABLE, "PIN")
    place.chmod(0o600)
    assert ask(PIN_VARIABLE, "PIN") == "1234"
    for content in ("", "x" * 2000):
        place.write_text(content)
        with pytest.raises(SecretMissingError, match="empty or longer"):
            from_environment(PIN_VARIABLE)
