"""The fixed form of a release: the short way gives what the general machine gives, and leaves it everything else."""

import test_trust as base

from device.codec import cbor, cose
from device.crypto import backend
from device.errors import FirstbootError
from device.limits import CHUNK_LIST_BYTES, ENVELOPE_BYTES
from device.suit import envelope, manifest
from device.trust import fixed_form, verify
from device.trust.anchors import Anchors


class Believing:
    """device.crypto.backend that accepts every P-256 signature."""

    sha256 = staticmethod(backend.sha256)
    equal = staticmethod(backend.equal)

    @staticmethod
    def p256_verify(_public, _digest, _signature):
        return True


SIGNATURE = cose.sign1_encode(
    b"", algorithm=-9, key_id=b"author", sign=lambda _message: bytes(range(64)), is_detached=True
)
DIGEST_1, DIGEST_2 = base.CHUNK_DIGEST, base.FIRMWARE_DIGEST


def enveloped(content, text=base.TEXT):
    """Return an envelope of `content` with a signature that Believing accepts."""
    digest = envelope.encode_digest(envelope.digest_of(content))
    return envelope.encode(envelope.Envelope(digest, (SIGNATURE,), content, {23: text}))


def verdict(data, anchors=base.ANCHORS):
    """Return the verified manifest, or class and fields of the error."""
    try:
        return verify.verify_envelope(data, anchors, Believing)
    except FirstbootError as error:
        return type(error).__name__, error.fields


def in_general(data, anchors=base.ANCHORS):
    """Return the verdict of the general machine alone."""
    short_ways = fixed_form.open_envelope, cose._author_form
    fixed_form.open_envelope = cose._author_form = lambda _data: None
    try:
        return verdict(data, anchors)
    finally:
        fixed_form.open_envelope, cose._author_form = short_ways


def same(data, anchors=base.ANCHORS):
    """Return the verdict. Raises AssertionError if the general machine has another one."""
    found = verdict(data, anchors)
    assert found == in_general(data, anchors), (data, found)
    return found


def is_fixed(data, anchors=base.ANCHORS):
    """Return whether this envelope is read as a release in the fixed form."""
    try:
        found = verify.authenticate(data, anchors, Believing)
    except FirstbootError:
        return False
    return isinstance(found, fixed_form.Release)


def other_form(content, text=base.TEXT):
    """Assert that a release is in another form, and return the general machine's verdict."""
    data = enveloped(content, text)
    assert not is_fixed(data)
    return same(data)


GOOD = enveloped(base.content())


def test_a_release_of_firmware_alone_is_read_in_the_fixed_form():
    assert is_fixed(GOOD)
    found = same(GOOD)
    assert found.sequence_number == 7
    assert found.chunks == verify.Target(DIGEST_1, 64, "o/" + "c4" * 32)
    assert found.firmware == verify.Target(DIGEST_2, 5000, "o/" + "f1" * 32)
    assert found.text == manifest.Text("1.0.0", "nothing", "restarts")
    assert (found.app_chunks, found.app, found.delta) == (None, None, None)


def test_the_release_is_what_the_general_machine_finds():
    found = verify.authenticate(GOOD, base.ANCHORS, Believing)
    content = manifest.decode(envelope.decode(GOOD).manifest)
    assert found.sequence_number == content.sequence_number
    assert found.reference_uri is content.reference_uri is None


