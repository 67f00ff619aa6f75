"""Rows 1 and 2: one verification of each algorithm, in plain MicroPython and in the C module.

The vectors are those of the dual tests, which check that each of them verifies and that changed ones do not.
"""

import test_ed25519
import test_lms
import test_p256

from device.crypto import backend, ed25519, lms, p256

ONE_LEVEL = (1).to_bytes(4, "big")


def hss(verify, public, message, signature):
    """Return a tree of one level, as HSS."""
    public, signature = ONE_LEVEL + public, bytes(4) + signature
    return lambda: require(verify(public, message, signature))


def ecdsa(verify):
    return lambda: require(verify(test_p256.PUBLIC, test_p256.DIGEST, test_p256.SAMPLE))


def eddsa():
    require(ed25519.ed25519_verify(test_ed25519.PUBLIC, test_ed25519.MESSAGE, test_ed25519.SIGNATURE))


def require(is_good):
    """Raise ValueError for a failed verification: it measures nothing."""
    if not is_good:
        raise ValueError("the vector does not verify")


W4 = (test_lms.SECOND, test_lms.MESSAGE, test_lms.SECOND_SIGNATURE)
W8 = (test_lms.TOP, test_lms.SECOND, test_lms.TOP_SIGNATURE)

MEASUREMENTS = (
    ("lms-w4-python", hss(lms.hss_verify, *W4)),
    ("lms-w8-python", hss(lms.hss_verify, *W8)),
    ("lms-w4-c", hss(backend.hss_verify, *W4)),
    ("lms-w8-c", hss(backend.hss_verify, *W8)),
    ("p256-python", ecdsa(p256.p256_verify)),
    ("p256-c", ecdsa(backend.p256_verify)),
    ("ed25519-python", eddsa),
)
