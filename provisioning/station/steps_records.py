"""The phases personalise to verify: the keys, certificates and records of a unit, read back from it.

An action takes the run and returns measurements without secrets (docs/design.md, Factory).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from device.limits import NONCE_BYTES
from device.records import store
from provisioning.product import record
from provisioning.station import unit_keys
from provisioning.station.passphrase import access_point_passphrase
from provisioning.station.phases import BoardSwappedError, Measurements
from provisioning.station.run import UnitRun, require


def personalise(run: UnitRun) -> Measurements:
    """Get the unit's keys, certify them, and write identity, certificates and the code's verifier."""
    product, authority = run.station.config.product, run.station.device_ca
    run.web_name = "fb-" + secrets.token_hex(4)
    requests = {role: unit_keys.request_key(run, role) for role in ("device", "web")}
    run.certificates["device"] = authority.issue_from_csr(requests["device"], run.device_id.hex())
    run.certificates["web"] = authority.issue_from_csr(
        requests["web"], run.web_name, is_server=True, dns_names=(f"{run.web_name}.local",)
    )
    require(run.code is not None, "no set-up code was generated")
    run.write("identity", record.identity_record(product, run.device_id, run.serial))
    run.write("device.crt", run.certificates["device"])
    run.write("web.crt", run.certificates["web"])
    run.write("setup", record.setup_record(run.code or "", access_point(run)))
    return {f"{role}_certificate_bytes": len(data) for role, data in sorted(run.certificates.items())}


def access_point(run: UnitRun) -> str:
    """Return the passphrase of the unit's access point, "" if the product's units have none. Secret."""
    if not run.station.config.product.has_access_point:
        return ""
    return access_point_passphrase(run.code or "", run.web_name)


def install(name: str) -> Callable[[UnitRun], Measurements]:
    """Return a phase that writes the batch's record of this name, which is the same for all units."""

    def action(run: UnitRun) -> Measurements:
        data = run.station.batch_record(name)
        run.write(name, data)
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    return action


def share_oscore(run: UnitRun) -> Measurements:
    """Generate an OSCORE secret for this unit: write it into the unit and seal it to the CoAP server."""
    secret = record.OscoreSecret.generate(run.device_id)
    server = run.station.config.oscore_key
    if server is not None:  # from here on only the unit and the server can read it
        run.sealed_secret = (
            server.key_id,
            server.seal(run.device_id, secret.master_secret, secret.master_salt),
        )
    run.write("oscore", secret.record())
    return {
        "sender_id": secret.sender_id.hex(),
        "is_sealed_to_server": server is not None,
    }


def verify(run: UnitRun) -> Measurements:
    """Make the unit read everything back: each record, then all of them with its own checks and hash."""
    require_same_board(run)
    for name in store.STATION_RECORDS:
        digest, size = run.link.digest(name)
        expected = run.written[name]
        require(
            (digest, size) == (hashlib.sha256(expected).digest(), len(expected)),
            f"record {name} differs from what was written",
        )
    run.record_hash = run.link.seal()
    require(run.record_hash == record.expected_hash(run.written), "the unit's record hash is wrong")
    return {"records": len(store.STATION_RECORDS), "record_hash": run.record_hash.hex()}


def require_same_board(run: UnitRun) -> None:
    """Check that the board on the port is the one whose identity was written. Raises BoardSwappedError."""
    facts = run.link.hello(secrets.token_bytes(NONCE_BYTES))
    if facts.get("hardware_id") != run.hello["hardware_id"]:
        raise BoardSwappedError("the board was replaced by another one during the run")
