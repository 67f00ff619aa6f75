"""A maker's brand on units that run on CPython: the pages of this process show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from device.web import brand as neutral
from provisioning.brand.folder import Brand


@contextmanager
def in_this_process(brand: Brand | None) -> Iterator[None]:
    """Let the pages show `brand` while the context lasts; None leaves them neutral. Afterwards they are as before."""
    constants = {} if brand is None else brand.constants()
    before = {name: getattr(neutral, name) for name in constants}
    try:
        for name, value in constants.items():
            setattr(neutral, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(neutral, name, value)
