"""Secrets in `firstboot serve`: encrypted keys, the secrets of units, and no secret in any output."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from device.errors import FirstbootError
from provisioning.cli.exit_codes import ExitCode
from provisioning.keys.pem import write_private
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.servers.broker import Broker
from tests.interop.support.maker import Unit, freshness_request
from tests.interop.support.serving import MakersFolder, Serving

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]

PASSPHRASE = "correct-horse-battery-staple"


def encrypt(path: Path) -> None:
    """Encrypt a private key with PASSPHRASE."""
    key = load_pem_private_key(path.read_bytes(), None)
    kind = BestAvailableEncryption(PASSPHRASE.encode())
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kind))


def coap_port(serving: Serving) -> int:
    return int(next(one["coap"] for one in serving.seen if "coap" in one).rpartition(":")[2])


async def ask(folder: MakersFolder, unit: Unit, port: int) -> bytes:
    source = folder.maker.coap_source(unit, port)
    await source.open()
    try:
        return await source.freshness(freshness_request()[1])
    finally:
        await source.close()


def write_secrets(folder: MakersFolder, granted: list[Unit], removed: list[Unit]) -> Path:
    """The file that `firstboot registry export secrets` writes, for these units."""
    key_path = folder.folder / "oscore.key"
    if not key_path.exists():
        ServerPrivateKey.create(key_path, key_path.with_suffix(".pub"))
    public = ServerPrivateKey.load(key_path).public
    units = [
        {
            "device_id": unit.device_id.hex(),
            "key": public.key_id.hex(),
            "sealed": public.seal(unit.device_id, unit.secret, unit.salt).hex(),
        }
        for unit in granted
    ]
    path = folder.folder / "secrets.json"
    path.write_text(
        json.dumps({"version": 1, "units": units, "removed": [unit.device_id.hex() for unit in removed]})
    )
    return path


def test_encrypted_keys_open_with_the_passphrase_of_a_file_and_no_output_has_a_secret(
    folder: MakersFolder, own_broker: Broker
) -> None:
    private = {
        name: (folder.folder / name).read_text().splitlines()[1] for name in ("tracker.pem", "tracker.key")
    }
    for name in private:
        encrypt(folder.folder / name)
    write_private(folder.folder / "passphrase", PASSPHRASE.encode())
    unit = folder.unit()
    environment = {"FIRSTBOOT_KEY_PASSPHRASE_FILE": str(folder.folder / "passphrase")}
    with Serving("all", folder.settings(own_broker.port), **environment) as serving:
        serving.event("ready")
        assert asyncio.run(ask(folder, unit, coap_port(serving)))
        with pytest.raises(FirstbootError):  # a unit with a wrong secret
            asyncio.run(
                ask(folder, Unit(unit.device_id, unit.credentials, bytes(16), unit.salt), coap_port(serving))
            )
        shown = serving.get("/metrics")[1] + serving.get("/readyz")[1]
        assert 'reason="decryption"' in shown
        assert serving.stop() == ExitCode.DONE
        shown += serving.log() + json.dumps(serving.seen)
    for secret in (PASSPHRASE, unit.secret.hex(), unit.salt.hex(), *private.values()):
        assert secret not in shown


def test_a_wrong_passphrase_is_exit_code_2_and_is_not_printed(
    folder: MakersFolder, own_broker: Broker
) -> None:
    encrypt(folder.folder / "tracker.pem")
    config = folder.settings(own_broker.port)
    with Serving("all", config, FIRSTBOOT_KEY_PASSPHRASE="a-wrong-passphrase") as serving:
        assert serving.ended() == ExitCode.WRONG_INPUT
        assert "does not open" in serving.log() and "a-wrong-passphrase" not in serving.log()


def test_an_encrypted_key_without_passphrase_names_the_variable(
    folder: MakersFolder, own_broker: Broker
) -> None:
    encrypt(folder.folder / "tracker.key")
    with Serving("tracker", folder.settings(own_broker.port)) as serving:
        assert serving.ended() == ExitCode.WRONG_INPUT
        assert "FIRSTBOOT_KEY_PASSPHRASE" in serving.log()


def test_sighup_gives_access_to_new_units_and_takes_it_from_withdrawn_ones(
    folder: MakersFolder, own_broker: Broker
) -> None:
    old, new = folder.maker.unit(), folder.maker.unit()
    write_secrets(folder, [old], [])
    config = folder.settings(own_broker.port, secrets="secrets.json", **{"secrets-key": "oscore.key"})
    with Serving("coap", config) as serving:
        serving.event("ready")
        port = coap_port(serving)
        assert asyncio.run(ask(folder, old, port))
        write_secrets(folder, [new], [old])
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("the reload", lambda: '"reloaded"' in serving.log())
        assert asyncio.run(ask(folder, new, port))
        with pytest.raises(FirstbootError):
            asyncio.run(ask(folder, old, port))


def test_a_damaged_file_of_secrets_leaves_the_units_as_they_were(
    folder: MakersFolder, own_broker: Broker
) -> None:
    unit = folder.maker.unit()
    path = write_secrets(folder, [unit], [])
    config = folder.settings(own_broker.port, secrets="secrets.json", **{"secrets-key": "oscore.key"})
    with Serving("coap", config) as serving:
        serving.event("ready")
        path.write_text("damaged")
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("the report", lambda: '"reload_failed"' in serving.log())
        assert asyncio.run(ask(folder, unit, coap_port(serving)))
