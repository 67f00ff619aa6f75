"""The refused passwords, with the reason of each refusal (PW-15, PW-16)."""

from memory_unit import refused

from device.errors import PasswordError
from device.limits import PASSWORD_MAX_BYTES
from device.owner import passwords, typed
from device.owner.common_passwords import WORDS

CONTEXT = ("000102030405060708090a0b0c0d0e0f", "FB-000123", "Lamp One", "Acme", "2QKX7WNP4RTB")


def reason(password, is_normalised=True, context=CONTEXT):
    return refused(PasswordError, passwords.check, password, context, is_normalised).fields["reason"]


def accept(password, is_normalised=True, context=CONTEXT):
    passwords.check(password, context, is_normalised)


def test_a_password_of_unrelated_words_is_accepted():
    for password in (
        "kettle on the hob at six",
        "orange bicycle under the bridge",
        "purple-otter-drives-a-tram",
        "Wet Tuesdays need biscuits",
        "x7#kQ9!mZ2@pL5&w",
        "~{]&^;|%+=?<>*#`",
    ):
        accept(password, is_normalised=False)


def test_fourteen_characters_are_too_few_and_fifteen_are_enough():
    assert reason("kettle on hobs") == "length-min"
    accept("kettle on hobs!")


def test_sixty_four_characters_are_accepted_and_sixty_five_are_not():
    phrase = "kettle on the hob at six, orange bicycle under the bridge, otter"
    assert len(phrase) == 64
    accept(phrase)
    assert reason(phrase + "s") == "length-max"


def test_length_counts_characters_and_not_bytes():
    assert reason("лампа на окне!") == "length-min"
    accept("лампа на окне!!")
    accept("🦊🐙🌵🚲🎷🧦🪁🍋🎲🐌🧭🪗🦉🍄🛶")


def test_bytes_are_bounded_too():
    phrase = "".join([chr(0x1F400 + index) for index in range(64)])
    assert len(phrase.encode()) == PASSWORD_MAX_BYTES
    accept(phrase)


def test_spaces_count_as_characters():
    accept("q v x t z m w k")


def test_control_characters_are_refused():
    for character in ("\x00", "\n", "\t", "\x7f", "\x85", "\u2028", "\ufeff"):
        assert reason("kettle on the hob" + character) == "character"


def test_without_the_page_script_only_ascii_is_taken():
    assert reason("kettle on the höb", is_normalised=False) == "not-normalised"
    accept("kettle on the höb", is_normalised=True)


def test_a_password_of_common_words_is_refused():
    for password in (
        "passwordpassword1",
        "password12345678",
        "Password1234567!",
        "P@ssw0rd12345678",
        "admin1234567890!",
        "iloveyouforever1",
        "correct horse battery staple",
        "mychemicalromance",
        "welcome-admin-123",
    ):
        assert reason(password) == "common", password


def test_a_walk_over_alphabet_digits_or_keyboard_is_refused():
    for password in (
        "abcdefghijklmnop",
        "zyxwvutsrqponmlk",
        "1234567890123456",
        "9876543210987654",
        "1q2w3e4r5t6y7u8i",
        "zaq12wsxcde34rfv",
        "!@#$%^&*()_+{}|",
        "abcd efgh 1234 5678",
        "aaaabbbbccccdddd5555",
    ):
        assert reason(password) in ("sequence", "common", "repeated"), password


def test_a_password_that_repeats_itself_is_refused():
    for password in ("aaaaaaaaaaaaaaaa", "abababababababab", "x7#kQ9!x7#kQ9!x7", "q!q!q!q!q!q!q!q!q!"):
        assert reason(password) == "repeated", password


def test_words_of_the_device_are_refused_in_any_case_and_spacing():
    for word in ("lamp one", "LAMPONE", "lamp-one", "acme", "fb000123", "FB-000123"):
        assert reason("kettle on " + word + " hob") == "context", word


def test_words_of_the_device_are_refused_backwards():
    assert reason("kettle eno pmal hob") == "context"


def test_a_long_part_of_the_set_up_code_is_refused():
    assert reason("kettle 2qkx7wnp hob") == "context"
    assert reason("kettle pnw7xkq2 hob") == "context"
    accept("kettle 2qkx7wn hob x")


def test_a_word_too_short_to_mean_anything_is_no_context():
    accept("kettle on the hob at six", context=("on", "", "ACM"))


def test_the_error_says_nothing_of_the_password():
    error = refused(PasswordError, passwords.check, "lamp one secret canary", CONTEXT, True)
    assert "canary" not in error.describe() and list(error.fields) == ["reason"]


def test_common_words_are_stored_in_the_form_they_are_compared_in():
    for first in WORDS:
        for word in WORDS[first].split():
            assert word[0] == first and passwords.canonical(word) == word


def test_common_words_are_in_ascending_order_since_the_last_one_that_fits_counts():
    for first in WORDS:
        words = WORDS[first].split()
        assert words == sorted(words), first


def test_of_the_words_that_begin_at_a_place_the_longest_counts():
    assert reason("administrator#administrator7", context=()) == "common"
    accept("admin#istrator#admin#istrator", context=())


def test_invisible_characters_are_refused():
    # zero-width space, joiner, no-break space, narrow no-break space, soft hyphen, word joiner, variation selector,
    # direction mark, Hangul filler, blank Braille pattern, tag
    for point in (0x200B, 0x200D, 0xA0, 0x202F, 0xAD, 0x2060, 0xFE0F, 0x200E, 0x3164, 0x2800, 0xE0061):
        assert reason("kettle on the hob" + chr(point)) == "character", hex(point)


