"""The passphrase of a unit's access point: unique, of 80 bits, not from public facts, the same on every print."""

from __future__ import annotations

import hashlib
import hmac

from device.net import wifi
from device.owner import setup_code
from device.owner.setup_code import check_character
from device.records import setup
from provisioning.product import record
from provisioning.station.passphrase import ALPHABET, SYMBOLS, access_point_passphrase
from provisioning.station.setup_code import generate_code

NAME = "fb-3f9a2c71"


def test_pw_06_neighbouring_codes_give_passphrases_that_have_nothing_in_common() -> None:
    codes = ["A" * 19 + symbol for symbol in setup_code.ALPHABET]
    made = [access_point_passphrase(code + check_character(code), NAME) for code in codes]
    assert len(set(made)) == len(made)
    same = [sum(a == b != "-" for a, b in zip(made[0], other, strict=True)) for other in made[1:]]
    assert max(same) <= 4


def test_pw_07_public_facts_alone_do_not_give_the_passphrase() -> None:
    """Two units with the same public name, serial and model differ by their codes alone."""
    assert access_point_passphrase(generate_code(), NAME) != access_point_passphrase(generate_code(), NAME)


def test_pw_08_the_passphrase_is_hmac_of_the_code_and_the_name() -> None:
    code = "ABCDEFGHJKLMNPQRSTUV"
    code += check_character(code)
    digest = hmac.new(code.encode(), b"firstboot access point\x00fb-3f9a2c71", hashlib.sha256).digest()
    number = int.from_bytes(digest, "big")
    symbols = "".join(ALPHABET[number >> 5 * at & 31] for at in range(16))
    assert access_point_passphrase(code, NAME) == "-".join(symbols[at : at + 4] for at in range(0, 16, 4))


def test_the_passphrase_has_80_bits_and_is_one_that_wpa2_takes() -> None:
    made = access_point_passphrase(generate_code(), NAME)
    assert SYMBOLS * 5 == 80 and len(set(ALPHABET)) == 32 and len(made.replace("-", "")) == SYMBOLS
    wifi.check(wifi.Network(NAME.encode(), made.encode(), wifi.WPA2))


def test_a_label_that_is_drawn_again_shows_the_same_passphrase() -> None:
    code = generate_code()
    assert access_point_passphrase(code, NAME) == access_point_passphrase(code, NAME)


def test_the_record_holds_the_passphrase_and_not_the_code() -> None:
    code = generate_code()
    made = access_point_passphrase(code, NAME)
    data = record.setup_record(code, made)
    assert setup.decode(data).passphrase == made and code.encode() not in data
    assert setup.decode(record.setup_record(code)).passphrase == ""
