"""The set-up code's normal form, on CPython and on the board."""

from device.errors import SetupCodeError
from device.limits import SETUP_CODE_CHARS
from device.owner.setup_code import ALPHABET, check_character, grouped, normalise, verifier

SYMBOLS = "23456789ABCDEFGHJKLM"
CODE = SYMBOLS + check_character(SYMBOLS)


def reason(code):
    try:
        normalise(code)
    except SetupCodeError as error:
        return error.fields["reason"]
    return None


def test_the_alphabet_has_32_symbols_without_twins():
    assert len(ALPHABET) == 32 and sorted(set(ALPHABET)) == sorted(ALPHABET)
    for twin in "01IO":
        assert twin not in ALPHABET


def test_a_code_as_printed_is_taken_in_any_case_and_grouping():
    assert len(CODE) == SETUP_CODE_CHARS
    for typed in (
        CODE,
        grouped(CODE),
        CODE.lower(),
        " " + " ".join(CODE) + "\t",
        grouped(CODE).replace("-", "\u2010"),
    ):
        assert normalise(typed) == CODE


def test_a_code_is_printed_in_three_groups_of_seven():
    assert [len(group) for group in grouped(CODE).split("-")] == [7, 7, 7]


def test_every_single_wrong_symbol_is_noticed():
    for place in range(len(CODE)):
        for symbol in ALPHABET:
            if symbol != CODE[place]:
                assert reason(CODE[:place] + symbol + CODE[place + 1 :]) == "check"


def test_every_exchange_of_two_symbols_is_noticed():
    for first in range(len(CODE)):
        for second in range(first + 1, len(CODE)):
            if CODE[first] != CODE[second]:
                swapped = list(CODE)
                swapped[first], swapped[second] = swapped[second], swapped[first]
                assert reason("".join(swapped)) == "check"


def test_another_length_is_refused():
    assert reason("") == "length"
    assert reason(CODE[:-1]) == "length"
    assert reason(CODE + "2") == "length"
    assert reason(" " * 1000 + CODE) == "length"


def test_foreign_symbols_are_refused():
    for symbol in ("0", "O", "1", "I", "!", "\u00df", "\u0131", "\u017f"):
        assert reason(symbol + CODE[1:]) == "symbol"
        assert reason(CODE[:-1] + symbol) == "symbol"


def test_the_verifier_depends_on_code_and_salt():
    assert len(verifier(CODE, bytes(16))) == 32
    assert verifier(CODE, bytes(16)) != verifier(CODE, b"\x01" * 16)
    other = "3" + SYMBOLS[1:]
    assert verifier(CODE, bytes(16)) != verifier(other + check_character(other), bytes(16))
