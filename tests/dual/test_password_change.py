"""PW-12: change of password; PW-13: the stored hash follows the board's speed."""

from memory_unit import CODE, ITERATIONS, PASSWORD, MemoryUnit, refused, run

from device.codec import cbor
from device.crypto import backend
from device.errors import (
    CredentialError,
    EntropyError,
    LifecycleError,
    PasswordError,
    RecordDamagedError,
    ThrottledError,
)
from device.limits import THROTTLE_FREE
from device.owner import onboarding, setup_code
from device.owner.credential import decode_credential

OTHER = "orange bicycle under the bridge"


class MemoryKeyStore:
    """interfaces.KeyStore with a key in memory."""

    def __init__(self, key=b"k" * 32):
        self.key = key

    def keyed_digest(self, data):
        return backend.hmac_sha256(self.key, data)


def owned():
    unit = MemoryUnit()
    unit.set_up()
    return unit


def change(unit, old=PASSWORD, new=OTHER, is_normalised=False):
    run(unit.owner.change(old, new, is_normalised))


def with_iterations(unit, iterations, key_store=None):
    """Return the same unit after an update whose board hashes `iterations` times."""
    unit.owner = onboarding.Owner(
        unit.device, unit.user, unit.clock, unit.entropy, iterations, "lamp-one.local", key_store
    )


def stored(unit):
    return decode_credential(unit.user.require("credential"))


def test_pw_12_the_new_password_opens_and_the_old_one_is_invalid_at_once():
    unit = owned()
    change(unit)
    refused(CredentialError, unit.sign_in, PASSWORD)
    unit.sign_in(OTHER)
    unit.restart()
    refused(CredentialError, unit.sign_in, PASSWORD)
    unit.sign_in(OTHER)


def test_pw_12_a_sign_in_with_the_old_password_that_was_under_way_is_refused():
    unit = owned()
    slow = unit.owner.sign_in(PASSWORD)
    next(slow)
    change(unit)
    refused(CredentialError, run, slow)


def test_of_two_changes_at_once_one_wins_and_the_other_is_refused():
    unit = owned()
    first = unit.owner.change(PASSWORD, OTHER)
    second = unit.owner.change(PASSWORD, "seven green bottles on the wall")
    next(first)
    next(second)
    run(first)
    refused(CredentialError, run, second)
    unit.sign_in(OTHER)


def test_a_change_needs_the_current_password():
    unit = owned()
    refused(CredentialError, change, unit, "not the password at all")
    refused(CredentialError, change, unit, CODE)
    refused(CredentialError, change, unit, "")
    unit.sign_in()


def test_a_change_is_throttled_like_a_sign_in():
    unit = owned()
    for _ in range(THROTTLE_FREE + 1):
        refused(CredentialError, change, unit, "not the password at all")
    refused(ThrottledError, change, unit)
    refused(ThrottledError, unit.sign_in)


def test_a_change_follows_the_same_rules_as_set_up():
    unit = owned()
    for new, reason in (
        ("short", "length-min"),
        ("x" * 65, "length-max"),
        ("password12345678", "common"),
        ("Lamp One on the desk", "context"),
        ("käse auf dem brot heute", "not-normalised"),
        (PASSWORD, "unchanged"),
    ):
        assert refused(PasswordError, change, unit, PASSWORD, new).fields["reason"] == reason
    unit.sign_in()
    change(unit, PASSWORD, "käse auf dem brot heute", True)
    unit.sign_in("käse auf dem brot heute")


def test_pw_16_the_set_up_code_is_no_part_of_a_new_password_although_the_device_does_not_know_it():
    unit = owned()
    code = "QK7WZ4MTB9XGR2HNV5PC"  # without the alphabet, which would be refused by another rule
    code += setup_code.check_character(code)
    unit.device.write("setup", cbor.encode({1: b"t" * 16, 2: setup_code.verifier(code, b"t" * 16)}))
    backwards = "".join([code[at] for at in range(len(code) - 1, -1, -1)])
    for new in ("my " + code, setup_code.grouped(code).lower() + "!", backwards + " spells it"):
        assert refused(PasswordError, change, unit, PASSWORD, new).fields["reason"] == "context"
    unit.sign_in()


def test_there_is_no_change_before_set_up():
    refused(LifecycleError, change, MemoryUnit())


def test_a_change_without_entropy_leaves_the_old_password():
    unit = owned()
    unit.entropy.ready = False
    refused(EntropyError, change, unit)
    unit.sign_in()