def test_a_word_of_the_device_is_refused_with_any_separators_in_it():
    for mark in ("\u2013", "\u2014", "\u2212", "/", ":", "+", "_", "\uff0d"):
        assert reason("kettle on FB" + mark + "000" + mark + "123 hob") == "context", mark


def test_a_word_of_the_device_is_refused_with_accents_on_it():
    assert reason("kettle on \u1e1e\u1e02000123 hob") == "context"
    assert reason("kettle on f\u1e03000123 hob") == "context"
    accept("\u00e9t\u00e9 sur la c\u00f4te d'\u00e9meraude")


def test_a_word_of_the_device_is_refused_with_marks_of_any_script_in_it():
    for mark in ("\u00b7", "\u30fc", "\u30fb", "\u2500", "\u00af", "\u2027", "\u0332", "\u4e00"):
        assert reason("kettle on FB" + mark + "000" + mark + "123 hob") == "context", hex(ord(mark))
    accept("\u043b\u0430\u043c\u043f\u0430 on the \u043e\u043a\u043d\u0435")


def test_full_width_letters_are_the_same_letters():
    assert reason("kettle \uff26\uff22\uff10\uff10\uff10\uff11\uff12\uff13 hob") == "context"


def test_each_range_of_refused_characters_ends_where_the_rules_say():
    for first, last in (
        (0, 0x1F),
        (0x7F, 0xA0),
        (0xAD, 0xAD),
        (0x1680, 0x1680),
        (0x2000, 0x200F),
        (0x2028, 0x202F),
        (0x205F, 0x206F),
        (0x3000, 0x3000),
    ):
        for point in range(first, last + 1):
            assert reason("kettle on the hob" + chr(point)) == "character", hex(point)
        for point in (first - 1, last + 1):
            if point >= 0:
                accept("kettle on the hob" + chr(point))


def test_the_last_visible_character_of_ascii_needs_no_script_and_the_next_one_does():
    passwords.check_ascii(" ~")
    for point in (0x7F, 0x80, 0x1F600):
        error = refused(PasswordError, passwords.check_ascii, chr(point))
        assert error.fields["reason"] == "not-normalised"


def test_every_part_of_eight_characters_of_a_long_word_is_refused_and_no_shorter_one():
    word = "2QKX7WNP4RTB"
    for start in range(5):
        assert reason("kettle " + word[start : start + 8] + " hob") == "context", start
    for start in range(6):
        accept("kettle " + word[start : start + 7] + " hob")


def test_a_word_of_four_characters_is_context_and_one_of_three_is_not():
    accept("kettle fox on the hob", context=("fox", "FOX"))
    assert reason("kettle foxy on the hob", context=("fox", "foxy")) == "context"


def test_five_different_characters_are_enough_and_four_are_not():
    assert reason("q!wzzq!!zwwqzq!!w") == "repeated"
    accept("q!wzzq!!zwwqxq!!w")


def test_a_piece_that_fills_half_of_the_password_is_repeated_and_a_longer_one_is_not():
    for password in ("w8#rk" * 3, "x7#kQ9!m" * 2, "x7#kQ9!mx7#kQ9!mx", "x7#kQ9!mw4%vGz" * 2):
        assert reason(password) == "repeated", password
    accept("x7#kQ9!mwx7#kQ9!m")  # a period of nine in 17 characters
    accept("x7#kQ9!mw4%vGzt" * 2)  # a piece that is long enough by itself


# Single characters that are in no run and begin no well-known word.
SINGLES = "#7w&9k"


def test_six_pieces_are_enough_and_five_are_not():
    for run in ("abcdefghijklm", "zyxwvutsrqpon", "1qaz2wsx3edc", "11111111111", "yz abc def gh ij"):
        accept(run + SINGLES[:5], context=())
        assert reason(run + SINGLES[:4], context=()) == "sequence", run


def test_three_characters_are_a_run_and_two_are_not():
    for run, other in (("abc", "ab"), ("cba", "ba"), ("zab", "za"), ("bbb", "bb"), ("890", "90")):
        words = "mnopqrstuvwx"  # one run
        assert reason(words + "#" + run + "w&", context=()) == "sequence", run
        accept(words + "#" + other + "w&", context=())


def test_a_well_known_password_counts_once_with_digits_for_letters_too():
    for word in ("password", "p4ssw0rd", "pa55word"):
        assert reason(word + "mnopqrs" + SINGLES[:3], context=()) == "common", word
        accept(word + "mnopqrs" + SINGLES[:4], context=())


def test_what_is_a_word_and_a_run_is_called_common_and_a_longer_run_a_sequence():
    assert reason("abcdefg#zyxwvutsr", context=()) == "common"
    assert reason("1234567890123456", context=()) == "sequence"
    assert reason("abcdefghijklmnop", context=()) == "sequence"


def test_the_last_and_the_first_characters_of_a_password_are_no_run_together():
    accept("bc" + "mnopqrstuvwx" + "#wa", context=())


def test_two_equal_characters_with_another_one_between_are_no_run():
    accept("mnopqrstuvwx" + "#w#&k", context=())


def test_a_text_backwards_has_all_of_its_characters():
    assert passwords.backwards("abc") == "cba"
    assert passwords.backwards("") == ""


def test_a_character_is_refused_for_one_reason_only():
    for first, last in passwords.REFUSED:
        for other_first, other_last in typed.INVISIBLE:
            assert last < other_first or other_last < first, hex(first)
