"""OSCORE client (RFC 8613): protects a CoAP request and decrypts the response that belongs to it. No I/O.

Rules:
1. Sender sequence numbers come from device/net/sender_sequence.py: no number is used twice after any power cut.
2. Key id and partial IV in the AAD bind a response to its request (5.4). It cannot answer another request.
3. A message is refused for an unknown critical outer option, a reserved bit, another kid or a bad tag. Outer options
   of class E are discarded (8.4).
4. The only algorithms are AES-CCM-16-64-128 and HKDF-SHA-256.
"""

from collections import namedtuple

from device import limits
from device.codec import cbor
from device.compat import const
from device.crypto import backend
from device.errors import ProtocolError
from device.net import coap

ALGORITHM = const(10)  # AES-CCM-16-64-128 (RFC 9053 4.2)
_KEY_BYTES = const(16)
_NONCE_BYTES = const(13)
_TAG_BYTES = const(8)
_ID_BYTES = const(7)  # 3.3: nonce length - 6

# 6.1: the option's first byte
_FLAG_PIV = const(0x07)
_FLAG_KID = const(0x08)
_FLAG_KID_CONTEXT = const(0x10)
_FLAG_RESERVED = const(0xE0)

# 4.1.3, class U: these stay unprotected.
_OUTER_OPTIONS = (coap.URI_HOST, coap.URI_PORT)

Context = namedtuple(
    "Context", ("sender_id", "recipient_id", "id_context", "sender_key", "recipient_key", "common_iv")
)
Credentials = namedtuple("Credentials", ("secret", "salt", "sender_id", "recipient_id"))
Binding = namedtuple("Binding", ("kid", "partial_iv"))  # binds a response to its request
OptionValue = namedtuple("OptionValue", ("partial_iv", "kid_context", "kid"))  # b"" or None if absent


def derive(
    secret: bytes, salt: bytes, sender_id: bytes, recipient_id: bytes, id_context: "bytes | None" = None
) -> Context:
    """Return a security context: keys and common IV (3.2.1). Raises ProtocolError for ids that do not fit."""
    if len(sender_id) > _ID_BYTES or len(recipient_id) > _ID_BYTES or sender_id == recipient_id:
        raise ProtocolError(reason="OSCORE identifiers")

    def expand(role_id: bytes, kind: str, length: int) -> bytes:
        info = cbor.encode([role_id, id_context, ALGORITHM, kind, length])
        return backend.hkdf_sha256(salt, secret, info, length)

    return Context(
        sender_id,
        recipient_id,
        id_context,
        expand(sender_id, "Key", _KEY_BYTES),
        expand(recipient_id, "Key", _KEY_BYTES),
        expand(b"", "IV", _NONCE_BYTES),
    )


def nonce(common_iv: bytes, piv_sender_id: bytes, partial_iv: bytes) -> bytes:
    """Return the AEAD nonce (5.2)."""
    padded = bytes((len(piv_sender_id),)) + bytes(_ID_BYTES - len(piv_sender_id)) + piv_sender_id
    padded += bytes(5 - len(partial_iv)) + partial_iv
    return (int.from_bytes(padded, "big") ^ int.from_bytes(common_iv, "big")).to_bytes(_NONCE_BYTES, "big")


def additional_data(kid: bytes, partial_iv: bytes) -> bytes:
    """Return the AAD: an Encrypt0 structure around the external AAD, the same for request and response (5.4).

    The bytes are written directly, because each block of a transfer needs them twice. They are the CBOR of
    ["Encrypt0", h'', external] with external = [1, [ALGORITHM], kid, partial_iv, h'']. There are no class I options,
    and every length fits in its initial byte. Raises ProtocolError for ids that do not fit (3.3).
    """
    if len(kid) > _ID_BYTES or len(partial_iv) > 5:
        raise ProtocolError(reason="OSCORE identifiers")
    external = b"\x85\x01\x81" + bytes((ALGORITHM, 0x40 | len(kid))) + kid
    external += bytes((0x40 | len(partial_iv),)) + partial_iv + b"\x40"
    return b"\x83\x68Encrypt0\x40" + bytes((0x40 | len(external),)) + external


def encode_option(partial_iv: bytes, kid: "bytes | None", kid_context: "bytes | None") -> bytes:
    """Return the compressed COSE object of a request (6.1)."""
    first = len(partial_iv)
    tail = partial_iv
    if kid_context is not None:
        first |= _FLAG_KID_CONTEXT
        tail += bytes((len(kid_context),)) + kid_context
    if kid is not None:
        first |= _FLAG_KID
        tail += kid
    return bytes((first,)) + tail if first else b""


