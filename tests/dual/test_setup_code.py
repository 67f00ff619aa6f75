"""The set-up code: its check character, its normal form, each refusal, and the verifier."""

from memory_unit import CODE, refused

from device.crypto import backend
from device.errors import SetupCodeError
from device.owner import setup_code
from device.owner.setup_code import ALPHABET, TYPED_CHARS

SYMBOLS = CODE[:-1]


def product(left, right):
    """Return left * right in GF(32) with x^5 + x^2 + 1, bit by bit."""
    total = 0
    for bit in range(5):
        if right >> bit & 1:
            total ^= left << bit
    for bit in range(9, 4, -1):
        if total >> bit & 1:
            total ^= 0b100101 << (bit - 5)
    return total


def weighted(symbols):
    """Return the check character as a sum of weights: the last symbol weighs x, the one before it x * x."""
    weight, total = 2, 0
    for at in range(len(symbols) - 1, -1, -1):
        total ^= product(ALPHABET.find(symbols[at]), weight)
        weight = product(weight, 2)
    return ALPHABET[total]


def test_the_alphabet_has_32_characters_that_look_different():
    assert len(set(ALPHABET)) == len(ALPHABET) == 32
    assert not [character for character in "01IO" if character in ALPHABET]
    assert setup_code.RANDOM_SYMBOLS == 20 and len(CODE) == 21


def test_the_check_character_is_the_weighted_sum_in_gf_32():
    assert setup_code.check_character("") == "2"
    for symbols in (
        "3",
        "Z",
        "22222222222222222222",
        "23456789ABCDEFGHJKLM",
        "ZZZZZZZZZZZZZZZZZZZZ",
        SYMBOLS,
    ):
        assert setup_code.check_character(symbols) == weighted(symbols), symbols
    for symbol in ALPHABET:
        assert setup_code.check_character(symbol + "2") == weighted(symbol + "2")


def test_every_wrong_character_and_every_exchange_is_noticed():
    for at in range(len(CODE)):
        for symbol in ALPHABET:
            if symbol != CODE[at]:
                assert reason(CODE[:at] + symbol + CODE[at + 1 :]) == "check"
    for first in range(len(CODE)):
        for second in range(first):
            if CODE[first] != CODE[second]:
                changed = list(CODE)
                changed[first], changed[second] = changed[second], changed[first]
                assert reason("".join(changed)) == "check"


def reason(code):
    return refused(SetupCodeError, setup_code.normalise, code).fields["reason"]


def test_a_code_is_read_in_any_case_and_grouping():
    assert setup_code.grouped(CODE) == CODE[:7] + "-" + CODE[7:14] + "-" + CODE[14:]
    assert setup_code.grouped("ABCDEFGH") == "ABCDEFG-H" and setup_code.grouped("ABCDEFG") == "ABCDEFG"
    for typed in (CODE, CODE.lower(), setup_code.grouped(CODE), " " + CODE[:5] + " " + CODE[5:] + "-"):
        assert setup_code.normalise(typed) == CODE


def test_a_long_entry_is_read_up_to_its_limit():
    assert setup_code.normalise(CODE + "-" * (TYPED_CHARS - len(CODE))) == CODE
    assert reason(CODE + "-" * (TYPED_CHARS - len(CODE) + 1)) == "length"
    assert TYPED_CHARS == 128


def test_each_refusal_has_its_reason():
    for code, expected in (
        ("", "length"),
        (CODE[:-1], "length"),
        (CODE + "2", "length"),
        ("~", "length"),  # the last visible character of ASCII
        ("\x7f", "symbol"),
        ("\u0416", "symbol"),
        (CODE[:-1] + "0", "symbol"),
        ("0" + CODE[1:], "symbol"),
        (CODE[:10] + "I" + CODE[11:], "symbol"),
    ):
        assert reason(code) == expected, code
    assert refused(SetupCodeError, setup_code.check_character, "20").fields == {"reason": "symbol"}


def test_the_verifier_is_an_hmac_over_the_normal_form():
    assert setup_code.verifier(CODE, b"s" * 16) == backend.hmac_sha256(b"s" * 16, CODE.encode())
    assert setup_code.verifier(CODE, b"t" * 16) != setup_code.verifier(CODE, b"s" * 16)
