"""The fourteen steps of the story, in order. Each returns a sentence about its observation, or raises StepFailed.

Every claim is read from the unit itself (pages, factory port, console) or from the servers, never assumed.
"""

from __future__ import annotations

from simulator.story.runner import Step
from simulator.story.steps import factory, setup, updates

STEPS = (
    Step("build", "Build or find the firmware, sign five releases, start the servers", factory.build),
    Step("provision", "The station provisions a bare board", factory.provision),
    Step(
        "locked_before_setup",
        "Before set-up, the unit answers only set-up",
        factory.locked_before_setup,
        requirements=("PW-02", "RP-10", "SC-05", "SE-06", "SE-07"),
    ),
    Step(
        "weak_password_refused",
        "Weak passwords are refused with the reason",
        setup.weak_password_refused,
        requirements=("PW-15", "PW-16"),
    ),
    Step("setup", "The owner sets a password", setup.setup, requirements=("PW-18",)),
    Step(
        "setup_code_dead",
        "The set-up code no longer works",
        setup.setup_code_dead,
        requirements=("PW-01", "PW-19"),
    ),
    Step("login", "The owner signs in", setup.login, requirements=("PW-01",)),
    Step(
        "support_period", "The unit knows its support period", setup.support_period, requirements=("SP-04",)
    ),
    Step(
        "update_mqtt",
        "A signed update arrives over MQTT",
        updates.update_mqtt,
        "mqtt",
        requirements=("UP-05",),
    ),
    Step(
        "tampered_update_refused",
        "A changed bit is refused",
        updates.tampered_update_refused,
        requirements=("UP-01", "UP-10"),
    ),
    Step(
        "downgrade_refused", "An older release is refused", updates.downgrade_refused, requirements=("UP-02",)
    ),
    Step(
        "update_coap",
        "A signed update arrives over CoAP",
        updates.update_coap,
        "coap",
        requirements=("UP-05",),
    ),
    Step("bad_release_reverts", "A release that hangs is reverted", updates.bad_release_reverts),
    Step(
        "end_of_support",
        "After the end date, the unit reports it and still updates",
        updates.end_of_support,
        requirements=("SP-08",),
    ),
)
