"""The device half of the factory port, on CPython and on the board: one unit in RAM, requests as a station sends."""

from factory_unit import CLASS_ID, DEVICE_ID, NONCE, CountingEntropy, Unit, certificate, provisioned, signed

from device.codec import cbor, cose
from device.crypto import backend, der
from device.errors import EntropyError, FactoryError, LimitError, LockedError, StorageError
from device.factory.factory_port import HELLO_TYP
from device.limits import FACTORY_DATA_BYTES, STATEMENT_BYTES
from device.records import identity, store, support
from device.trust import anchors as trust_anchors
from device.trust.signed_record import verify_record_with


def test_an_open_unit_says_what_it_is():
    answer = Unit().done("hello", nonce=NONCE)
    assert answer == {
        "board": "bench",
        "hardware_id": b"h" * 16,
        "version": "1.2.3+4",
        "image_digest": b"d" * 32,
        "is_locked": False,
        "is_development": True,
        "has_entropy": True,
    }


def test_start_formats_an_open_unit_and_leaves_a_locked_one():
    unit = Unit()
    unit.port.start()
    unit.locks = 1
    unit.port.start()
    assert unit.formats == 1


def test_an_unknown_operation_is_refused():
    assert Unit().refused("erase") == FactoryError.code


def test_arguments_of_a_wrong_type_or_number_are_refused():
    unit = Unit()
    for arguments in ({}, {"nonce": "n" * 16}, {"nonce": NONCE, "more": 1}, {"nonce": b"short"}):
        assert unit.refused("hello", **arguments) > 0
    assert unit.refused("make_key", role="root") == FactoryError.code
    assert unit.refused("write", name="setup", offset=True, data=b"x", total=1) > 0
    assert unit.refused("seal", extra=1) > 0


def test_a_unit_without_entropy_takes_a_key_and_proves_that_it_holds_it():
    unit = Unit()
    private, public = backend.p256_generate(unit.entropy.random_bytes)
    unit.entropy.is_seeded = False
    request = unit.done("put_key", role="web", key=private)["csr"]
    assert unit.store.require("web.key") == private
    assert public in request


def test_a_unit_with_entropy_takes_no_key():
    unit = Unit()
    assert unit.refused("put_key", role="device", key=b"k" * 32) == FactoryError.code
    assert "device.key" not in unit.records.held


def test_a_key_that_is_none_is_refused():
    unit = Unit()
    unit.entropy.is_seeded = False
    for key in (b"", b"k" * 31, b"k" * 33, bytes(32), b"\xff" * 32):
        assert unit.refused("put_key", role="device", key=key) == FactoryError.code
    assert unit.refused("put_key", role="root", key=b"k" * 32) == FactoryError.code
    assert unit.refused("put_key", role="web", key="k" * 32) > 0


def test_a_new_key_drops_the_record_hash_and_the_certificate_for_the_old_key():
    unit, _ = provisioned()
    unit.done("seal")
    unit.entropy.is_seeded = False
    unit.done("put_key", role="device", key=b"k" * 32)
    assert "sealed" not in unit.records.held and "device.crt" not in unit.records.held


def test_a_locked_unit_takes_no_key():
    unit, _ = provisioned()
    unit.entropy.is_seeded = False
    unit.locks = 1
    assert unit.refused("put_key", role="device", key=b"k" * 32) == LockedError.code


def test_what_is_no_request_is_answered_with_sequence_0_and_changes_nothing():
    unit = Unit()
    for request in (
        b"",
        b"\xff",
        cbor.encode([]),
        cbor.encode({}),
        cbor.encode([0, "hello", {}]),
        b"\x83" * 40,
    ):
        sequence, code, _ = cbor.decode(unit.port.handle(request))
        assert sequence == 0 and code != 0
    assert unit.records.held == {}


def test_a_key_stays_inside_and_its_request_proves_it():
    unit = Unit()
    request = unit.done("make_key", role="device")["csr"]
    private = unit.store.require("device.key")
    assert private not in request
    assert der.public_key_info(backend.p256_public(private)) in request


def test_without_entropy_no_key_is_made():
    unit = Unit()
    unit.entropy.is_seeded = False
    assert unit.done("hello", nonce=NONCE)["has_entropy"] is False
    assert unit.refused("make_key", role="device") == EntropyError.code


