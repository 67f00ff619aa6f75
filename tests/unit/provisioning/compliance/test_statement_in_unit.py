"""SC-05: a unit for sale has the issued statement itself, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

from device.codec import cose
from device.limits import STATEMENT_BYTES
from tests.unit.provisioning.compliance.test_ship_gate import Factory
from tests.unit.provisioning.station.station_bench import MemoryUnit


def test_sc_05_a_unit_carries_the_statement_that_was_issued(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    unit = MemoryUnit()
    result = factory.station().provision(unit.stream())
    (issued,) = factory.archive.statements()
    carried = unit.store.require("statement")
    assert carried == issued.signed()
    payload = cose.decode(carried, STATEMENT_BYTES).payload or b""
    assert (
        hashlib.sha256(payload).hexdigest() == issued.sha256
    )  # the part that /public.json and the pages show
    known = factory.bench.registry.find(device_id=result.device_id)
    assert known is not None and known.statement_sha256 == bytes.fromhex(issued.sha256)
