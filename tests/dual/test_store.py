"""Durable records: digests, limits, regions, the record hash."""

import hashlib

from memory_unit import MemoryRecords, refused

from device.errors import LimitError, RecordDamagedError, StorageError
from device.records import store
from device.records.store import DEVICE, USER, Store


def test_a_record_comes_back_as_it_was_written():
    records = MemoryRecords()
    Store(records).write("identity", b"abc")
    assert Store(records).read("identity") == b"abc"


def test_a_record_is_on_flash_after_its_sha256():
    records = MemoryRecords()
    Store(records).write("identity", b"abc")
    assert records.content["identity"] == hashlib.sha256(b"abc").digest() + b"abc"


def test_an_absent_record_is_none_and_not_an_error():
    assert Store(MemoryRecords()).read("identity") is None


def test_a_required_record_that_is_absent_is_a_storage_error():
    assert refused(StorageError, Store(MemoryRecords()).require, "identity").fields["reason"] == "absent"


def test_every_flipped_bit_of_a_stored_record_is_noticed():
    records = MemoryRecords()
    target = Store(records)
    target.write("identity", b"abc")
    whole = records.content["identity"]
    for bit in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        records.content["identity"] = bytes(damaged)
        refused(RecordDamagedError, target.read, "identity")


def test_a_record_cut_short_is_damaged():
    records = MemoryRecords()
    target = Store(records)
    target.write("identity", b"abc")
    for length in range(35):
        records.content["identity"] = records.content["identity"][:length]
        refused(RecordDamagedError, target.read, "identity")
        target.write("identity", b"abc")


def test_an_empty_record_is_a_record():
    target = Store(MemoryRecords())
    target.write("identity", b"")
    assert target.read("identity") == b""


def test_a_record_longer_than_its_limit_is_not_written():
    records = MemoryRecords()
    for entry in store.RECORDS:
        target = Store(records, entry.region)
        refused(LimitError, target.write, entry.name, bytes(entry.max_bytes + 1))
        target.write(entry.name, bytes(entry.max_bytes))
    assert len(records.names()) == len(store.RECORDS)


def test_a_record_longer_than_its_limit_on_flash_is_damaged():
    records = MemoryRecords()
    records.content["owned"] = store.wrap(bytes(17))
    refused(RecordDamagedError, Store(records).read, "owned")


def test_a_name_outside_the_table_does_not_exist():
    target = Store(MemoryRecords())
    for action in (target.read, target.delete, target.has):
        refused(StorageError, action, "boot.py")
    refused(StorageError, target.write, "boot.py", b"")


def test_the_credential_cannot_be_written_to_the_region_that_survives_a_reset():
    refused(StorageError, Store(MemoryRecords(), DEVICE).write, "credential", b"")
    Store(MemoryRecords(), USER).write("credential", b"")


def test_a_map_comes_back_as_a_map():
    target = Store(MemoryRecords(), USER)
    target.write_map("attempts", {1: 7})
    assert target.read_map("attempts") == {1: 7}


def test_a_record_that_is_no_map_is_damaged_as_a_map():
    target = Store(MemoryRecords(), USER)
    for data in (b"", b"\xff", b"\x01", b"\xa1"):
        target.write("attempts", data)
        refused(RecordDamagedError, target.read_map, "attempts")


def test_the_record_hash_is_the_one_of_the_contract():
    target = Store(MemoryRecords())
    expected = b""
    for name in sorted(store.STATION_RECORDS):
        data = b"content of " + name.encode()
        target.write(name, data[:128])
        expected += bytes((len(name),)) + name.encode() + len(data).to_bytes(4, "big") + data
    assert store.record_hash(target) == hashlib.sha256(expected).digest()


def test_the_record_hash_needs_every_record_of_the_station():
    for missing in store.STATION_RECORDS:
        target = Store(MemoryRecords())
        for name in store.STATION_RECORDS:
            if name != missing:
                target.write(name, b"x")
        assert refused(StorageError, store.record_hash, target).fields["name"] == missing


def test_no_private_key_and_no_owner_record_is_part_of_the_record_hash():
    for name in ("device.key", "web.key", "credential", "owned", "sealed"):
        assert name not in store.STATION_RECORDS
