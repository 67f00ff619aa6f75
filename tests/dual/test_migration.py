"""Records change their format after a confirm and not before (docs/reference/records.md, Records on flash)."""

from memory_unit import MemoryRecords, refused

from device.errors import CodecError, RecordDamagedError, StorageFullError
from device.records import store
from device.records.store import DEVICE, Migration, Store


class Counted(MemoryRecords):
    """Records that count the writes."""

    def __init__(self):
        super().__init__()
        self.writes = 0

    def write(self, name, data):
        super().write(name, data)
        self.writes += 1


def _longer(data):
    return data + b"+"


def _shorter(data):
    if not data.endswith(b"+"):
        raise CodecError(reason="not of this form")
    return data[:-1]


SECOND = Migration("progress", 2, _longer, _shorter)
THIRD = Migration("progress", 3, _longer, _shorter)


class release:
    """Run as the release with these migrations."""

    def __init__(self, *migrations):
        self._migrations = migrations

    def __enter__(self):
        self._before = store.MIGRATIONS
        store.MIGRATIONS = self._migrations

    def __exit__(self, *about):
        store.MIGRATIONS = self._before


def _written(data, *migrations):
    """Return records in which a confirmed release with these migrations wrote `progress`."""
    records = Counted()
    with release(*migrations):
        Store(records, DEVICE).write("progress", data)
    return records


def test_a_form_that_never_changed_lies_on_flash_as_it_always_did():
    assert _written(b"old").content["progress"] == store.wrap(b"old")


def test_a_newer_release_reads_every_older_form_in_its_own():
    records = _written(b"old")
    with release(SECOND, THIRD):
        assert Store(records, DEVICE).read("progress") == b"old++"


def test_an_older_release_sees_a_newer_form_as_damage_and_not_as_data():
    records = _written(b"new+", SECOND)
    refused(RecordDamagedError, Store(records, DEVICE).read, "progress")


def test_a_release_on_trial_leaves_what_it_writes_readable_for_the_one_before():
    records = _written(b"old")
    with release(SECOND):
        trial = Store(records, DEVICE, False)
        trial.write("progress", b"newer+")
        assert trial.read("progress") == b"newer+"
    assert Store(records, DEVICE).read("progress") == b"newer"


def test_a_record_that_is_new_on_trial_is_written_in_the_form_that_everybody_reads():
    records = Counted()
    with release(SECOND, THIRD):
        Store(records, DEVICE, False).write("progress", b"new++")
    assert Store(records, DEVICE).read("progress") == b"new"


def test_on_trial_a_record_keeps_the_middle_form_that_the_release_before_wrote():
    records = _written(b"old+", SECOND)
    with release(SECOND, THIRD):
        Store(records, DEVICE, False).write("progress", b"newer++")
    with release(SECOND):
        assert Store(records, DEVICE).read("progress") == b"newer+"


def test_after_the_confirm_each_record_is_written_once_and_never_again():
    records = _written(b"old")
    records.content["identity"] = store.wrap(b"untouched")
    with release(SECOND, THIRD):
        confirmed = Store(records, DEVICE, False)
        before = records.writes
        assert (confirmed.migrate(), confirmed.migrate()) == (1, 0)
        assert records.writes == before + 1
        assert store.unwrap("progress", records.content["progress"]) == (3, b"old++")
        confirmed.write("progress", b"x++")
        assert Store(records, DEVICE).migrate() == 0
    assert records.content["identity"] == store.wrap(b"untouched")


def test_a_migration_that_was_cut_continues_at_the_next_start():
    records = _written(b"old")
    with release():
        Store(records, DEVICE).write("unheard", b"u")
    both = (SECOND, Migration("unheard", 2, _longer, _shorter))
    with release(*both):
        Store(records, DEVICE).write("unheard", b"u+")  # the last start came to this point
        assert Store(records, DEVICE, False).migrate() == 1
        assert Store(records, DEVICE).read("progress") == b"old+"


class Full(Counted):
    """Records with no room for another write."""

    def write(self, name, data):
        raise StorageFullError(name=name)


def test_a_migration_without_room_leaves_every_record_readable():
    records = Full()
    records.content["progress"] = store.wrap(b"old")
    with release(SECOND):
        confirmed = Store(records, DEVICE)
        refused(StorageFullError, confirmed.migrate)
        assert confirmed.read("progress") == b"old+"


def test_a_damaged_record_stays_damaged_and_stops_no_other():
    records = _written(b"old")
    records.content["unheard"] = b"rot" * 20
    with release(SECOND, Migration("unheard", 2, _longer, _shorter)):
        upgraded = Store(records, DEVICE)
        assert upgraded.migrate() == 1
        refused(RecordDamagedError, upgraded.read, "unheard")


def test_data_that_cannot_be_of_the_older_form_are_damage():
    records = _written(b"no plus")
    odd = Migration("progress", 2, _shorter, _longer)
    with release(odd):
        refused(RecordDamagedError, Store(records, DEVICE).read, "progress")


def test_what_the_station_wrote_is_never_migrated_and_versions_follow_each_other():
    for migration in store.MIGRATIONS:
        entry = store.find(migration.name)
        assert entry is not None and not entry.from_station, migration.name
    for name in [record.name for record in store.RECORDS]:
        versions = [step.version for step in store.steps(name)]
        assert versions == list(range(2, 2 + len(versions))), name
