"""The fourteen steps of the story. Each gives the sentence that says what was seen, or raises StepFailed.

What a step claims is read from the unit itself (pages, factory port, console) or from the servers, never assumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from device.errors import (
    DigestMismatchError,
    LockedError,
    SequenceNumberError,
    SignatureError,
    TrialFailedError,
)
from device.owner.lifecycle import FACTORY_DEFAULT
from device.web.routes import ROUTES
from provisioning.station.setup_code import generate_code
from simulator.story.runner import Step, StepFailed, expect, wait_until
from simulator.story.world import World

UPDATE_S = 90  # one transfer, two restarts and a confirm on the emulated board, with room for a busy machine
REVERT_S = 120  # the same, and two times ten seconds of watchdog
CONTACT_S = 40

# From the unit's own table, so that a route that is added later is tried as well.
OPEN_ROUTES = {(route.method, route.path) for route in ROUTES if FACTORY_DEFAULT in route.states}
PUBLIC_ROUTES = sorted(route for route in OPEN_ROUTES if route[0] == "GET")
UNKNOWN_ROUTES = (("GET", "/../identity"), ("GET", "/setup/skip"), ("PUT", "/setup"), ("DELETE", "/setup"))
CLOSED_ROUTES = sorted(
    {(method, route.path) for route in ROUTES for method in ("GET", "POST")}.union(UNKNOWN_ROUTES)
    - OPEN_ROUTES
)
WEAK_PASSWORDS = (
    ("short", "Tr0ub4dor&3"),
    ("common", "passwordpassword"),
    ("repeated", "aaaaaaaaaaaaaaaa"),
    ("sequential", "abcdefghijklmnop"),
)


def build(world: World) -> str:
    world.build()
    return world.build_summary


def provision(world: World) -> str:
    world.provision()
    again = world.provision_again()
    return (
        f"unit {world.unit.serial} has keys of its own, its papers and its label ({world.unit.label_path.name}, "
        f"NOT FOR SALE: development keys); a second run was refused: {again}"
    )


def locked_before_setup(world: World) -> str:
    wait_until("the set-up page", lambda: world.owner.request("GET", "/").status == 200 or None, CONTACT_S)
    for method, path in PUBLIC_ROUTES:
        status = world.owner.request(method, path).status
        expect(status in (200, 303), f"{method} {path} to answer", status)
    for method, path in CLOSED_ROUTES:
        form = {"password": "x" * 20} if method != "GET" else None
        status = world.owner.request(method, path, form).status
        expect(status in (404, 405), f"{method} {path} to be refused", status)
    _expect_nothing_private(world)
    operations = _expect_factory_port_closed(world)
    _expect_console_closed(world)
    contacts = world.contacts()
    expect(not contacts, "no MQTT or CoAP connection before set-up", contacts)
    return (
        f"{len(CLOSED_ROUTES)} routes, {operations} factory operations and the console were tried and refused; "
        "no connection left the unit"
    )


def _expect_nothing_private(world: World) -> None:
    shown = "".join(world.owner.request(*route).text for route in PUBLIC_ROUTES)
    for what, text in (
        ("serial", world.unit.serial),
        ("device id", world.unit.device_id),
        ("version", "1.0.0"),
    ):
        expect(text not in shown, f"no {what} before sign-in", "it is shown")


def _expect_factory_port_closed(world: World) -> int:
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
    for keys in (b"\x03\x03", b"\x01", b"\x04", b"print(6*7)\r\n", b"\x05A\x01"):
        world.machine.console.send(keys)
        time.sleep(0.2)
    seen = world.machine.console.text[len(before) :]
    expect(not seen.strip(), "the console to stay silent", repr(seen[:80]))


def weak_password_refused(world: World) -> str:
    reasons = []
    weak = (*WEAK_PASSWORDS, ("its own serial", f"my {world.unit.serial} password"))
    for why, password in weak:
        reply = world.owner.set_up(world.unit.setup_code, password)
        expect(reply.status == 422, f"a {why} password to be refused", reply.status)
        reasons.append(why)
    expect(world.owner.request("GET", "/login").status == 404, "the unit to wait for set-up still", "sign-in")
    return f"refused: {', '.join(reasons)}; the unit still waits for set-up"


def setup(world: World) -> str:
    wrong = world.owner.set_up(generate_code(), world.password)  # well-formed, drawn as the station draws
    expect(wrong.status in (400, 403), "a wrong set-up code to be refused", wrong.status)

    def attempt() -> bool | None:  # a wrong code costs a short wait (429) before the next one
        reply = world.owner.set_up(world.unit.setup_code, world.password)
        expect(reply.status in (200, 303, 429), "set-up to succeed", f"{reply.status}: {reply.text[:200]}")
        return reply.status != 429 or None

    wait_until("set-up", attempt, CONTACT_S, 1)
    return "a wrong code was refused; the label's code and a password of the owner's own were accepted"


def setup_code_dead(world: World) -> str:
    reply = world.owner.set_up(world.unit.setup_code, "another long password 42")
    expect(reply.status == 404, "set-up to be gone", reply.status)
    return "the set-up code opens nothing any more"


def login(world: World) -> str:
    expect(
        world.owner.request("GET", "/status").status in (303, 401, 403),
        "the status page to ask for sign-in",
        "it",
    )
    expect(not world.owner.sign_in(world.unit.setup_code), "the set-up code to be no password", "a session")

    wait_until("sign-in", lambda: world.owner.sign_in(world.password) or None, CONTACT_S, 1)
    status = world.owner.status()
    expect(status["version"].startswith("1.0.0"), "release 1.0.0", status["version"])
    return f"signed in; the status page shows release {status['version']}"


def support_period(world: World) -> str:
    status = wait_until(
        "a support state from signed time",
        lambda: ((found := world.status()) and found["support"]["state"] != "unknown" and found) or None,
        CONTACT_S,
    )
    support = status["support"]
    expect(support["state"] == "supported", "supported", support["state"])
    return f"{support['sentence']} {support['days_left']} days left, by signed time."


def update_mqtt(world: World) -> str:
    world.publish(2, "mqtt")
    return _expect_running(world, "2.0.0", "over MQTT")


def _expect_running(world: World, version: str, how: str, seconds: float = UPDATE_S) -> str:
    def running() -> dict[str, Any] | None:
        found = world.status()
        world.note(_progress_text(found))
        return found if found["version"].startswith(version) and not found["is_trial"] else None

    status = wait_until(f"release {version} to run and be confirmed", running, seconds, 0.5)
    return (
        f"release {status['version']} came {how}, was checked, tried, reached its server and was confirmed "
        f"in slot {status['slot']}"
    )


def _progress_text(status: dict[str, Any]) -> str:
    update = status["update"]
    percent = update["progress"]
    return str(update["state"]) if percent is None else f"{update['state']}, {percent} % of the payload"


def tampered_update_refused(world: World) -> str:
    transport = world.transports[0]
    world.releases.publish_damaged_envelope(3, transport)
    envelope = _expect_event(world, SignatureError.code, "the damaged envelope to be refused")
    world.releases.publish_damaged_payload(3, transport)
    payload = _expect_event(world, DigestMismatchError.code, "the damaged payload to be refused")
    world.withdraw(transport)
    running = world.status()["version"]
    expect(running == world.running_version, f"release {world.running_version} to run on", running)
    return f"one bit in the envelope: {envelope}; one bit in the payload: {payload}; {running} runs on"


def _expect_event(world: World, code: int, expected: str) -> str:
    def seen() -> str | None:
        for event in reversed(world.status()["update"]["events"]):
            if event["code"] == code:
                return str(event["text"])
        return None

    return wait_until(expected, seen, CONTACT_S, 0.5)


def downgrade_refused(world: World) -> str:
    if (
        world.running_number < 2
    ):  # with CoAP alone nothing was updated yet: there must be something to go back to
        world.publish(2, world.transports[0])
        _expect_running(world, "2.0.0", "first")
    world.publish(1, world.transports[0])
    refusal = _expect_event(world, SequenceNumberError.code, "the older release to be refused")
    return f"release 1, validly signed, was refused: {refusal}"


def update_coap(world: World) -> str:
    world.publish(3, "coap")
    text = _expect_running(world, "3.0.0", "over CoAP with OSCORE")
    return f"{text}, and with it its application: {_expect_application(world, 3)}"


def _expect_application(world: World, release: int) -> str:
    """What the application of this release says of itself, once it runs."""

    def running() -> str | None:
        found = world.status()["application"]
        is_it = found is not None and (found["release"], found["state"]) == (release, "running")
        says = str(found["says"]) if is_it else ""
        return says if says and "unknown" not in says else None  # its first words may come before the time

    return wait_until(f"the application of release {release} to run", running, CONTACT_S, 0.5)


def bad_release_reverts(world: World) -> str:
    before = world.running_version
    world.publish(4, world.transports[-1])
    event = wait_until(
        "the hanging release to be reverted by the watchdog",
        lambda: _trial_failure(world, before),
        REVERT_S,
        1,
    )
    expect("watchdog" in event, "the watchdog to be named", event)
    return f"release 4 hung at start, the watchdog fired, {before} runs again and says: {event}"


def _trial_failure(world: World, version: str) -> str | None:
    status = world.status()
    world.note(_progress_text(status))
    if status["version"] != version:
        return None
    for event in reversed(status["update"]["events"]):
        if event["code"] == TrialFailedError.code:
            return str(event["text"])
    return None


def end_of_support(world: World) -> str:
    world.move_time_past_support()
    status = wait_until(
        "the unit to learn that support has ended",
        lambda: ((found := world.status())["support"]["state"] == "ended" and found) or None,
        CONTACT_S,
    )
    page = world.owner.request("GET", "/status").text
    expect("ended" in page.lower(), "the page to say that support has ended", page[:200])
    world.publish(5, world.transports[0])
    _expect_running(world, "5.0.0", "after the end")
    accepted = f"release 5, validly signed, was still accepted{_by_delta(world)}"
    return f"the page says so ({status['support']['end_date']}); {accepted}"


def _by_delta(world: World) -> str:
    """How much of release 5 came over the network."""
    release = world.releases.release(5)
    if release.delta is None:
        return ", in full: detools, which makes deltas, is not installed"
    expect(world.releases.came_as_delta(), "the unit to make release 5 from a delta", "the full payload")
    patch, whole = len(release.delta.content), len(release.payload)
    return f", as a delta of {patch} bytes in place of {whole} ({100 - 100 * patch / whole:.1f} % saved)"


STEPS = (
    Step("build", "Build or find firmware, sign five releases, start the servers", build),
    Step("provision", "The station provisions a board that comes off the line", provision),
    Step("locked_before_setup", "Before set-up nothing but set-up answers", locked_before_setup),
    Step("weak_password_refused", "Weak passwords are refused with the reason", weak_password_refused),
    Step("setup", "The owner sets a password", setup),
    Step("setup_code_dead", "The set-up code is dead", setup_code_dead),
    Step("login", "The owner signs in", login),
    Step("support_period", "The unit knows its support period", support_period),
    Step("update_mqtt", "A signed update arrives over MQTT", update_mqtt, "mqtt"),
    Step("tampered_update_refused", "One flipped bit is one too many", tampered_update_refused),
    Step("downgrade_refused", "An older release stays out", downgrade_refused),
    Step("update_coap", "A signed update arrives over CoAP", update_coap, "coap"),
    Step("bad_release_reverts", "A release that hangs is taken back", bad_release_reverts),
    Step("end_of_support", "After the end the unit says so and still takes updates", end_of_support),
)
