"""The one normal form of text that a person types, pastes or scans: which characters count, and which do not.

Rules:
1. A set-up code is read with `without_separators` (setup_code.py). `comparable` leaves out punctuation as well, and
   finds the code and the other words of the device in a password (passwords.py, PW-16). So a text that the device
   accepts as its code is always refused as a password.
2. Case, spaces and dashes do not count, whatever the keyboard made of them: a phone turns a hyphen into a dash, a web
   page puts a non-breaking space or a zero-width character between groups.
3. Letters with an accent are also compared without it (`ascii_forms`), so that no accent hides the code in a password.
4. Full-width letters and digits of an East Asian keyboard count as their ASCII twins, as in Unicode's NFKC.

The ranges are those of Unicode 16.0: general category Pd and the property White_Space (SPACES_AND_DASHES), the property
Default_Ignorable_Code_Point and other characters without a visible form (INVISIBLE). MicroPython has no unicodedata; a
test on CPython compares the ranges with it.
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Sequence

# (first, last) code point of each range
SPACES_AND_DASHES = (
    (0x09, 0x0D),
    (0x20, 0x20),
    (0x2D, 0x2D),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x058A, 0x058A),
    (0x05BE, 0x05BE),
    (0x1400, 0x1400),
    (0x1680, 0x1680),
    (0x1806, 0x1806),
    (0x2000, 0x200A),
    (0x2010, 0x2015),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x2043, 0x2043),  # hyphen bullet
    (0x205F, 0x205F),
    (0x2212, 0x2212),  # minus sign
    (0x2E17, 0x2E17),
    (0x2E1A, 0x2E1A),
    (0x2E3A, 0x2E3B),
    (0x2E40, 0x2E40),
    (0x2E5D, 0x2E5D),
    (0x3000, 0x3000),
    (0x301C, 0x301C),
    (0x3030, 0x3030),
    (0x30A0, 0x30A0),
    (0xFE31, 0xFE32),
    (0xFE58, 0xFE58),
    (0xFE63, 0xFE63),
    (0xFF0D, 0xFF0D),
    (0x10D6E, 0x10D6E),
    (0x10EAD, 0x10EAD),
)
INVISIBLE = (
    (0xAD, 0xAD),  # soft hyphen
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),  # zero-width space, joiners, direction marks
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),  # blank Braille pattern
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
# (first code point, the letters): the ASCII letter that Unicode's NFKD finds in each character of a range, "-" if none.
# A password is in NFKC, which joins a letter and its accent to one of these characters.
LETTERS = (
    (
        0xC0,
        "aaaaaa-ceeeeiiii-nooooo--uuuuy--aaaaaa-ceeeeiiii-nooooo--uuuuy-y"
        "aaaaaaccccccccdd--eeeeeeeeeegggggggghh--iiiiiiiii---jjkk-llllll-"
        "---nnnnnn---oooooo--rrrrrrsssssssstttt--uuuuuuuuuuuuwwyyyzzzzzz-"
        "--------------------------------oo-------------uu---------------"
        "-------------aaiioouuuuuuuuuu-aaaa----ggkkoooo--j---gg--nnaa----"
        "aaaaeeeeiiiioooorrrruuuusstt--hh------aaeeooooooooyy",
    ),
    (
        0x1E00,
        "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm"
        "mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv"
        "wwwwwwwwwwxxxxyyzzzzzzhtwy------aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee"
        "eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy------",
    ),
)
# Between words of a password; other ASCII punctuation there is part of what has to be guessed.
_BETWEEN_WORDS = "_.,"


def is_in(point: int, ranges: "Sequence[tuple[int, int]]") -> bool:
    """Return whether a code point lies in one of `ranges`, which are in ascending order."""
    for first, last in ranges:
        if point <= last:
            return point >= first
    return False


def is_separator(character: str) -> bool:
    """Return whether a character only separates: a space or dash of any script, an invisible one, or one of "_.,"."""
    point = ord(character)
    return character in _BETWEEN_WORDS or is_in(point, SPACES_AND_DASHES) or is_in(point, INVISIBLE)


def without_separators(text: str) -> str:
    """Return `text` without separators, with ASCII letters in lower case and full-width ASCII as ASCII."""
    result = []
    for character in text:
        if is_separator(character):
            continue
        point = ord(character)
        if 0xFF01 <= point <= 0xFF5E:
            point -= 0xFEE0
        result.append(chr(point + 32 if 65 <= point <= 90 else point))
    return "".join(result)


def comparable(text: str) -> str:
    """Return `without_separators(text)` without ASCII punctuation, for comparing words."""
    return "".join([character for character in without_separators(text) if _counts(character)])


def comparable_ascii(text: str) -> str:
    """Return `comparable(text)` without the characters outside ASCII, which may stand between those of a code."""
    return "".join([character for character in comparable(text) if ord(character) <= 0x7E])


def without_accents(text: str) -> str:
    """Return `comparable_ascii(text)` with a letter for each that has an accent."""
    return comparable_ascii("".join([_letter(character) for character in text]))


def _letter(character: str) -> str:
    point = ord(character)
    for first, letters in LETTERS:
        if 0 <= point - first < len(letters):
            return letters[point - first]
    return character


def ascii_forms(text: str) -> "list[str]":
    """Return the one or two forms in ASCII that a password is searched in for the code (rule 3)."""
    plain, bare = comparable_ascii(text), without_accents(text)
    return [plain] if plain == bare else [plain, bare]


def _counts(character: str) -> bool:
    return ord(character) > 0x7E or character in "0123456789abcdefghijklmnopqrstuvwxyz"


def upper(text: str) -> str:
    """Return `text` with ASCII letters in upper case; CPython's upper() would turn foreign letters into ASCII ones."""
    return "".join([character.upper() if "a" <= character <= "z" else character for character in text])
