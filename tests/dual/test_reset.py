"""PW-03, SE-11: factory reset; PW-14, PW-18: the effect of a press of the button."""

from memory_flash import SMALL, MemoryFlash
from memory_unit import CODE, PASSWORD, MemoryUnit, refused, run

from device.errors import (
    CredentialError,
    FlashError,
    LifecycleError,
    PressError,
    SetupCodeError,
    ThrottledError,
)
from device.limits import PRESS_LIFE_S, THROTTLE_FREE
from device.owner import reset
from device.owner.lifecycle import FACTORY_DEFAULT, FAILED, INITIALISED
from device.records import identity

OTHER = "orange bicycle under the bridge"


def owned():
    unit = MemoryUnit()
    unit.set_up()
    return unit


def finish(unit, flash=None, has_button=True):
    """Do what the next start does: erase, format, delete the marks."""

    def format_user():
        unit.user_records.content = {}

    run(reset.finish(flash or MemoryFlash(), SMALL, unit.device, format_user, has_button))
    unit.restart()


def test_pw_03_after_a_reset_the_password_is_invalid_and_the_code_valid():
    unit = owned()
    run(unit.owner.reset(PASSWORD))
    finish(unit, has_button=False)
    assert unit.state() == FACTORY_DEFAULT
    refused(LifecycleError, unit.sign_in)
    unit.set_up(CODE, OTHER)
    refused(CredentialError, unit.sign_in, PASSWORD)
    unit.sign_in(OTHER)


def test_a_reset_needs_the_password():
    unit = owned()
    refused(CredentialError, run, unit.owner.reset("not the password at all"))
    refused(CredentialError, run, unit.owner.reset(CODE))
    assert unit.state() == INITIALISED
    refused(LifecycleError, run, MemoryUnit().owner.reset(PASSWORD))


def test_from_the_mark_on_the_unit_is_closed():
    unit = owned()
    run(unit.owner.reset(PASSWORD))
    assert unit.state() == FAILED
    refused(LifecycleError, unit.sign_in)
    refused(LifecycleError, unit.set_up)
    unit.restart()
    assert unit.state() == FAILED


def test_a_sign_in_that_was_under_way_does_not_outlive_the_reset():
    unit = owned()
    slow = unit.owner.sign_in(PASSWORD)
    next(slow)
    run(unit.owner.reset(PASSWORD))
    refused(LifecycleError, run, slow)


def test_the_mark_is_first_and_owned_goes_last():
    unit = owned()
    unit.device_records.log = log = []
    run(unit.owner.reset(PASSWORD))
    assert unit.device.read_map("owned") == {1: True, 2: True}
    finish(unit)
    assert log == ["write owned", "write press", "delete owned"]
    assert unit.device.read_map("press") == {1: True}


def test_the_identity_and_all_other_records_of_the_device_stay():
    unit = owned()
    before = {}
    for name in unit.device_records.content:
        before[name] = unit.device_records.content[name]
    run(unit.owner.reset(PASSWORD))
    finish(unit, has_button=False)
    del before["owned"]
    assert unit.device_records.content == before
    assert identity.decode(unit.device.require("identity")).serial == "FB-000123"


def test_every_sector_of_the_user_region_is_erased_and_none_else():
    flash = MemoryFlash()
    run(reset.finish(flash, SMALL, owned().device, lambda: None, True))
    end = SMALL.user_offset + SMALL.user_bytes
    assert flash.erased == list(range(SMALL.user_offset, end, SMALL.sector_bytes))


def test_a_reset_that_cannot_be_finished_leaves_the_unit_closed():
    class Broken(MemoryFlash):
        def erase(self, offset):
            raise FlashError(reason="worn out", offset=offset)

    unit = owned()
    run(unit.owner.reset(PASSWORD))
    refused(FlashError, finish, unit, Broken())
    assert unit.state() == FAILED
    finish(unit)
    assert unit.state() == FACTORY_DEFAULT