def test_a_new_key_takes_the_old_certificate_away():
    unit, _ = provisioned()
    unit.done("make_key", role="web")
    assert unit.store.read("web.crt") is None


def test_a_record_in_parts_is_stored_when_the_last_part_has_arrived():
    unit = Unit()
    data = bytes(range(256)) * 12
    unit.done("write", name="statement", offset=0, data=data[:2048], total=len(data))
    assert unit.store.read("statement") is None
    unit.done("write", name="statement", offset=2048, data=data[2048:], total=len(data))
    assert unit.store.read("statement") == data


def test_parts_out_of_order_are_refused_and_end_the_record():
    unit = Unit()
    unit.done("write", name="statement", offset=0, data=b"x" * 100, total=300)
    assert (
        unit.refused("write", name="statement", offset=200, data=b"x" * 100, total=300) == FactoryError.code
    )
    assert (
        unit.refused("write", name="statement", offset=100, data=b"x" * 100, total=300) == FactoryError.code
    )


def test_a_part_for_another_record_or_size_is_refused():
    unit = Unit()
    unit.done("write", name="statement", offset=0, data=b"x" * 100, total=300)
    assert unit.refused("write", name="support", offset=100, data=b"x" * 200, total=300) == FactoryError.code
    unit.done("write", name="statement", offset=0, data=b"x" * 100, total=300)
    assert (
        unit.refused("write", name="statement", offset=100, data=b"x" * 100, total=200) == FactoryError.code
    )


def test_records_that_are_not_the_stations_are_refused():
    unit = Unit()
    for name in ("device.key", "web.key", "sealed", "credential", "owned", "../identity", ""):
        assert unit.refused("write", name=name, offset=0, data=b"x", total=1) == FactoryError.code
        assert unit.refused("digest", name=name) == FactoryError.code


def test_a_record_beyond_its_size_is_refused_before_ram_is_taken():
    unit = Unit()
    for total in (0, -1, STATEMENT_BYTES + 1, 1 << 40):
        assert unit.refused("write", name="statement", offset=0, data=b"x", total=total) == FactoryError.code
    too_long = b"x" * (FACTORY_DATA_BYTES + 1)
    assert unit.refused("write", name="statement", offset=0, data=too_long, total=4000) == FactoryError.code


def test_a_request_beyond_a_frame_is_refused():
    unit = Unit()
    code = cbor.decode(unit.port.handle(b"\x00" * 5000))[1]
    assert code == LimitError.code


def test_a_repeated_request_gets_the_same_answer_without_the_work():
    unit = Unit()
    request = cbor.encode([7, "make_key", {"role": "device"}])
    first = unit.port.handle(request)
    key = unit.store.require("device.key")
    assert unit.port.handle(request) == first
    assert unit.store.require("device.key") == key


def test_the_digest_of_an_absent_record_is_an_error():
    assert Unit().refused("digest", name="setup") == StorageError.code


def test_completing_gives_the_hash_over_all_records():
    unit, records = provisioned()
    for name in store.STATION_RECORDS:
        answer = unit.done("digest", name=name)
        assert answer == {"sha256": backend.sha256(records[name]), "size": len(records[name])}
    assert unit.done("seal")["record_hash"] == store.record_hash(unit.store)


def test_a_unit_is_not_complete_while_any_record_is_missing():
    unit, _ = provisioned()
    assert len(unit.records.held) == len(store.STATION_RECORDS) + 2  # and the two keys
    for name in unit.records.names():
        kept = unit.records.held.pop(name)
        assert unit.refused("seal") == FactoryError.code, name
        unit.records.held[name] = kept
    unit.done("seal")


def test_a_unit_is_not_complete_while_any_record_is_damaged():
    unit, _ = provisioned()
    for name in store.STATION_RECORDS:
        kept = unit.records.held[name]
        unit.records.held[name] = kept[:-1] + bytes((kept[-1] ^ 1,))
        assert unit.refused("seal") == FactoryError.code, name
        unit.records.held[name] = kept
    unit.done("seal")


def is_refused_with(name, data):
    """Return whether a unit refuses to be complete if only this record is wrong."""
    unit, _ = provisioned()
    unit.write(name, data)
    return unit.refused("seal") == FactoryError.code


