"""A whole unit installs a release from a delta, over both transports, and from the full payload otherwise (UP-01)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device.errors import DeltaError, DigestMismatchError, LinkTimeoutError, PeerRefusedError
from device.suit import report
from provisioning.release import delta
from provisioning.release.application_set import build_set
from provisioning.release.delta import has_detools
from provisioning.release.payload import Payload
from provisioning.release.release import Release
from simulator.ports.flash import SimFlash
from simulator.ports.peers import Content
from simulator.powercut.bench import LAYOUT, Bench
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import status
from simulator.powercut.world import World

if not has_detools():
    pytest.skip("detools is not installed (make setup builds it)", allow_module_level=True)

EXAMPLE_APP = Path(__file__).resolve().parents[4] / "examples" / "lamp"
TRANSPORTS = ("mqtt", "coap")


class Asked(dict[str, bytes]):
    """The published objects; `names` are the requested names."""

    def __init__(self, published: dict[str, bytes]) -> None:
        super().__init__(published)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


@pytest.fixture(scope="module")
def release(campaign: Campaign) -> Release:
    """Return release 2 with a patch from release 1."""
    return made(campaign.bench, campaign.bench.images[1])


def made(bench: Bench, source: bytes, app: Payload | None = None) -> Release:
    return bench.release(2, 2, delta_from=source, app=app)


def start(campaign: Campaign) -> tuple[SimFlash, World]:
    """Return flash and world of a unit that its owner has set up."""
    before = campaign.recorded("set-up")
    flash, world = SimFlash(LAYOUT), before.after.copy()
    flash.restore(before.end)
    return flash, world


def run(
    campaign: Campaign,
    release: Release,
    transport: str,
    change: Callable[[dict[str, bytes]], None] = lambda published: None,
) -> tuple[Any, World, set[str]]:
    """Return the unit's status after release 2 was confirmed, the world, and the objects that it requested."""
    flash, world = start(campaign)
    content = Content(campaign.bench.product.class_id, lambda request: None)
    content.put_release(release)
    change(content.published)
    world.published = Asked(content.published)
    world.has_mqtt, world.has_coap = transport == "mqtt", transport == "coap"

    async def script(machine: Machine) -> Any:
        async def probe() -> Any:
            found = await status(machine)
            return found if str(found["version"]).startswith("2.") and not found["is_trial"] else None

        return await machine.until("release 2", probe, 900.0, 1.0)

    found = Machine(flash, world).live(script)
    return found, world, {name.removeprefix("o/") for name in world.published.names if name.startswith("o/")}


def outcomes(world: World) -> list[int]:
    """Return the delta's results in the unit's reports, without repetitions."""
    found: list[int] = []
    for item in world.history:
        if item.what == "report":
            said = report.decode(item.value).extensions.get(report.DELTA)
            if said is not None and found[-1:] != [said]:
                found.append(said)
    return found


