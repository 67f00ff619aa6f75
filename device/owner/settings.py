"""The owner's settings for automatic updates (UP-06), and the texts about a release that the owner reads (UP-07).

Rules:
1. Automatic is the default, also if the record cannot be read: a damaged setting must not keep security fixes away.
2. If updates are switched off or postponed, a release is verified and shown, and waits for one action of the owner. It
   waits until its source offers it no more, or another key set is in force.
3. A postponement ends by itself, at a trusted time at most POSTPONE_DAYS ahead. One further ahead does not count.
4. The record `settings` (CBOR {1: automatic, 2: postponed until, unix s, 0 = not postponed}) is in the user region: it
   survives updates and ends with a factory reset.
5. The record `news` stores what the last release says about itself: CBOR {1: sequence, 2: version, 3: what it
   mitigates, 4: whether it interrupts}, each text cut at NEWS_CHARS.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import CodecError, SettingsError, StorageError
from device.limits import POSTPONE_DAYS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.records.store import Store
    from device.records.timekeeper import TimeKeeper
    from device.trust.verify import VerifiedManifest

DAY_S = 86400
NEWS_CHARS = 300

Settings = namedtuple("Settings", ("is_automatic", "postponed_until_s"))
News = namedtuple("News", ("sequence", "version", "mitigates", "interrupts"))

DEFAULT = Settings(True, 0)


def encode(settings: "Settings") -> bytes:
    """Return the bytes of the `settings` record."""
    return cbor.encode({1: settings.is_automatic, 2: settings.postponed_until_s})


def decode(data: bytes) -> "Settings":
    """Return the settings in a record. Raises CodecError."""
    fields = cbor.check_map(cbor.decode(data), ((1, bool), (2, int)))
    if fields[2] < 0:
        raise CodecError(reason="postponed until")
    return Settings(fields[1], fields[2])


def may_install(settings: "Settings", now_s: "int | None") -> bool:
    """Return whether a release may install itself at trusted time `now_s` (unix s, None = not known)."""
    if not settings.is_automatic:
        return False
    if settings.postponed_until_s == 0:
        return True
    # Without a time the postponement holds; each check learns the time before it looks at releases. One that is further
    # ahead than anyone may postpone began at a wrong time, which a key set has corrected since.
    return now_s is not None and not 0 < settings.postponed_until_s - now_s <= POSTPONE_DAYS * DAY_S


def encode_news(news: "News") -> bytes:
    """Return the bytes of the `news` record; longer texts are cut at NEWS_CHARS."""
    texts = [text[:NEWS_CHARS] for text in (news.version, news.mitigates, news.interrupts)]
    return cbor.encode({1: news.sequence, 2: texts[0], 3: texts[1], 4: texts[2]})


def decode_news(data: bytes) -> "News":
    """Return the news in a record. Raises CodecError."""
    fields = cbor.check_map(cbor.decode(data), ((1, int), (2, str), (3, str), (4, str)))
    return News(fields[1], fields[2], fields[3], fields[4])


class Consent:
    """The owner's consent to updates: the settings, the waiting release, and the press of "Install now".

    `wake` is called when a waiting release may be installed at once. The constructor only reads.
    """

    def __init__(self, user: "Store", time: "TimeKeeper", wake: "Callable[[], None]") -> None:
        self._user = user
        self._time = time
        self._wake = wake
        self._asked: "tuple[object, ...] | None" = None  # the release that the owner asked to install
        self._waiting: "tuple[object, ...] | None" = None  # the release that `offered` describes
        self._source = ""  # of the check under way
        self._offered_by = ""  # the source that offered the waiting release last
        self._is_offered = False  # in the check under way
        self.settings = self._load()
        self.offered: "News | None" = None  # verified, newer, and waiting for the owner
        self.news = self._load_news()

    def _load(self) -> "Settings":
        try:
            data = self._user.read("settings")
            return DEFAULT if data is None else decode(data)
        except (CodecError, StorageError):
            return DEFAULT

    def _load_news(self) -> "News | None":
        try:
            data = self._user.read("news")
            return None if data is None else decode_news(data)
        except (CodecError, StorageError):
            return None

    def allows(self, manifest: "VerifiedManifest") -> bool:
        """Return whether a verified, newer release is installed now.

        If not, it becomes `offered`. If so, its text is stored as `news`, so that the owner can read it after the
        restart.
        """
        found = _news_of(manifest)
        if not self.is_asked(manifest) and not may_install(self.settings, self._time.now_s()):
            self.offer(manifest)
            return False
        self.offered = None
        if found != self.news:
            self.news = found
            try:
                self._user.write("news", encode_news(found))
            except StorageError:
                pass  # text about an update must not keep the update away
        return True

    def is_asked(self, manifest: "VerifiedManifest") -> bool:
        """Return whether the owner asked to install this release now: exactly what the owner was shown."""
        return self._asked == _identity(manifest)

    def waiting_sequence(self) -> int:
        """Return the number of the release that waits for the owner, 0 if none waits or the owner asked for it."""
        if self.offered is None or self._waiting == self._asked:
            return 0
        found: int = self.offered.sequence
        return found

    def offer(self, manifest: "VerifiedManifest") -> None:
        """Let the owner start the next try of a release that waits for one."""
        if not self.is_asked(manifest):
            self.offered, self._waiting = _news_of(manifest), _identity(manifest)
        self._is_offered, self._offered_by = True, self._source

    def begin(self, source: str) -> None:
        """Note that a check over `source` begins."""
        self._source, self._is_offered = source, False

    def end(self) -> None:
        """Note that the check came to its end. A release that its source offered before and offers no more is over."""
        if not self._is_offered and self._offered_by == self._source:
            self.withdraw()

    def withdraw(self) -> None:
        """Forget the waiting release, and that the owner asked for it."""
        self.offered = self._waiting = self._asked = None

    def set_automatic(self, is_automatic: bool) -> None:
        """Switch automatic updates on or off; both end a postponement. Raises StorageError."""
        self._save(Settings(is_automatic, 0))
        if is_automatic:
            self._wake()

    def postpone(self, days: int) -> None:
        """Postpone automatic updates for `days` days (1 to POSTPONE_DAYS).

        Raises SettingsError (reason "days"; "no time"; "off" if automatic updates are off), StorageError.
        """
        if not 1 <= days <= POSTPONE_DAYS:
            raise SettingsError(reason="days")
        if not self.settings.is_automatic:
            raise SettingsError(reason="off")
        now_s = self._time.now_s()
        if now_s is None:
            raise SettingsError(reason="no time")
        self._save(Settings(True, now_s + days * DAY_S))

    def install_now(self) -> None:
        """Install the waiting release, whatever the settings are (UP-07). Raises SettingsError (reason "no offer")."""
        if self.offered is None:
            raise SettingsError(reason="no offer")
        self._asked = self._waiting
        self._wake()

    def _save(self, settings: "Settings") -> None:
        if settings != self.settings:
            self._user.write("settings", encode(settings))
            self.settings = settings


def _identity(manifest: "VerifiedManifest") -> "tuple[object, ...]":
    """Return values that differ for every two releases, also for two with the same number."""
    app = None if manifest.app is None else manifest.app.digest
    return manifest.sequence_number, manifest.firmware.digest, app


def _news_of(manifest: "VerifiedManifest") -> "News":
    text = manifest.text
    if text is None:
        return News(manifest.sequence_number, "", "", "")
    cut = [part[:NEWS_CHARS] for part in (text.version, text.mitigates, text.interrupts)]
    return News(manifest.sequence_number, cut[0], cut[1], cut[2])
