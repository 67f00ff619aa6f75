"""Facts as programs put them into documents and ciphers before they make a code of them: for the first unit of a batch.

A station derives all its codes in the same way, so one unit is enough (derivation.py, rule 1).
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_KEYS: Final = {
    "serial number": ("serial", "sn", "serial_number", "serialNumber", "id"),
    "hardware id": ("hardware_id", "hardwareId", "hwid", "mac", "id"),
    "device id": ("device_id", "deviceId", "id"),
    "model": ("model", "product"),
    "batch": ("batch", "lot"),
}
_ANY_KEYS: Final = ("serial", "model", "id")  # of every other fact
_BLOCK: Final = 16  # bytes of AES
_STREAM: Final = 64
CIPHERS: Final = "AES (ECB, CBC with a zero vector, CTR), RC4"

Named = tuple[str, bytes]


def documents(facts: Sequence[Named]) -> Iterator[Named]:
    """Yield (name, text) of each fact and each ordered pair as JSON, compact and spaced, and as a form's fields.

    A fact that is not UTF-8 text is in no such document.
    """
    texts = [(name, text) for name, fact in facts if (text := _text(fact)) is not None]
    for name, text in texts:
        for key in _KEYS.get(name, _ANY_KEYS):
            yield from ((f"a document of {name}", written) for written in _written([(key, text)]))
    for (one, first), (other, second) in itertools.permutations(texts, 2):
        for key, next_key in itertools.product(_KEYS.get(one, _ANY_KEYS), _KEYS.get(other, _ANY_KEYS)):
            if key != next_key:
                fields = [(key, first), (next_key, second)]
                yield from ((f"a document of {one} and {other}", written) for written in _written(fields))


def _text(fact: bytes) -> str | None:
    try:
        text = fact.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and '"' not in text and "\\" not in text else None


def _written(fields: Sequence[tuple[str, str]]) -> Iterator[bytes]:
    """Yield the fields as JSON, with every value as text, and with one as the number of its digits or last digits."""
    quoted = [(key, f'"{text}"') for key, text in fields]
    forms = [quoted]
    for at, (key, text) in enumerate(fields):
        runs = re.findall("[0-9]+", text)
        for number in dict.fromkeys(int(digits) for digits in ("".join(runs), *runs[-1:]) if digits):
            forms.append([*quoted[:at], (key, str(number)), *quoted[at + 1 :]])
    for form, (colon, comma) in itertools.product(forms, ((":", ","), (": ", ", "))):
        yield ("{" + comma.join(f'"{key}"{colon}{value}' for key, value in form) + "}").encode()
    yield "&".join(f"{key}={text}" for key, text in fields).encode()


def enciphered(facts: Sequence[Named], constants: Sequence[bytes]) -> Iterator[Named]:
    """Yield (way, value) of each fact under AES and RC4, with keys that follow from the facts and the constants."""
    keys = list(
        dict.fromkeys(key for _, fact in [*facts, *(("", one) for one in constants)] for key in _keys(fact))
    )
    blocks = list(dict.fromkeys(block for _, fact in facts for block in _blocks(fact)))
    for key in keys:
        cipher = algorithms.AES(key)
        for mode, name in (
            (modes.ECB(), "ECB"),  # noqa: S305 - what a weak station may have used
            (modes.CBC(bytes(_BLOCK)), "CBC"),
            (modes.CTR(bytes(_BLOCK)), "CTR"),
        ):
            for block in blocks if name != "CTR" else [bytes(_STREAM)]:
                encryptor = Cipher(cipher, mode).encryptor()
                yield f"AES-{8 * len(key)}-{name}", encryptor.update(block) + encryptor.finalize()
    for key in {fact for _, fact in facts} | set(keys):
        if key:
            yield "RC4", _rc4(key)


def _keys(fact: bytes) -> Iterator[bytes]:
    """Yield the AES keys that programs make of a fact: digests, or the fact filled with zeros or spaces."""
    whole = hashlib.sha256(fact).digest()
    yield from (hashlib.md5(fact, usedforsecurity=False).digest(), whole, whole[:_BLOCK])
    yield from (hashlib.sha1(fact, usedforsecurity=False).digest()[:_BLOCK],)
    for size in (16, 32):
        yield from (fact[:size].ljust(size, fill) for fill in (b"\0", b" ", b"0"))


def _blocks(fact: bytes) -> Iterator[bytes]:
    """Yield a fact as whole blocks: filled with zeros, and as PKCS#7 says (RFC 5652, section 6.3)."""
    missing = -len(fact) % _BLOCK
    if fact:
        yield fact + bytes(missing)
    yield fact + bytes([missing or _BLOCK]) * (missing or _BLOCK)


def _rc4(key: bytes) -> bytes:
    """Return the beginning of the key stream of RC4."""
    state, at = list(range(256)), 0
    for number in range(256):
        at = (at + state[number] + key[number % len(key)]) & 255
        state[number], state[at] = state[at], state[number]
    found, at = bytearray(), 0
    for number in range(1, _STREAM + 1):
        at = (at + state[number]) & 255
        state[number], state[at] = state[at], state[number]
        found.append(state[(state[number] + state[at]) & 255])
    return bytes(found)
