"""UP-06: automatic updates on, off, postponed; UP-07: a release's own text, and one action to install it."""

from collections import namedtuple

from memory_unit import MemoryRecords, refused

from device.errors import CodecError, SettingsError, StorageFullError
from device.limits import POSTPONE_DAYS
from device.owner import settings
from device.owner.settings import DAY_S, Consent, News, Settings, may_install
from device.records.store import USER, Store

NOW_S = 1_900_000_000
Manifest = namedtuple("Manifest", ("sequence_number", "text", "firmware", "app"))
Target = namedtuple("Target", ("digest",))
FIRMWARE = Target(b"f" * 32)
Text = namedtuple("Text", ("version", "mitigates", "interrupts"))
RELEASE = Manifest(
    7,
    Text("2.0.0", "A stranger could read the lamp's name.", "The light goes out for a minute."),
    FIRMWARE,
    None,
)


class Time:
    def __init__(self, now_s=NOW_S):
        self.value = now_s

    def now_s(self):
        return self.value


class Bench:
    def __init__(self, records=None, now_s=NOW_S):
        self.records = records or MemoryRecords()
        self.time = Time(now_s)
        self.woken = 0
        self.consent = Consent(Store(self.records, USER), self.time, self.wake)

    def wake(self):
        self.woken += 1

    def restarted(self):
        return Bench(self.records, self.time.value)


def test_up_06_updates_install_themselves_by_default():
    bench = Bench()
    assert bench.consent.settings == Settings(True, 0)
    assert bench.consent.allows(RELEASE)


def test_up_06_switched_off_a_release_waits():
    bench = Bench()
    bench.consent.set_automatic(False)
    assert not bench.consent.allows(RELEASE)
    assert bench.consent.offered.sequence == 7


def test_up_06_the_setting_survives_an_update():
    bench = Bench()
    bench.consent.set_automatic(False)
    assert bench.restarted().consent.settings == Settings(False, 0)
    bench.consent.set_automatic(True)
    bench.consent.postpone(3)
    assert bench.restarted().consent.settings == Settings(True, NOW_S + 3 * DAY_S)


def test_up_06_switched_on_again_the_next_check_comes_at_once():
    bench = Bench()
    bench.consent.set_automatic(False)
    assert bench.woken == 0
    bench.consent.set_automatic(True)
    assert bench.woken == 1 and bench.consent.allows(RELEASE)


def test_up_06_a_postponement_ends_by_itself():
    bench = Bench()
    bench.consent.postpone(2)
    bench.time.value = NOW_S + 2 * DAY_S - 1
    assert not bench.consent.allows(RELEASE)
    bench.time.value += 1
    assert bench.consent.allows(RELEASE)


def test_without_a_time_a_postponement_continues():
    assert not may_install(Settings(True, NOW_S), None)
    assert may_install(Settings(True, 0), None)


def test_a_postponement_that_began_at_a_wrong_time_ends_when_the_time_is_corrected():
    far = Settings(True, NOW_S + (400 + POSTPONE_DAYS) * DAY_S)
    assert may_install(far, NOW_S)
    assert not may_install(far, NOW_S + 400 * DAY_S)
    assert not may_install(Settings(True, NOW_S + POSTPONE_DAYS * DAY_S), NOW_S)
    assert may_install(Settings(True, NOW_S + POSTPONE_DAYS * DAY_S + 1), NOW_S)
    assert may_install(Settings(True, NOW_S), NOW_S)


def test_without_a_time_nothing_can_be_put_off():
    assert refused(SettingsError, Bench(now_s=None).consent.postpone, 1).fields["reason"] == "no time"


def test_a_postponement_is_bounded():
    for days in (0, -1, POSTPONE_DAYS + 1, 10**9):
        assert refused(SettingsError, Bench().consent.postpone, days).fields["reason"] == "days"
    Bench().consent.postpone(POSTPONE_DAYS)


def test_what_is_off_cannot_be_put_off():
    bench = Bench()
    bench.consent.set_automatic(False)
    assert refused(SettingsError, bench.consent.postpone, 1).fields["reason"] == "off"


def test_up_07_one_action_installs_what_is_on_offer():
    bench = Bench()
    bench.consent.set_automatic(False)
    bench.consent.allows(RELEASE)
    bench.consent.install_now()
    assert bench.woken == 1
    assert bench.consent.allows(RELEASE) and bench.consent.offered is None


def test_a_yes_to_one_release_is_no_yes_to_the_next():
    bench = Bench()
    bench.consent.set_automatic(False)
    bench.consent.allows(RELEASE)
    bench.consent.install_now()
    assert not bench.consent.allows(Manifest(8, None, FIRMWARE, None))
    assert bench.consent.offered.sequence == 8


