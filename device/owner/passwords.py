"""The rules for an owner's password (PW-15, PW-16): length, no composition rules, nothing common or predictable.

Rules, in the order in which they are applied; each refusal is PasswordError with a permanent `reason`:
1. "length-min", "length-max": 15 to 64 characters (NIST SP 800-63B-4 3.1.1.2), so at most PASSWORD_MAX_BYTES bytes.
2. "character": control characters, line separators, and characters that nobody can see and type again are refused,
   such as a zero-width space: the next sign-in would fail. All other characters are allowed, spaces too.
3. "not-normalised": characters outside ASCII have several encodings. The page's script converts them to NFKC. A form
   that did not pass through the script may contain ASCII only, so that the same password always gives the same bytes.
4. "context": the password contains the device's id, serial, model, brand, host name or set-up code, or a long
   part of one, forwards or backwards, with any separators, punctuation or characters outside ASCII between (PW-16;
   typed.py).
5. "repeated": one short piece is repeated, or there are fewer than five different characters.
6. "common", "sequence": too little is left when each well-known password and each run counts as one character. Runs
   are equal characters, the alphabet, digits, and walks over a keyboard.

These rules are good practice, not law: SI 2023/1007 sets no strength for a password that the user defines. The page's
strength meter runs the same rules (device/web/meter.py); a test compares both.
"""

from device.compat import const
from device.errors import PasswordError
from device.limits import PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS
from device.owner import typed
from device.owner.common_passwords import WORDS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Sequence

DISTINCT_CHARS = 5
EFFECTIVE_CHARS = 6  # pieces that must be left when each common word and each run counts once
RUN_CHARS = 3  # shorter runs are ordinary language
CONTEXT_MIN_CHARS = 4  # a two-letter brand would forbid half the language
CONTEXT_PART_CHARS = 8  # of a longer context word, any part of this length counts

# Control characters and line separators; and spaces that NFKC would have turned into U+0020.
REFUSED = (
    (0x00, 0x1F),
    (0x7F, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
)
# The alphabet, digits, and walks over the keyboards of the common layouts, in rows and in columns.
WALKS = (
    "abcdefghijklmnopqrstuvwxyz",
    "1234567890",
    "!@#$%^&*()",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "qwertzuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
)
LEET = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"}


def check(password: str, context: "Sequence[str]", is_normalised: bool) -> None:
    """Return if `password` may be used; raise PasswordError(reason) if not (rules above).

    `context` lists the words of this device (rule 4). `is_normalised`: the page's script applied NFKC.
    """
    _check_length(password)
    _check_characters(password, is_normalised)
    plain = canonical(password)
    for text in [typed.comparable(password)] + typed.ascii_forms(password):
        if _has_context(text, context):
            raise PasswordError(reason="context")
    if _is_repeated(plain):
        raise PasswordError(reason="repeated")
    pieces, has_word = _pieces(plain)
    if pieces < EFFECTIVE_CHARS:
        raise PasswordError(reason="common" if has_word else "sequence")


def _check_length(password: str) -> None:
    if len(password) < PASSWORD_MIN_CHARS:
        raise PasswordError(reason="length-min")
    if len(password) > PASSWORD_MAX_CHARS:
        raise PasswordError(reason="length-max")


def _check_characters(password: str, is_normalised: bool) -> None:
    for character in password:
        point = ord(character)
        if typed.is_in(point, REFUSED) or typed.is_in(point, typed.INVISIBLE):
            raise PasswordError(reason="character")
    if not is_normalised:
        check_ascii(password)


def check_ascii(password: str) -> None:
    """Raise PasswordError(reason "not-normalised") if `password` contains a character outside ASCII (rule 3)."""
    for character in password:
        if ord(character) > 0x7E:
            raise PasswordError(reason="not-normalised")


def canonical(text: str) -> str:
    """Return `text` in the form that is searched for words and runs: ASCII lower case, no separators between words."""
    return typed.without_separators(text)


def _has_context(plain: str, context: "Sequence[str]") -> bool:
    """Return whether `plain` (typed.comparable) contains a long part of a word of the device (rule 4)."""
    for word in context:
        target = typed.comparable(word)
        if len(target) < CONTEXT_MIN_CHARS:
            continue
        size = min(len(target), CONTEXT_PART_CHARS)
        for start in range(len(target) - size + 1):
            part = target[start : start + size]
            if part in plain or backwards(part) in plain:
                return True
    return False


def backwards(text: str) -> str:
    """Return `text` from its last character to its first (MicroPython slices strings with step 1 only)."""
    return "".join([text[at] for at in range(len(text) - 1, -1, -1)])


def _is_repeated(plain: str) -> bool:
    if len(set(plain)) < DISTINCT_CHARS:
        return True
    # A shorter period has fewer different characters.
    for period in range(DISTINCT_CHARS, min(PASSWORD_MIN_CHARS - 1, len(plain) // 2) + 1):
        if plain[period:] == plain[: len(plain) - period]:
            return True
    return False


def _pieces(plain: str) -> "tuple[int, bool]":
    """Return (what a guesser has to guess: each word and each run counts once, other characters one by one; whether
    a well-known word was found)."""
    spoken = "".join([LEET.get(character, character) for character in plain])
    at = count = 0
    has_word = False
    while at < len(plain):
        word = max(_word_chars(plain, at), _word_chars(spoken, at))
        run = _run_chars(plain, at)
        if word >= run and word:
            has_word = True
        at += max(word, run, 1)
        count += 1
    return count, has_word


def _word_chars(text: str, at: int) -> int:
    """Return the length of the longest well-known password that begins at `at`, or 0."""
    found = 0
    for word in WORDS.get(text[at], "").split():
        if text[at : at + len(word)] == word:
            found = len(word)  # the words are in ascending order: of those that fit a later one is longer
    return found


def _run_chars(text: str, at: int) -> int:
    """Return the length of the longest run that begins at `at`, 0 if it is shorter than RUN_CHARS."""
    longest = 1
    while at + longest < len(text) and text[at + longest] == text[at]:
        longest += 1
    for walk in WALKS:
        if walk.find(text[at]) >= 0:
            longest = max(longest, _walked(text, at, walk, 1), _walked(text, at, walk, -1))
    return longest if longest >= RUN_CHARS else 0


def _walked(text: str, at: int, walk: str, direction: int) -> int:
    index = walk.find(text[at])
    length = 1
    while at + length < len(text):
        index = (index + direction) % len(walk)
        if text[at + length] != walk[index]:
            break
        length += 1
    return length
