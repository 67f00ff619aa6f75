"""Steps before the owner: the build, the station, and a provisioned unit that is closed to everyone else."""

from __future__ import annotations

import time
from collections.abc import Callable

from device.errors import LockedError
from device.owner.lifecycle import FACTORY_DEFAULT
from device.web.routes import ROUTES
from simulator.story.runner import CONTACT_S, StepFailed, expect, wait_until
from simulator.story.world import World

# From the unit's own table, so that the step also tries routes that are added later.
OPEN_ROUTES = {(route.method, route.path) for route in ROUTES if FACTORY_DEFAULT in route.states}
PUBLIC_ROUTES = sorted(route for route in OPEN_ROUTES if route[0] == "GET")
UNKNOWN_ROUTES = (("GET", "/../identity"), ("GET", "/setup/skip"), ("PUT", "/setup"), ("DELETE", "/setup"))
CLOSED_ROUTES = sorted(
    {(method, route.path) for route in ROUTES for method in ("GET", "POST")}.union(UNKNOWN_ROUTES)
    - OPEN_ROUTES
)
# Interrupts, raw REPL, soft reset, an expression and raw-paste mode, as MicroPython's console would take them.
CONSOLE_KEYS = (b"\x03\x03", b"\x01", b"\x04", b"print(6*7)\r\n", b"\x05A\x01")


def build(world: World) -> str:
    """Build and sign the firmware; start the servers."""
    world.build()
    return world.build_summary


def provision(world: World) -> str:
    """Provision a bare board; a second run on the same board is refused."""
    world.provision()
    refusal = world.provision_again()
    return (
        f"unit {world.unit.serial} has its own keys, its signed records and its label "
        f"({world.unit.label_path.name}, NOT FOR SALE: development keys); a second run was refused: {refusal}"
    )


def locked_before_setup(world: World) -> str:
    """Try every route, the factory port and the console: only set-up and public pages answer."""
    wait_until("the set-up page", lambda: world.owner.request("GET", "/").status == 200 or None, CONTACT_S)
    _expect_routes_closed(world)
    _expect_nothing_private(world)
    operations = _expect_factory_port_closed(world)
    _expect_console_closed(world)
    contacts = world.contacts()
    expect(not contacts, "no MQTT or CoAP connection before set-up", contacts)
    return (
        f"{len(CLOSED_ROUTES)} routes, {operations} factory operations and the console refused every attempt; "
        "the unit opened no connection"
    )


def _expect_routes_closed(world: World) -> None:
    for method, path in PUBLIC_ROUTES:
        status = world.owner.request(method, path).status
        expect(status in (200, 303), f"an answer to {method} {path}", status)
    for method, path in CLOSED_ROUTES:
        form = {"password": "x" * 20} if method != "GET" else None
        status = world.owner.request(method, path, form).status
        expect(status in (404, 405), f"a refusal of {method} {path}", status)


def _expect_nothing_private(world: World) -> None:
    shown = "".join(world.owner.request(*route).text for route in PUBLIC_ROUTES)
    for what, text in (
        ("serial", world.unit.serial),
        ("device id", world.unit.device_id),
        ("version", "1.0.0"),
    ):
        expect(text not in shown, f"no {what} on public pages", f"the {what}")


def _expect_factory_port_closed(world: World) -> int:
    """Return how many factory operations were refused."""
    link = world.factory_link()
    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        ("make_key", lambda: link.call("make_key", {"role": "device"}, "")),
        ("write", lambda: link.call("write", {"name": "setup", "offset": 0, "data": b"x", "total": 1}, "")),
        ("digest", lambda: link.call("digest", {"name": "setup"}, "")),
        ("seal", lambda: link.call("seal", {}, "")),
        ("lock", lambda: link.call("lock", {"record_hash": bytes(32)}, "")),
    )
    for name, call in calls:
        try:
            call()
        except LockedError:
            continue
        raise StepFailed(f"the factory port to refuse {name}", "an answer")
    return len(calls)


def _expect_console_closed(world: World) -> None:
    before = world.machine.console.text
    for keys in CONSOLE_KEYS:
        world.machine.console.send(keys)
        time.sleep(0.2)
    seen = world.machine.console.text[len(before) :]
    expect(not seen.strip(), "no answer on the console", repr(seen[:80]))
