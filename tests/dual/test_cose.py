"""COSE_Sign1 and COSE_Sign: structure, header rules and the bytes that are signed."""

from device.codec import cbor, cose
from device.errors import CborError, CoseError, LimitError

TYP = "application/vnd.firstboot.support+cbor"


def sign(message):
    return b"S" + message[:3]


def sign1(protected, unprotected, payload=b"p", signature=b"s", tag=18):
    if isinstance(protected, dict):
        protected = cbor.encode(protected)
    return cbor.encode(cbor.Tag(tag, [protected, unprotected, payload, signature]))


def refused(data, reason, error=CoseError):
    try:
        cose.decode(data)
    except error as found:
        assert reason in found.fields.get("reason", found.fields.get("what", "")), found.fields
        return
    raise AssertionError("accepted " + data.hex())


def test_what_sign1_encode_writes_decodes_to_the_same():
    data = cose.sign1_encode(b"payload", algorithm=-9, key_id=b"k", sign=sign, typ=TYP, external_aad=b"aad")
    signed = cose.decode(data)
    assert (signed.typ, signed.content_type, signed.payload) == (TYP, None, b"payload")
    signer = signed.signers[0]
    assert (signer.algorithm, signer.key_id, signer.protected) == (-9, b"k", None)
    message = cose.to_be_signed(signed, signer, b"aad")
    assert cbor.decode(message) == ["Signature1", cbor.encode({1: -9, 16: TYP}), b"aad", b"payload"]
    assert signer.signature == sign(message)


def test_what_sign_encode_writes_decodes_to_the_same():
    data = cose.sign_encode(b"payload", signers=((-9, b"a", sign), (-46, None, sign)), external_aad=b"x")
    signed = cose.decode(data)
    assert [(one.algorithm, one.key_id) for one in signed.signers] == [(-9, b"a"), (-46, None)]
    message = cose.to_be_signed(signed, signed.signers[1], b"x")
    assert cbor.decode(message) == ["Signature", b"", cbor.encode({1: -46}), b"x", b"payload"]


def test_a_detached_payload_is_given_by_the_caller_and_only_then():
    data = cose.sign1_encode(b"payload", algorithm=-9, key_id=None, sign=sign, is_detached=True)
    signed = cose.decode(data)
    signer = signed.signers[0]
    assert signed.payload is None
    assert signer.key_id is None
    assert cbor.decode(cose.to_be_signed(signed, signer, b"", b"payload"))[3] == b"payload"
    attached = cose.decode(sign1({1: -9}, {}))
    for message, detached in ((signed, None), (attached, b"other")):
        try:
            cose.to_be_signed(message, message.signers[0], b"", detached)
        except CoseError:
            continue
        raise AssertionError("accepted")


def test_other_tags_and_no_tag_are_refused():
    for data in (sign1({1: -9}, {}, tag=19), sign1({1: -9}, {}, tag=998), sign1({1: -9}, {})[1:], b"\xf6"):
        refused(data, "not a tagged")


def test_messages_of_mac_and_encryption_are_refused_by_name():
    for tag, name in ((16, "COSE_Encrypt0"), (17, "COSE_Mac0"), (96, "COSE_Encrypt"), (97, "COSE_Mac")):
        refused(sign1({1: -9}, {}, tag=tag), name + " is not supported")


def test_other_counts_of_parts_are_refused():
    for parts in ([], [b"", {}, b""], [b"", {}, b"", b"", b""], {1: 2}):
        refused(cbor.encode(cbor.Tag(18, parts)), "not four parts")


def test_alg_outside_the_protected_header_is_refused():
    refused(sign1({}, {1: -9}), "not allowed outside")
    refused(sign1({1: -9}, {1: -9}), "header twice")


def test_typ_outside_the_protected_header_is_refused():
    refused(sign1({1: -9}, {16: TYP}), "not allowed outside")


def test_no_alg_is_refused():
    refused(sign1(b"", {}), "no alg")
    refused(sign1(b"\xa0", {}), "no alg")


def test_crit_is_refused_by_name():
    refused(sign1({1: -9, 2: [16]}, {}), "crit")
    refused(sign1({1: -9}, {2: [16]}), "not allowed outside")


def test_unknown_headers_are_refused():
    refused(sign1({1: -9, 5: b"iv"}, {}), "header not supported")
    refused(sign1({1: -9, "x": 1}, {}), "header not supported")
    refused(sign1({1: -9}, {33: b"cert"}), "not allowed outside")


def test_a_header_in_both_maps_is_refused():
    refused(sign1({1: -9, 4: b"a"}, {4: b"b"}), "header twice")


def test_headers_of_the_wrong_type_are_refused():
    wrong = ({1: "ES256"}, {1: True}, {1: None}, {1: -9, 4: "text"}, {1: -9, 16: b"x"}, {1: -9, 3: None})
    for headers in wrong:
        refused(sign1(headers, {}), "wrong type of header")


def test_headers_that_are_no_maps_are_refused():
    refused(sign1(cbor.encode([1]), {}), "not a map")
    refused(sign1({1: -9}, []), "not a byte string and a map")
    refused(sign1(None, {}), "not a byte string and a map")


def test_a_protected_header_must_be_one_strict_cbor_item():
    for protected in (b"\xa1\x01\x28\x00", b"\xa1\x18\x01\x28", b"\xa2\x04\x41a\x01\x28"):
        refused(sign1(protected, {}), "", CborError)


def test_payload_and_signature_must_be_byte_strings():
    refused(sign1({1: -9}, {}, payload="text"), "payload")
    refused(sign1({1: -9}, {}, signature=None), "signature")
    refused(sign1({1: -9}, {}, signature=b""), "signature")


def test_an_empty_protected_header_is_signed_as_the_empty_string():
    signer = [cbor.encode({1: -9}), {}, b"s"]
    for body in (b"", b"\xa0"):
        signed = cose.decode(cbor.encode(cbor.Tag(98, [body, {}, b"p", [signer]])))
        assert cbor.decode(cose.to_be_signed(signed, signed.signers[0], b""))[1] == b""


def test_cose_sign_needs_one_to_four_signers():
    signer = [cbor.encode({1: -9}), {}, b"s"]
    refused(cbor.encode(cbor.Tag(98, [b"", {}, b"p", []])), "no signature")
    refused(cbor.encode(cbor.Tag(98, [b"", {}, b"p", b"s"])), "no signature")
    refused(cbor.encode(cbor.Tag(98, [b"", {}, b"p", [signer] * 5])), "COSE signatures", LimitError)
    refused(cbor.encode(cbor.Tag(98, [b"", {}, b"p", [signer[:2]]])), "three parts")


def test_headers_of_signers_and_of_the_body_stay_where_they_belong():
    alg = cbor.encode({1: -9})
    signer = [alg, {}, b"s"]
    refused(cbor.encode(cbor.Tag(98, [alg, {}, b"p", [signer]])), "in the body")
    refused(cbor.encode(cbor.Tag(98, [b"", {4: b"k"}, b"p", [signer]])), "in the body")
    typed = [cbor.encode({1: -9, 16: TYP}), {}, b"s"]
    refused(cbor.encode(cbor.Tag(98, [b"", {}, b"p", [typed]])), "of the body in a signer")


def test_a_message_past_its_limit_is_refused_before_it_is_read():
    try:
        cose.decode(b"\xff" * 101, 100)
    except LimitError as error:
        assert error.fields["limit"] == 100
        return
    raise AssertionError("accepted")
