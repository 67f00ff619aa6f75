"""The trusted state: key sets that it remembers, and values that other parts of a unit get from it."""

import asyncio

import test_keyset as base
from test_update_keys import NOW_S, Bench

from device.update import trusted_state


def with_keys(bench, data=None):
    """Let the source offer a key set, a good one without `data`, and make one check."""
    bench.source.offered_keys = base.signed() if data is None else data
    bench.source.tracker = b"tracker-2"
    return bench.check()


def test_a_good_set_is_taken_after_any_refused_one():
    for refused in (b"\x00", b"\xff"):  # before and after the good one in the order of bytes
        bench = Bench()
        with_keys(bench, refused)
        assert bench.store.read("keyset") is None
        assert with_keys(bench) is None
        assert bench.store.read("keyset") == bench.source.offered_keys


def test_a_refused_set_changes_no_keys_at_the_first_check_or_at_the_next():
    bench = Bench()
    bench.source.offered_keys = base.signed((b"root-a",))
    for _ in range(2):
        assert asyncio.run(bench.trusted.refresh_keys(bench.source, lambda number: None)) is False


def test_a_source_without_a_key_set_is_no_error_after_one_was_taken():
    bench = Bench()
    with_keys(bench)
    bench.source.offered_keys = None
    assert bench.check() is None
    assert bench.store.has("keyset")


def test_the_set_in_force_is_not_verified_again():
    bench = Bench()
    with_keys(bench)
    whole, verified = trusted_state.keyset.verify, []
    trusted_state.keyset.verify = lambda *arguments: verified.append(arguments)
    try:
        assert bench.check() is None
    finally:
        trusted_state.keyset.verify = whole
    assert verified == []


def test_before_the_first_contact_there_is_none():
    assert Bench().trusted.last_contact is None


def test_without_a_support_record_its_number_is_0():
    bench = Bench()
    bench.store.delete("support")
    assert bench.trusted.numbers() == (0, 1)


def test_the_image_learns_which_of_its_keys_are_revoked():
    bench = Bench()
    assert with_keys(bench, base.signed(images=(0,))) is None
    assert bench.trusted.revoked_images() == (0,)
    assert bench.service.releases.image.revoked == (0,)


def test_the_first_trusted_time_opens_the_link_again():
    bench = Bench()
    assert bench.check() is None
    assert bench.source.asked.count("open") == 2  # TLS checks dates now
    assert bench.check() is None
    assert bench.source.asked.count("open") == 3
    assert bench.time.now_s() == NOW_S
