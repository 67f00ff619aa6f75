"""Revocation of image keys: permanent, never the running image's key, only while a confirmed image runs."""

from hashlib import sha256

from memory_flash import SMALL, MemoryFlash

from device.errors import RevocationError
from device.update.running_image import RunningImage
from device.update.slots import BootState


class Boot:
    image_digest = b"i" * 32

    def __init__(self, image_key=1, image_key_count=3, slot=0):
        self.slot = slot
        self.image_key = image_key
        self.image_key_count = image_key_count


def unit(is_confirmed=True, **boot):
    state = BootState(MemoryFlash(), SMALL)
    if is_confirmed:
        state.confirm(0)
    return RunningImage(Boot(**boot), state), state


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
    for number, running, count in (
        (3, 1, 3),
        (4, 1, 3),
        (3, 1, 9),
        (-1, 1, 3),
        (1, 0, 1),
        (0, 0, 0),
        (0, 3, 3),
        (0, 4, 3),
        (0, -1, 3),
    ):
        assert refuse(state, number, running, count) == "no such image key"
    assert state.revoked_image_keys() == ()


def test_the_last_key_always_stays():
    image, state = unit(image_key=1)
    image.revoke_keys((0, 1, 2), False)
    assert state.revoked_image_keys() == (0, 2)


def test_nothing_is_revoked_while_a_release_is_on_trial():
    for is_confirmed in (False, True):  # True: only an application set is on trial
        image, state = unit(is_confirmed=is_confirmed)
        image.revoke_keys((0,), True)
        assert state.revoked_image_keys() == ()


def test_nothing_is_revoked_by_an_image_that_is_not_confirmed():
    image, state = unit(is_confirmed=False)
    image.revoke_keys((0,), False)
    assert state.revoked_image_keys() == ()


def test_a_key_whose_image_runs_waits_for_an_image_of_another_key():
    image, state = unit(image_key=0)
    image.revoke_keys((0,), False)
    assert state.revoked_image_keys() == ()
    next_start = RunningImage(Boot(image_key=2), state)
    next_start.revoke_keys((0,), False)
    assert state.revoked_image_keys() == (0,)


def test_a_board_whose_rom_takes_no_revocation_does_nothing():
    image, state = unit(image_key=0, image_key_count=0)
    image.revoke_keys((0, 1), False)
    assert state.revoked_image_keys() == ()


def test_numbers_of_keys_that_the_boards_rom_does_not_have_are_passed_over():
    image, state = unit(image_key=1, image_key_count=2)
    image.revoke_keys((2, 3, 0), False)
    assert state.revoked_image_keys() == (0,)


def test_every_key_but_the_running_images_can_be_revoked_whichever_runs():
    for running in (0, 1, 2):
        image, state = unit(image_key=running)
        image.revoke_keys((0, 1, 2), False)
        assert state.revoked_image_keys() == tuple([number for number in (0, 1, 2) if number != running])


def test_the_free_slot_is_the_one_that_does_not_run():
    for slot in (0, 1):
        image, _ = unit(slot=slot)
        assert image.free_slot == 1 - slot and image.digest == Boot.image_digest


def test_the_running_image_is_a_payload_by_digest_and_size():
    image, state = unit(slot=1)
    content = bytes([at % 250 for at in range(4096)])
    state.rewrite_sector(1, 0, content)
    limit = state.slot_limit_bytes
    whole = content + b"\xff" * (limit - 4096)
    for size in (1, 100, 4096, limit, 4096, 100):  # measured again for another size
        assert image.is_payload(sha256(whole[:size]).digest(), size) is True
        for other in (b"\0" * 32, b"\xff" * 32):
            assert image.is_payload(other, size) is False
    for size in (0, -1, limit + 1):
        assert image.is_payload(sha256(b"").digest(), size) is False


def test_a_running_image_is_measured_once_for_each_size():
    image, state = unit()
    digest = sha256(b"\xff" * 64).digest()
    assert image.is_payload(digest, 64)
    state.read = None  # a second measurement would fail
    assert image.is_payload(digest, 64)
