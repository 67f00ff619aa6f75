"""Which passwords an owner may choose (PW-15, PW-16): length, no composition rules, nothing common or predictable.

Rules, in the order they are applied; each refusal is PasswordError with a permanent `reason`:
1. "length-min", "length-max": 15 to 64 characters (NIST SP 800-63B-4 3.1.1.2), at most PASSWORD_MAX_BYTES bytes.
2. "character": control characters and line separators are refused; every other character counts, spaces too.
3. "not-normalised": characters outside ASCII have several encodings. The page's script brings them to NFKC; a
   form that did not pass through it may carry ASCII only, so that the same password always gives the same bytes.
4. "context": the password contains the device's id, serial, model, brand, host name or set-up code, or a long
   part of one, forwards or backwards (PW-16).
5. "repeated": one short piece again and again, or fewer than five different characters.
6. "common", "sequence": what is left, once well-known passwords and runs count as one character each, is too
   short. Runs are equal characters, the alphabet, digits, and walks over a keyboard.

These are good practice, not law: SI 2023/1007 sets no strength for a password that the user defines.
"""

from device.compat import const
from device.errors import PasswordError
from device.limits import PASSWORD_MAX_BYTES, PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS
from device.owner.common_passwords import WORDS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Sequence

DISTINCT_CHARS = 5
EFFECTIVE_CHARS = 6  # pieces that must be left when each common word and each run counts once
RUN_CHARS = 3  # shorter runs are ordinary language
CONTEXT_MIN_CHARS = 4  # a two-letter brand would forbid half the language
CONTEXT_PART_CHARS = 8  # of a longer context word, any part of this length counts

_SEPARATORS = " -_.,"
# Alphabet, digits, and walks over the keyboards of the common layouts, in rows and in columns.
_WALKS = (
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
_LEET = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"}


def check(password: str, context: "Sequence[str]", is_normalised: bool) -> None:
    """Return when `password` may be used; raise PasswordError(reason) when not (rules above).

    `context` are the words of this device (rule 4). `is_normalised` says that the page's script applied NFKC.
    """
    _check_length(password)
    _check_characters(password, is_normalised)
    plain = canonical(password)
    if _has_context(plain, context):
        raise PasswordError(reason="context")
    if _is_repeated(plain):
        raise PasswordError(reason="repeated")
    pieces, has_word = _pieces(plain)
    if pieces < EFFECTIVE_CHARS:
        raise PasswordError(reason="common" if has_word else "sequence")


def _check_length(password: str) -> None:
    if len(password) < PASSWORD_MIN_CHARS:
        raise PasswordError(reason="length-min")
    if len(password) > PASSWORD_MAX_CHARS or len(password.encode()) > PASSWORD_MAX_BYTES:
        raise PasswordError(reason="length-max")


def _check_characters(password: str, is_normalised: bool) -> None:
    is_ascii = True
    for character in password:
        point = ord(character)
        if point < 0x20 or 0x7F <= point < 0xA0 or point in (0x2028, 0x2029, 0xFEFF):
            raise PasswordError(reason="character")
        if point > 0x7E:
            is_ascii = False
    if not is_ascii and not is_normalised:
        raise PasswordError(reason="not-normalised")


def canonical(text: str) -> str:
    """Give `text` in lower case (ASCII letters only) without the separators that people put between words."""
    result = []
    for character in text:
        if character in _SEPARATORS:
            continue
        point = ord(character)
        result.append(chr(point + 32) if 65 <= point <= 90 else character)
    return "".join(result)


def _has_context(plain: str, context: "Sequence[str]") -> bool:
    for word in context:
        target = canonical(word)
        if len(target) < CONTEXT_MIN_CHARS:
            continue
        size = min(len(target), CONTEXT_PART_CHARS)
        for start in range(len(target) - size + 1):
            part = target[start : start + size]
            if part in plain or _reversed(part) in plain:
                return True
    return False


def _reversed(text: str) -> str:
    return "".join([text[at] for at in range(len(text) - 1, -1, -1)])


def _is_repeated(plain: str) -> bool:
    if len(set(plain)) < DISTINCT_CHARS:
        return True
    for period in range(1, min(PASSWORD_MIN_CHARS - 1, len(plain) // 2) + 1):
        if plain[period:] == plain[: len(plain) - period]:
            return True
    return False


def _pieces(plain: str) -> "tuple[int, bool]":
    """Count what a guesser has to guess: words and runs once, other characters each. Says if a word was seen."""
    spoken = "".join([_LEET.get(character, character) for character in plain])
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
    """Length of the longest well-known password that begins at `at`, 0 for none."""
    longest = 0
    for word in WORDS.get(text[at], "").split():
        if len(word) > longest and text[at : at + len(word)] == word:
            longest = len(word)
    return longest


def _run_chars(text: str, at: int) -> int:
    """Length of the longest run that begins at `at`, 0 when it is shorter than RUN_CHARS."""
    longest = 1
    while at + longest < len(text) and text[at + longest] == text[at]:
        longest += 1
    for walk in _WALKS:
        if walk.find(text[at]) >= 0:
            longest = max(longest, _walked(text, at, walk, 1), _walked(text, at, walk, -1))
    return longest if longest >= RUN_CHARS else 0


def _walked(text: str, at: int, walk: str, direction: int) -> int:
    place = walk.find(text[at])
    length = 1
    while at + length < len(text):
        place = (place + direction) % len(walk)
        if text[at + length] != walk[place]:
            break
        length += 1
    return length
