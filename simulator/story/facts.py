"""Running units and their servers, as data for scripts: `firstboot device run --json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from provisioning.keys.key_ring import SIGNING_ROLES
from simulator.story.machine import FLASH_FILE
from simulator.story.product import SERVER_NAME
from simulator.story.running import RunningUnit
from simulator.story.world import World

_LOGS: Final = {"sim": (), "qemu": ("qemu.log", "command-line.txt"), "renode": ("renode.log",)}


def facts_of(
    world: World, units: list[RunningUnit], improv_ports: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return ports, brokers, authorities, key files and labels. Labels contain set-up codes, so this is secret.

    `flash` is the file of a unit's flash; a simulated unit writes it when it ends. `improv_ports`: the port of a unit's
    line for Improv Wi-Fi by its serial number.
    """
    first, lines = units[0], improv_ports or {}
    return {
        "on": world.on,
        "address": first.address,
        "setup_url": first.setup_url,
        "label": first.label,
        "units": [{**_unit(world, one), "improv_port": lines.get(one.known.serial)} for one in units],
        "servers": _servers(world),
        "keys": _keys(world),
        "folder": str(world.directory),
        "product": str(world.directory / "product.toml"),
        "class_id": world.product.class_id.hex(),
        "registry": str(world.directory / "registry.sqlite"),
        "images": {str(number): str(path) for number, path in sorted(world.images.signed.items())},
        "networks": _networks(world),
        "rom": None if world.images.rom is None else str(world.images.rom),
    }


def _networks(world: World) -> list[dict[str, Any]] | None:
    """Return the networks around units with a radio, with their passphrases; None for units without one."""
    air = world.inputs.air
    if air is None:
        return None
    return [
        {"name": one.ssid.decode(), "passphrase": one.passphrase.decode(), "security": one.security}
        for one in air.routers
    ]


def _unit(world: World, unit: RunningUnit) -> dict[str, Any]:
    host, port = unit.machine.web_address
    folder: Path = unit.machine.directory
    return {
        "serial": unit.known.serial,
        "device_id": unit.known.device_id,
        "address": unit.address,
        "host": host,
        "port": port,
        "setup_url": unit.setup_url,
        "plain_url": None if world.inputs.air is None else unit.plain_url,
        "label": unit.label,
        "folder": str(folder),
        "console": str(folder / "console.log"),
        "flash": str(folder / FLASH_FILE),
        "logs": [str(folder / name) for name in _LOGS[world.on]],
    }


def _servers(world: World) -> dict[str, Any]:
    """Return the servers' addresses on this host, and the host name under which a unit reaches them."""
    folder, servers = world.directory / "servers", world.servers
    found: dict[str, Any] = {"unit_host": world.host_address, "ca": str(folder / "ca.pem")}
    if "mqtt" in world.transports:
        found["mqtt"] = {
            "host": servers.broker.host,
            "port": servers.broker.port,
            "tls_name": SERVER_NAME,
            "program": type(servers.broker).__name__,
            "log": str(servers.broker.log_path),
            "publisher": {"cert": str(folder / "publisher.crt"), "key": str(folder / "publisher.key")},
        }
    if "coap" in world.transports:
        found["coap"] = {
            "host": servers.coap.host,
            "port": servers.coap.port,
            "store": str(folder / "published"),
            "oscore": str(folder / "oscore"),
        }
    return found


def _keys(world: World) -> dict[str, Any]:
    ring = world.keys.ring
    return {
        "folder": str(ring.directory),
        "is_development": ring.is_development,
        "image": [str(path) for path in ring.image_key_paths],
        **{role: str(ring.signer_path(role)) for role in SIGNING_ROLES},
        "device_ca": str(ring.directory / "device-ca.crt"),
        "server_ca": str(ring.directory / "server-ca.crt"),
    }
