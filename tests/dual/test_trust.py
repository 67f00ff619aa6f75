"""Trust: the conditions on an envelope or a signed record before a unit accepts it."""

from hashlib import sha256

from device.codec import cbor, cose
from device.crypto import backend
from device.errors import (
    AlgorithmError,
    CborError,
    ClassMismatchError,
    CodecError,
    ConditionError,
    CoseError,
    DigestMismatchError,
    LimitError,
    SequenceNumberError,
    SignatureError,
    SuitError,
    UnsupportedError,
    VendorMismatchError,
)
from device.limits import SEQUENCE_JUMP
from device.suit import commands, envelope, manifest
from device.trust import verify
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, ROLE_SUPPORT, Anchors, Key

VENDOR, CLASS = b"vendor of tests!", b"class of tests.."
TYP = "application/vnd.firstboot.support+cbor"
AUTHOR_PRIVATE, SUPPORT_PRIVATE, OTHER_PRIVATE = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
AUTHOR = Key(b"author", -9, ROLE_AUTHOR, backend.p256_public(AUTHOR_PRIVATE))
SUPPORT = Key(b"support", -9, ROLE_SUPPORT, backend.p256_public(SUPPORT_PRIVATE))
ANCHORS = Anchors(VENDOR, CLASS, (AUTHOR, SUPPORT), 2000000000, 1700000000, NO_RULES)
TEXT = manifest.encode_text(manifest.Text("1.0.0", "nothing", "restarts"))
CHUNK_DIGEST, FIRMWARE_DIGEST = b"\xc4" * 32, b"\xf1" * 32


def signer(private):
    return lambda message: backend.p256_sign(private, sha256(message).digest())


def parameters(**values):
    numbers = {"vendor": 1, "klass": 2, "digest": 3, "size": 14, "uri": 21}
    return commands.encode_parameters({numbers[name]: values[name] for name in values})


def shared(vendor=VENDOR, klass=CLASS, list_size=64, size=5000):
    return [
        (12, 0),
        parameters(vendor=vendor, klass=klass, digest=CHUNK_DIGEST, size=list_size),
        (1, 15),
        (2, 15),
        (12, 1),
        parameters(vendor=vendor, klass=klass, digest=FIRMWARE_DIGEST, size=size),
        (1, 15),
        (2, 15),
    ]


def install(first=CHUNK_DIGEST, second=FIRMWARE_DIGEST):
    return [
        (12, 0),
        parameters(uri=verify.object_uri(first)),
        (21, 2),
        (3, 15),
        (12, 1),
        parameters(uri=verify.object_uri(second)),
        (21, 2),
        (3, 15),
    ]


def content(sequence_number=7, components=verify.COMPONENTS, common=None, sequences=None, severed=None):
    chosen = {20: install()} if sequences is None else sequences
    return manifest.encode(
        sequence_number=sequence_number,
        components=components,
        shared=commands.encode(shared() if common is None else common),
        sequences={number: commands.encode(chosen[number]) for number in chosen},
        severed={23: envelope.digest_of(TEXT)} if severed is None else severed,
    )


def signature(digest, private=AUTHOR_PRIVATE, algorithm=-9, key_id=b"author"):
    return cose.sign1_encode(
        digest, algorithm=algorithm, key_id=key_id, sign=signer(private), is_detached=True
    )


def signed(data, signatures=None, severed=None):
    digest = envelope.encode_digest(envelope.digest_of(data))
    made = (signature(digest),) if signatures is None else tuple([make(digest) for make in signatures])
    beside = {23: TEXT} if severed is None else severed
    return envelope.encode(envelope.Envelope(digest, made, data, beside))


def refused(data, error, text="", anchors=ANCHORS):
    try:
        verify.verify_envelope(data, anchors)
    except error as found:
        assert type(found) is error, type(found)
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("accepted")


# Envelopes -------------------------------------------------------------------------------------------