def decode_option(value: bytes) -> OptionValue:
    """Return the fields of a compressed COSE object. Raises ProtocolError (6.1, 8.2 step 2)."""
    if not value:
        return OptionValue(b"", None, None)
    first, at = value[0], 1
    length = first & _FLAG_PIV
    # 6.1: 6 and 7 are reserved; a value that is all zero must be empty.
    if first & _FLAG_RESERVED or length > 5 or first == 0 or at + length > len(value):
        raise ProtocolError(reason="OSCORE option")
    partial_iv, at = value[at : at + length], at + length
    kid_context = None
    if first & _FLAG_KID_CONTEXT:
        end = at + 1 + (value[at] if at < len(value) else 255)
        if end > len(value):
            raise ProtocolError(reason="OSCORE option")
        kid_context, at = value[at + 1 : end], end
    kid = value[at:] if first & _FLAG_KID else None
    if kid is None and at != len(value):
        raise ProtocolError(reason="OSCORE option")
    return OptionValue(partial_iv, kid_context, kid)


def protect(context: Context, request: coap.Message, sequence: int) -> "tuple[coap.Message, Binding]":
    """Return the outer POST that carries `request`, and the binding for its response (8.1)."""
    inner: "list[tuple[int, bytes]]" = []
    outer: "list[tuple[int, bytes]]" = []
    for option in request.options:
        (outer if option[0] in _OUTER_OPTIONS else inner).append(option)
    plaintext = bytes((request.code,)) + coap.encode_options(inner)
    if request.payload:
        plaintext += b"\xff" + request.payload
    partial_iv = coap.encode_uint(sequence) or b"\x00"  # 5: the value 0 is one byte
    outer.append((coap.OSCORE, encode_option(partial_iv, context.sender_id, context.id_context)))
    outer.sort()
    ciphertext = backend.aes_ccm_encrypt(
        context.sender_key,
        nonce(context.common_iv, context.sender_id, partial_iv),
        additional_data(context.sender_id, partial_iv),
        plaintext,
        _TAG_BYTES,
    )
    message = coap.Message(
        request.mtype, coap.POST, request.message_id, request.token, tuple(outer), ciphertext
    )
    return message, Binding(context.sender_id, partial_iv)


def seal(context: Context, request: coap.Message, sequence: int) -> "tuple[bytes, Binding]":
    """Return the datagram of protect's message, and the binding. Raises ProtocolError, LimitError."""
    if backend.oscore_protect is not None:
        partial_iv = coap.encode_uint(sequence) or b"\x00"
        data = backend.oscore_protect(context, request, partial_iv, limits.COAP_MESSAGE_BYTES)
        if data is not None:  # else the reference does it, or names the fault
            return data, Binding(context.sender_id, partial_iv)
    outer, binding = protect(context, request, sequence)
    return coap.encode(outer), binding


def _outer_value(response: coap.Message) -> "bytes | None":
    value = None
    for number, data in response.options:
        if number == coap.OSCORE:
            if value is not None:
                raise ProtocolError(reason="repeated option", option=number)
            value = bytes(data)
        elif number & 1 and number not in _OUTER_OPTIONS:  # rule 3; even ones are discarded
            raise ProtocolError(reason="unknown critical option", option=number)
    return value


def _response_nonce(context: Context, binding: Binding, option: OptionValue) -> bytes:
    if option.kid is not None and option.kid != context.recipient_id:
        raise ProtocolError(reason="OSCORE kid")
    if option.kid_context is not None and option.kid_context != context.id_context:
        raise ProtocolError(reason="OSCORE kid context")
    if option.partial_iv:  # 5.3: the server chose its own number
        return nonce(context.common_iv, context.recipient_id, option.partial_iv)
    return nonce(context.common_iv, binding.kid, binding.partial_iv)


def unprotect(context: Context, binding: Binding, response: coap.Message) -> "coap.Message | None":
    """Return the decrypted response to the request of `binding` (8.4), None if it is not protected.

    Raises ProtocolError if it is not the server's answer to exactly this request, LimitError for too many options.
    """
    if backend.oscore_unprotect is not None:
        try:
            found = backend.oscore_unprotect(context, binding, response, limits.COAP_OPTIONS)
        except ValueError:
            raise ProtocolError(reason="OSCORE decryption") from None
        if found is not None:  # else the reference does it, or names the fault
            code, options, payload = found
            return coap.Message(response.mtype, code, response.message_id, response.token, options, payload)
    return unprotect_reference(context, binding, response)


def unprotect_reference(context: Context, binding: Binding, response: coap.Message) -> "coap.Message | None":
    """Return what unprotect does; the reference of the C module."""
    value = _outer_value(response)
    if value is None:
        return None
    used = _response_nonce(context, binding, decode_option(value))
    aad = additional_data(binding.kid, binding.partial_iv)
    try:
        plaintext = backend.aes_ccm_decrypt(context.recipient_key, used, aad, response.payload, _TAG_BYTES)
    except ValueError:
        raise ProtocolError(reason="OSCORE decryption")
    if not plaintext or plaintext[0] >> 5 not in (2, 4, 5):
        raise ProtocolError(reason="OSCORE inner code")
    options, payload = coap.read_options(plaintext, 1)
    return coap.Message(response.mtype, plaintext[0], response.message_id, response.token, options, payload)
