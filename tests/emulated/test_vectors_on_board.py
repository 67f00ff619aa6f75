"""The published vectors on the board: one program on CPython and MicroPython gives the same answer to each.

The right answers are tested on CPython (tests/unit/device/trust/test_vectors_*.py). ECDSA and AES-CCM of Wycheproof,
which the board's C module computes, are in test_firmware_crypto.py.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest

from device.codec import cose
from tests.emulated.firmware_support import Prompt, kit, prompt
from tests.unit.device.trust import test_vectors_formats as formats
from tests.unit.device.trust.vectors import load

__all__ = ["kit", "prompt"]

pytestmark = [pytest.mark.emulated, pytest.mark.vectors]

PROGRAM = """
from binascii import hexlify, unhexlify
from device.codec import cbor, cose
from device.crypto import backend, ed25519
from device.errors import FirstbootError
from device.suit import envelope, manifest
from device.trust import signatures, verify
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, Anchors, Key

def told(work, *arguments):
    feed()
    try:
        print(work(*[unhexlify(one) if isinstance(one, str) else one for one in arguments]))
    except FirstbootError as error:
        print(error.describe())
    except ValueError:
        print("ValueError")

def look_cbor(data):
    return hexlify(cbor.encode(cbor.decode(data))).decode()

def look_cose(data, aad, algorithm, public):
    signed = cose.decode(data)
    signatures.verify_signer(signed, signed.signers[-1], Key(b"k", algorithm, ROLE_AUTHOR, public), aad, None, backend)
    return bytes(signed.payload)

def look_suit(data, public):
    parts = envelope.decode(data)
    anchors = Anchors(bytes(16), bytes(16), (Key(b"k", cose.ALG_ESP256, ROLE_AUTHOR, public),), 0, 0, NO_RULES)
    verify._verify_author(parts, anchors, backend)
    content = manifest.decode(parts.manifest)
    return content.sequence_number, len(content.components), envelope.encode(parts) == data

def look_ed25519(public, message, signature):
    return ed25519.ed25519_verify(public, message, signature)
"""
BATCH = 4000  # characters sent at a time


def on_cpython() -> Callable[[str], str]:
    """Runs a line of code after PROGRAM and returns its output."""
    names: dict[str, object] = {"feed": lambda: None}
    exec(PROGRAM, names)  # noqa: S102  the same text that the board gets

    def run(code: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, names)  # noqa: S102
        return out.getvalue()

    return run


def compare(board: Prompt, lines: list[str]) -> list[str]:
    """Compare the board's output for each line with CPython's."""
    # A verification in Python takes a second of the watchdog's ten.
    board.run("from _mps2 import watchdog_feed as feed\n" + PROGRAM)
    here = on_cpython()
    seen: list[str] = []
    batch: list[str] = []
    for number, line in enumerate(lines):
        batch.append(line)
        if sum(map(len, batch)) > BATCH or number == len(lines) - 1:
            code = "\n".join(batch) + "\n"
            expected = here(code)
            assert board.run(code, timeout_s=300).replace("\r", "") == expected
            seen += expected.splitlines()
            batch = []
    return seen


def test_cbor_answers_every_example_of_rfc_8949_as_cpython_does(prompt: Prompt) -> None:
    examples = [entry["hex"] for entry in load("cbor/appendix_a.json")]
    seen = compare(prompt, [f"told(look_cbor, {text!r})" for text in examples])
    assert sum(answer in examples for answer in seen) > 40


def test_cose_answers_its_working_groups_examples_as_cpython_does(prompt: Prompt) -> None:
    lines = []
    for name in (*formats.P256_SIGNED, *formats.P256_FAILS):
        data, aad, _, key = formats._example(name)
        public = formats._p256_key(key).public
        lines.append(f"told(look_cose, {data.hex()!r}, {aad.hex()!r}, {cose.ALG_ESP256}, {public.hex()!r})")
    for name, algorithm, member in (
        ("eddsa-examples/eddsa-01", cose.ALG_ED25519, "x_hex"),
        ("eddsa-examples/eddsa-sig-01", cose.ALG_ED25519, "x_hex"),
        ("hashsig/hashsig-01", cose.ALG_HSS_LMS, "public"),
        ("hashsig/hsssig-sig-01", cose.ALG_HSS_LMS, "public"),
    ):
        data, aad, _, key = formats._example(name)
        lines.append(f"told(look_cose, {data.hex()!r}, {aad.hex()!r}, {algorithm}, {key[member]!r})")
    seen = compare(prompt, lines)
    assert seen.count("b'This is the content.'") == len(formats.P256_SIGNED) + 4


def test_suit_answers_every_example_of_the_draft_as_cpython_does(prompt: Prompt) -> None:
    public = formats._author().public.hex()
    envelopes = [data for number in formats.EXAMPLES for data in formats._suit_example(number)]
    seen = compare(prompt, [f"told(look_suit, {data.hex()!r}, {public!r})" for data in envelopes])
    assert sum(answer.endswith("True)") for answer in seen) >= len(formats.EXAMPLES)


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.nightly)])
def test_ed25519_gives_wycheproofs_verdicts_as_cpython_does(prompt: Prompt, every: int) -> None:
    lines = [
        f"told(look_ed25519, {group['publicKey']['pk']!r}, {case['msg']!r}, {case['sig']!r})"
        for group in load("wycheproof/ed25519_test.json")["testGroups"]
        for case in group["tests"]
    ]
    seen = compare(prompt, lines[::every])
    assert {"True", "False"} <= set(seen)
