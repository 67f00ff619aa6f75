"""Set-up and sign-in: accepted and refused attempts, the order of writes, the cost of guessing."""

from memory_unit import CODE, ITERATIONS, PASSWORD, MemoryUnit, refused, run

from device.codec import cbor
from device.errors import (
    CredentialError,
    EntropyError,
    LifecycleError,
    PasswordError,
    RecordDamagedError,
    SetupCodeError,
    ThrottledError,
)
from device.limits import (
    PASSWORD_MAX_BYTES,
    PASSWORD_MAX_CHARS,
    PBKDF2_MAX_ITERATIONS,
    THROTTLE_CAP_S,
    THROTTLE_FREE,
)
from device.owner import onboarding, setup_code, throttle
from device.owner.lifecycle import FACTORY_DEFAULT, INITIALISED

WRONG = "BBCDEFGHJKLMNPQRSTUV"
WRONG += setup_code.check_character(WRONG)


def guess_wrong(unit, times):
    """Fail `times` sign-ins, after each delay of the throttle."""
    for _ in range(times):
        unit.clock.ms += unit.owner.throttle.wait_s() * 1000
        refused(CredentialError, unit.sign_in, "not the password at all")


def test_set_up_with_the_code_makes_an_owner_who_can_sign_in():
    unit = MemoryUnit()
    unit.set_up()
    assert unit.state() == INITIALISED
    unit.sign_in()


def test_the_code_is_taken_as_people_type_it():
    unit = MemoryUnit()
    unit.set_up(" " + setup_code.grouped(CODE).lower())
    assert unit.state() == INITIALISED


def test_a_wrong_code_changes_nothing_but_the_count():
    unit = MemoryUnit()
    assert refused(SetupCodeError, unit.set_up, WRONG).fields["reason"] == "wrong"
    assert unit.state() == FACTORY_DEFAULT
    assert unit.user_records.names() == ["attempts"]
    unit.set_up()


def test_a_slip_of_the_typing_costs_no_attempt():
    unit = MemoryUnit()
    for code in ("", "ABC", CODE[:-1] + ("A" if CODE[-1] != "A" else "B"), CODE + "A", "0" * 21):
        refused(SetupCodeError, unit.set_up, code)
    assert unit.user_records.log == []


def test_the_code_is_invalid_after_set_up():
    unit = MemoryUnit()
    unit.set_up()
    unit.restart()
    refused(LifecycleError, unit.set_up, CODE, "another kettle on the hob")
    refused(CredentialError, unit.sign_in, CODE)
    unit.sign_in()


def test_a_refused_password_leaves_the_unit_in_factory_default_with_the_code_alive():
    unit = MemoryUnit()
    for password in ("", "short", "password12345678", "Lamp One on the desk", CODE.lower() + " x"):
        refused(PasswordError, unit.set_up, CODE, password)
    assert unit.state() == FACTORY_DEFAULT
    unit.set_up()


def test_the_code_with_marks_of_any_script_between_is_refused_as_the_password():
    unit = MemoryUnit()
    for mark in ("\u00b7", "\u30fb", "\u2500", "\u2013", "\u00af", "\u4e00", "."):
        for password in (CODE[:7] + mark + CODE[7:], mark.join(CODE)):
            error = refused(PasswordError, unit.set_up, CODE, password, True)
            assert error.fields["reason"] == "context", hex(ord(mark))
    assert unit.state() == FACTORY_DEFAULT


def test_who_knows_the_code_may_try_many_passwords():
    unit = MemoryUnit()
    for _ in range(3 * THROTTLE_FREE):
        refused(PasswordError, unit.set_up, CODE, "short")
    unit.set_up()


def test_without_the_code_nothing_is_learnt_about_the_password_rules():
    unit = MemoryUnit()
    refused(SetupCodeError, unit.set_up, WRONG, "short")


def test_set_up_needs_entropy():
    unit = MemoryUnit()
    unit.entropy.ready = False
    refused(EntropyError, unit.set_up)
    assert unit.state() == FACTORY_DEFAULT and unit.user_records.log == []


def test_wrong_codes_are_throttled():
    unit = MemoryUnit()
    for _ in range(THROTTLE_FREE + 1):
        refused(SetupCodeError, unit.set_up, WRONG)
    assert refused(ThrottledError, unit.set_up).fields["wait_s"] == 1


