"""A label of a unit, with a set-up code of its own."""

from __future__ import annotations

from provisioning.station.labels import Label
from provisioning.station.setup_code import generate_code

SAMPLE = Label(
    brand="Example Brand",
    model="FB-1",
    batch="2026-001",
    serial="FB1-000001",
    manufacturer="Example Devices Ltd",
    support_end="31 December 2031",
    address="https://fb-3f9a2c71.local/setup",
    fingerprint=bytes(range(32)),
    is_development=False,
    code=generate_code(),
)