def test_a_good_envelope_gives_what_its_author_signed():
    data = signed(content())
    verified = verify.verify_envelope(data, ANCHORS)
    assert verified.sequence_number == 7
    assert verified.chunks == verify.Target(CHUNK_DIGEST, 64, "o/" + "c4" * 32)
    assert verified.firmware == verify.Target(FIRMWARE_DIGEST, 5000, "o/" + "f1" * 32)
    assert verified.text == manifest.Text("1.0.0", "nothing", "restarts")
    assert verified.envelope_digest == sha256(data).digest()


def test_es256_and_no_key_id_are_as_good():
    data = signed(content(), (lambda digest: signature(digest, algorithm=-7, key_id=None),))
    assert verify.verify_envelope(data, ANCHORS).sequence_number == 7


def test_severed_text_may_be_missing():
    assert verify.verify_envelope(signed(content(), severed={}), ANCHORS).text is None


def test_a_validate_sequence_may_match_what_was_fetched():
    sequences = {7: [(12, 1), (3, 15)], 20: install()}
    assert verify.verify_envelope(signed(content(sequences=sequences)), ANCHORS).sequence_number == 7


def test_a_key_of_another_role_signs_no_manifest():
    data = signed(content(), (lambda digest: signature(digest, SUPPORT_PRIVATE, key_id=b"support"),))
    refused(data, SignatureError, "no such key")


def test_an_unknown_key_signs_no_manifest():
    data = signed(content(), (lambda digest: signature(digest, OTHER_PRIVATE, key_id=b"other"),))
    refused(data, SignatureError, "no such key")


def test_an_unknown_key_under_a_known_name_signs_no_manifest():
    data = signed(content(), (lambda digest: signature(digest, OTHER_PRIVATE),))
    refused(data, SignatureError, "wrong signature")


def test_the_header_does_not_choose_the_algorithm():
    for algorithm in (-46, -19, -35, -999):
        data = signed(content(), (lambda digest, number=algorithm: signature(digest, algorithm=number),))
        refused(data, AlgorithmError, "bound=-9")


def test_a_second_signature_that_is_not_known_does_not_matter():
    def unknown(digest):
        return signature(digest, OTHER_PRIVATE, -46, b"newer")

    for signatures in ((unknown, signature), (signature, unknown)):
        assert verify.verify_envelope(signed(content(), signatures), ANCHORS).sequence_number == 7


def test_every_signature_is_decoded_before_one_is_accepted():
    refused(signed(content(), (signature, lambda digest: b"\x00")), CoseError, "not a tagged")


def test_no_more_than_four_signers_are_tried():
    def many(digest):
        return cose.sign_encode(digest, signers=((-9, b"x", signer(OTHER_PRIVATE)),) * 3, is_detached=True)

    refused(signed(content(), (many, many)), LimitError, "SUIT signatures")


def test_a_signature_with_its_own_payload_is_refused():
    def attached(digest):
        return cose.sign1_encode(
            b"other", algorithm=-9, key_id=b"author", sign=signer(AUTHOR_PRIVATE), is_detached=False
        )

    refused(signed(content(), (attached,)), CoseError, "two payloads")
    # Every signature is checked for structure, also one that is not needed.
    refused(signed(content(), (signature, attached)), CoseError, "two payloads")


def test_a_manifest_under_the_signature_of_another_is_refused():
    good = envelope.decode(signed(content()))
    other = envelope.Envelope(good.digest, good.signatures, content(sequence_number=8), good.severed)
    refused(envelope.encode(other), DigestMismatchError, "manifest")


def test_a_manifest_is_not_read_before_its_signature_verified():
    refused(signed(b"\xff\xff", (lambda digest: signature(digest, OTHER_PRIVATE),)), SignatureError)
    refused(signed(b"\xff\xff"), CborError)


def test_changed_text_is_refused():
    other = manifest.encode_text(manifest.Text("1.0.0", "everything", "restarts"))
    refused(signed(content(), severed={23: other}), DigestMismatchError, "text")


def test_another_vendor_is_refused():
    refused(signed(content(common=shared(vendor=b"w" * 16))), VendorMismatchError, "77777777")


def test_another_class_is_refused():
    refused(signed(content(common=shared(klass=b"w" * 16))), ClassMismatchError, "77777777")


