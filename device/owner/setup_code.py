"""The set-up code on the label: its alphabet, check character, normal form and the verifier a device keeps.

Rules:
1. A code is 20 random symbols (100 bits; PW-09 asks for 80) and one check character.
2. The alphabet leaves out 0, 1, I and O, so no symbol has a twin that a person may read instead.
3. The check character follows from the other symbols: it adds no secret and gives none away. It tells a slip
   of the typing from a wrong code, so that a slip costs no attempt.
4. Station and device compare normal forms only. A person may add letter case, blanks and dashes, no more.
"""

from device.crypto import backend
from device.errors import SetupCodeError
from device.limits import SETUP_CODE_CHARS

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
RANDOM_SYMBOLS = SETUP_CODE_CHARS - 1
GROUP_SYMBOLS = 7  # printed as three groups of seven
TYPED_CHARS = 64  # longest entry that is looked at, separators included
SEPARATORS = " -\t\u2010\u2011\u2013"  # a phone may turn a dash into a hyphen or an en dash


def _doubled(value: int) -> int:
    """`value` times x in GF(32) with the primitive polynomial x^5 + x^2 + 1."""
    value <<= 1
    return value ^ 0x25 if value & 0x20 else value


def check_character(symbols: str) -> str:
    """Give the check character of the random symbols.

    Weights are the powers of a primitive element of GF(32), all different for up to 31 places: any single
    wrong symbol and any exchange of two symbols changes it. Raises SetupCodeError for a foreign symbol.
    """
    total = 0
    for symbol in symbols:
        index = ALPHABET.find(symbol)
        if index < 0:
            raise SetupCodeError(reason="symbol")
        total = _doubled(total ^ index)
    return ALPHABET[total]


def normalise(code: str) -> str:
    """Give the normal form of a typed or printed code: upper case, no separators, check character verified.

    Raises SetupCodeError with `reason` "length", "symbol" or "check"; none of them depends on a secret.
    """
    if len(code) > TYPED_CHARS:
        raise SetupCodeError(reason="length")
    symbols = ""
    for character in code:
        if character in SEPARATORS:
            continue
        if ord(character) > 126:  # CPython would turn some foreign letters into ours with upper()
            raise SetupCodeError(reason="symbol")
        symbols += character.upper()
    if len(symbols) != SETUP_CODE_CHARS:
        raise SetupCodeError(reason="length")
    if symbols[-1] not in ALPHABET:
        raise SetupCodeError(reason="symbol")
    if check_character(symbols[:-1]) != symbols[-1]:
        raise SetupCodeError(reason="check")
    return symbols


def grouped(code: str) -> str:
    """Give a normal form as people read it: groups of seven with dashes between."""
    groups = []
    for start in range(0, len(code), GROUP_SYMBOLS):
        groups.append(code[start : start + GROUP_SYMBOLS])
    return "-".join(groups)


def verifier(code: str, salt: bytes) -> bytes:
    """Give what a device stores instead of the code: HMAC-SHA-256(salt, normal form), 32 bytes.

    `code` is a normal form. A fast function is enough: 100 random bits bear no guessing (PW-09).
    """
    digest: bytes = backend.hmac_sha256(salt, code.encode())
    return digest
