"""A manifest that offers the firmware as a delta: accepted forms, and refusals by name."""

import test_trust as base

from device.errors import ConditionError, LimitError, SuitError, UnsupportedError
from device.suit import commands
from device.trust import profile, verify

SOURCE_DIGEST, LIST_DIGEST, PATCH_DIGEST = b"\x50" * 32, b"\x1d" * 32, b"\xd1" * 32
FIRMWARE_SIZE = 5000
COMPONENTS = profile.COMPONENTS + profile.DELTA_COMPONENTS


def parameters(**values):
    numbers = {"digest": 3, "size": 14, "uri": 21, "source": 22}
    return commands.encode_parameters({numbers[name]: values[name] for name in values})


def shared(list_size=32, patch_size=700):
    own = []
    for index, digest, size in ((2, LIST_DIGEST, list_size), (3, PATCH_DIGEST, patch_size)):
        own += [(12, index), base.parameters(vendor=base.VENDOR, klass=base.CLASS, digest=digest, size=size)]
    return base.shared() + own


def fetched(index, digest, uri=None):
    return [(12, index), parameters(uri=uri or verify.object_uri(digest)), (21, 2), (3, 15)]


def condition(digest=SOURCE_DIGEST, size=4000):
    return [(12, 1), parameters(digest=digest, size=size), (3, 2)]


def applied(digest=base.FIRMWARE_DIGEST, source=3):
    return [(12, 1), parameters(digest=digest, size=FIRMWARE_SIZE, source=source), (22, 2), (3, 15)]


def by_delta():
    return condition() + fetched(2, LIST_DIGEST) + fetched(3, PATCH_DIGEST) + applied()


def in_full():
    again = [(12, 1), parameters(digest=base.FIRMWARE_DIGEST, size=FIRMWARE_SIZE)]
    return again + base.install()


def envelope(ways=None, common=None, components=COMPONENTS):
    ways = [by_delta(), in_full()] if ways is None else ways
    install = [(12, 1), (15, [commands.encode(way) for way in ways])]
    return base.signed(
        base.content(components=components, common=common or shared(), sequences={20: install})
    )


def refused(ways, error=SuitError, text="", common=None, components=COMPONENTS):
    base.refused(envelope(ways, common, components), error, text)


def test_both_ways_to_the_firmware_are_found():
    found = verify.verify_envelope(envelope(), base.ANCHORS)
    assert found.firmware.digest == base.FIRMWARE_DIGEST
    assert found.chunks.digest == base.CHUNK_DIGEST
    assert found.delta == verify.Delta(
        SOURCE_DIGEST,
        4000,
        verify.Target(LIST_DIGEST, 32, verify.object_uri(LIST_DIGEST)),
        verify.Target(PATCH_DIGEST, 700, verify.object_uri(PATCH_DIGEST)),
    )


def test_a_unit_with_this_firmware_already_recognises_it_in_a_manifest_with_a_delta():
    ways = [condition(base.FIRMWARE_DIGEST, FIRMWARE_SIZE), by_delta(), in_full()]
    asked = []

    def runs(digest, size):
        asked.append((digest, size))
        return False

    around = verify.Circumstances(None, None, None, runs)
    found = verify.verify_envelope(envelope(ways), base.ANCHORS, circumstances=around)
    assert found.chunks is not None and found.delta is not None
    assert asked == [(base.FIRMWARE_DIGEST, FIRMWARE_SIZE)]


def test_a_release_without_the_full_payload_is_refused():
    ways = [by_delta(), condition(b"\x51" * 32) + fetched(2, LIST_DIGEST)]
    refused(ways, ConditionError, "suit-directive-try-each")


def test_a_delta_that_no_way_takes_is_refused():
    refused([condition(), in_full()], text="delta that does not make the firmware")
    refused([in_full(), by_delta()], text="delta that does not make the firmware")


def test_a_patch_is_not_fetched_before_the_condition_on_its_source():
    way = fetched(2, LIST_DIGEST) + fetched(3, PATCH_DIGEST) + condition() + applied()
    refused([way, in_full()])


def test_a_patch_is_fetched_after_its_list_and_matched_before_it_is_applied():
    refused([condition() + fetched(3, PATCH_DIGEST) + fetched(2, LIST_DIGEST) + applied(), in_full()])
    unmatched = fetched(3, PATCH_DIGEST)[:-1]
    refused(
        [condition() + fetched(2, LIST_DIGEST) + unmatched + applied(), in_full()],
        UnsupportedError,
        "suit-directive-copy",
    )


def test_what_is_made_must_be_matched_with_the_firmware():
    way = condition() + fetched(2, LIST_DIGEST) + fetched(3, PATCH_DIGEST)
    refused([way + applied(digest=b"\xf2" * 32), in_full()], text="something else")
    refused([way + applied()[:-1], in_full()], text="not fetched and matched")


def test_copies_of_anything_else_are_refused_by_name():
    way = condition() + fetched(2, LIST_DIGEST) + fetched(3, PATCH_DIGEST)
    for source in (0, 1, 2):
        refused([way + applied(source=source), in_full()], UnsupportedError, "suit-directive-copy")
    to_the_list = [(12, 2)]
    refused([way + to_the_list + applied()[1:], in_full()], UnsupportedError, "suit-directive-copy")
    refused([way + applied() + applied(), in_full()], UnsupportedError, "suit-directive-copy")
    copying = [(12, 1), parameters(source=0), (22, 2)]
    base.refused(
        base.signed(base.content(sequences={20: base.install() + copying})),
        UnsupportedError,
        "suit-directive-copy",
    )


def test_lists_sizes_and_uris_of_a_patch_are_checked_as_those_of_the_firmware():
    refused(None, text="sizes", common=shared(list_size=64))
    refused(None, LimitError, "chunk list", common=shared(list_size=1 << 16, patch_size=1 << 23))
    other = fetched(3, PATCH_DIGEST, uri="o/" + "00" * 32)
    way = condition() + fetched(2, LIST_DIGEST) + other + applied()
    refused([way, in_full()], UnsupportedError, "URI")


def test_a_delta_for_other_components_is_refused():
    swapped = ((b"firmware",), (b"chunks",))
    refused(None, UnsupportedError, "components", components=swapped + profile.DELTA_COMPONENTS)
    refused(None, UnsupportedError, "components", components=COMPONENTS[:3])
    swapped = ((b"delta",), (b"delta-chunks",))
    refused(None, UnsupportedError, "components", components=profile.COMPONENTS + swapped)
    base.refused(
        base.signed(base.content(components=profile.DELTA_COMPONENTS)), UnsupportedError, "components"
    )
