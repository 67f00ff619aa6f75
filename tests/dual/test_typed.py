"""One normal form of typed text: each text that is accepted as the code is refused as a password."""

from memory_unit import CODE, MemoryUnit, refused, run

from device.errors import PasswordError
from device.owner import setup_code, typed
from device.owner.lifecycle import FACTORY_DEFAULT

PASSWORD = "orange kettle under the bridge"
# hyphen, en dash, em dash, horizontal bar, minus, full-width hyphen, no-break, narrow no-break, ideographic, thin
# space, zero-width space, word joiner, byte order mark, soft hyphen, direction mark
MARKS = (0x2010, 0x2013, 0x2014, 0x2015, 0x2212, 0xFF0D, 0xA0, 0x202F, 0x3000, 0x2009)
INVISIBLE = (0x200B, 0x2060, 0xFEFF, 0xAD, 0x200E)


def grouped_with(point):
    return setup_code.grouped(CODE).replace("-", chr(point))


def test_no_space_or_dash_or_invisible_character_matters_in_a_typed_code():
    for point in MARKS + INVISIBLE:
        assert setup_code.normalise(grouped_with(point)) == CODE, hex(point)
        assert setup_code.normalise(chr(point) + CODE.lower() + chr(point)) == CODE, hex(point)


def test_a_code_in_full_width_letters_is_the_code():
    wide = "".join([chr(ord(character) + 0xFEE0) for character in CODE])
    assert setup_code.normalise(wide) == CODE


def test_the_code_is_refused_as_a_password_however_its_groups_are_separated():
    for point in (0x2010, 0x2013, 0x2014, 0x2212, 0xFF0D, 0x2D, 0x20, 0x2F, 0x5F, 0x3A):
        unit = MemoryUnit()
        error = refused(PasswordError, unit.set_up, CODE, grouped_with(point), True)
        assert error.fields["reason"] in ("context", "character"), hex(point)
        unit.set_up(CODE, PASSWORD)
        change = unit.owner.change(PASSWORD, "my " + grouped_with(point) + " code", True)
        assert refused(PasswordError, run, change).fields["reason"] in ("context", "character"), hex(point)


def test_the_printed_code_with_en_dashes_is_refused_as_the_first_and_as_a_later_password():
    unit = MemoryUnit()
    assert refused(PasswordError, unit.set_up, CODE, grouped_with(0x2013), True).fields["reason"] == "context"
    unit.set_up(CODE, PASSWORD)
    change = unit.owner.change(PASSWORD, "my " + grouped_with(0x2014) + " code", True)
    assert refused(PasswordError, run, change).fields["reason"] == "context"


def test_the_ranges_are_in_ascending_order_since_the_search_stops_early():
    for ranges in (typed.SPACES_AND_DASHES, typed.INVISIBLE):
        last = -1
        for first, end in ranges:
            assert last < first <= end
            last = end


def test_no_character_is_in_both_lists_of_ranges():
    for first, last in typed.SPACES_AND_DASHES:
        for other_first, other_last in typed.INVISIBLE:
            assert last < other_first or other_last < first, hex(first)


def test_ascii_keeps_all_but_separators_and_capitals():
    for point in range(0x80):
        character = chr(point)
        found = typed.without_separators(character)
        if 0x09 <= point <= 0x0D or character in " -_.,":
            assert found == "", hex(point)
        elif "A" <= character <= "Z":
            assert found == character.lower()
        else:
            assert found == character


def test_full_width_ascii_is_ascii_and_its_neighbours_are_not():
    for point in range(0x21, 0x7F):
        expected = "" if point == 0x2D else chr(point).lower()
        assert typed.without_separators(chr(point + 0xFEE0)) == expected, hex(point)
    for point in (0xFF00, 0xFF5F):
        assert typed.without_separators(chr(point)) == chr(point)


def test_words_are_compared_without_ascii_punctuation():
    kept = [chr(point) for point in range(0x80) if typed.comparable(chr(point))]
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert "".join(kept) == "0123456789" + letters.upper() + letters + "\x7f"
    assert typed.comparable("\xe4\u0436\U0001f600~!") == "\xe4\u0436\U0001f600"


def test_only_ascii_letters_get_capitals():
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert typed.upper(letters + "`{0Z\x7f") == letters.upper() + "`{0Z\x7f"
    foreign = "\xdf\xe4\u0131\u017f"  # upper() of the last two gives ASCII letters
    assert typed.upper(foreign) == foreign


def accented(text):
    """Return `text` with an accent on each of these letters, in the one character that NFKC makes of both."""
    plain, marked = "ABCEHKLMNPRSTVWXYZ", "\u00c1\u1e02\u0106\u00c9\u1e22\u0136\u013b\u1e40\u0143\u1e56"
    marked += "\u0154\u015a\u1e6a\u1e7c\u1e80\u1e8a\u00dd\u0179"
    return "".join([marked[plain.find(one)] if one in plain else one for one in text])


def test_the_code_with_accents_is_refused_as_the_password():
    unit = MemoryUnit()
    assert len([one for one in accented(CODE) if ord(one) > 0x7E]) > 8
    for password in (accented(CODE), accented(CODE).lower(), CODE[:8] + accented(CODE[8:])):
        error = refused(PasswordError, unit.set_up, CODE, password, True)
        assert error.fields["reason"] == "context", password
    assert unit.state() == FACTORY_DEFAULT


def test_each_range_of_letters_begins_and_ends_with_its_own():
    inside = [range(first, first + len(letters)) for first, letters in typed.LETTERS]
    for first, letters in typed.LETTERS:
        last = len(letters) - 1
        for at in (0, last):
            assert typed.without_accents(chr(first + at)) == typed.comparable(letters[at])
        for point in (first - 1, first + last + 1):
            if not [one for one in inside if point in one]:
                assert typed.without_accents(chr(point)) == typed.comparable_ascii(chr(point))


def test_a_delete_character_between_those_of_a_code_does_not_count():
    assert typed.comparable_ascii("a\x7fb~c}d") == "abcd"
