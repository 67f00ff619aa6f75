"""The set-up code on the label: its alphabet, check character, normal form, and the verifier that a device stores.

Rules:
1. A code is 20 random characters (100 bits; PW-09 asks for 80) and one check character.
2. The alphabet leaves out 0, 1, I and O, so that no character can be mistaken for another.
3. The check character follows from the other characters, so it adds and reveals no secret. It tells a typing mistake
   from a wrong code, so that a mistake costs no attempt.
4. Station and device compare normal forms only. Case, spaces and dashes do not count (typed.py).
"""

from device.crypto import backend
from device.errors import SetupCodeError
from device.limits import SETUP_CODE_CHARS
from device.owner import typed

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
RANDOM_SYMBOLS = SETUP_CODE_CHARS - 1
GROUP_SYMBOLS = 7  # printed as three groups of seven
TYPED_CHARS = 128  # longest entry that is looked at, separators included


def _doubled(value: int) -> int:
    """Return `value` times x in GF(32) with the primitive polynomial x^5 + x^2 + 1."""
    value <<= 1
    return value ^ 0x25 if value & 0x20 else value


def check_character(symbols: str) -> str:
    """Return the check character of the random characters.

    The weights are the powers of a primitive element of GF(32), all different for up to 31 positions: any single
    wrong character and any exchange of two characters changes it. Raises SetupCodeError (reason "symbol") for a
    character that is not in ALPHABET.
    """
    total = 0
    for symbol in symbols:
        index = ALPHABET.find(symbol)
        if index < 0:
            raise SetupCodeError(reason="symbol")
        total = _doubled(total ^ index)
    return ALPHABET[total]


def normalise(code: str) -> str:
    """Return the normal form of a typed or printed code: upper case, no separators, check character verified.

    Raises SetupCodeError with `reason` "length", "symbol" or "check"; none of them depends on a secret.
    """
    if len(code) > TYPED_CHARS:
        raise SetupCodeError(reason="length")
    symbols = typed.upper(typed.without_separators(code))
    for symbol in symbols:
        if ord(symbol) > 0x7E:
            raise SetupCodeError(reason="symbol")
    if len(symbols) != SETUP_CODE_CHARS:
        raise SetupCodeError(reason="length")
    if symbols[-1] not in ALPHABET:
        raise SetupCodeError(reason="symbol")
    if check_character(symbols[:-1]) != symbols[-1]:
        raise SetupCodeError(reason="check")
    return symbols


def grouped(code: str) -> str:
    """Return a normal form as people read it: groups of seven with dashes between them."""
    groups = []
    for start in range(0, len(code), GROUP_SYMBOLS):
        groups.append(code[start : start + GROUP_SYMBOLS])
    return "-".join(groups)


def verifier(code: str, salt: bytes) -> bytes:
    """Return what a device stores instead of the code: HMAC-SHA-256(salt, normal form), 32 bytes.

    `code` is a normal form. A fast function is enough, because nobody can guess 100 random bits (PW-09).
    """
    digest: bytes = backend.hmac_sha256(salt, code.encode())
    return digest
