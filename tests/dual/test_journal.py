"""The last error and the events: which error is shown, which becomes an event, and which check clears it."""

from device.errors import LinkError, SignatureError, StorageError
from device.update.journal import Journal


class Events:
    def __init__(self):
        self.entries = []

    def add(self, error, now_s):
        self.entries.append((now_s, error))


class Time:
    def now_s(self):
        return 77


LINK, REFUSAL, OTHER = LinkError(reason="down"), SignatureError(reason="x"), StorageError(reason="y")


def journal():
    events = Events()
    return Journal(events, Time()), events


def test_an_error_is_shown_and_is_an_event_unless_it_is_of_the_link():
    found, events = journal()
    assert found.last_error is None and found.entries is events.entries
    found.note(LINK)
    assert found.last_error is LINK and events.entries == []
    found.note(REFUSAL)
    assert found.last_error is REFUSAL and events.entries == [(77, REFUSAL)]
    found.record(OTHER)
    assert found.last_error is REFUSAL and events.entries == [(77, REFUSAL), (77, OTHER)]
    found.show(OTHER)
    assert found.last_error is OTHER and len(events.entries) == 2


def after(error, shown_by, checked, is_clean=True):
    """Return the last error after a check over `checked`; a check over `shown_by` had shown `error`."""
    found, _ = journal()
    if shown_by:
        found.begin(shown_by)
    found.show(error)
    if shown_by:
        found.end()
    assert found.last_error is error, "its own check does not clear it"
    found.begin(checked)
    if not is_clean:
        found.record(OTHER)
        found.show(error)
    found.end()
    return found.last_error


def test_a_good_check_clears_what_it_proves_wrong():
    assert after(REFUSAL, "one", "one") is None
    assert after(REFUSAL, "one", "two") is REFUSAL
    assert after(LINK, "one", "two") is None
    assert after(REFUSAL, "", "two") is None, "an error of the start"
    for error in (REFUSAL, LINK):
        assert after(error, "one", "one", False) is error


def test_an_error_between_two_checks_belongs_to_no_source():
    found, _ = journal()
    found.begin("one")
    found.end()
    found.show(REFUSAL)
    found.begin("two")
    found.end()
    assert found.last_error is None


def test_a_check_is_clean_unless_an_error_was_shown_in_it():
    found, _ = journal()
    assert found.end() is True, "nothing went wrong yet"
    for error, is_clean in ((None, True), (REFUSAL, False), (None, True), (LINK, False)):
        found.begin("one")
        if error is not None:
            found.note(error)
        assert found.end() is is_clean