def test_a_yes_is_for_the_release_that_was_shown_and_not_for_another_one_with_its_number():
    for other in (
        Manifest(7, RELEASE.text, Target(b"o" * 32), None),
        Manifest(7, RELEASE.text, FIRMWARE, Target(b"a" * 32)),
    ):
        bench = Bench()
        bench.consent.set_automatic(False)
        bench.consent.allows(RELEASE)
        bench.consent.install_now()
        assert not bench.consent.allows(other)
        assert bench.consent.waiting_sequence() == 7
        assert bench.consent.allows(RELEASE)


def test_news_that_cannot_be_stored_keep_no_update_away():
    bench = Bench()

    def fail(name, data):
        raise StorageFullError

    bench.records.write = fail
    assert bench.consent.allows(RELEASE)
    assert bench.consent.news.version == "2.0.0"


def test_nothing_on_offer_is_nothing_to_install():
    bench = Bench()
    assert refused(SettingsError, bench.consent.install_now).fields["reason"] == "no offer"


def test_up_07_the_owner_reads_what_a_release_mends_before_and_after():
    bench = Bench()
    bench.consent.set_automatic(False)
    bench.consent.allows(RELEASE)
    expected = News(7, "2.0.0", RELEASE.text.mitigates, RELEASE.text.interrupts)
    assert bench.consent.offered == expected
    bench.consent.install_now()
    bench.consent.allows(RELEASE)
    assert bench.restarted().consent.news == expected


def test_a_release_without_a_text_is_shown_by_its_number():
    bench = Bench()
    bench.consent.allows(Manifest(9, None, FIRMWARE, None))
    assert bench.consent.news == News(9, "", "", "")


def test_a_long_text_is_cut_and_written_once():
    bench = Bench()
    long = Manifest(7, Text("v", "ä" * 5000, "i" * 5000), FIRMWARE, None)
    for _ in range(3):
        assert bench.consent.allows(long)
    assert bench.records.log == ["write news"]
    assert len(bench.restarted().consent.news.mitigates) == settings.NEWS_CHARS


def test_a_setting_that_is_there_already_is_not_written_again():
    bench = Bench()
    bench.consent.set_automatic(True)
    assert bench.records.log == []


def test_damaged_settings_do_not_keep_fixes_away():
    for data in (b"", b"\xa0", b"\xff" * 20):
        records = MemoryRecords()
        Store(records, USER).write("settings", data)
        Store(records, USER).write("news", data)
        bench = Bench(records)
        assert bench.consent.settings == settings.DEFAULT and bench.consent.news is None
    records.damage("settings")
    assert Bench(records).consent.allows(RELEASE)


def test_settings_that_cannot_be_are_refused():
    good = settings.encode(Settings(True, 5))
    assert settings.decode(good) == Settings(True, 5)
    refused(CodecError, settings.decode, settings.encode(Settings(True, -1)))
    refused(CodecError, settings.decode, good + b"\x00")
    refused(CodecError, settings.decode, settings.encode(Settings(1, 5)))


def waiting():
    """Return a bench whose owner was offered release 7 by one source, and asked for it."""
    bench = Bench()
    bench.consent.set_automatic(False)
    bench.consent.begin("one")
    bench.consent.allows(RELEASE)
    bench.consent.end()
    bench.consent.install_now()
    return bench.consent


def test_a_waiting_release_is_over_when_its_source_offers_it_no_more():
    for source, is_over in (("two", False), ("one", True)):
        consent = waiting()
        assert consent.offered.sequence == 7 and consent.is_asked(RELEASE)
        consent.begin(source)
        assert consent.offered is not None, "a check that does not come to its end proves nothing"
        consent.end()
        assert (consent.offered is None) == is_over and consent.is_asked(RELEASE) != is_over
        consent.end()
        assert consent.waiting_sequence() == 0


def test_a_waiting_release_that_is_offered_again_goes_on_waiting():
    consent = waiting()
    consent.begin("two")
    consent.offer(RELEASE)
    consent.end()
    consent.begin("one")
    consent.end()
    assert consent.offered.sequence == 7, "the other source offers it still"
    consent.begin("two")
    consent.end()
    assert consent.offered is None


def test_what_was_withdrawn_can_not_be_installed():
    consent = waiting()
    consent.withdraw()
    assert not consent.is_asked(RELEASE) and consent.waiting_sequence() == 0
    assert refused(SettingsError, consent.install_now).fields["reason"] == "no offer"
