"""The security contact in the update service: only the support key changes it, and only to a newer one (RP-10)."""

import test_keyset as base
import test_update_keys as service

from device.records import contact


def signed(sequence, name=b"support", report="https://example.com/report"):
    found = contact.Contact(
        sequence, report, "within 3 working days", "every 14 days", "https://example.com/policy"
    )
    return service.record(contact.encode(found), contact.TYP, name)


def bench():
    made = service.Bench()
    made.store.write("contact", signed(1))
    return made


def refusal(made):
    assert made.check() is None
    return made.events.entries[-1] if made.events.entries else None


def test_a_newer_contact_is_taken_over_and_kept_over_a_restart():
    made = bench()
    made.source.offered_contact = signed(2, report="mailto:security@example.com")
    assert made.check() is None
    made.restart()
    assert made.trusted.newest_contact().contact == "mailto:security@example.com"
    assert made.events.entries == []


def test_the_factorys_contact_is_not_stored_as_a_newer_one():
    made = bench()
    made.source.offered_contact = signed(1)
    assert refusal(made) is None
    assert made.trusted.newest_contact() is None


def test_an_older_contact_is_refused_by_name():
    made = bench()
    made.source.offered_contact = signed(3)
    assert made.check() is None
    made.source.offered_contact = signed(2)
    assert "ContactRecordError have=3 offered=2 reason=sequence" in refusal(made)
    assert made.trusted.newest_contact().sequence == 3


def test_a_contact_that_another_role_signed_is_refused():
    made = bench()
    made.source.offered_contact = signed(2, b"tracker")
    assert "SignatureError" in refusal(made)
    assert made.store.read("contact.newest") is None


def test_a_contact_of_a_revoked_key_is_no_longer_shown_and_sets_no_floor():
    made = bench()
    made.source.offered_contact = signed(90)
    assert made.check() is None
    made.source.offered_contact = None
    others = [one for one in base.SECOND if one.role != base.ROLE_SUPPORT]
    others.append(base.Key(b"support-2", -9, base.ROLE_SUPPORT, service.public_of(b"support-2")))
    made.source.offered_keys = base.signed(keys=tuple(others), revoked=(b"support",))
    made.source.tracker = b"tracker-2"
    assert made.check() is None
    assert made.trusted.newest_contact() is None
    made.source.offered_contact = signed(2, b"support-2")
    assert made.check() is None
    assert made.trusted.newest_contact().sequence == 2
