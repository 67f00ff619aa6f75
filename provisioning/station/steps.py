"""The phases' actions (docs/design.md, Factory). Each takes the run and returns measurements without secrets."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from device.codec import cbor, cose
from device.crypto import der
from device.errors import CodecError, FirstbootError, LinkError, LinkTimeoutError, LockedError, TrustError
from device.factory.factory_port import HELLO_TYP
from device.limits import NONCE_BYTES, STATEMENT_BYTES
from device.owner.setup_code import grouped
from device.records import store
from device.records.support import long_date_text
from device.trust.anchors import Key
from device.trust.verify import verify_record_with
from provisioning import fair_time
from provisioning.product import record
from provisioning.registry.errors import AlreadyPassedError, QuarantinedError
from provisioning.registry.models import COMPLETE, PASSED, QUARANTINED, RETIRED
from provisioning.registry.registry import CompletedFacts, quarantine_text
from provisioning.station import labels, unit_keys
from provisioning.station.phases import (
    BoardSwappedError,
    CheckFailedError,
    Limit,
    Measurements,
    Outcome,
    Phase,
    PhaseResult,
)
from provisioning.station.run import UnitRun, require
from provisioning.station.setup_code import generate_code

RESTART_S: Final = 30.0  # a locked unit answers again within this time


# link -> identify -> reserve -----------------------------------------------------------------------------


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


# personalise -> records ----------------------------------------------------------------------------------


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
    run.write("setup", record.setup_record(run.code or ""))
    return {f"{role}_certificate_bytes": len(data) for role, data in sorted(run.certificates.items())}


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


# label -> lock -> prove -> record ------------------------------------------------------------------------


def label(run: UnitRun) -> Measurements:
    """Draw the label and read it back from its file."""
    product = run.station.config.product
    run.label_name = f"{run.serial}.png"
    shown = labels.Label(
        brand=product.brand,
        model=product.model,
        batch=product.batch,
        serial=run.serial,
        manufacturer=product.manufacturer.name,
        support_end=long_date_text(record.day_of(product.support.end_date)),
        address=product.setup_address.replace("{name}", run.web_name),
        fingerprint=hashlib.sha256(run.certificates["web"]).digest(),
        is_development=run.station.is_development,
        code=run.code or "",
        template=run.station.config.label_template,
    )
    require(len(grouped(shown.code)) > 20, "no set-up code was generated")
    labels.print_label(shown, run.label_path)
    return {"file": run.label_name, "read_back_by": labels.read_back(shown, run.label_path)}


def lock(run: UnitRun) -> Measurements:
    """Store in the registry what is about to be locked, then lock the unit; `prove` checks that it is locked."""
    require(run.unit_id is not None, "nothing is reserved")
    run.station.clock.check()
    run.station.registry.complete(run.unit_id or 0, _completed_facts(run))
    try:
        run.link.lock(run.record_hash)
    except LockedError:  # the answer was lost, and the repeat reached the locked unit
        return {"answer": "already locked"}
    except LinkError as error:  # the unit restarted before its answer arrived
        return {"answer": type(error).__name__}
    return {"answer": "done"}


def _completed_facts(run: UnitRun) -> CompletedFacts:
    """Return the facts for the registry. The statement's digest is the one that the unit itself publishes (SC-05)."""
    return CompletedFacts(
        version=run.hello["version"],
        image_digest=run.hello["image_digest"],
        device_certificate=run.certificates["device"],
        web_fingerprint=hashlib.sha256(run.certificates["web"]).digest(),
        record_hash=run.record_hash,
        statement_sha256=hashlib.sha256(
            cose.decode(run.written["statement"], STATEMENT_BYTES).payload or b""
        ).digest(),
        support_end_day=record.day_of(run.station.config.product.support.end_date),
        label=run.label_path.read_bytes(),
        label_name=run.label_name,
        key_origin=unit_keys.origin(run),
        oscore=run.sealed_secret,
    )


def find_label(run: UnitRun) -> Measurements:
    """Find the label again after a run was interrupted after the lock: it must be the one that was read back.

    Raises LabelError, which is not a fault of the unit: the label may be found later.
    """
    if not run.label_path.is_file():
        raise labels.LabelError(f"label {run.label_name} is gone and the code exists nowhere else")
    if not run.station.registry.is_label(run.unit_id or 0, run.label_path.read_bytes()):
        raise labels.LabelError(f"label {run.label_name} does not belong to this unit")
    return {"file": run.label_name}


