"""Names, passphrases and kinds of security of Wi-Fi, and the record of the owner's network."""

import binascii

from memory_unit import MemoryRecords, refused

from device.codec import cbor
from device.errors import CborError, RecordDamagedError, WifiError
from device.net import wifi
from device.records import setup
from device.records.store import USER, Store


def network(ssid=b"Home", passphrase=b"correct horse 7", security=wifi.WPA2):
    return wifi.Network(ssid, passphrase, security)


HOME = network()


def test_a_stored_network_is_read_back():
    user = Store(MemoryRecords(), USER)
    assert wifi.load(user) is None
    wifi.store(user, HOME)
    assert wifi.load(user) == HOME


def test_the_longest_network_fits_into_its_record():
    user = Store(MemoryRecords(), USER)
    longest = wifi.Network(b"n" * 32, b"0123456789abcdef" * 4, wifi.WPA2_WPA3)
    wifi.store(user, longest)
    assert wifi.load(user) == longest


def test_what_no_radio_can_join_is_refused_by_name():
    for wrong, reason in (
        (network(ssid=b""), "name"),
        (network(ssid=b"n" * 33), "name"),
        (network(passphrase=b"7 chars"), "passphrase length"),
        (network(passphrase=b"k" * 64), "passphrase length"),
        (network(passphrase=b""), "passphrase length"),
        (network(passphrase=b"line\nbreak"), "passphrase character"),
        (network(security=wifi.OLD), "security"),
        (network(security="x"), "security"),
        (network(security=wifi.OPEN), "passphrase length"),
    ):
        assert refused(WifiError, wifi.check, wrong).fields["reason"] == reason


def test_an_open_network_and_a_key_in_hex_are_accepted():
    wifi.check(wifi.Network(b"Hotel", b"", wifi.OPEN))
    wifi.check(network(passphrase=b"0123456789abcdefABCDEF" + b"0" * 42))


def test_a_radio_refuses_kinds_that_it_does_not_have():
    error = refused(WifiError, wifi.check, network(security=wifi.WPA3), (wifi.OPEN, wifi.WPA2))
    assert error.fields["reason"] == "security"


def test_no_weaker_kind_of_security_stands_for_the_chosen_one():
    order = {wifi.OLD: 0, wifi.OPEN: 0, wifi.ACCOUNTS: 0, wifi.WPA2: 2, wifi.WPA2_WPA3: 3, wifi.WPA3: 4}
    for chosen in (wifi.WPA2, wifi.WPA2_WPA3, wifi.WPA3):
        for offered, strength in order.items():
            assert strength >= 2 or not wifi.may_stand_for(offered, chosen)
    assert not wifi.may_stand_for(wifi.WPA2, wifi.WPA3)
    assert wifi.may_stand_for(wifi.WPA3, wifi.WPA2)
    assert not wifi.may_stand_for(wifi.WPA2, wifi.OPEN)


def test_a_record_of_another_shape_is_damaged():
    user = Store(MemoryRecords(), USER)
    for data in (
        b"",
        b"\xa0",
        cbor.encode({1: b"Home", 2: b"correct horse 7"}),
        cbor.encode({1: "Home", 2: b"correct horse 7", 3: "WPA2"}),
        cbor.encode({1: b"Home", 2: b"short", 3: "WPA2"}),
        cbor.encode({1: b"Home", 2: b"correct horse 7", 3: "WEP or WPA"}),
        cbor.encode({1: b"Home", 2: b"correct horse 7", 3: "WPA2", 4: 0}),
    ):
        user.write("wifi", data)
        refused(RecordDamagedError, wifi.load, user)


def test_each_network_is_listed_once_and_the_strongest_first():
    seen = [
        wifi.Seen(b"A", wifi.WPA2, -70),
        wifi.Seen(b"A", wifi.WPA2, -50),
        wifi.Seen(b"", wifi.WPA2, -20),
        wifi.Seen(b"B", wifi.OPEN, -60),
        wifi.Seen(b"A", wifi.OPEN, -65),
        wifi.Seen(b"x" * 33, wifi.WPA2, -10),
    ]
    found = [(one.ssid, one.security, one.signal_dbm) for one in wifi.strongest(seen, 2)]
    assert found == [(b"A", wifi.WPA2, -50), (b"B", wifi.OPEN, -60)]


def test_a_name_that_is_not_text_is_shown_in_hex():
    assert wifi.text_of("Zuhause ü".encode()) == "Zuhause ü"
    for name in (b"\xff", b"\xc0\x80", b"a\x00", b"\x1b[2J", "a\u0085".encode()):
        assert wifi.text_of(name) == binascii.hexlify(name).decode()


def test_a_set_up_record_has_the_passphrase_only_if_it_is_one():
    plain = setup.SetupRecord(b"s" * 16, b"v" * 32, "")
    assert setup.decode(setup.encode(plain)) == plain
    own = setup.SetupRecord(b"s" * 16, b"v" * 32, "aaaa-bbbb-cccc-dddd")
    assert setup.decode(setup.encode(own)) == own
    for passphrase in (
        "short",
        "k" * 64,
        "a space is not in it",
        "line\nbreak-line\nbreak",
        "ümlaut-ümlaut-üml",
    ):
        refused(CborError, setup.encode, setup.SetupRecord(b"s" * 16, b"v" * 32, passphrase))
    for fields in (
        {1: b"s" * 15, 2: b"v" * 32},
        {1: b"s" * 16, 2: b"v" * 31},
        {1: b"s" * 16, 2: b"v" * 32, 3: ""},
    ):
        refused(CborError, setup.decode, cbor.encode(fields))
