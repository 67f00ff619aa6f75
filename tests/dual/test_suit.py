"""SUIT: envelope, manifest and command sequences, decoded and run, without any trust."""

from device.codec import cbor
from device.errors import CborError, CodecError, LimitError, SuitError, UnsupportedError
from device.suit import commands, envelope, manifest, registry

DIGEST = b"d" * 32


def refused(function, data, error, text):
    try:
        function(data)
    except error as found:
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("accepted")


def wrapper(*parts):
    return cbor.encode(list(parts))


def outer(members, tag=107):
    return cbor.encode(cbor.Tag(tag, members))


GOOD_DIGEST = envelope.encode_digest(DIGEST)
GOOD = {2: wrapper(GOOD_DIGEST, b"sig"), 3: b"manifest"}


def changed(members, number, value):
    result = dict(members)
    if value is None:
        del result[number]
    else:
        result[number] = value
    return result


def test_an_envelope_round_trips():
    data = outer(changed(GOOD, 23, b"text"))
    parts = envelope.decode(data)
    assert parts == envelope.Envelope(GOOD_DIGEST, (b"sig",), b"manifest", {23: b"text"})
    assert envelope.encode(parts) == data


def test_an_envelope_needs_tag_107_wrapper_and_manifest():
    refused(envelope.decode, outer(GOOD, 108), SuitError, "not a SUIT envelope")
    refused(envelope.decode, cbor.encode(GOOD), SuitError, "not a SUIT envelope")
    refused(envelope.decode, outer([1]), SuitError, "not a map")
    refused(envelope.decode, outer(changed(GOOD, 2, None)), SuitError, "suit-authentication-wrapper")
    refused(envelope.decode, outer(changed(GOOD, 3, None)), SuitError, "suit-manifest")


def test_envelope_members_are_byte_strings():
    refused(envelope.decode, outer(changed(GOOD, 3, "text")), SuitError, "not a byte string")


def test_unknown_envelope_members_and_integrated_payloads_are_refused_by_name():
    refused(envelope.decode, outer(changed(GOOD, 13, b"")), UnsupportedError, "envelope member 13")
    refused(envelope.decode, outer(changed(GOOD, 1, b"")), UnsupportedError, "suit-delegation")
    refused(envelope.decode, outer(changed(GOOD, 14, b"")), UnsupportedError, "suit-coswid")
    refused(envelope.decode, outer(changed(GOOD, "#file", b"")), UnsupportedError, "suit-integrated-payload")


def test_an_envelope_past_its_limit_is_refused():
    refused(envelope.decode, outer(changed(GOOD, 3, bytes(8192))), LimitError, "8192")


def test_the_wrapper_holds_a_digest_and_one_to_four_signatures():
    for parts, error, text in (
        ((), SuitError, "not a list"),
        ((GOOD_DIGEST,), SuitError, "no signature"),
        ((GOOD_DIGEST, 5), SuitError, "not a byte string"),
        ((GOOD_DIGEST,) + (b"s",) * 5, LimitError, "SUIT signatures"),
        ((b"\x00", b"s"), SuitError, "digest is not two parts"),
    ):
        refused(envelope.decode, outer(changed(GOOD, 2, wrapper(*parts))), error, text)


def test_a_digest_is_sha256_and_32_bytes():
    for value, error, text in (
        ([-16, b"short"], SuitError, "32 bytes"),
        ([-16, "d" * 32], SuitError, "32 bytes"),
        ([-44, bytes(64)], UnsupportedError, "digest algorithm -44"),
        ([-16, DIGEST, 0], SuitError, "two parts"),
    ):
        refused(envelope.decode_digest, cbor.encode(value), error, text)
    assert envelope.decode_digest(GOOD_DIGEST) == DIGEST


def build(**changes):
    parts = {
        "sequence_number": 7,
        "components": ((b"a",), (b"b", b"c")),
        "shared": commands.encode([(12, True), (1, 15)]),
        "sequences": {20: commands.encode([(12, 0), (21, 2)])},
        "severed": {23: DIGEST},
    }
    parts.update(changes)
    return manifest.encode(**parts)


def members(**changes):
    """Return the members of a good manifest, changed by number ("m20": value); None removes one."""
    result = cbor.decode(build())
    for name, value in changes.items():
        result = changed(result, int(name[1:]), value)
    return cbor.encode(result)


def test_a_manifest_round_trips():
    content = manifest.decode(build())
    assert content.sequence_number == 7
    assert content.components == ((b"a",), (b"b", b"c"))
    assert content.shared == [(12, True), (1, 15)]
    assert content.sequences == {20: [(12, 0), (21, 2)]}
    assert content.severed == {23: DIGEST}
    assert (content.text, content.reference_uri) == (None, None)


def test_text_inside_the_manifest_is_kept():
    assert manifest.decode(members(m23=b"text")).text == b"text"


def test_a_severed_sequence_differs_from_a_sequence():
    content = manifest.decode(members(m20=[-16, DIGEST]))
    assert content.severed[20] == DIGEST
    assert 20 not in content.sequences


def test_unknown_manifest_members_are_refused_by_name():
    for number, name in (
        (5, "suit-manifest-component-id"),
        (14, "suit-coswid"),
        (15, "suit-dependency-resolution"),
        (24, "suit-uninstall"),
        (25, "manifest member 25"),
        (-1, "manifest member -1"),
    ):
        data = cbor.encode(changed(cbor.decode(build()), number, b""))
        refused(manifest.decode, data, UnsupportedError, name)
    data = cbor.encode(changed(cbor.decode(build()), "x", b""))
    refused(manifest.decode, data, UnsupportedError, "not a number")


