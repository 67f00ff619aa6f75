"""The refused passwords, with the reason of each refusal (PW-15, PW-16)."""

from memory_unit import refused

from device.errors import PasswordError
from device.limits import PASSWORD_MAX_BYTES
from device.owner import passwords

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
    from device.owner.common_passwords import WORDS

    for first in WORDS:
        for word in WORDS[first].split():
            assert word[0] == first and passwords.canonical(word) == word


def test_invisible_characters_are_refused():
    # zero-width space, joiner, no-break space, narrow no-break space, soft hyphen, word joiner, variation selector,
    # direction mark, Hangul filler, blank Braille pattern, tag
    for point in (0x200B, 0x200D, 0xA0, 0x202F, 0xAD, 0x2060, 0xFE0F, 0x200E, 0x3164, 0x2800, 0xE0061):
        assert reason("kettle on the hob" + chr(point)) == "character", hex(point)


def test_a_word_of_the_device_is_refused_with_any_separators_in_it():
    for mark in ("\u2013", "\u2014", "\u2212", "/", ":", "+", "_", "\uff0d"):
        assert reason("kettle on FB" + mark + "000" + mark + "123 hob") == "context", mark


def test_full_width_letters_are_the_same_letters():
    assert reason("kettle \uff26\uff22\uff10\uff10\uff10\uff11\uff12\uff13 hob") == "context"
