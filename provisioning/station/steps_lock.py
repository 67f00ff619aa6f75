"""The phases label to record: the label, the lock, the unit's proof that it is locked, the production record.

An action takes the run and returns measurements without secrets (docs/design.md, Factory).
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from typing import Final

from device.codec import cbor, cose
from device.crypto import der
from device.errors import CodecError, FirstbootError, LinkError, LinkTimeoutError, LockedError, TrustError
from device.factory.factory_port import HELLO_TYP
from device.limits import NONCE_BYTES, STATEMENT_BYTES
from device.owner.setup_code import grouped
from device.records.support import long_date_text
from device.trust.anchors import Key
from device.trust.signed_record import verify_record_with
from provisioning import fair_time
from provisioning.product import record
from provisioning.registry.registry import CompletedFacts
from provisioning.station import labels, unit_keys
from provisioning.station.phases import CheckFailedError, Measurements, Outcome, PhaseResult
from provisioning.station.run import UnitRun, require
from provisioning.station.steps_records import access_point

RESTART_S: Final = 30.0  # a locked unit answers again within this time


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
        network=run.web_name if product.has_access_point else "",
        passphrase=access_point(run),
        template=run.station.config.label_template,
        words=run.station.config.label_words,
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
