"""The releases that the update service counts as its own, and those that it reports as withheld (UP-13)."""

import test_trust
from service_bench import Bench

from device.errors import ClassMismatchError, LinkError, VendorMismatchError
from device.records.freshness import Freshness, Rollout
from device.suit import report
from device.update import trial_state
from device.update.service import Profile


def withheld_events(bench):
    return [text for text in bench.events.entries if "withheld" in text or "named" in text]


def test_each_kind_that_is_withheld_becomes_an_event_once():
    bench = Bench()
    bench.names(release=9, record=4, keyset=3)
    bench.check()
    assert bench.trusted.withheld.bits == 7
    found = withheld_events(bench)
    assert len(found) == 3
    for at, what, named, have in ((0, "release", 9, 0), (1, "support record", 4, 1), (2, "key set", 3, 1)):
        assert what in found[at] and f"named={named}" in found[at] and f"have={have}" in found[at]
    assert bench.last_report().extensions[report.WITHHELD] == 7
    bench.check()
    assert len(withheld_events(bench)) == 3


def test_one_kind_alone_is_named_alone():
    for kind, what in (("release", "release"), ("record", "support record"), ("keyset", "key set")):
        bench = Bench()
        bench.names(**{kind: 9})
        bench.check()
        found = withheld_events(bench)
        assert len(found) == 1 and what in found[0] and "named=9" in found[0]


def test_a_release_that_the_unit_has_in_any_form_is_not_withheld():
    def runs(bench):
        bench.confirmed(9)

    def tries(bench):
        bench.pending.number = 9

    def shows(bench):
        bench.consent.number = 9

    def refuses(bench):
        bench.offer(9)
        bench.pending.cause = trial_state.WATCHDOG

    for has in (runs, tries, shows, refuses):
        bench = Bench()
        bench.names(release=9, keyset=0)
        has(bench)
        bench.check()
        assert bench.trusted.withheld.bits == 0, has
        assert has not in (tries, shows) or bench.pending.named == 9, "no failed release above it counts"
    bench = Bench()
    bench.names(release=9)
    bench.confirmed(8)
    bench.pending.number = bench.consent.number = 7
    bench.check()
    assert withheld_events(bench) and "have=8" in withheld_events(bench)[0]


def test_a_settled_release_is_still_one_that_arrived():
    bench = Bench()
    bench.offer(9, sequences={20: [(12, 0), (1, 15)]})  # authentic, but it installs nothing
    for _ in range(2):
        bench.names(release=9)
        bench.check()
        assert bench.trusted.withheld.bits == 0
    assert bench.service._settled[bench.source.name][2] == 9


def test_an_authentic_release_of_another_class_is_none_of_this_units():
    for change in ({"vendor": b"v" * 16}, {"klass": b"c" * 16}):
        bench = Bench()
        bench.names(release=9)
        bench.offer(9, common=test_trust.shared(**change))
        error = bench.check()
        assert isinstance(error, (VendorMismatchError, ClassMismatchError))
        assert bench.trusted.withheld.bits == 1 and bench.service._settled[bench.source.name][2] == 0


def test_a_source_that_serves_the_manifest_and_no_chunk_serves_no_release():
    for fetched, bits in ((0, 1), (1, 0)):
        bench = Bench()
        bench.names(release=9)
        bench.offer(9)
        bench.installer.error, bench.installer.fetched = LinkError(reason="gone"), fetched
        assert isinstance(bench.check(), LinkError)
        assert bench.trusted.withheld.bits == bits and not bench.service.is_restart_wanted
        assert ["have=0" in text for text in withheld_events(bench)] == [True] * bits
        # A link error is reported only if the source withholds and may have broken off this transfer alone.
        assert len(bench.source.reports) == bits


def test_a_link_error_before_the_comparison_is_not_reported():
    bench = Bench()
    bench.names(release=9)
    bench.check()
    assert bench.trusted.withheld.bits == 1
    reports = len(bench.source.reports)
    bench.source.is_down = True
    assert isinstance(bench.check(), LinkError)
    assert len(bench.source.reports) == reports


def test_a_release_that_waits_for_its_share_is_not_installed_and_counts_as_not_arrived():
    bench, seen = Bench(), []
    rollout = Freshness(0, 7, 1, 1, Rollout(7, b"k" * 16, 0))

    async def hear(source):
        bench.trusted.withheld.hear(rollout)
        bench.trusted.fresh = rollout
        return False

    def compare(have):
        seen.append(have[0])
        return 0

    bench.offer(7)
    bench.service.profile = Profile(b"u" * 16, "1")
    bench.trusted.refresh_time = hear
    bench.trusted.withheld.compare = compare
    assert bench.check() is None
    assert (bench.installer.installed, seen, bench.consent.offers) == ([], [0], [])
    bench.consent.asked = True
    assert bench.check() is None
    assert (bench.installer.installed, seen) == ([7], [0, 7]), "the owner does not wait"