def test_both_conditions_come_before_a_fetch():
    for left_out in (1, 2):
        common = [pair for pair in shared() if pair[0] != left_out]
        refused(signed(content(common=common)), SuitError, "fetch before the vendor and class")


def test_other_components_are_refused():
    for components in ((b"firmware",),), ((b"chunks",), (b"firmware",), (b"x",)), ((b"a",), (b"b",)):
        refused(signed(content(components=components)), UnsupportedError, "components")


def test_members_that_are_not_carried_out_are_refused_by_name():
    for number, name in ((8, "suit-load"), (9, "suit-invoke"), (16, "suit-payload-fetch")):
        sequences = {20: install(), number: [(12, 0), (1, 15)]}
        refused(signed(content(sequences=sequences)), UnsupportedError, name)


def test_a_reference_uri_is_for_people_and_changes_nothing():
    with_uri = cbor.decode(content())
    with_uri[4] = "https://example.com"
    assert verify.verify_envelope(signed(cbor.encode(with_uri)), ANCHORS).sequence_number == 7


def test_a_severed_sequence_beside_the_manifest_is_run():
    sequence = commands.encode(install())
    data = content(sequences={}, severed={20: envelope.digest_of(sequence)})
    assert verify.verify_envelope(signed(data, severed={20: sequence}), ANCHORS).firmware.size == 5000
    other = commands.encode(install()[:4])
    refused(signed(data, severed={20: other}), DigestMismatchError, "suit-install")


def test_text_that_cannot_be_read_keeps_no_update_away():
    for text in (b"\xff\xff", b"", cbor.encode({"en": {9: "unknown"}})):
        data = content(severed={23: envelope.digest_of(text)})
        found = verify.verify_envelope(signed(data, severed={23: text}), ANCHORS)
        assert found.text == manifest.Text("", "", "")
        assert found.firmware.size == 5000


def test_a_manifest_without_components_is_refused():
    empty = manifest.encode(sequence_number=7, components=(), shared=b"", sequences={}, severed={})
    parts = cbor.decode(empty)
    parts[3] = cbor.encode({4: commands.encode([(1, 15)])})
    refused(signed(cbor.encode(parts), severed={}), SuitError, "no components")


def test_a_severed_sequence_that_is_missing_is_refused_by_name():
    data = content(sequences={}, severed={20: b"d" * 32})
    refused(signed(data, severed={}), UnsupportedError, "severed suit-install")


def test_commands_that_this_unit_does_not_carry_out_are_refused_by_name():
    for number, parameter, name in (
        (5, {5: 0}, "suit-condition-component-slot"),
        (6, {18: b""}, "suit-condition-check-content"),
        (18, {18: b""}, "suit-directive-write"),
        (22, {22: 0}, "suit-directive-copy"),
        (23, {23: b""}, "suit-directive-invoke"),
        (31, {22: 0}, "suit-directive-swap"),
    ):
        unused = install()
        unused.extend([(20, parameter), (number, 15)])
        sequences = {20: unused}
        refused(signed(content(sequences=sequences)), UnsupportedError, name)


def circumstances(sequence, now_s=None, device_id=None, authorise=None):
    steps = [(12, 0)]
    steps.extend(sequence + install())
    data = signed(content(sequences={20: steps}))
    around = verify.Circumstances(now_s, device_id, authorise, None)
    return verify.verify_envelope(data, ANCHORS, backend, around)


def condition_refused(sequence, text, **around):
    try:
        circumstances(sequence, **around)
    except ConditionError as error:
        assert text in error.describe()
        return
    raise AssertionError("accepted")


def test_use_before_needs_a_trusted_time_that_is_earlier():
    sequence = [(20, {4: 1800000000}), (4, 15)]
    assert circumstances(sequence, now_s=1799999999).sequence_number == 7
    for now_s in (None, 1800000000, 1800000001):
        condition_refused(sequence, "suit-condition-use-before", now_s=now_s)


def test_a_device_identifier_is_that_of_one_unit():
    sequence = [(20, {24: b"unit of tests..."}), (24, 15)]
    assert circumstances(sequence, device_id=b"unit of tests...").sequence_number == 7
    for device_id in (None, b"another unit...."):
        condition_refused(sequence, "suit-condition-device-identifier", device_id=device_id)


