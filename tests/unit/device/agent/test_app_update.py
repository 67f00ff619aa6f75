"""A whole unit installs application sets, with or without firmware, over both transports; a wrong one never runs."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from device.agent.apps import Context
from device.codec import bundle
from device.crypto import backend
from device.errors import AppFailedError, AppSetError, DigestMismatchError, SignatureError, TrialFailedError
from device.limits import APP_REPORT_CHARS
from device.suit import report
from device.trust.anchors import ROLE_AUTHOR
from provisioning.keys import keyset
from provisioning.keys.key_id import AnchorKey
from provisioning.release import application_set as appset
from provisioning.release.delta import has_detools
from provisioning.release.payload import APP, Payload
from simulator.powercut import app_sets
from simulator.powercut.bench import LAYOUT
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import status

ROOT = Path(__file__).resolve().parents[4]


def waits(probe: Callable[[Any], object], timeout_s: float = 900.0) -> Callable[[Machine], Awaitable[Any]]:
    """Return a script that waits until `probe(status)` is true, and returns that status."""

    async def script(machine: Machine) -> Any:
        async def look() -> Any:
            found = await status(machine)
            return found if probe(found) else None

        return await machine.until("what is tested", look, timeout_s, 1.0)

    return script


def runs(number: int) -> Callable[[Any], bool]:
    return lambda found: (found["application"] or {}).get("release") == number and not found["is_trial"]


def codes(found: Any) -> list[int]:
    return [event["code"] for event in found["update"]["events"]]


def publish(machine: Machine, number: int, files: dict[str, bytes] | None = None) -> None:
    packed = None if files is None else bundle.encode(files)
    app_sets.publish(machine.world, app_sets.release(machine.world.bench, number, packed))


@pytest.mark.parametrize("transport", ["mqtt", "coap"])
def test_firmware_and_application_arrive_together(campaign: Campaign, transport: str) -> None:
    machine = campaign.machine_after("set-up")
    machine.world.has_mqtt, machine.world.has_coap = transport == "mqtt", transport == "coap"
    publish(machine, 4)
    found = machine.live(waits(runs(4)))
    assert found["version"] == "4.0.0+4" and found["update"]["sequence"] == 4
    reports = [report.decode(item.value) for item in machine.world.history if item.what == "report"]
    told = [one.extensions.get(report.APP) for one in reports]
    assert told[-1] == hashlib.sha256(app_sets.bundle_of(4)).digest() and told[0] is None
    assert found["application"] == {
        "release": 4,
        "state": "running",
        "failures": 0,
        "says": "release 4, 5000 bytes",
        "page": None,
    }


@pytest.mark.parametrize("transport", ["mqtt", "coap"])
def test_a_new_application_does_not_move_the_image(campaign: Campaign, transport: str) -> None:
    machine = campaign.machine_after("update-app")
    machine.world.has_mqtt, machine.world.has_coap = transport == "mqtt", transport == "coap"
    image_slots = [machine.flash.read(offset, LAYOUT.slot_bytes) for offset in LAYOUT.slot_offsets]
    publish(machine, 7)
    found = machine.live(waits(runs(7)))
    assert found["version"] == "4.0.0+4" and found["update"]["sequence"] == 7
    assert image_slots == [machine.flash.read(offset, LAYOUT.slot_bytes) for offset in LAYOUT.slot_offsets]


@pytest.mark.parametrize("transport", ["mqtt", "coap"])
def test_a_wrong_chunk_of_an_application_is_named_and_changes_nothing(
    campaign: Campaign, transport: str
) -> None:
    machine = campaign.machine_after("update-app")
    machine.world.has_mqtt, machine.world.has_coap = transport == "mqtt", transport == "coap"
    made = app_sets.release(machine.world.bench, 7)
    app_sets.publish(machine.world, made)
    assert made.app is not None
    for name, content in [*made.app.chunks(), (made.app.digest, made.app.content)]:
        wrong = bytes((content[0] ^ 1,)) + content[1:]
        machine.world.published["o/" + name.hex()] = wrong
    found = machine.live(waits(lambda one: DigestMismatchError.code in codes(one)))
    texts = [event["text"] for event in found["update"]["events"]]
    assert texts == ["DigestMismatchError chunk=0 component=app"]
    assert runs(4)(found) and found["update"]["sequence"] == 4
    machine = Machine(machine.flash, machine.world)
    app_sets.publish(machine.world, made)
    assert machine.live(waits(runs(7)))["application"]["says"] == "release 7, 5000 bytes"


def test_a_unit_that_missed_the_firmware_takes_it_with_the_newer_application(campaign: Campaign) -> None:
    machine = campaign.machine_after("set-up")
    publish(machine, 7)  # image 4 with the application of release 7
    found = machine.live(waits(runs(7)))
    assert found["version"] == "4.0.0+4" and codes(found) == []


def test_an_application_that_fails_on_trial_is_reverted_and_the_old_one_runs(campaign: Campaign) -> None:
    for source in (
        b"async def run(context):\n    raise ValueError('at once')\n",
        b"import asyncio\nasync def run(context):\n    await asyncio.sleep(1)\n    raise SystemExit\n",
        b"raise MemoryError\n",
        b"def run(context):\n    return 1\n",
        b"import no_such_module\n",
    ):
        machine = campaign.machine_after("update-app")
        publish(machine, 7, {"__init__.py": source})
        found = machine.live(waits(lambda one: TrialFailedError.code in codes(one) and runs(4)(one)))
        assert AppFailedError.code in codes(found), source
        text = [one["text"] for one in found["update"]["events"] if one["code"] == TrialFailedError.code]
        assert text == ["TrialFailedError reset=application failed sequence=7"]


def test_firmware_whose_application_fails_on_trial_goes_back_with_it(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    publish(machine, 6, {"__init__.py": b"raise RuntimeError\n"})
    found = machine.live(waits(lambda one: TrialFailedError.code in codes(one) and runs(4)(one)))
    assert found["version"] == "4.0.0+4"


def test_a_release_whose_trials_reached_no_server_is_tried_until_one_does(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    publish(machine, 7)
    trials: list[int] = []

    async def script(one: Machine) -> Any:
        async def look() -> Any:
            found = await status(one)
            if found["is_trial"] and not one.network.is_down and len(trials) < 4:
                one.network.is_down = True  # from here on no server answers, until the trial is over
                trials.append(one.world.starts)
            elif not found["is_trial"]:
                one.network.is_down = False
            return found if runs(7)(found) and not found["is_trial"] else None

        return await one.until("confirmed", look, 4 * 3600.0, 0.5)

    found = machine.live(script)
    assert len(trials) == 4
    assert TrialFailedError.code in codes(found)


def test_an_application_that_crashes_later_is_started_again_and_then_left_off(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    source = b"import asyncio\nasync def run(context):\n    await asyncio.sleep(10)\n    raise OSError(5)\n"
    publish(machine, 7, {"__init__.py": source})
    found = machine.live(waits(lambda one: runs(7)(one) and one["application"]["state"] == "stopped"))
    assert found["application"]["failures"] == 6  # the first and five restarts
    assert codes(found).count(AppFailedError.code) == 1  # reported once
    assert machine.world.is_down is False and found["update"]["sequence"] == 7  # the agent continues


def test_a_file_that_changed_is_reported_not_run_and_fetched_again(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    machine.world.has_mqtt = False
    place = next(
        offset + machine.flash.read(offset, LAYOUT.set_bytes).index(b"\x04" * 5000)
        for offset in LAYOUT.set_offsets
        if b"\x04" * 5000 in machine.flash.read(offset, LAYOUT.set_bytes)
    )
    machine.flash.corrupt(place + 4321, b"\x05")
    found = machine.live(waits(lambda one: True))
    assert found["application"] is None and found["version"] == "4.0.0+4"
    text = [one["text"] for one in found["update"]["events"] if one["code"] == AppSetError.code]
    assert text == ["AppSetError file=table.bin reason=changed"]
    machine = Machine(machine.flash, machine.world)
    machine.world.has_mqtt = True
    machine.connect()
    found = machine.live(waits(runs(4)))
    assert found["application"]["says"] == "release 4, 5000 bytes"


def test_a_release_without_an_application_drops_it(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    machine.world.publish(5)
    found = machine.live(waits(lambda one: one["version"] == "5.0.0+5" and not one["is_trial"]))
    assert found["application"] is None and codes(found) == []


def test_a_unit_fresh_from_the_factory_fetches_the_application_of_the_release_that_it_shipped_with(
    campaign: Campaign,
) -> None:
    machine = campaign.machine_after("set-up")
    bench = machine.world.bench
    release = bench.release(1, 1, app=Payload.of(APP, app_sets.bundle_of(1)))
    app_sets.publish(machine.world, release)
    found = machine.live(waits(runs(1)))
    assert found["version"] == "1.0.0+1" and found["application"]["says"] == "release 1, 5000 bytes"
    assert codes(found) == []


@pytest.mark.skipif(not has_detools(), reason="detools is not installed (make setup builds it)")
def test_an_application_goes_with_firmware_that_is_made_from_a_delta(campaign: Campaign) -> None:
    machine = campaign.machine_after("set-up")
    bench = machine.world.bench
    app = Payload.of(APP, app_sets.bundle_of(4))
    made = bench.release(4, 4, delta_from=bench.images[1], app=app)
    app_sets.publish(machine.world, made)
    found = machine.live(waits(runs(4)))
    assert found["version"] == "4.0.0+4" and found["application"]["says"] == "release 4, 5000 bytes"
    reports = [report.decode(item.value) for item in machine.world.history if item.what == "report"]
    assert 0 in [one.extensions.get(report.DELTA) for one in reports]


def test_names_of_the_firmware_are_not_shadowed(campaign: Campaign) -> None:
    start = """\