def test_of_two_clients_that_race_exactly_one_wins():
    for first_ahead in range(ITERATIONS // onboarding.SLICE_ITERATIONS + 1):
        unit = MemoryUnit()
        first = unit.owner.set_up(CODE, "kettle on the hob at six")
        second = unit.owner.set_up(CODE, "orange bicycle under the bridge")
        for _ in range(first_ahead):
            next(first)
        next(second)
        run(first)
        refused(LifecycleError, run, second)
        unit.sign_in("kettle on the hob at six")
        refused(CredentialError, unit.sign_in, "orange bicycle under the bridge")


def test_an_abandoned_set_up_stores_nothing():
    unit = MemoryUnit()
    flow = unit.owner.set_up(CODE, PASSWORD)
    next(flow)
    flow.close()
    assert unit.state() == FACTORY_DEFAULT
    assert unit.user_records.names() == ["attempts"] and unit.user.read_map("attempts") == {1: 0}


def test_the_unit_can_do_other_work_between_slices():
    unit = MemoryUnit()
    slices = len(list(unit.owner.set_up(CODE, PASSWORD)))
    assert slices == ITERATIONS // onboarding.SLICE_ITERATIONS


def test_neither_password_nor_code_is_stored():
    unit = MemoryUnit()
    unit.set_up()
    everything = b"".join([unit.user_records.content[name] for name in unit.user_records.content])
    everything += b"".join([unit.device_records.content[name] for name in unit.device_records.content])
    assert PASSWORD.encode() not in everything and CODE.encode() not in everything


def test_the_stored_hash_is_pbkdf2_of_the_published_algorithm():
    import hashlib

    unit = MemoryUnit()
    unit.set_up()
    found = onboarding.decode_credential(unit.user.require("credential"))
    assert found.iterations == ITERATIONS and len(found.salt) == 16
    if hasattr(hashlib, "pbkdf2_hmac"):  # CPython: an independent implementation
        assert found.digest == hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), found.salt, ITERATIONS)


def test_the_credential_is_written_before_the_mark():
    unit = MemoryUnit()
    unit.user_records.log = unit.device_records.log = order = []
    unit.set_up()
    assert order.index("write credential") < order.index("write owned")


def test_a_missing_mark_is_repaired_at_the_next_start():
    unit = MemoryUnit()
    unit.set_up()
    unit.device.delete("owned")
    unit.restart()
    assert unit.device.has("owned")
    unit.sign_in()


def test_a_unit_in_factory_default_gets_no_mark():
    unit = MemoryUnit()
    unit.restart()
    assert not unit.device.has("owned")


def test_a_wrong_password_is_refused():
    unit = MemoryUnit()
    unit.set_up()
    for password in ("", PASSWORD + " ", PASSWORD.upper(), "x" * 257, CODE):
        refused(CredentialError, unit.sign_in, password)


def test_there_is_no_sign_in_before_set_up():
    refused(LifecycleError, MemoryUnit().sign_in, "")


def test_the_failure_is_stored_before_the_password_is_looked_at():
    unit = MemoryUnit()
    unit.set_up()
    flow = unit.owner.sign_in("not the password at all")
    next(flow)
    assert unit.user.read_map("attempts") == {1: 1}
    flow.close()


def test_parallel_guesses_all_count():
    unit = MemoryUnit()
    unit.set_up()
    flows = []
    for _ in range(THROTTLE_FREE + 1):
        flows.append(unit.owner.sign_in("not the password at all"))
        next(flows[-1])
    refused(ThrottledError, unit.sign_in)
    for flow in flows:
        flow.close()


def test_the_first_failures_cost_no_delay():
    unit = MemoryUnit()
    unit.set_up()
    for _ in range(THROTTLE_FREE):
        refused(CredentialError, unit.sign_in, "not the password at all")
    unit.sign_in()


def test_the_delay_doubles_up_to_its_cap():
    unit = MemoryUnit()
    unit.set_up()
    waits = []
    for _ in range(THROTTLE_FREE + 12):
        guess_wrong(unit, 1)
        waits.append(unit.owner.throttle.wait_s())
    assert waits == [0] * 5 + [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_the_right_password_must_wait_too():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE + 3)
    assert refused(ThrottledError, unit.sign_in).fields["wait_s"] == 4
    unit.clock.ms += 3999
    refused(ThrottledError, unit.sign_in)
    unit.clock.ms += 1
    unit.sign_in()


def test_a_throttled_try_costs_no_hash_and_no_write():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE + 1)
    unit.user_records.log = []
    refused(ThrottledError, unit.sign_in)
    assert unit.user_records.log == []


def test_the_right_password_clears_the_count():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE + 2)
    unit.clock.ms += 2000
    unit.sign_in()
    assert unit.user.read_map("attempts") == {1: 0}
    refused(CredentialError, unit.sign_in, "not the password at all")
    unit.sign_in()


def test_the_count_survives_a_restart_and_the_delay_begins_again():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE + 6)
    for _ in range(3):
        unit.restart()
        assert refused(ThrottledError, unit.sign_in).fields["wait_s"] == 32


