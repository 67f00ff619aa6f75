"""Steps of the update path: over both transports, damaged, older, hanging, and after the end of support."""

from __future__ import annotations

from typing import Any

from device.errors import DigestMismatchError, SequenceNumberError, SignatureError, TrialFailedError
from simulator.story.runner import CONTACT_S, expect, wait_until
from simulator.story.world import World

UPDATE_S = 90  # one transfer, two restarts and a confirmation on the emulated board, on a busy machine
REVERT_S = 120  # the same, and two times ten seconds of watchdog


def update_mqtt(world: World) -> str:
    """Publish release 2 over MQTT."""
    world.publish(2, "mqtt")
    return expect_running(world, "2.0.0", "over MQTT")


def tampered_update_refused(world: World) -> str:
    """Publish release 3 with one changed bit, first in the envelope, then in the payload."""
    transport = world.transports[0]
    world.releases.publish_damaged_envelope(3, transport)
    envelope = _expect_event(world, SignatureError.code, "a refusal of the damaged envelope")
    world.releases.publish_damaged_payload(3, transport)
    payload = _expect_event(world, DigestMismatchError.code, "a refusal of the damaged payload")
    world.withdraw(transport)
    running = world.status()["version"]
    expect(running == world.running_version, f"release {world.running_version} to keep running", running)
    return f"one bit in the envelope: {envelope}; one bit in the payload: {payload}; {running} still runs"


def downgrade_refused(world: World) -> str:
    """Publish release 1, validly signed, to a unit with a newer one."""
    if world.running_number < 2:  # over CoAP only, no step has updated the unit yet
        world.publish(2, world.transports[0])
        expect_running(world, "2.0.0", "first")
    world.publish(1, world.transports[0])
    refusal = _expect_event(world, SequenceNumberError.code, "a refusal of the older release")
    return f"release 1, validly signed, was refused: {refusal}"


def update_coap(world: World) -> str:
    """Publish release 3, which contains an application, over CoAP."""
    world.publish(3, "coap")
    text = expect_running(world, "3.0.0", "over CoAP with OSCORE")
    return f"{text}; its application reports: {expect_application(world, 3)}"


def bad_release_reverts(world: World) -> str:
    """Publish release 4, which hangs at start."""
    before = world.running_version
    world.publish(4, world.transports[-1])
    event = wait_until(
        "the watchdog to revert the hanging release", lambda: _trial_failure(world, before), REVERT_S, 1
    )
    expect("watchdog" in event, "an event that names the watchdog", event)
    return f"release 4 hung at start, the watchdog fired, {before} runs again and reports: {event}"


def end_of_support(world: World) -> str:
    """Move signed time past the support period, then publish release 5."""
    world.move_time_past_support()
    status = wait_until(
        "the unit to learn that support has ended",
        lambda: ((found := world.status())["support"]["state"] == "ended" and found) or None,
        CONTACT_S,
    )
    page = world.owner.request("GET", "/status").text
    expect("ended" in page.lower(), "a page that reports the end of support", page[:200])
    world.publish(5, world.transports[0])
    expect_running(world, "5.0.0", "after the end")
    accepted = f"release 5, validly signed, was still accepted{_by_delta(world)}"
    return f"the page reports the end of support ({status['support']['end_date']}); {accepted}"


# conditions to wait for ----------------------------------------------------------------------------------------
def expect_running(world: World, version: str, how: str, seconds: float = UPDATE_S) -> str:
    """Wait until release `version` is confirmed. Returns the sentence about it, raises StepFailed."""

    def running() -> dict[str, Any] | None:
        found = world.status()
        world.note(_progress_text(found))
        return found if found["version"].startswith(version) and not found["is_trial"] else None

    status = wait_until(f"release {version} to run and be confirmed", running, seconds, 0.5)
    return (
        f"release {status['version']} arrived {how}, was verified, started on trial, reached its server and was "
        f"confirmed in slot {status['slot']}"
    )


def _progress_text(status: dict[str, Any]) -> str:
    update = status["update"]
    percent = update["progress"]
    return str(update["state"]) if percent is None else f"{update['state']}, {percent} % of the payload"


def _latest_event(status: dict[str, Any], code: int) -> str | None:
    """Return the text of the newest event with this error code, or None."""
    for event in reversed(status["update"]["events"]):
        if event["code"] == code:
            return str(event["text"])
    return None


def _expect_event(world: World, code: int, expected: str) -> str:
    return wait_until(expected, lambda: _latest_event(world.status(), code), CONTACT_S, 0.5)


def _trial_failure(world: World, version: str) -> str | None:
    status = world.status()
    world.note(_progress_text(status))
    return _latest_event(status, TrialFailedError.code) if status["version"] == version else None


def expect_application(world: World, release: int) -> str:
    """Return what the application of this release reports, once it runs."""

    def running() -> str | None:
        found = world.status()["application"]
        is_running = found is not None and (found["release"], found["state"]) == (release, "running")
        says = str(found["says"]) if is_running else ""
        return says if says and "unknown" not in says else None  # its first report may come before the time

    return wait_until(f"the application of release {release} to run", running, CONTACT_S, 0.5)


def _by_delta(world: World) -> str:
    """Return a sentence about how much of release 5 came over the network."""
    release = world.releases.release(5)
    if release.delta is None:
        return ", in full, because detools, which makes deltas, is not installed"
    expect(world.releases.came_as_delta(), "the unit to build release 5 from a delta", "the full payload")
    patch, whole = len(release.delta.content), len(release.payload)
    return f", as a delta of {patch} bytes instead of {whole} ({100 - 100 * patch / whole:.1f} % saved)"
