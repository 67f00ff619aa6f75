"""Revocation of image keys: one way, never the running image's, only while a confirmed image runs."""

from memory_flash import SMALL, MemoryFlash

from device.errors import RevocationError
from device.update.slots import BootState
from device.update.trial import Trials


class Boot:
    def __init__(self, image_key=1, image_key_count=3, is_trial=False):
        self.slot = 0
        self.version = (1, 0, 0, 1)
        self.is_trial = is_trial
        self.reset_reason = 0
        self.image_key = image_key
        self.image_key_count = image_key_count


class NoRecords:
    def read(self, name):
        return None


def unit(is_confirmed=True, **boot):
    state = BootState(MemoryFlash(), SMALL)
    if is_confirmed:
        state.confirm(0)
    return Trials(Boot(**boot), state, NoRecords()), state


def refuse(state, number, running, count):
    try:
        state.revoke_image_key(number, running, count)
    except RevocationError as error:
        return error.fields["reason"]
    raise AssertionError("not refused")


def test_a_fresh_unit_has_revoked_nothing():
    _, state = unit()
    assert state.revoked_image_keys() == ()


def test_a_key_is_revoked_once_and_stays_so():
    _, state = unit()
    assert state.revoke_image_key(0, 1, 3)
    assert not state.revoke_image_key(0, 1, 3)
    assert state.revoked_image_keys() == (0,)


def test_a_torn_revocation_counts():
    flash = MemoryFlash()
    flash.data[SMALL.revocation_offset + 2 * 32 + 31] = 0
    assert BootState(flash, SMALL).revoked_image_keys() == (2,)


def test_the_running_images_key_and_unknown_keys_are_refused():
    _, state = unit()
    assert refuse(state, 1, 1, 3) == "the running image is signed with it"
    for number, running, count in ((3, 1, 3), (-1, 1, 3), (1, 0, 1), (0, 0, 0), (0, 3, 3)):
        assert refuse(state, number, running, count) == "no such image key"
    assert state.revoked_image_keys() == ()


def test_the_last_key_always_stays():
    trials, state = unit(image_key=1)
    trials.revoke_image_keys((0, 1, 2))
    assert state.revoked_image_keys() == (0, 2)


def test_nothing_is_revoked_while_an_image_is_on_trial():
    trials, state = unit(is_confirmed=False, is_trial=True)
    trials.is_trial = True
    trials.revoke_image_keys((0,))
    assert state.revoked_image_keys() == ()


def test_nothing_is_revoked_by_an_image_that_is_not_confirmed():
    trials, state = unit(is_confirmed=False)
    trials.revoke_image_keys((0,))
    assert state.revoked_image_keys() == ()


def test_a_key_whose_image_runs_waits_for_an_image_of_another_key():
    trials, state = unit(image_key=0)
    trials.revoke_image_keys((0,))
    assert state.revoked_image_keys() == ()
    next_start = Trials(Boot(image_key=2), state, NoRecords())
    next_start.revoke_image_keys((0,))
    assert state.revoked_image_keys() == (0,)


def test_a_board_whose_rom_takes_no_revocation_does_nothing():
    trials, state = unit(image_key=0, image_key_count=0)
    trials.revoke_image_keys((0, 1))
    assert state.revoked_image_keys() == ()
