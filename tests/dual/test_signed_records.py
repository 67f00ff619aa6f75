"""Signed records that change while a unit is in use: verified once, refused once; damage stops no update."""

import test_keyset as base
import test_update_contact as contacts
import test_update_keys as service

from device.codec import cose
from device.crypto import backend
from device.errors import RecordDamagedError
from device.limits import SEQUENCE_JUMP
from device.records import support
from device.update import signed_records


class Counting:
    """Counts how often records are verified inside `with`."""

    def __enter__(self):
        self.calls = 0
        self._whole = signed_records.verify_record
        signed_records.verify_record = self._verify
        return self

    def __exit__(self, kind, error, trace):
        signed_records.verify_record = self._whole

    def _verify(self, *arguments):
        self.calls += 1
        return self._whole(*arguments)


def taken_over():
    """Return a unit that accepted a newer contact and a newer support record."""
    made = contacts.bench()
    made.source.offered_contact = contacts.signed(2)
    made.source.offered_support = service.support_record(2, service.END_DAY + 30)
    assert made.check() is None
    return made


def test_pages_verify_each_record_once_after_a_start():
    made = taken_over()
    made.restart()
    with Counting() as counting:
        for _ in range(5):
            assert made.trusted.newest_contact().sequence == 2
            assert made.trusted.support.stored("support", made.trusted.anchors).content.sequence == 2
    assert counting.calls == 2


def test_a_new_key_set_has_them_verified_again():
    made = taken_over()
    assert made.trusted.newest_contact().sequence == 2
    made.source.offered_keys = base.signed(revoked=(b"tracker",))
    made.source.tracker = b"tracker-2"
    with Counting() as counting:
        assert made.check() is None
        made.trusted.newest_contact()
        made.trusted.newest_contact()
        made.trusted.support.trusted(made.trusted.anchors)
    assert counting.calls == 2, "the contact and the support record, once each"


def test_a_refused_record_is_reported_once_and_verified_once():
    made = taken_over()
    made.source.offered_support = service.support_record(3, service.END_DAY)
    with Counting() as counting:
        for _ in range(3):
            assert made.check() is None
    assert [entry for entry in made.events.entries if "shortened" in entry] == made.events.entries
    assert len(made.events.entries) == 1
    assert counting.calls <= 2, "the offered one and the stored one"


def test_what_was_refused_before_a_key_set_is_looked_at_again_after_it():
    made = taken_over()
    made.source.offered_support = service.support_record(3, service.END_DAY + 60, b"support-2")
    assert made.check() is None
    assert made.trusted.support.trusted(made.trusted.anchors).sequence == 2
    keys = list(base.SECOND)
    keys.append(base.Key(b"support-2", -9, base.ROLE_SUPPORT, service.public_of(b"support-2")))
    made.source.offered_keys = base.signed(keys=tuple(keys), revoked=(b"tracker",))
    made.source.tracker = b"tracker-2"
    assert made.check() is None
    assert made.trusted.support.trusted(made.trusted.anchors).sequence == 3


def test_a_record_signed_again_with_the_same_content_is_neither_stored_nor_refused():
    made = taken_over()
    stored = made.store.read("contact.newest")
    payload = cose.decode(contacts.signed(2)).payload
    private = base.PRIVATES[b"support"]
    typ = contacts.contact.TYP
    again = cose.sign1_encode(
        payload,
        algorithm=-7,  # another name of the same algorithm: other bytes, the same content
        key_id=b"support",
        sign=lambda message: backend.p256_sign(private, backend.sha256(message)),
        typ=typ,
        external_aad=typ.encode(),
    )
    assert again != stored
    made.source.offered_contact = again
    assert made.check() is None
    assert made.store.read("contact.newest") == stored and made.events.entries == []