def test_other_manifest_versions_are_refused():
    refused(manifest.decode, members(m1=2), UnsupportedError, "manifest version")
    refused(manifest.decode, members(m1=None), SuitError, "suit-manifest-version")


def test_the_sequence_number_is_an_unsigned_number():
    for value in (None, -1, True, "7", b"7"):
        refused(manifest.decode, members(m2=value), SuitError, "suit-manifest-sequence-number")


def test_common_holds_components_and_the_shared_sequence_only():
    good = [[b"a"]]
    for value, error, text in (
        (None, SuitError, "suit-common"),
        (cbor.encode([]), SuitError, "common is not a map"),
        (cbor.encode({2: []}), SuitError, "no components"),
        (cbor.encode({2: [b"a"]}), SuitError, "component identifier"),
        (cbor.encode({2: [["a"]]}), SuitError, "byte strings"),
        (cbor.encode({1: b"", 2: good}), UnsupportedError, "suit-dependencies"),
        (cbor.encode({2: good, 4: []}), SuitError, "not a byte string"),
    ):
        refused(manifest.decode, members(m3=value), error, text)
    assert manifest.decode(members(m3=cbor.encode({2: good}))).shared == []


def test_a_manifest_may_have_no_components_and_an_identifier_may_be_empty():
    none = manifest.decode(members(m3=cbor.encode({4: commands.encode([(1, 15)])})))
    assert (none.components, none.shared) == ((), [(1, 15)])
    empty = manifest.decode(members(m3=cbor.encode({2: [[]]})))
    assert empty.components == ((),)


def test_each_sequence_over_several_components_begins_with_set_component_index():
    reason = "does not begin with set-component-index"
    without = commands.encode([(21, 2), (12, 0)])
    shared = cbor.encode({2: [[b"a"], [b"b"]], 4: commands.encode([(1, 15)])})
    refused(manifest.decode, members(m20=without), SuitError, reason)
    refused(manifest.decode, members(m7=without), SuitError, "suit-validate")
    refused(manifest.decode, members(m3=shared), SuitError, "suit-common")
    severed = manifest.decode(members(m20=[-16, envelope.digest_of(without)]))
    beside = envelope.Envelope(GOOD_DIGEST, (b"s",), b"", {20: without})
    refused(lambda parts: manifest.resolve(severed, parts), beside, SuitError, reason)
    # One component needs no index (draft 8.4.10.1).
    one = cbor.encode({2: [[b"a"]]})
    assert manifest.decode(members(m3=one, m20=commands.encode([(21, 2)]))).sequences[20] == [(21, 2)]


def test_text_round_trips():
    text = manifest.Text("1.2.3", "closes a hole", "restarts once")
    assert manifest.decode_text(manifest.encode_text(text)) == text


def test_text_without_english_gives_the_first_language():
    data = cbor.encode({"fr": {2: "trou"}, "de": {2: "Loch"}})
    assert manifest.decode_text(data) == manifest.Text("", "Loch", "")


def test_text_of_another_form_is_refused():
    for value, error, text in (
        ({}, SuitError, "languages"),
        ([], SuitError, "languages"),
        ({1: {}}, SuitError, "languages"),
        ({"en": "x"}, SuitError, "languages"),
        ({"en": {2: b"x"}}, SuitError, "not a text"),
        ({"en": {9: "x"}}, UnsupportedError, "text 9"),
    ):
        refused(manifest.decode_text, cbor.encode(value), error, text)


# {"en": {2: "fix", [h'66']: {1: "Lamp Ltd"}}}: texts of a component under its identifier (draft 8.4.4).
COMPONENT_TEXT = b"\xa1\x62en\xa2\x02\x63fix\x81\x41f\xa1\x01\x68Lamp Ltd"


def test_text_with_a_map_for_a_component_is_read():
    assert manifest.decode_text(COMPONENT_TEXT) == manifest.Text("", "fix", "")
    refused(
        manifest.decode_text,
        COMPONENT_TEXT.replace(b"\x01\x68", b"\x09\x68"),
        UnsupportedError,
        "component 9",
    )
    refused(
        manifest.decode_text, COMPONENT_TEXT.replace(b"\x81\x41f", b"\x81\x61f"), CborError, "bad map key"
    )


def test_an_array_is_no_map_key_outside_of_text():
    refused(cbor.decode, COMPONENT_TEXT, CborError, "bad map key")


def test_a_unit_reads_what_it_can_of_any_text():
    assert manifest.read_text(COMPONENT_TEXT) == manifest.Text("", "fix", "")
    mixed = cbor.encode({"en": {2: b"x", -257: "1.2", 9: "unknown"}, "x": 1})
    assert manifest.read_text(mixed) == manifest.Text("1.2", "", "")
    for data in (b"", b"\xff\xff", cbor.encode([]), cbor.encode({}), cbor.encode({1: {}}), b"\xa1\x62en\x80"):
        assert manifest.read_text(data) == manifest.Text("", "", "")


def test_registry_names_are_given_once():
    tables = ("ENVELOPE_MEMBERS", "MANIFEST_MEMBERS", "COMMANDS", "PARAMETERS", "TEXTS")
    for name in tables:
        table = getattr(registry, name)
        assert len({number for number, _ in table}) == len({text for _, text in table}) == len(table)


def test_every_truncation_of_an_envelope_is_a_codec_error():
    data = outer(GOOD)
    for length in range(len(data)):
        refused(envelope.decode, data[:length], CborError, "")
    assert issubclass(CborError, CodecError)