def test_failed_is_left_by_a_reset():
    unit = owned()
    unit.user_records.damage("credential")
    unit.restart()
    assert unit.state() == FAILED
    reset.begin(unit.device)
    finish(unit)
    assert unit.state() == FACTORY_DEFAULT


def test_pw_18_after_a_reset_set_up_asks_for_a_press_of_the_button():
    unit = owned()
    run(unit.owner.reset(PASSWORD))
    finish(unit)
    assert unit.owner.is_press_needed()
    unit.user_records.log = []
    refused(PressError, unit.set_up)
    assert unit.user_records.log == []  # no attempt was counted
    unit.owner.pressed()
    unit.set_up()
    assert unit.state() == INITIALISED
    assert not unit.device.has("press")


def test_a_press_is_good_for_its_time_and_no_longer():
    unit = owned()
    run(unit.owner.reset(PASSWORD))
    finish(unit)
    unit.owner.pressed()
    unit.clock.ms += PRESS_LIFE_S * 1000 - 1
    assert not unit.owner.is_press_needed()
    unit.clock.ms += 1
    refused(PressError, unit.set_up)
    for age_ms in (
        1 << 29,
        (1 << 30) - 1,
        1 << 30,
        (1 << 30) + 1000,
    ):  # ticks wrap: the press must not look recent again
        unit.clock.ms = age_ms
        refused(PressError, unit.set_up)


def test_a_press_is_not_recent_any_more_at_any_later_time():
    life_ms = PRESS_LIFE_S * 1000
    # From half the period of the ticks on, the distance looks negative.
    for age_ms in (life_ms, life_ms + 1, 10 * life_ms, 1 << 29, (1 << 29) + 1000, (1 << 30) - 1):
        unit = owned()
        run(unit.owner.reset(PASSWORD))
        finish(unit)
        unit.owner.pressed()
        unit.clock.ms += age_ms
        assert unit.owner.is_press_needed(), age_ms


def test_a_press_does_not_replace_the_code():
    unit = owned()
    run(unit.owner.reset(PASSWORD))
    finish(unit)
    unit.owner.pressed()
    refused(SetupCodeError, unit.set_up, "B" + CODE[1:])
    assert unit.state() == FACTORY_DEFAULT


def test_a_press_is_not_remembered_over_a_restart():
    unit = owned()
    run(unit.owner.reset(PASSWORD))
    finish(unit)
    unit.owner.pressed()
    unit.restart()
    refused(PressError, unit.set_up)


def test_a_fresh_unit_asks_for_no_press():
    unit = MemoryUnit()
    assert not unit.owner.is_press_needed()
    unit.set_up()


def test_a_damaged_mark_of_the_press_asks_for_one():
    unit = owned()
    run(unit.owner.reset(PASSWORD))
    finish(unit)
    unit.device_records.damage("press")
    refused(PressError, unit.set_up)


def test_a_mark_of_the_press_that_set_up_left_is_deleted_at_the_next_start():
    unit = owned()
    unit.device.write_map("press", {1: True})  # the power was cut between the two writes
    unit.restart()
    assert not unit.device.has("press")
    unit.sign_in()


def test_pw_14_a_press_opens_one_attempt_at_once_and_no_second():
    unit = owned()
    for _ in range(THROTTLE_FREE + 3):
        unit.clock.ms += unit.owner.throttle.wait_s() * 1000
        refused(CredentialError, unit.sign_in, OTHER)
    refused(ThrottledError, unit.sign_in)
    unit.owner.pressed()
    refused(CredentialError, unit.sign_in, OTHER)
    assert refused(ThrottledError, unit.sign_in).fields["wait_s"] == 8  # the count continued
    unit.owner.pressed()
    unit.sign_in()
    refused(CredentialError, unit.sign_in, OTHER)  # and the correct password cleared it
    unit.sign_in()