def test_the_end_date_becomes_a_floor_before_its_record_is_stored():
    made = contacts.bench()
    seen = []

    def save(progress):
        seen.append((progress.support_end_day, made.store.read("support") == service.FACTORY_SUPPORT))
        made.progress.value = progress

    made.progress.save = save
    made.source.offered_support = service.support_record(2, service.END_DAY + 30)
    assert made.check() is None
    assert seen == [(0, True), (service.END_DAY + 30, True)], "the time, then the end date"
    assert made.store.read("support") == made.source.offered_support


def test_a_damaged_newer_contact_gives_way_to_the_factorys_and_can_come_again():
    made = taken_over()
    made.records.damage("contact.newest")
    made.restart()
    assert made.trusted.newest_contact() is None
    assert made.trusted.contact.trusted(made.trusted.anchors).sequence == 1
    assert made.check() is None
    assert made.trusted.newest_contact().sequence == 2


def test_a_damaged_support_record_keeps_no_update_away_and_its_state_is_unknown():
    made = taken_over()
    made.records.damage("support")
    made.restart()
    made.source.asked = []
    assert made.check() is None
    assert "envelope" in made.source.asked
    assert "RecordDamagedError" in made.events.entries[-1]
    assert made.source.reports[-1].extensions[service.report.SUPPORT_STATE] == support.STATES.index(
        support.UNKNOWN
    )


def test_a_damaged_support_record_is_never_replaced_by_one_that_may_be_older():
    made = taken_over()
    made.records.damage("support")
    made.restart()
    made.source.offered_support = service.support_record(1, service.END_DAY)
    assert made.check() is None
    try:
        made.store.read("support")
    except RecordDamagedError:
        return
    raise AssertionError("an earlier end date took its place")


def test_a_record_that_was_too_far_ahead_is_taken_after_the_one_between():
    made = contacts.bench()
    far = service.support_record(2 * SEQUENCE_JUMP, service.END_DAY + 60)
    made.source.offered_support = far
    assert made.check() is None
    assert "sequence" in made.events.entries[-1]
    made.source.offered_support = service.support_record(SEQUENCE_JUMP, service.END_DAY + 30)
    assert made.check() is None
    made.source.offered_support = far
    assert made.check() is None
    assert made.trusted.support.trusted(made.trusted.anchors).sequence == 2 * SEQUENCE_JUMP


def test_two_sources_with_a_refused_record_each_are_reported_once_each():
    made = taken_over()
    offered = [service.support_record(number, service.END_DAY) for number in (3, 4)]
    keysets = [base.signed((name,)) for name in (b"root-a", b"root-b")]
    with Counting() as counting:
        for at in (0, 1) * 4:
            made.source.offered_support, made.source.offered_keys = offered[at], keysets[at]
            assert made.check() is None
    assert len(made.events.entries) == 4
    assert counting.calls <= 3


def test_a_damaged_support_record_keeps_no_key_set_away():
    made = taken_over()
    made.records.damage("support")
    made.restart()
    made.source.offered_keys = base.signed(revoked=(b"tracker",))
    made.source.tracker = b"tracker-2"
    assert made.check() is None
    assert made.store.read("keyset") == made.source.offered_keys


def test_a_record_that_was_written_anew_is_read_anew():
    made = contacts.bench()
    for sequence in (2, 5, 3, 9, 4):  # signatures sort before and after each other
        made.store.write("support", service.support_record(sequence, service.END_DAY))
        assert made.trusted.support.trusted(made.trusted.anchors).sequence == sequence


def test_the_stored_record_is_not_verified_again_when_a_source_sends_it():
    made = contacts.bench()
    made.source.offered_support = service.FACTORY_SUPPORT
    assert made.check() is None
    assert made.trusted.support.offered is None


def test_an_absent_record_is_none():
    made = contacts.bench()
    assert made.trusted.contact.stored("contact.newest", made.trusted.anchors) is None
    made.store.delete("support")
    assert made.trusted.support.trusted(made.trusted.anchors) is None
    assert made.trusted.support.stored("support", made.trusted.anchors) is None