def test_a_damaged_count_counts_as_many():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, 1)
    unit.user_records.damage("attempts")
    unit.restart()
    assert refused(ThrottledError, unit.sign_in).fields["wait_s"] == THROTTLE_CAP_S
    unit.clock.ms += THROTTLE_CAP_S * 1000
    unit.sign_in()


def test_a_count_of_a_wrong_kind_counts_as_many():
    for value in (-1, True, "1", None):
        unit = MemoryUnit()
        unit.user.write_map("attempts", {1: value})
        assert throttle.Throttle(unit.user, unit.clock, unit.device).wait_s() == THROTTLE_CAP_S


def test_the_delay_ends_although_ticks_wrap():
    unit = MemoryUnit()
    unit.set_up()
    unit.clock.ms = (1 << 30) - 100
    guess_wrong(unit, THROTTLE_FREE + 1)
    assert unit.owner.throttle.wait_s() == 1
    unit.clock.ms += 7 * 86400 * 1000  # more than half the period: the distance looks negative
    unit.sign_in()


def test_a_credential_that_cannot_be_one_is_damaged():
    good = {1: bytes(16), 2: 1000, 3: bytes(32)}
    onboarding.decode_credential(cbor.encode(good))
    for key, value in ((1, bytes(15)), (2, 999), (2, PBKDF2_MAX_ITERATIONS + 1), (3, bytes(31)), (2, "1000")):
        wrong = {1: bytes(16), 2: 1000, 3: bytes(32)}
        wrong[key] = value
        refused(RecordDamagedError, onboarding.decode_credential, cbor.encode(wrong))
    refused(RecordDamagedError, onboarding.decode_credential, b"")


def test_an_iteration_count_below_the_published_minimum_is_refused():
    unit = MemoryUnit()
    refused(ValueError, onboarding.Owner, unit.device, unit.user, unit.clock, unit.entropy, 999)


def test_an_iteration_count_above_the_maximum_is_refused():
    unit = MemoryUnit()
    last = PBKDF2_MAX_ITERATIONS
    onboarding.Owner(unit.device, unit.user, unit.clock, unit.entropy, last)
    refused(ValueError, onboarding.Owner, unit.device, unit.user, unit.clock, unit.entropy, last + 1)


def test_what_cannot_be_the_password_costs_neither_a_hash_nor_a_count():
    unit = MemoryUnit()
    unit.set_up()
    unit.user_records.log = []
    for password in ("", "x" * (PASSWORD_MAX_BYTES + 1)):
        refused(CredentialError, next, unit.owner.sign_in(password))
    assert unit.user_records.log == []


def test_a_password_of_the_greatest_length_opens():
    unit = MemoryUnit()
    longest = "".join([chr(0x1F600 + 7 * at % 61) for at in range(PASSWORD_MAX_CHARS)])
    assert len(longest.encode()) == PASSWORD_MAX_BYTES
    unit.set_up(password=longest, is_normalised=True)
    unit.sign_in(longest)


def test_a_damaged_record_of_the_code_is_named():
    for wrong in ([], {1: b"s" * 16}, {1: "salt", 2: bytes(32)}, {1: b"s" * 16, 2: "verifier"}):
        unit = MemoryUnit()
        unit.device.write("setup", cbor.encode(wrong))
        assert refused(RecordDamagedError, unit.set_up).fields["name"] == "setup"


def test_the_mark_says_that_the_unit_is_owned():
    unit = MemoryUnit()
    unit.set_up()
    assert unit.device.read_map("owned")[1] is True


def test_set_up_of_an_owned_unit_is_refused_before_anything_is_read_counted_or_hashed():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE - 1)
    drawn = unit.entropy.calls
    unit.user_records.log = []
    for code in (CODE, WRONG, "typing mistake"):
        flow = unit.owner.set_up(code, PASSWORD)
        refused(LifecycleError, next, flow)
    assert unit.user_records.log == [] and unit.entropy.calls == drawn


def test_the_used_code_does_not_reset_the_count_of_wrong_passwords():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE + 3)
    unit.clock.ms += 4000
    refused(LifecycleError, unit.set_up, CODE, "another kettle on the hob")
    assert unit.user.read_map("attempts") == {1: THROTTLE_FREE + 3}


def test_an_attempt_long_after_the_delay_is_allowed():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE + 3)
    unit.clock.ms += 3600 * 1000
    assert unit.owner.throttle.wait_s() == 0
    unit.sign_in()


def test_a_delay_that_was_found_over_does_not_return_when_the_ticks_wrap():
    unit = MemoryUnit()
    unit.set_up()
    guess_wrong(unit, THROTTLE_FREE + 3)
    unit.clock.ms += 4001
    assert unit.owner.throttle.wait_s() == 0
    unit.clock.ms += (1 << 30) - 4001  # the same ticks as at the failure
    assert unit.owner.throttle.wait_s() == 0
    unit.sign_in()
