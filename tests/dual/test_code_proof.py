"""PW-14, PW-18: proving the set-up code over a serial line follows the rules of set-up and changes nothing else."""

from memory_unit import CODE, PASSWORD, MemoryUnit, refused, run

from device.errors import LifecycleError, PressError, SetupCodeError, ThrottledError
from device.limits import THROTTLE_FREE
from device.owner import setup_code
from device.owner.lifecycle import FACTORY_DEFAULT

WRONG = "BBCDEFGHJKLMNPQRSTUV"
WRONG += setup_code.check_character(WRONG)


def reason(unit, code):
    return refused(SetupCodeError, unit.owner.prove, code).fields["reason"]


def test_the_code_as_people_type_it_is_proved_and_stays_good_for_set_up():
    unit = MemoryUnit()
    unit.owner.prove(" " + setup_code.grouped(CODE).lower())
    assert unit.state() == FACTORY_DEFAULT
    assert unit.user_records.names() == ["attempts"] and unit.user.read_map("attempts") == {1: 0}
    unit.set_up()


def test_a_wrong_code_proves_nothing_and_is_counted_and_a_slip_of_the_typing_is_not():
    unit = MemoryUnit()
    assert reason(unit, CODE[:-1]) == "length"
    assert unit.user_records.log == []
    assert reason(unit, WRONG) == "wrong"
    assert unit.user.read_map("attempts") == {1: 1}


def test_wrong_codes_delay_the_proof_of_the_right_one():
    unit = MemoryUnit()
    for _ in range(THROTTLE_FREE + 1):
        reason(unit, WRONG)
    assert refused(ThrottledError, unit.owner.prove, CODE).fields["wait_s"] == 1
    unit.clock.ms += 1000
    unit.owner.prove(CODE)


def test_the_code_of_an_owned_unit_proves_nothing_and_is_not_counted():
    unit = MemoryUnit()
    unit.set_up()
    unit.user_records.log = []
    for code in (CODE, WRONG, "typing mistake"):
        refused(LifecycleError, unit.owner.prove, code)
    refused(LifecycleError, unit.owner.proof_key, b"context")
    assert unit.user_records.log == []


def test_after_a_reset_the_proof_needs_a_press_of_the_button():
    unit = MemoryUnit()
    unit.set_up()
    run(unit.owner.reset(PASSWORD))
    unit.user_records.content = {}
    unit.device.write_map("press", {1: True})
    unit.device.delete("owned")
    unit.restart()
    unit.user_records.log = []
    refused(PressError, unit.owner.prove, CODE)
    assert unit.user_records.log == []
    unit.owner.pressed()
    unit.owner.prove(CODE)