def test_a_change_generates_a_new_salt():
    unit = owned()
    before = stored(unit)
    change(unit)
    assert stored(unit).salt != before.salt


def test_a_sign_in_takes_the_password_over_to_a_higher_iteration_count():
    unit = owned()
    with_iterations(unit, ITERATIONS * 2)
    unit.sign_in()
    assert stored(unit).iterations == ITERATIONS * 2
    unit.sign_in()
    refused(CredentialError, unit.sign_in, OTHER)


def test_the_iteration_count_never_goes_down():
    unit = owned()
    with_iterations(unit, ITERATIONS * 2)
    unit.sign_in()
    with_iterations(unit, ITERATIONS)
    unit.sign_in()
    assert stored(unit).iterations == ITERATIONS * 2


def test_a_wrong_password_takes_nothing_over():
    unit = owned()
    before = unit.user.require("credential")
    with_iterations(unit, ITERATIONS * 2)
    refused(CredentialError, unit.sign_in, OTHER)
    assert unit.user.require("credential") == before


def test_a_password_that_was_changed_meanwhile_is_not_taken_over():
    unit = owned()
    slow = onboarding.Owner(unit.device, unit.user, unit.clock, unit.entropy, ITERATIONS * 2).sign_in(
        PASSWORD
    )
    for _ in range(ITERATIONS // onboarding.SLICE_ITERATIONS + 1):
        next(slow)
    change(unit)
    refused(CredentialError, run, slow)
    unit.sign_in(OTHER)


def test_a_board_with_a_key_store_keys_the_hash():
    unit = owned()
    with_iterations(unit, ITERATIONS, MemoryKeyStore())
    unit.sign_in()
    assert stored(unit).is_keyed
    unit.sign_in()
    refused(CredentialError, unit.sign_in, OTHER)


def test_a_keyed_hash_is_worth_nothing_on_another_chip():
    unit = owned()
    with_iterations(unit, ITERATIONS, MemoryKeyStore())
    unit.sign_in()
    with_iterations(unit, ITERATIONS, MemoryKeyStore(b"x" * 32))
    refused(CredentialError, unit.sign_in)
    with_iterations(unit, ITERATIONS)
    refused(RecordDamagedError, unit.sign_in)


def past_the_check(unit, flow):
    """Run a change up to the second slice of the new password's hash, after the old password was verified."""
    for _ in range(ITERATIONS // onboarding.SLICE_ITERATIONS + 2):
        next(flow)
    return flow


def test_a_change_that_found_the_old_password_correct_before_another_change_is_refused():
    unit = owned()
    slow = past_the_check(unit, unit.owner.change(PASSWORD, "seven green bottles on the wall"))
    change(unit)
    before = unit.user.require("credential")
    refused(CredentialError, run, slow)
    assert unit.user.require("credential") == before
    unit.sign_in(OTHER)


def test_a_change_under_way_writes_nothing_into_a_unit_that_was_reset_meanwhile():
    unit = owned()
    slow = past_the_check(unit, unit.owner.change(PASSWORD, OTHER))
    run(unit.owner.reset(PASSWORD))
    unit.user_records.log = []
    refused(LifecycleError, run, slow)
    assert unit.user_records.log == []


def test_a_sign_in_under_way_is_refused_whichever_credential_is_there_now():
    for salt in (1, 200):  # a record that sorts before the old one, and one that sorts after it
        unit = MemoryUnit()
        unit.entropy.calls = 99
        unit.set_up()
        slow = unit.owner.sign_in(PASSWORD)
        next(slow)
        unit.entropy.calls = salt - 1
        change(unit)
        refused(CredentialError, run, slow)


def test_a_sign_in_writes_the_credential_again_only_for_a_stronger_form():
    unit = owned()
    unit.user_records.log = []
    unit.sign_in()
    assert "write credential" not in unit.user_records.log


def test_without_entropy_a_sign_in_succeeds_and_keeps_the_weaker_form():
    unit = owned()
    before = unit.user.require("credential")
    with_iterations(unit, ITERATIONS * 2)
    unit.entropy.ready = False
    unit.sign_in()
    assert unit.user.require("credential") == before


def test_a_form_that_did_not_pass_the_pages_script_is_the_default():
    unit = MemoryUnit()
    foreign = "käse auf dem brot heute"
    found = refused(PasswordError, run, unit.owner.set_up(CODE, foreign))
    assert found.fields["reason"] == "not-normalised"
    unit.set_up()
    found = refused(PasswordError, run, unit.owner.change(PASSWORD, foreign))
    assert found.fields["reason"] == "not-normalised"