def test_numbers_of_every_length_are_read():
    for number in (0, 1, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1):
        data = enveloped(base.content(number))
        assert is_fixed(data)
        assert same(data).sequence_number == number
    for size in (1, 23, 24, 255, 256, 4096, 65536, 4194304):
        chunks = 32 * ((size + 4095) // 4096)
        data = enveloped(base.content(common=base.shared(list_size=chunks, size=size)))
        assert is_fixed(data)
        assert (same(data).chunks.size, same(data).firmware.size) == (chunks, size)


def test_a_second_signature_does_not_matter():
    content = base.content()
    digest = envelope.encode_digest(envelope.digest_of(content))
    data = envelope.encode(envelope.Envelope(digest, (SIGNATURE, SIGNATURE), content, {23: base.TEXT}))
    assert is_fixed(data)
    assert same(data).sequence_number == 7


def test_a_text_of_any_length_is_read():
    for length in (0, 1, 24, 300):
        text = manifest.encode_text(manifest.Text("1" * length, "2", "3"))
        data = enveloped(base.content(severed={23: envelope.digest_of(text)}), text)
        assert is_fixed(data)
        assert same(data).text == manifest.Text("1" * length, "2", "3")


def test_a_text_that_cannot_be_read_blocks_nothing():
    for text in (b"", b"\xff", b"\xa0", b"\x01"):
        data = enveloped(base.content(severed={23: envelope.digest_of(text)}), text)
        assert is_fixed(data)
        assert same(data).text == manifest.Text("", "", "")


def test_another_text_is_refused_by_the_general_machine():
    assert other_form(base.content(), b"") == ("DigestMismatchError", {"component": "suit-text"})


def test_another_vendor_or_class_is_refused_by_the_general_machine():
    for vendor, klass, name in (
        (b"v" * 16, base.CLASS, "VendorMismatchError"),
        (base.VENDOR, b"c" * 16, "ClassMismatchError"),
    ):
        content = base.content(common=base.shared(vendor=vendor, klass=klass))
        assert other_form(content)[0] == name


def test_vendor_and_class_of_each_component_count():
    for at in (1, 5):
        common = base.shared()
        common[at][1][2] = b"c" * 16
        assert other_form(base.content(common=common))[0] == "ClassMismatchError"


def test_sizes_that_do_not_agree_are_refused_by_the_general_machine():
    for list_size, size, name in (
        (64, 0, "SuitError"),
        (32, 5000, "SuitError"),
        (96, 5000, "SuitError"),
        (CHUNK_LIST_BYTES + 32, 4096 * (CHUNK_LIST_BYTES // 32 + 1), "LimitError"),
    ):
        content = base.content(common=base.shared(list_size=list_size, size=size))
        assert other_form(content)[0] == name, size


def test_a_uri_that_is_not_the_digests_is_refused_by_the_general_machine():
    swapped = base.content(sequences={20: base.install(DIGEST_2, DIGEST_1)})
    assert other_form(swapped)[0] == "UnsupportedError"
    upper = base.install()
    upper[1] = base.parameters(uri="o/" + "C4" * 32)
    assert other_form(base.content(sequences={20: upper}))[0] == "UnsupportedError"


def test_what_the_commands_ask_for_does_not_make_a_manifest_less_authentic():
    for common, sequences in (
        (base.shared(size=0), {20: base.install()}),
        (base.shared(list_size=2**20, size=2**27), {20: base.install()}),
        (base.shared(), {20: base.install(DIGEST_2, DIGEST_1)}),
        (base.shared(vendor=b"v" * 16), {20: base.install()}),
    ):
        data = enveloped(base.content(common=common, sequences=sequences))
        assert isinstance(verify.authenticate(data, base.ANCHORS, Believing), manifest.Manifest)


def test_a_uri_that_is_not_text_is_refused_by_the_general_machine():
    content = base.content()
    at = content.index(b"o/c4")
    assert other_form(content[:at] + b"\xff" + content[at + 1 :])[0] == "CborError"


def test_the_same_commands_in_another_order_are_left_to_the_general_machine():
    common = base.shared()
    common[2:4] = [common[3], common[2]]
    assert other_form(base.content(common=common)).sequence_number == 7
    assert other_form(base.content(sequences={20: base.install()[4:] + base.install()[:4]}))[0] == "SuitError"


def test_one_more_or_one_less_command_is_left_to_the_general_machine():
    assert other_form(base.content(sequences={20: base.install() + [(3, 15)]})).sequence_number == 7
    assert other_form(base.content(sequences={20: base.install()[:-1]}))[0] == "SuitError"
    assert other_form(base.content(common=base.shared() + [(1, 15)])).sequence_number == 7
    assert other_form(base.content(common=base.shared()[:-1])).sequence_number == 7


def test_more_members_are_left_to_the_general_machine():
    validate = {7: [(12, 1), (3, 15)], 20: base.install()}
    assert other_form(base.content(sequences=validate)).sequence_number == 7
    members = cbor.decode(base.content())
    members[4] = "https://example.com/m"
    assert other_form(cbor.encode(members)).sequence_number == 7
    members[24] = b""
    assert other_form(cbor.encode(members)) == ("UnsupportedError", {"what": "suit-uninstall"})


def test_other_components_are_left_to_the_general_machine():
    components = ((b"chunks",), (b"firmwares",))
    assert other_form(base.content(components=components)) == ("UnsupportedError", {"what": "components"})


def test_an_envelope_without_its_text_is_left_to_the_general_machine():
    content = base.content()
    digest = envelope.encode_digest(envelope.digest_of(content))
    data = envelope.encode(envelope.Envelope(digest, (SIGNATURE,), content, {}))
    assert fixed_form.open_envelope(data) is None
    assert same(data).text is None


def test_bytes_that_could_change_are_left_to_the_general_machine():
    assert fixed_form.open_envelope(bytearray(GOOD)) is None
    assert fixed_form.open_envelope(GOOD) is not None


def test_an_envelope_above_the_limit_is_left_to_the_general_machine():
    for more, is_taken in ((0, True), (1, False)):
        text = bytes(ENVELOPE_BYTES - len(GOOD) + len(base.TEXT) - 1 + more)  # its head has one byte more
        data = enveloped(base.content(severed={23: envelope.digest_of(text)}), text)
        assert len(data) == ENVELOPE_BYTES + more
        assert (fixed_form.open_envelope(data) is not None) == is_taken
        assert isinstance(same(data), verify.VerifiedManifest) == is_taken


def test_a_wrong_digest_is_refused():
    at = GOOD.index(envelope.decode(GOOD).digest) + 10
    data = GOOD[:at] + bytes((GOOD[at] ^ 1,)) + GOOD[at + 1 :]
    assert same(data) == ("DigestMismatchError", {"component": "manifest"})


def test_a_wrong_signature_is_refused_before_the_manifest_is_read():
    damaged = base.content(components=())
    for data in (GOOD, enveloped(damaged)):
        try:
            verify.verify_envelope(data, base.ANCHORS)
        except FirstbootError as error:
            assert error.fields["reason"] == "wrong signature"
        else:
            raise AssertionError("accepted")


def test_identifiers_of_another_length_match_nothing():
    anchors = Anchors(base.VENDOR[:-1], base.CLASS, base.ANCHORS.keys, 0, 0, base.NO_RULES)
    assert same(GOOD, anchors)[0] == "VendorMismatchError"


def changed(data, at):
    """Return `data` with another bit changed at each place."""
    return data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]


def test_every_changed_byte_of_the_envelope_gives_the_general_verdict():
    for at in range(len(GOOD)):
        same(changed(GOOD, at))


def test_every_changed_byte_of_the_manifest_gives_the_general_verdict():
    content = base.content()
    for at in range(len(content)):
        same(enveloped(changed(content, at)))


def test_every_cut_of_the_envelope_gives_the_general_verdict():
    for end in range(len(GOOD)):
        same(GOOD[:end])
    same(GOOD + b"\x00")
    same(GOOD + GOOD)


def test_a_signature_in_the_authors_form_is_decoded_as_any():
    assert cose._author_form(SIGNATURE) is not None
    for data in (SIGNATURE, SIGNATURE[:-1], SIGNATURE + b"\x00"):
        for at in range(len(data)):
            same_signature(data[:at] + bytes((data[at] ^ 0x40,)) + data[at + 1 :])
        same_signature(data)
    same_signature(SIGNATURE.replace(b"\x46author", b"\x40"))


def same_signature(data):
    found = []
    for decode in (cose.decode, lambda data: cose.decode_any(data, ENVELOPE_BYTES, 4)):
        try:
            found.append(decode(data))
        except FirstbootError as error:
            found.append((type(error).__name__, error.fields))
    assert found[0] == found[1], data


def test_an_authors_signature_above_the_limit_is_refused():
    try:
        cose.decode(SIGNATURE, len(SIGNATURE) - 1)
    except FirstbootError as error:
        assert error.fields["what"] == "CBOR bytes"
    else:
        raise AssertionError("accepted")
    assert cose.decode(SIGNATURE, len(SIGNATURE)).signers[0].key_id == b"author"
