"""Row 4: the decision about a manifest without its signature, and about malformed input.

The envelope is that of the dual tests, with every check except that of the signature. Malformed input is the same
envelope cut short, padded, with another tag, nested, and full of items up to the largest accepted size.
"""

import test_trust
from bench import allocated, ticks

from device import limits
from device.crypto import backend
from device.errors import CodecError, FirstbootError
from device.trust import verify


class Believing:
    """device.crypto.backend that accepts every signature: rows 1 and 2 have their cost."""

    sha256 = staticmethod(backend.sha256)
    equal = staticmethod(backend.equal)

    @staticmethod
    def p256_verify(_public, _digest, _signature):
        return True


GOOD = test_trust.signed(test_trust.content())
FULL = limits.ENVELOPE_BYTES


def decide(data=GOOD):
    return verify.verify_envelope(data, test_trust.ANCHORS, Believing)


def malformed():
    """Yield malformed envelopes."""
    for end in range(0, len(GOOD), 7):
        yield GOOD[:end]
    yield GOOD + b"\x00"
    yield b"\xd8\x6c" + GOOD[2:]  # another tag
    yield b"\xd8\x6b\x81" * 64  # nesting
    yield b"\xd8\x6b\xbf" + GOOD[3:]  # a map of no stated length
    yield GOOD + bytes(FULL)  # too long to be read
    yield b"\xd8\x6b\x99\x1f\x00" + bytes(FULL - 5)  # the most small numbers that fit
    yield b"\xd8\x6b\xb9\x0f\x80" + bytes(FULL - 5)  # the same key many times
    yield b"\xd8\x6b\x98\xff" + b"\x58\x1e" + bytes(FULL - 6)  # many strings


def worst():
    """Return the most ticks of one refusal. Raises ValueError for an envelope that is not refused as malformed."""
    most = 0
    for data in malformed():
        most = max(most, ticks(_refusal(data)))
    return most


def _refusal(data):
    return lambda: _refuse(data)


def _refuse(data):
    try:
        decide(data)
    except CodecError:
        return
    except FirstbootError as error:
        raise ValueError("refused for another reason: " + error.describe()) from None
    raise ValueError("accepted")


def decide_in_general():
    """Decide without the fixed form (device/trust/fixed_form.py), in which only bytes are read."""
    decide(bytearray(GOOD))


MEASUREMENTS = (("manifest", decide), ("manifest-general", decide_in_general))
FIGURES = (
    ("manifest.bytes", lambda: len(GOOD)),
    ("manifest.allocated", lambda: allocated(decide)),
    ("malformed.ticks", worst),
)