def test_update_authorised_asks_with_the_priority_of_the_manifest():
    sequence = [(20, {27: -5}), (27, 15)]
    assert circumstances(sequence, authorise=lambda priority: priority == -5).sequence_number == 7
    for authorise in (None, lambda priority: False):
        condition_refused(sequence, "suit-condition-update-authorized", authorise=authorise)


def test_one_manifest_may_serve_several_classes_by_try_each():
    other = commands.encode([parameters(klass=b"w" * 16), (2, 15)])
    ours = commands.encode([parameters(klass=CLASS), (2, 15)])
    choice = [(12, True), (15, [other, ours])]
    common = [pair for pair in shared() if pair[0] != 2]
    assert verify.verify_envelope(signed(content(common=common + choice)), ANCHORS).sequence_number == 7
    theirs = [(12, True), (15, [other, other])]
    refused(signed(content(common=common + theirs)), ClassMismatchError, "77777777")


def test_a_severed_member_needs_its_digest_in_the_manifest():
    refused(signed(content(severed={})), SuitError, "severed member without a digest")


def test_a_manifest_without_install_is_refused():
    refused(signed(content(sequences={})), SuitError, "suit-install")


def test_each_component_is_fetched_once_matched_and_in_order():
    good = install()
    match_chunks = [(12, 0), (3, 15)]
    for commands_, text in (
        (good[4:] + good[:4], "order of fetches"),
        (good[:4] + good[:4] + good[4:], "order of fetches"),
        (good[:3] + good[4:], "order of fetches"),
        (good[:7], "not fetched and matched"),
        (good[:4], "not fetched and matched"),
        (good[:7] + match_chunks, "not fetched and matched"),
        (match_chunks + good, "not fetched"),
    ):
        refused(signed(content(sequences={20: commands_})), SuitError, text)


def test_what_is_matched_is_what_was_fetched():
    commands_ = install()
    commands_.insert(3, parameters(digest=b"e" * 32))
    refused(signed(content(sequences={20: commands_})), SuitError, "something else")


def test_a_validate_sequence_fetches_nothing():
    sequences = {7: [(12, 1), parameters(uri="x"), (21, 2)], 20: install()}
    refused(signed(content(sequences=sequences)), UnsupportedError, "fetch in suit-validate")


def test_sizes_of_payload_and_chunk_list_agree():
    for list_size, size in ((64, 4096), (32, 4097), (0, 0), (32, 0), (65, 5000)):
        refused(signed(content(common=shared(list_size=list_size, size=size))), SuitError, "sizes")
    refused(signed(content(common=shared(list_size=2**40, size=2**47))), LimitError, "chunk list")


def test_a_uri_that_its_digest_does_not_give_is_refused():
    refused(signed(content(sequences={20: install(first=b"e" * 32)})), UnsupportedError, "URI")


def test_only_a_newer_manifest_passes():
    verified = verify.verify_envelope(signed(content(sequence_number=7)), ANCHORS)
    verify.require_newer(verified, 6)
    for have in (7, 8):
        not_newer(verified, have)


def not_newer(verified, have):
    try:
        verify.require_newer(verified, have)
    except SequenceNumberError as error:
        assert (error.fields["have"], error.fields["offered"]) == (have, verified.sequence_number)
        return
    raise AssertionError("accepted")


def test_a_manifest_far_ahead_is_refused():
    ahead = verify.verify_envelope(signed(content(sequence_number=6 + SEQUENCE_JUMP)), ANCHORS)
    verify.require_newer(ahead, 6)
    not_newer(ahead, 5)
    last = verify.verify_envelope(signed(content(sequence_number=2**64 - 1)), ANCHORS)
    not_newer(last, 6)


def test_every_truncation_of_an_envelope_is_refused():
    data = signed(content())
    for length in range(0, len(data), 7):
        try:
            verify.verify_envelope(data[:length], ANCHORS)
        except CodecError:
            continue
        raise AssertionError("accepted")