def test_a_certificate_for_another_key_is_refused():
    unit, records = provisioned()
    unit.write("device.crt", certificate(identity.device_id_text(identity.decode(records["identity"])),
                                         backend.p256_public(unit.store.require("web.key"))))  # fmt: skip
    assert unit.refused("seal") == FactoryError.code


def test_a_web_certificate_that_tells_the_serial_is_refused():
    unit, _ = provisioned()
    unit.write("web.crt", certificate("web-sn-1", backend.p256_public(unit.store.require("web.key"))))
    assert unit.refused("seal") == FactoryError.code


def test_a_record_signed_by_a_stranger_is_refused():
    stranger, _ = backend.p256_generate(CountingEntropy().random_bytes)
    payload = support.encode(support.SupportRecord(CLASS_ID, 22000, 1, 1, 90))
    assert is_refused_with("support", signed(payload, support.TYP, stranger, b"s"))


def test_shapes_that_no_reader_takes_are_refused():
    assert is_refused_with("setup", cbor.encode({1: bytes(15), 2: bytes(32)}))
    assert is_refused_with("oscore", cbor.encode({1: bytes(16), 2: bytes(8), 3: b"fb", 4: b"fb"}))
    unit, _ = provisioned()
    good = cbor.decode(unit.store.require("servers"))
    for sources in (
        [],
        [{1: "http", 2: "h", 3: 1}],
        [{1: "coap", 2: "h", 3: 0}],
        [{1: "mqtt", 2: "h", 3: 1}],
    ):
        unit.write("servers", cbor.encode({1: good[1], 2: sources, 3: 60}))
        assert unit.refused("seal") == FactoryError.code


def test_completing_deletes_what_a_unit_writes_in_use():
    unit, _ = provisioned()
    unit.store.write("owned", b"x")
    unit.store.write("progress", b"x")
    unit.done("seal")
    assert unit.store.read("owned") is None and unit.store.read("progress") is None


def test_the_lock_needs_the_record_hash_of_a_complete_unit():
    unit, _ = provisioned()
    assert unit.refused("lock", record_hash=bytes(32)) == FactoryError.code
    unit.done("seal")
    assert unit.refused("lock", record_hash=bytes(32)) == FactoryError.code
    assert unit.locks == 0


def test_a_write_after_the_record_hash_drops_it():
    unit, records = provisioned()
    record_hash = unit.done("seal")["record_hash"]
    unit.write("setup", records["setup"])
    assert unit.refused("lock", record_hash=record_hash) == FactoryError.code


def test_a_locked_unit_answers_hello_alone_and_signs_it():
    unit, records = provisioned()
    record_hash = unit.done("seal")["record_hash"]
    unit.done("lock", record_hash=record_hash)
    assert unit.locks == 1 and unit.port.should_restart
    for operation, arguments in (
        ("make_key", {"role": "device"}),
        ("write", {"name": "setup", "offset": 0, "data": b"x", "total": 1}),
        ("digest", {"name": "setup"}),
        ("seal", {}),
        ("lock", {"record_hash": record_hash}),
        ("nothing", {}),
    ):
        assert unit.refused(operation, **arguments) == LockedError.code
    public = der.certificate_facts(records["device.crt"]).public_key
    key = trust_anchors.Key(b"", cose.ALG_ESP256, 0, public)
    payload = verify_record_with(unit.done("hello", nonce=NONCE)["hello"], HELLO_TYP, key)
    assert cbor.decode(payload) == {1: NONCE, 2: DEVICE_ID, 3: True, 4: record_hash}


def test_a_new_key_after_the_record_hash_drops_it():
    unit, _ = provisioned()
    record_hash = unit.done("seal")["record_hash"]
    unit.done("make_key", role="web")
    assert unit.store.read("sealed") is None
    assert unit.refused("lock", record_hash=record_hash) == FactoryError.code


def test_the_lock_notices_a_record_that_changed_after_the_record_hash():
    unit, _ = provisioned()
    record_hash = unit.done("seal")["record_hash"]
    unit.store.write("setup", cbor.encode({1: bytes(16), 2: b"x" * 32}))
    assert unit.refused("lock", record_hash=record_hash) == FactoryError.code
    assert unit.locks == 0
