"""The phases link, identify and reserve: which unit is on the port, and which identity it gets.

An action takes the run and returns measurements without secrets (docs/design.md, Factory).
"""

from __future__ import annotations

import re
import secrets
from typing import Any, Final

from device.codec import cbor, cose
from device.errors import CodecError
from device.limits import NONCE_BYTES
from provisioning.product import record
from provisioning.registry.errors import AlreadyPassedError, QuarantinedError
from provisioning.registry.models import COMPLETE, PASSED, QUARANTINED, RETIRED
from provisioning.registry.registry import quarantine_text
from provisioning.station import unit_keys
from provisioning.station.phases import CheckFailedError, Measurements
from provisioning.station.run import UnitRun, require
from provisioning.station.setup_code import generate_code

VERSION: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,5}\+[0-9]{1,10}")


def reach(run: UnitRun) -> Measurements:
    """Check that the unit answers. The measurements count repeats and damaged frames on the line."""
    run.hello = run.link.hello(secrets.token_bytes(NONCE_BYTES))
    return {
        "repeats": run.link.repeats,
        "damaged_frames": run.link.damaged,
        "is_locked": "hello" in run.hello,
    }


def identify(run: UnitRun) -> Measurements:
    """Identify the unit and check that this station may provision it."""
    if "hello" in run.hello:
        return _identify_locked(run)
    facts, config = run.hello, run.station.config
    _check_types(facts)
    require(
        facts["board"] == config.product.board,
        f"the board is {facts['board']!r}, not {config.product.board!r}",
    )
    unit_keys.require_allowed(run)
    require(
        config.development or not facts["is_development"],
        "the unit runs a development build or a test seed; it is refused without --development",
    )
    wanted = config.expected_image_digest
    require(
        wanted is None or wanted == facts["image_digest"], "the unit's image is not the one of the release"
    )
    return {
        "board": facts["board"],
        "hardware_id": facts["hardware_id"].hex(),
        "version": facts["version"],
        "image_digest": facts["image_digest"].hex(),
        "is_development": facts["is_development"],
        "key_origin": unit_keys.origin(run),
    }


def _check_types(facts: dict[str, Any]) -> None:
    expected = (
        ("board", str), ("hardware_id", bytes), ("version", str), ("image_digest", bytes),
        ("is_locked", bool), ("is_development", bool), ("has_entropy", bool),
    )  # fmt: skip
    try:
        cbor.check_map(facts, expected)
    except CodecError as error:
        raise CheckFailedError(f"the unit's hello cannot be parsed: {error.describe()}") from error
    require(len(facts["hardware_id"]) == 16, "the hardware id is not 16 bytes")
    require(
        VERSION.fullmatch(facts["version"]) is not None, "the unit's version does not have the form 1.2.3+4"
    )
    require(
        len(facts["image_digest"]) == 32 and not facts["is_locked"], "the unit's hello contradicts itself"
    )


def _identify_locked(run: UnitRun) -> Measurements:
    """Continue with a locked unit only if it is complete in the registry, and only to prove and record it."""
    device_id = _claimed_device_id(run.hello["hello"])
    unit = run.station.registry.find(device_id=device_id)
    if unit is None:
        raise CheckFailedError("the unit is locked and this registry does not know it")
    run.unit_id, run.device_id, run.serial = unit.id, unit.device_id, unit.serial
    if unit.status == PASSED:
        raise AlreadyPassedError(f"unit {unit.serial} is locked and has passed; it is not provisioned again")
    if unit.status in (QUARANTINED, RETIRED):
        raise QuarantinedError(quarantine_text(unit))
    require(unit.status == COMPLETE, f"unit {unit.serial} is locked, but not complete in this registry")
    run.completed, run.is_resumed = unit, True
    run.record_hash = unit.record_hash or b""
    run.label_name = unit.label_name or ""
    run.certificates["device"] = unit.device_certificate or b""
    return {"serial": unit.serial, "is_locked": True}


def _claimed_device_id(hello: Any) -> bytes:
    """Return the device id that a signed hello names. `prove` checks the signature."""
    try:
        payload = cose.decode(hello).payload
        claimed = cbor.decode(payload or b"")
        return bytes(claimed[2])
    except (CodecError, KeyError, TypeError) as error:
        raise CheckFailedError("the locked unit's hello cannot be parsed") from error


def reserve(run: UnitRun) -> Measurements:
    """Make identity and code durable in the registry before anything is written into the unit (PR-04, PW-10)."""
    station, product = run.station, run.station.config.product
    station.clock.check()
    require(
        record.day_of(product.support.end_date) * record.DAY_S >= station.now(),
        f"the support period ended on {product.support.end_date}; extend it before making more units (SP-11)",
    )
    code = generate_code(station.random_bytes)
    reservation = station.registry.reserve(
        run.hello["hardware_id"],
        product.batch,
        product.serial_prefix,
        code,
        is_development=station.is_development,
        numbers=product.numbers,
    )
    run.code, run.unit_id = code, reservation.unit_id
    run.device_id, run.serial = reservation.device_id, reservation.serial
    run.is_resumed = reservation.is_resumed
    return {"serial": run.serial, "device_id": run.device_id.hex(), "is_resumed": run.is_resumed}
