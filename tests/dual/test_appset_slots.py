"""The application slots by themselves: what a binding says, which sets are candidates, how a damaged set is named."""

from hashlib import sha256

from memory_flash import SMALL
from test_appset import FILES, IMAGE, Bench

from device.codec import bundle
from device.errors import AppSetError, DigestMismatchError
from device.update.appset import Binding, decode_binding, encode_binding

DATA = bundle.encode(FILES)


def test_a_binding_keeps_every_byte_of_its_numbers():
    written = Binding(0x0102030405060708, IMAGE, b"d" * 32, 0x01020304, False)
    assert decode_binding(encode_binding(written)) == written


def test_a_bundle_may_fill_its_slot_and_never_exceeds_it():
    for extra, is_bound in ((0, True), (1, False)):
        bench = Bench()
        written = Binding(2, IMAGE, b"d" * 32, bench.sets.slot_limit_bytes + extra, False)
        bench.sets.bind(0, written)
        assert bench.sets.binding(0) == (written if is_bound else None)


# what is dropped --------------------------------------------------------------------------------------------


def test_a_dropped_set_loses_its_marks_before_its_binding():
    bench = Bench()
    bench.put(1, DATA, 2, IMAGE, True)
    bench.sets.stage(1)
    bench.flash.erased = []
    bench.sets.drop(1)
    assert len(bench.flash.erased) == 2 and bench.flash.erased[0] > bench.flash.erased[1]
    assert bench.sets.is_blank_trailer(1) and bench.sets.binding(1) is None


def test_a_set_without_marks_loses_only_its_binding_and_an_empty_slot_is_not_erased():
    bench = Bench()
    bench.put(1, DATA)
    bench.flash.erased = []
    bench.sets.drop(1)
    assert len(bench.flash.erased) == 1 and bench.sets.binding(1) is None
    bench.sets.drop(1)
    assert len(bench.flash.erased) == 1


# candidates -------------------------------------------------------------------------------------------------


def found(bench, is_image_trial=False):
    """Return (slot, whether running it is its trial) of each candidate."""
    return [(one.slot, one.is_trial) for one in bench.sets.candidates(IMAGE, is_image_trial)]


def test_a_set_that_came_by_itself_runs_once_on_trial_and_always_after_it_is_confirmed():
    for marks, on_confirmed_image, on_trial_image in (
        ((), [], []),
        (("stage",), [(0, True)], []),
        (("mark_tried",), [], []),
        (("stage", "mark_tried"), [], []),
        (("confirm",), [(0, False)], [(0, False)]),
        (("stage", "mark_tried", "confirm"), [(0, False)], [(0, False)]),
    ):
        bench = Bench()
        bench.put(0, DATA, 2, IMAGE, True)
        for mark in marks:
            getattr(bench.sets, mark)(0)
        assert found(bench) == on_confirmed_image, marks
        assert found(bench, True) == on_trial_image, marks


def test_a_set_in_the_second_slot_is_found_beside_any_first_slot():
    for image_digest in (IMAGE, b"x" * 32, None):
        bench = Bench()
        if image_digest is not None:
            bench.put(0, DATA, 1, image_digest)
        bench.put(1, DATA, 2)
        expected = [(1, False), (0, False)] if image_digest == IMAGE else [(1, False)]
        assert found(bench) == expected


def test_a_set_with_the_marks_of_its_image_is_one_candidate_whatever_its_own_marks_say():
    bench = Bench()
    bench.put(0, DATA, 2)
    bench.sets.confirm(0)
    assert found(bench) == [(0, False)]


# damaged sets -----------------------------------------------------------------------------------------------


def refused(bench, binding):
    """Return the fields of the error with which the set in slot 0 is refused."""
    try:
        bench.sets.files(0, binding)
    except AppSetError as error:
        return error.fields
    raise AssertionError("not refused")


def test_a_changed_file_is_named_whichever_digest_is_the_greater_one():
    bench = Bench()
    bench.put(0, DATA)
    at, place = DATA.index(bytes(5000)), SMALL.set_offsets[0]
    seen = set()
    for change in range(1, 256):
        bench.flash.data[place + at] ^= change
        assert refused(bench, bench.sets.binding(0)) == {"reason": "changed", "file": "data.bin"}
        seen.add(bench.sets.digest(0, 5000, at) > sha256(bytes(5000)).digest())
        bench.flash.data[place + at] ^= change
        if len(seen) == 2:
            return
    raise AssertionError("no digest of a changed file is greater, or none is less")


def test_content_that_changed_since_the_start_is_refused_whichever_digest_is_the_greater_one():
    bench = Bench()
    bench.put(0, DATA)
    first = bench.sets.files(0, bench.sets.binding(0))[0]
    place = SMALL.set_offsets[0] + first.offset
    seen = set()
    for change in range(1, 256):
        bench.flash.data[place] ^= change
        try:
            bench.sets.content(0, first)
            raise AssertionError("read")
        except DigestMismatchError as error:
            assert error.fields == {"component": "app", "file": "__init__.py"}
        seen.add(bench.sets.digest(0, first.size, first.offset) > first.digest)
        bench.flash.data[place] ^= change
        if len(seen) == 2:
            return
    raise AssertionError("no digest of changed content is greater, or none is less")


def test_a_set_whose_files_are_whole_and_whose_digest_is_not_the_signed_one_differs_in_its_index():
    bench = Bench()
    bench.put(0, DATA)
    assert refused(bench, Binding(1, IMAGE, b"d" * 32, len(DATA), False)) == {
        "reason": "changed",
        "file": "index",
    }


def test_a_bad_bundle_that_the_author_signed_is_refused_with_its_reason():
    bench = Bench()
    bench.put(0, b"no bundle")
    assert refused(bench, bench.sets.binding(0)) == {
        "reason": "BundleError reason=no bundle of version 1",
        "file": "",
    }
