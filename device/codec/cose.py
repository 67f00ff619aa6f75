"""COSE signatures (RFC 9052): the structure of COSE_Sign1 and COSE_Sign, and the bytes that are signed.

Nothing here decides trust: `device.trust` picks the key, and the key picks the algorithm. Rules:
1. A message carries its tag: 18 (COSE_Sign1) or 98 (COSE_Sign).
2. `alg` (1) and `typ` (16, RFC 9596) count only inside the protected header; elsewhere they are refused.
3. `crit` (2) is refused: no header here needs it (RFC 9052 3.1).
4. Labels besides alg, content type (3), kid (4) and typ are refused; no label is in both headers.
5. A payload may be detached (nil); the caller then gives it.
6. At most SIGNATURES_TRIED signatures, unless the caller allows more.
7. COSE_Mac and COSE_Encrypt are refused by name: a unit shares no secret with its author.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import CoseError, LimitError
from device.limits import ENVELOPE_BYTES, SIGNATURES_TRIED, UNVERIFIED_ITEMS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

TAG_SIGN1 = 18
TAG_SIGN = 98

_BYTES = const(2)  # major type of CBOR

# COSE_Sign1 with a detached payload: protected header, key id, 64 bytes of signature.
_PROTECTED = b"\xa1\x01\x28"  # alg: ESP256
_AUTHOR_FORM = (b"\xd2\x84\x43\xa1\x01\x28\xa1\x04", _BYTES, b"\xf6\x58\x40", 64)

_OTHER_TAGS = ((16, "COSE_Encrypt0"), (17, "COSE_Mac0"), (96, "COSE_Encrypt"), (97, "COSE_Mac"))

# IANA COSE Algorithms. -7 is the older name of -9 (RFC 9864): ECDSA with SHA-256; here both mean P-256.
ALG_ES256 = -7
ALG_EDDSA = -8  # the older name of -19 for an Ed25519 key (RFC 9864)
ALG_ESP256 = -9
ALG_ED25519 = -19
ALG_HSS_LMS = -46

# IANA COSE Header Parameters.
HEADER_ALG = 1
HEADER_CRIT = 2
HEADER_CONTENT_TYPE = 3
HEADER_KID = 4
HEADER_TYP = 16

# A decoded message. `protected`: the bytes that are signed (empty for no header); `payload` None when detached;
# `signers`: tuple of Signer.
Signed = namedtuple("Signed", ("protected", "typ", "content_type", "payload", "signers"))
# One signature. `algorithm`: COSE number; `key_id`: bytes or None; `protected`: the signer's own header bytes,
# None in COSE_Sign1, which has one header for both; `signature`: bytes, or a part of the memoryview that was decoded.
Signer = namedtuple("Signer", ("algorithm", "key_id", "protected", "signature"))


def decode(data: bytes, limit: int = ENVELOPE_BYTES, signatures: int = SIGNATURES_TRIED) -> Signed:
    """Return the Signed structure of a tagged COSE_Sign1 or COSE_Sign of at most `limit` bytes.

    Raises CborError, CoseError (field `reason`), LimitError. No signature is checked.
    """
    return (_author_form(data) if len(data) <= limit else None) or decode_any(data, limit, signatures)


def _author_form(data: bytes) -> "Signed | None":
    """Return what decode_any returns for a signature as `firstboot release sign` writes it with P-256, else None."""
    found = cbor.scan(data, 0, len(data), _AUTHOR_FORM)
    if found is None:
        return None
    start, end, at = found
    signer = Signer(ALG_ESP256, bytes(data[start:end]), None, data[at:])
    return Signed(_PROTECTED, None, None, None, (signer,))


def decode_any(data: bytes, limit: int, signatures: int) -> Signed:
    """Return what decode returns, without the short way for the signature of an author."""
    message = cbor.decode(data, limit, UNVERIFIED_ITEMS)
    if isinstance(message, cbor.Tag):
        for number, name in _OTHER_TAGS:
            if message.number == number:
                raise CoseError(reason=name + " is not supported")
    if not isinstance(message, cbor.Tag) or message.number not in (TAG_SIGN1, TAG_SIGN):
        raise CoseError(reason="not a tagged COSE_Sign1 or COSE_Sign")
    parts = message.value
    if not isinstance(parts, list) or len(parts) != 4:
        raise CoseError(reason="not four parts")
    protected, headers, key_id = _headers(parts[0], parts[1])
    payload = parts[2]
    if payload is not None and not isinstance(payload, bytes):
        raise CoseError(reason="payload is not a byte string")
    if message.number == TAG_SIGN1:
        signers: "tuple[Signer, ...]" = (_signer(headers, key_id, None, parts[3]),)
    else:
        if HEADER_ALG in headers or key_id is not None:
            raise CoseError(reason="alg or kid of a signer in the body")
        signers = _signers(parts[3], signatures)
    return Signed(protected, headers.get(HEADER_TYP), headers.get(HEADER_CONTENT_TYPE), payload, signers)


def to_be_signed(
    signed: Signed, signer: Signer, external_aad: bytes, detached: "bytes | None" = None
) -> bytes:
    """Return the Sig_structure (RFC 9052 4.4) that `signer` of `signed` must have signed.

    `detached` is the payload of a message without one; giving both or neither raises CoseError.
    """
    if (signed.payload is None) == (detached is None):
        raise CoseError(reason="no payload" if detached is None else "two payloads")
    payload = signed.payload if detached is None else detached
    return _structure(signed.protected, signer.protected, external_aad, payload)


def sign1_encode(
    payload: bytes,
    *,
    algorithm: int,
    key_id: "bytes | None",
    sign: "Callable[[bytes], bytes]",
    typ: "str | None" = None,
    external_aad: bytes = b"",
    is_detached: bool = False,
) -> bytes:
    """Return a tagged COSE_Sign1; `sign` gets the Sig_structure and returns the raw signature.

    `key_id` and `typ` are left out if None; a detached payload is signed but not carried.
    """
    headers: "dict[int, Any]" = {HEADER_ALG: algorithm}
    if typ is not None:
        headers[HEADER_TYP] = typ
    protected = cbor.encode(headers)
    signature = sign(_structure(protected, None, external_aad, payload))
    unprotected = {} if key_id is None else {HEADER_KID: key_id}
    return cbor.encode(
        cbor.Tag(TAG_SIGN1, [protected, unprotected, None if is_detached else payload, signature])
    )


def sign_encode(
    payload: bytes,
    *,
    signers: "tuple[tuple[int, bytes | None, Callable[[bytes], bytes]], ...]",
    typ: "str | None" = None,
    external_aad: bytes = b"",
    is_detached: bool = False,
    limit: int = SIGNATURES_TRIED,
) -> bytes:
    """Return a tagged COSE_Sign with one signature per (algorithm, key id, sign) of `signers`.

    `typ` goes into the protected header of the body. Raises LimitError past `limit`, CoseError without a signer.
    """
    if not signers:
        raise CoseError(reason="no signature")
    if len(signers) > limit:
        raise LimitError(what="COSE signatures", limit=limit)
    body = b"" if typ is None else cbor.encode({HEADER_TYP: typ})
    parts = []
    for algorithm, key_id, sign in signers:
        protected = cbor.encode({HEADER_ALG: algorithm})
        signature = sign(_structure(body, protected, external_aad, payload))
        parts.append([protected, {} if key_id is None else {HEADER_KID: key_id}, signature])
    return cbor.encode(cbor.Tag(TAG_SIGN, [body, {}, None if is_detached else payload, parts]))


def _structure(body: bytes, signer: "bytes | None", external_aad: bytes, payload: bytes) -> bytes:
    # RFC 9052 4.4: one header and the context "Signature1", or two and "Signature". All other items are byte strings.
    parts = [b"\x84\x6aSignature1" if signer is None else b"\x85\x69Signature"]
    for item in (body, signer, external_aad, payload):
        if item is None:
            continue
        parts.append(cbor.head(_BYTES, len(item)))
        parts.append(item)
    return b"".join(parts)


def _headers(protected: "Any", unprotected: "Any") -> "tuple[bytes, dict[Any, Any], bytes | None]":
    """Return (bytes to sign, protected headers, key id) of a checked pair of headers."""
    if not isinstance(protected, bytes) or not isinstance(unprotected, dict):
        raise CoseError(reason="headers are not a byte string and a map")
    inside = cbor.decode(protected, ENVELOPE_BYTES, UNVERIFIED_ITEMS) if protected else {}
    if not isinstance(inside, dict):
        raise CoseError(reason="protected header is not a map")
    if not inside:
        protected = b""  # RFC 9052 4.4: no protected header is signed as the empty string
    for label in inside:
        _check_header(label, inside[label])
        if label in unprotected:
            raise CoseError(reason="header twice", label=label)
    for label in unprotected:
        if label != HEADER_KID:
            raise CoseError(reason="header not allowed outside the protected ones", label=label)
        _check_header(label, unprotected[label])
    return protected, inside, inside.get(HEADER_KID, unprotected.get(HEADER_KID))


def _check_header(label: "Any", value: "Any") -> None:
    if label == HEADER_CRIT:
        raise CoseError(reason="crit is not supported")
    if label == HEADER_ALG:
        is_good = isinstance(value, int) and not isinstance(value, bool)
    elif label == HEADER_KID:
        is_good = isinstance(value, bytes)
    elif label in (HEADER_TYP, HEADER_CONTENT_TYPE):
        is_good = isinstance(value, (str, int)) and not isinstance(value, bool)
    else:
        raise CoseError(reason="header not supported", label=label)
    if not is_good:
        raise CoseError(reason="wrong type of header", label=label)


def _signer(
    headers: "dict[Any, Any]", key_id: "bytes | None", protected: "bytes | None", signature: "Any"
) -> Signer:
    if HEADER_ALG not in headers:
        raise CoseError(reason="no alg in the protected header")
    if not isinstance(signature, bytes) or not signature:
        raise CoseError(reason="signature is not a byte string")
    return Signer(headers[HEADER_ALG], key_id, protected, signature)


def _signers(parts: "Any", limit: int) -> "tuple[Signer, ...]":
    if not isinstance(parts, list) or not parts:
        raise CoseError(reason="no signature")
    if len(parts) > limit:
        raise LimitError(what="COSE signatures", limit=limit)
    result = []
    for part in parts:
        if not isinstance(part, list) or len(part) != 3:
            raise CoseError(reason="signature does not have three parts")
        protected, headers, key_id = _headers(part[0], part[1])
        if HEADER_TYP in headers or HEADER_CONTENT_TYPE in headers:
            raise CoseError(reason="typ or content type of the body in a signer")
        result.append(_signer(headers, key_id, protected, part[2]))
    return tuple(result)