import asyncio

from app import look
from app.agent import WHO as one
from app.device import WHO as two
from app.hashlib import WHO as three


async def run(context):
    context.report("{} {} {} {}".format(look.is_real(), one, two, three))
    await asyncio.sleep(99999)
"""
    look = """\
import hashlib
import device.agent.agent


def is_real():
    import device.trust.verify

    agent = device.agent.agent
    return hasattr(hashlib, "sha256") and hasattr(agent, "run") and hasattr(device.trust.verify, "require_newer")
"""
    files = {name + ".py": b"WHO = 'set'\n" for name in ("agent", "device", "hashlib", "asyncio", "app")}
    machine = campaign.machine_after("update-app")
    publish(machine, 7, {"__init__.py": start.encode(), "look.py": look.encode(), **files})
    assert machine.live(waits(runs(7)))["application"]["says"] == "True set set set"


def test_an_application_reads_its_assets_and_knows_the_support_state(campaign: Campaign) -> None:
    start = """\
from app.helper import shown


async def run(context):
    context.report(shown(context))
"""
    helper = """\
def shown(context):
    try:
        context.read("other.bin")
    except Exception as error:
        return "{} {} {} {} {}".format(
            context.names(), context.read("data/a.txt"), context.release, context.support_state(), type(error).__name__
        )