def firmware_names(release: Release) -> set[str]:
    one = release.firmware
    return {digest.hex() for digest, _ in one.chunks()} | {one.digest.hex(), one.chunk_list_digest.hex()}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_unit_with_the_source_release_fetches_list_and_patch_and_nothing_of_the_firmware(
    campaign: Campaign, release: Release, transport: str
) -> None:
    found, world, names = run(campaign, release, transport)
    assert release.delta is not None
    patch = release.delta.digest.hex() if transport == "coap" else release.delta.chunks()[0][0].hex()
    assert names == {release.delta.chunk_list_digest.hex(), patch}
    assert outcomes(world) == [0]
    assert found["update"]["last_error"] is None


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_unit_with_another_release_takes_the_full_payload_and_reports_it(
    campaign: Campaign, transport: str
) -> None:
    other = made(campaign.bench, campaign.bench.images[3])
    _, world, names = run(campaign, other, transport)
    assert other.delta is not None
    assert other.delta.chunk_list_digest.hex() not in names
    assert names <= firmware_names(other)
    assert outcomes(world) == [DeltaError.code]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_patch_that_is_missing_costs_nothing_but_the_wait(
    campaign: Campaign, release: Release, transport: str
) -> None:
    assert release.delta is not None
    gone = {release.delta.digest, release.delta.chunk_list_digest, release.delta.chunks()[0][0]}

    def change(published: dict[str, bytes]) -> None:
        for digest in gone:
            published.pop("o/" + digest.hex(), None)

    _, world, _ = run(campaign, release, transport, change)
    code = {"mqtt": LinkTimeoutError.code, "coap": PeerRefusedError.code}[transport]
    assert outcomes(world) == [code]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_patch_with_a_changed_byte_is_not_applied(
    campaign: Campaign, release: Release, transport: str
) -> None:
    assert release.delta is not None
    name = release.delta.chunks()[0][0].hex() if transport == "mqtt" else release.delta.digest.hex()

    def change(published: dict[str, bytes]) -> None:
        data = bytearray(published["o/" + name])
        data[len(data) // 2] ^= 1
        published["o/" + name] = bytes(data)

    _, world, names = run(campaign, release, transport, change)
    assert outcomes(world) == [DigestMismatchError.code]
    assert names & firmware_names(release)


def test_a_signed_patch_that_makes_something_else_is_an_event_and_the_release_still_comes(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An author's mistake: the tool refuses to sign such a release, but a unit must still handle it."""
    release = wrong_release(campaign.bench, monkeypatch)
    found, world, _ = run(campaign, release, "mqtt")
    assert outcomes(world) == [DigestMismatchError.code]
    assert DigestMismatchError.code in [event["code"] for event in found["update"]["events"]]


def wrong_release(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Return a signed release whose patch gives another result. The tool refuses that, so its check is removed."""
    wrong = bytearray(bench.images[2])
    wrong[5000] ^= 1
    patch = delta.create_patch(bench.images[1], bytes(wrong))
    monkeypatch.setattr(delta, "create_patch", lambda old, new: patch)
    monkeypatch.setattr(delta, "apply_patch", lambda old, patch, size: bench.images[2])
    return made(bench, bench.images[1])


def test_a_patch_that_was_refused_is_not_applied_again_while_the_full_payload_takes_several_checks(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = wrong_release(campaign.bench, monkeypatch)
    flash, world = start(campaign)
    content = Content(campaign.bench.product.class_id, lambda request: None)
    content.put_release(release)
    missing = "o/" + release.chunks()[1][0].hex()  # the chunk that the patch makes wrong
    chunk = content.published.pop(missing)
    world.published = content.published
    world.has_mqtt, world.has_coap = True, False

    erased: list[int] = []  # sectors of the slot that is written, in order
    first, last = LAYOUT.slot_offsets[1], LAYOUT.slot_offsets[1] + LAYOUT.slot_bytes

    def note(kind: str, offset: int, length: int) -> None:
        if kind == "erase" and first <= offset < last:
            erased.append(offset)

    flash.on_operation = note

    async def script(machine: Machine) -> Any:
        async def checks() -> bool:
            return len([item for item in machine.world.history if item.what == "nonce"]) >= asked + 4

        asked = len([item for item in machine.world.history if item.what == "nonce"])
        await machine.until("four checks", checks, 900.0, 1.0)
        world.published[missing] = chunk

        async def probe() -> Any:
            found = await status(machine)
            return found if str(found["version"]).startswith("2.") and not found["is_trial"] else None

        return await machine.until("release 2", probe, 900.0, 1.0)

    Machine(flash, world).live(script)
    # The patch's sector, three sectors made from it, then the wrong one from the full payload.
    assert erased.count(first) == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_application_set_comes_with_a_firmware_that_is_made_from_a_delta(
    campaign: Campaign, transport: str
) -> None:
    release = made(campaign.bench, campaign.bench.images[1], app=build_set(EXAMPLE_APP))
    found, world, names = run(campaign, release, transport)
    assert outcomes(world) == [0]
    assert not names & firmware_names(release)
    assert found["application"]["release"] == 2
