"""Steps of the new owner: set-up with the label's code, sign-in, and the support period on the status page."""

from __future__ import annotations

from provisioning.station.setup_code import generate_code
from simulator.story.runner import CONTACT_S, expect, wait_until
from simulator.story.world import World

WEAK_PASSWORDS = (
    ("short", "Tr0ub4dor&3"),
    ("common", "passwordpassword"),
    ("repeated", "aaaaaaaaaaaaaaaa"),
    ("sequential", "abcdefghijklmnop"),
)


def weak_password_refused(world: World) -> str:
    """Try weak passwords with the right code."""
    reasons = []
    weak = (*WEAK_PASSWORDS, ("its own serial", f"my {world.unit.serial} password"))
    for why, password in weak:
        reply = world.owner.set_up(world.unit.setup_code, password)
        expect(reply.status == 422, f"a refusal of the weak password ({why})", reply.status)
        reasons.append(why)
    status = world.owner.request("GET", "/login").status
    expect(status == 404, "no sign-in page, because the unit still waits for set-up", status)
    return f"refused: {', '.join(reasons)}; the unit still waits for set-up"


def setup(world: World) -> str:
    """Try a wrong code, then set the unit up with the code on the label."""
    wrong = world.owner.set_up(generate_code(), world.password)  # well-formed, from the station's generator
    expect(wrong.status in (400, 403), "a refusal of the wrong set-up code", wrong.status)

    def attempt() -> bool | None:  # a wrong code costs a short wait (429) before the next attempt
        reply = world.owner.set_up(world.unit.setup_code, world.password)
        expect(reply.status in (200, 303, 429), "set-up to succeed", f"{reply.status}: {reply.text[:200]}")
        return reply.status != 429 or None

    wait_until("set-up", attempt, CONTACT_S, 1)
    return "a wrong code was refused; the code on the label and the owner's new password were accepted"


def setup_code_dead(world: World) -> str:
    """Try the code on the label a second time."""
    reply = world.owner.set_up(world.unit.setup_code, "another long password 42")
    expect(reply.status == 404, "no set-up page", reply.status)
    return "the unit no longer accepts the set-up code"


def login(world: World) -> str:
    """Sign in with the password; without a session, and with the set-up code, the unit refuses."""
    status = world.owner.request("GET", "/status").status
    expect(status in (303, 401, 403), "the status page to ask for sign-in", status)
    expect(not world.owner.sign_in(world.unit.setup_code), "a refusal of the set-up code", "a session")

    wait_until("sign-in", lambda: world.owner.sign_in(world.password) or None, CONTACT_S, 1)
    page = world.owner.status()
    expect(page["version"].startswith("1.0.0"), "release 1.0.0", page["version"])
    return f"signed in; the status page shows release {page['version']}"


def support_period(world: World) -> str:
    """Read the support state from the status page, once the unit has verified the time."""
    status = wait_until(
        "a support state from signed time",
        lambda: ((found := world.status()) and found["support"]["state"] != "unknown" and found) or None,
        CONTACT_S,
    )
    support = status["support"]
    expect(support["state"] == "supported", "supported", support["state"])
    return f"{support['sentence']} {support['days_left']} days left, by signed time."