"""
    files = {"__init__.py": start.encode(), "helper.py": helper.encode(), "data/a.txt": b"hello"}
    machine = campaign.machine_after("update-app")
    publish(machine, 7, files)
    found = machine.live(waits(runs(7)))
    says = "['__init__.py', 'data/a.txt', 'helper.py'] b'hello' 7 "
    assert found["application"]["says"].startswith(says) and found["application"]["state"] == "ended"
    assert found["application"]["says"].endswith(" AppSetError")


def test_the_example_runs(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    publish(machine, 7, appset.collect(ROOT / "examples" / "lamp"))
    says = "brightness 0 %, security updates: supported"
    found = machine.live(waits(lambda one: runs(7)(one) and one["application"]["says"] == says))
    assert found["application"]["state"] == "running" and codes(found) == []


EXAMPLES = {
    "lamp": ("toggle", {"most": ("50", 50), "by_day": ("", False)}, {"now": 0}),
    "sensor": (
        "forget",
        {"limit": ("17", 17), "period": ("every 10 minutes", "every 10 minutes")},
        {"warm": True},
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_owner_sets_an_example_and_asks_it_for_an_action(campaign: Campaign, name: str) -> None:
    machine = campaign.machine_after("update-app")
    publish(machine, 7, appset.collect(ROOT / "examples" / name))
    action, settings, readings = EXAMPLES[name]
    form = {"set_" + key: typed for key, (typed, _) in settings.items() if typed}

    async def script(one: Machine) -> Any:
        await waits(lambda found: runs(7)(found) and found["application"]["page"])(one)
        refused = await one.request("POST", "/application", {"action": "do", "name": action})
        saved = await one.request("POST", "/application", {"action": "save", **form}, one.session)
        asked = await one.request("POST", "/application", {"action": "do", "name": action}, one.session)

        def is_done(found: Any) -> bool:
            shown = {part["name"]: part["value"] for part in found["application"]["page"]["readings"]}
            return runs(7)(found) and all(shown[key] == value for key, value in readings.items())

        return (refused.status, saved.status, asked.status), await waits(is_done, 60.0)(one)

    statuses, found = machine.live(script)
    assert statuses == (403, 200, 200) and codes(found) == []
    stored = {part["name"]: part["value"] for part in found["application"]["page"]["settings"]}
    assert stored == {key: value for key, (_, value) in settings.items()}


def test_revoking_the_author_stops_no_application_that_was_confirmed(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    bench = machine.world.bench
    author = bench.ring.signer("author")
    plan = keyset.ensure_plan(bench.ring.directory).changed().with_revoked(author.key_id)
    keys = [one for one in bench.ring.anchor_keys() if one.key_id != author.key_id]
    keys.append(AnchorKey(b"nextauth", -9, ROLE_AUTHOR, backend.p256_public(b"\x07" * 32)))
    content = keyset.key_set(plan, bench.product.class_id, keys, bench.now_s)
    signers = keyset.minimal(plan, keyset.root_signers(bench.ring.directory))
    revoking = keyset.sign_key_set(content, signers)
    machine.world.published["keyset"] = revoking
    machine.live(waits(lambda one: machine.records().read("keyset") == revoking))
    publish(machine, 7)  # which no key may sign any more
    machine = Machine(machine.flash, machine.world)
    found = machine.live(waits(lambda one: SignatureError.code in codes(one)))
    assert found["application"]["says"] == "release 4, 5000 bytes" and found["version"] == "4.0.0+4"


def test_nothing_of_an_application_runs_before_there_is_an_owner(campaign: Campaign) -> None:
    """After a factory reset the set is still there and waits (PW-02)."""
    machine = campaign.machine_after("update-app")
    loaded: list[int] = []
    ports = machine._ports

    async def watched(*arguments: Any) -> Any:
        found = await ports(*arguments)
        load = found.load_app

        def note(files: Any) -> Any:
            loaded.append(files.sequence)
            return load(files)

        return found._replace(load_app=note)

    machine._ports = watched  # type: ignore[method-assign]
    from simulator.powercut.owner_scripts import factory_reset

    machine.live(factory_reset)
    assert loaded == [4]  # before the reset

    async def wait(one: Machine) -> None:
        import asyncio

        await asyncio.sleep(60)

    machine.live(wait)
    assert loaded == [4]


def test_text_of_an_application_that_no_page_can_carry_breaks_no_page(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    publish(machine, 7, {"__init__.py": b"async def run(context):\n    context.report('\\ud800 <b>')\n"})

    async def script(one: Machine) -> Any:
        found = await waits(runs(7))(one)
        page = await one.request("GET", "/status", session=one.session)
        return found["application"]["says"], page.status

    assert machine.live(script) == ("? <b>", 200)


def test_a_report_keeps_whole_characters(campaign: Campaign) -> None:
    files = SimpleNamespace(sequence=7)
    context = Context(files, "1.0.0", str, None, None)  # type: ignore[arg-type]
    context.report("\ud800" + "\U0001f600" * 200)
    assert context.reported == "?" + "\U0001f600" * (APP_REPORT_CHARS - 1)
    with pytest.raises(TypeError):
        context.report(b"bytes")  # type: ignore[arg-type]
