"""An update service over memory whose releases, consent, installer and source do what a test says."""

import test_keyset as base
import test_trust
import test_update_keys as keys
from test_update_keys import FakeImage, NoApplication, NothingPending

from device.errors import LinkError
from device.update import trial_state
from device.update.releases import Releases
from device.update.service import CHECKING, DOWNLOADING, Hooks, UpdateService


class Pending(NothingPending):
    """The pending release as a test wants it; `log` keeps what the service asked it to do."""

    def __init__(self):
        self.log = []
        self.cause = 0
        self.waits = self.holds = False
        self.left_open = None
        self.number = 0

    def confirm(self):
        self.log.append("confirm")
        return self.left_open

    def verdict(self, manifest, is_asked):
        self.was_asked = is_asked
        return self.cause

    def is_waiting(self, manifest):
        return self.waits

    def is_held(self, manifest):
        return self.holds

    def retry(self):
        self.log.append("retry")

    def known_sequence(self, named):
        self.named = named
        return self.number


class Application(NoApplication):
    is_lacking = False
    above = None

    def lacks(self, manifest):
        return self.is_lacking

    def is_above(self, sequence, pending):
        return sequence > self.above


class Running:
    """A running application set."""

    class binding:
        sequence = 5
        digest = b"a" * 32


class Image(FakeImage):
    def revoke_keys(self, numbers, is_trial):
        self.revoked = (numbers, is_trial)


class Consent:
    def __init__(self):
        self.asked = False
        self.may = True
        self.offers = []
        self.offered = None
        self.number = 0
        self.log = []

    def is_asked(self, manifest):
        return self.asked

    def allows(self, manifest):
        return self.may

    def offer(self, manifest):
        self.offers.append(manifest.sequence_number)

    def waiting_sequence(self):
        return self.number

    def begin(self, source):
        self.log.append("begin " + source)

    def end(self):
        self.log.append("end")

    def withdraw(self):
        self.log.append("withdraw")


class Installer:
    """`error` is what an install raises, after `fetched` chunks."""

    def __init__(self, bench):
        self._bench = bench
        self.fetched, self.delta, self.error = 0, None, None
        self.installed = []

    async def install(self, manifest, source):
        assert self._bench.service.state == DOWNLOADING
        self.installed.append(manifest.sequence_number)
        if self.error is not None:
            raise self.error


class Source(keys.FakeSource):
    offered = None
    fails = ()

    def __init__(self, bench):
        super().__init__()
        self._bench = bench

    async def open(self):
        assert self._bench.service.state == CHECKING
        await super().open()

    async def close(self):
        self.asked.append("close")

    async def envelope(self):
        await super().envelope()
        return self.offered

    async def support(self):
        if "support" in self.fails:
            raise LinkError(reason="gone")
        return await super().support()

    async def report(self, data):
        if "report" in self.fails:
            raise LinkError(reason="gone")
        await super().report(data)


class Bench(keys.Bench):
    """An update service whose releases, consent and installer do what a test says."""

    def restart(self):
        super().restart()
        self.pending, self.application, self.image = Pending(), Application(), Image()
        self.consent = Consent()
        self.service = UpdateService(
            self.service.profile,
            Releases(self.image, self.application, self.pending, self.progress),
            self.trusted,
            self.consent,
            self.service.journal,
            Hooks(keys.pause, lambda: True),
        )
        self.service.installer = self.installer = Installer(self)
        self.source = Source(self)

    def offer(self, sequence=7, **changes):
        """Let the source offer a release; return the envelope."""
        self.source.offered = signed(test_trust.content(sequence, **changes))
        return self.source.offered

    def confirmed(self, sequence):
        self.progress.value = trial_state.Progress(sequence, 0, 0)

    def last_report(self):
        return self.source.reports[-1]

    def names(self, release=0, record=0, keyset=1):
        """Let the tracker name these numbers as the newest, and let three days pass."""
        self.trusted.withheld.hear = lambda fresh: None
        self.trusted.withheld._named = (release, record, keyset)
        self.trusted.withheld.numbers = [1 << 53] * 3
        self.trusted.withheld.seconds = [72 * 3600] * 3


def signed(content):
    def by_author(digest):
        return test_trust.signature(digest, base.PRIVATES[b"author"])

    return test_trust.signed(content, (by_author,))