def prove(run: UnitRun) -> Measurements:
    """Check the unit's signed and fresh proof that it is locked with these records, and that it refuses a write."""
    hello, asked = _locked_hello(run)
    check_hello(hello, asked, run.certificates["device"], run.device_id, run.record_hash)
    refused = False
    try:
        run.link.write("setup", bytes(1))
    except LockedError:
        refused = True
    require(refused, "the locked unit accepted a write")
    return {"hello": "signature, nonce, identity and record hash agree", "write": "refused"}


def _locked_hello(run: UnitRun) -> tuple[bytes, bytes]:
    """Return (hello, nonce) when the unit is back. An unlocked answer may still come from before its restart."""
    deadline = fair_time.now() + RESTART_S
    while True:
        nonce = secrets.token_bytes(NONCE_BYTES)
        # a lost line raises LinkError at once; only a timeout is worth waiting for
        with contextlib.suppress(LinkTimeoutError):
            hello = run.link.hello(nonce).get("hello")
            if isinstance(hello, bytes):
                return hello, nonce
        if fair_time.now() > deadline:
            raise CheckFailedError("the unit does not answer as a locked unit")
        time.sleep(0.05)


def check_hello(hello: bytes, nonce: bytes, certificate: bytes, device_id: bytes, record_hash: bytes) -> None:
    """Raise CheckFailedError unless the unit with this certificate signed exactly this hello."""
    try:
        public = der.certificate_facts(certificate).public_key
        payload = verify_record_with(hello, HELLO_TYP, Key(b"", cose.ALG_ESP256, 0, public))
        claimed = cbor.decode(payload)
    except (CodecError, TrustError, FirstbootError) as error:
        raise CheckFailedError(f"the unit's proof is not valid: {type(error).__name__}") from error
    require(
        claimed == {1: nonce, 2: device_id, 3: True, 4: record_hash},
        "the unit's proof does not match what was written",
    )


def record_pass(run: UnitRun) -> Measurements:
    """Record the pass: its production record joins the chain, with the run's phases, in one commit (PR-03)."""
    started = time.monotonic()
    registry, product = run.station.registry, run.station.config.product
    unit = registry.find(device_id=run.device_id)
    if unit is None or run.unit_id is None:
        raise CheckFailedError("the registry no longer has the unit")
    entry = registry.record_pass(
        run.unit_id,
        {
            "serial": unit.serial,
            "device_id": unit.device_id.hex(),
            "hardware_id": unit.hardware_id.hex(),
            "model": product.model,
            "batch": unit.batch,
            "version": unit.version,
            "image_digest": (unit.image_digest or b"").hex(),
            "record_hash": run.record_hash.hex(),
            "statement_sha256": (unit.statement_sha256 or b"").hex(),
            "support_end_day": unit.support_end_day,
            "key_origin": unit.key_origin,
            "is_development": unit.is_development,
            "for_sale": not unit.is_development,
            "station": run.station.config.station_name,
        },
        lambda entry_hash: [*run.results, _record_result(entry_hash, started)],
    )
    run.is_recorded = True
    return {"chain_hash": entry.hex()}


def _record_result(entry_hash: bytes, started: float) -> PhaseResult:
    """Return the result of the last phase, which is stored in the commit that it reports."""
    seconds = round(time.monotonic() - started, 4)
    return PhaseResult("record", Outcome.PASS, seconds, {"chain_hash": entry_hash.hex()})


# A line that needs more repeats, or damages more frames, must be repaired before a unit is touched.
LINE_LIMITS: Final = (Limit("repeats", 0, 16), Limit("damaged_frames", 0, 64))

FIRST_PHASES: Final = (Phase("link", reach, LINE_LIMITS), Phase("identify", identify))
OPEN_PHASES: Final = (
    Phase("reserve", reserve),
    Phase("personalise", personalise),
    Phase("anchors", install("anchors")),
    Phase("support", install("support")),
    Phase("contact", install("contact")),
    Phase("statement", install("statement")),
    Phase("servers", install("servers")),
    Phase("oscore", share_oscore),
    Phase("verify", verify, (Limit("records", len(store.STATION_RECORDS), len(store.STATION_RECORDS)),)),
    Phase("label", label),
    Phase("lock", lock),
    Phase("prove", prove),
    Phase("record", record_pass),
)
LOCKED_PHASES: Final = (Phase("label", find_label), Phase("prove", prove), Phase("record", record_pass))
