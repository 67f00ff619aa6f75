"""One provisioned, running unit with its servers, for `firstboot device run` and for tests of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from device.owner import setup_code
from simulator.story.errors import WorldError
from simulator.story.inputs import Inputs
from simulator.story.runner import StepFailed, wait_until
from simulator.story.world import World

ANSWERS_S: Final = 60  # from power-on to the first page on a busy machine; an idle one takes two


def _quiet(text: str) -> None:
    pass


@contextmanager
def running_unit(
    on: str,
    directory: Path,
    note: Callable[[str], None] = _quiet,
    *,
    transports: tuple[str, ...] = ("mqtt", "coap"),
    is_past_support: bool = False,
    inputs: Inputs | None = None,
) -> Iterator[World]:
    """Yield a unit in factory default, provisioned with development keys, once its first page answers.

    `is_past_support`: its servers sign a time after the support period. Raises WorldError if it cannot start.
    """
    with World(on, transports, directory, note, inputs=inputs) as world:
        world.build()
        note("the station provisions the unit")
        world.provision()
        if is_past_support:
            world.move_time_past_support()
        note("waiting for its first page")
        try:
            wait_until(
                "the first page", lambda: world.owner.request("GET", "/").status == 200 or None, ANSWERS_S
            )
        except StepFailed as error:
            raise WorldError(str(error)) from error
        yield world


def address_of(world: World) -> str:
    """Return the URL at which a browser on this machine reaches the unit."""
    host, port = world.machine.web_address
    return f"https://{host}:{port}/"


def label_of(world: World) -> dict[str, Any]:
    """Return the label as data. It contains the set-up code and is secret, as the label is."""
    unit, product = world.unit, world.product
    return {
        "brand": product.brand,
        "model": product.model,
        "serial": unit.serial,
        "setup_code": setup_code.grouped(unit.setup_code),
        "certificate_sha256": unit.fingerprint,
        "support_end": product.support.end_date.isoformat(),
        "picture": str(unit.label_path),
        "note": "NOT FOR SALE: development keys",
    }
