"""The fourteen steps of the story, in order. Each returns a sentence about its observation, or raises StepFailed.

Every claim is read from the unit itself (pages, factory port, console) or from the servers, never assumed.
"""

from __future__ import annotations

from simulator.story.runner import Step
from simulator.story.steps import factory, setup, updates

STEPS = (
    Step("build", "Build or find the firmware, sign five releases, start the servers", factory.build),
    Step("provision", "The station provisions a bare board", factory.provision),
    Step("locked_before_setup", "Before set-up, the unit answers only set-up", factory.locked_before_setup),
    Step("weak_password_refused", "Weak passwords are refused with the reason", setup.weak_password_refused),
    Step("setup", "The owner sets a password", setup.setup),
    Step("setup_code_dead", "The set-up code no longer works", setup.setup_code_dead),
    Step("login", "The owner signs in", setup.login),
    Step("support_period", "The unit knows its support period", setup.support_period),
    Step("update_mqtt", "A signed update arrives over MQTT", updates.update_mqtt, "mqtt"),
    Step("tampered_update_refused", "A changed bit is refused", updates.tampered_update_refused),
    Step("downgrade_refused", "An older release is refused", updates.downgrade_refused),
    Step("update_coap", "A signed update arrives over CoAP", updates.update_coap, "coap"),
    Step("bad_release_reverts", "A release that hangs is reverted", updates.bad_release_reverts),
    Step(
        "end_of_support", "After the end date, the unit reports it and still updates", updates.end_of_support
    ),
)
