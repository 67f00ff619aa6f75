"""COSE over all messages: round trips, damage, and an independent peer on the other side."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycose.algorithms import Es256
from pycose.headers import KID, Algorithm
from pycose.keys import EC2Key
from pycose.keys.curves import P256
from pycose.messages import CoseMessage, Sign1Message

from device.codec import cose
from device.crypto import p256
from device.errors import CodecError, FirstbootError
from device.trust import signatures, signed_record, verify
from device.trust.anchors import NO_RULES, ROLE_SUPPORT, Anchors, Key

PRIVATE = b"\x07" * 32
PUBLIC = p256.p256_public(PRIVATE)
KEY = Key(b"k", cose.ALG_ESP256, ROLE_SUPPORT, PUBLIC)
ANCHORS = Anchors(bytes(16), bytes(16), (KEY,), 0, 0, NO_RULES)
PEER = EC2Key(crv=P256, x=PUBLIC[1:33], y=PUBLIC[33:], d=PRIVATE)
TYP = "application/vnd.firstboot.support+cbor"


def _sign(message: bytes) -> bytes:
    return p256.p256_sign(PRIVATE, sha256(message).digest())


RECORD = cose.sign1_encode(
    b"payload", algorithm=-9, key_id=b"k", sign=_sign, typ=TYP, external_aad=TYP.encode()
)


@settings(max_examples=30)
@given(st.binary(max_size=200), st.binary(max_size=40), st.binary(min_size=1, max_size=32))
def test_an_independent_peer_verifies_what_we_sign(payload: bytes, aad: bytes, key_id: bytes) -> None:
    data = cose.sign1_encode(payload, algorithm=-7, key_id=key_id, sign=_sign, external_aad=aad)
    message = CoseMessage.decode(data)
    message.key = PEER
    message.external_aad = aad
    assert message.verify_signature()
    assert message.payload == payload


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=200), st.binary(max_size=40))
def test_we_verify_what_an_independent_peer_signs(payload: bytes, aad: bytes) -> None:
    message = Sign1Message(phdr={Algorithm: Es256}, uhdr={KID: b"k"}, payload=payload, external_aad=aad)
    message.key = PEER
    signed = cose.decode(message.encode())
    signatures.verify_signer(signed, signed.signers[0], KEY, aad, None, verify.backend)
    assert signed.payload == payload


@given(st.integers(0, len(RECORD) * 8 - 1))
def test_no_changed_bit_of_a_record_passes(bit: int) -> None:
    data = bytearray(RECORD)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FirstbootError):
        signed_record.verify_record(bytes(data), TYP, ROLE_SUPPORT, ANCHORS)


@given(st.binary(max_size=80))
def test_bytes_of_anyone_are_a_codec_error(data: bytes) -> None:
    with pytest.raises(CodecError):
        cose.decode(data)
