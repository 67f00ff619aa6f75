"""Run manifests without signatures: conditions, order of fetches, matches, deltas, and the refusals by name."""

import test_trust as base
import test_trust_app as apps
import test_trust_delta as deltas

from device.codec import cbor
from device.errors import (
    ClassMismatchError,
    ConditionError,
    FirstbootError,
    LimitError,
    SuitError,
    UnsupportedError,
    VendorMismatchError,
)
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES
from device.suit import commands, manifest
from device.trust import profile
from device.trust.profile import APP_COMPONENTS, COMPONENTS, DELTA_COMPONENTS, Circumstances, Target

LOW, HIGH = b"\0" * 32, b"\xff" * 32
FIRMWARE = Target(base.FIRMWARE_DIGEST, 5000, profile.object_uri(base.FIRMWARE_DIGEST))
CHUNKS = Target(base.CHUNK_DIGEST, 64, profile.object_uri(base.CHUNK_DIGEST))


def ask(install=None, common=None, components=COMPONENTS, around=profile.UNKNOWN, **more):
    """Return what the unit would install: targets and delta. `more`: other sequences by member number, severed."""
    sequences = {20: base.install() if install is None else install}
    sequences.update(more.get("sequences", {}))
    data = base.content(
        components=components, common=common, sequences=sequences, severed=more.get("severed")
    )
    content = manifest.decode(data)
    profile.check_members(content)
    return profile.targets_of(content, base.ANCHORS, around)


def refused(kind, text, *arguments, **keywords):
    try:
        ask(*arguments, **keywords)
    except FirstbootError as error:
        assert type(error) is kind and text in error.describe(), error.describe()
        return error
    raise AssertionError("accepted: " + text)


def running(digest=base.FIRMWARE_DIGEST, size=5000):
    return Circumstances(None, None, None, lambda *payload: payload == (digest, size))


def test_a_plain_release_gives_both_targets_and_no_delta():
    assert ask() == ([CHUNKS, FIRMWARE], None)


def test_vendor_class_and_unit_are_exactly_this_units():
    for other in (LOW[:16], HIGH[:16]):
        found = refused(VendorMismatchError, "", common=base.shared(vendor=other))
        assert found.fields["offered"] == other.hex()
        found = refused(ClassMismatchError, "", common=base.shared(klass=other))
        assert found.fields["offered"] == other.hex()
        around = Circumstances(None, b"unit of tests...", None, None)
        asks = [(12, 0), (20, {24: other}), (24, 15)] + base.install()
        refused(ConditionError, "suit-condition-device-identifier", asks, around=around)


def test_the_place_of_a_failed_condition_is_named():
    found = refused(ClassMismatchError, "", common=base.shared(klass=LOW[:16]))
    names = ("component", "sequence", "index", "section")
    assert [found.fields[name] for name in names] == [0, 0, 3, 20]
    asks = [(12, 1), (20, {4: 5}), (4, 15)]
    found = refused(ConditionError, "use-before", asks + base.install())
    assert [found.fields[name] for name in names] == [1, 1, 2, 20]
    found = refused(ConditionError, "use-before", None, sequences={7: asks})
    assert [found.fields[name] for name in names] == [1, 1, 2, 7]


def test_a_component_beyond_those_of_the_manifest_does_not_exist():
    for index in (2, 3, 4):
        asks = [(12, index), base.parameters(vendor=base.VENDOR), (1, 15)]
        refused(SuitError, "no such component", asks + base.install())
    for index in (4, 5):
        asks = [(12, index), base.parameters(vendor=base.VENDOR), (1, 15)]
        delta_refused(SuitError, "no such component", deltas.by_delta(), rest=asks)


def test_the_owners_consent_is_asked_with_the_priority():
    asks = [(12, 0), (20, {27: -5}), (27, 15)] + base.install()
    assert ask(asks, around=Circumstances(None, None, lambda priority: priority == -5, None))
    for authorise in (None, lambda priority: False, lambda priority: priority == 5):
        around = Circumstances(None, None, authorise, None)
        refused(ConditionError, "update-authorized", asks, around=around)


def test_use_before_counts_to_the_second():
    for now_s, is_good in ((None, False), (99, True), (100, False), (101, False)):
        asks = [(12, 0), (20, {4: 100}), (4, 15)] + base.install()
        around = Circumstances(now_s, None, None, None)
        if is_good:
            assert ask(asks, around=around)[0] == [CHUNKS, FIRMWARE]
        else:
            refused(ConditionError, "use-before", asks, around=around)


def test_nothing_is_fetched_before_vendor_and_class_hold():
    for left_out in ((1,), (2,), (1, 2)):
        common = [pair for pair in base.shared() if pair[0] not in left_out]
        refused(SuitError, "fetch before the vendor and class", common=common)
        runs = [(12, 1), (3, 2)] + apps.of_app()
        common = [pair for pair in apps.shared() if pair[0] not in left_out]
        refused(SuitError, "image match before the vendor", runs, common, APP_COMPONENTS, running())


def test_nothing_is_fetched_without_digest_and_size():
    for values in ({"digest": base.CHUNK_DIGEST}, {"size": 64}):
        common = base.shared()
        common[1] = base.parameters(vendor=base.VENDOR, klass=base.CLASS, **values)
        refused(SuitError, "image-digest or -size", common=common)


def fetch(index, digest, match=True):
    steps = [(12, index), base.parameters(uri=profile.object_uri(digest)), (21, 2)]
    return steps + ([(3, 15)] if match else [])


def test_each_component_is_fetched_once_in_order_and_matched_before_the_next():
    chunks, firmware = fetch(0, base.CHUNK_DIGEST), fetch(1, base.FIRMWARE_DIGEST)
    for steps in (
        firmware + chunks,
        chunks + chunks + firmware,
        fetch(0, base.CHUNK_DIGEST, False) + firmware,
        fetch(0, base.CHUNK_DIGEST, False) + chunks + firmware,
        chunks + firmware + chunks,
    ):
        refused(SuitError, "order of fetches", steps)
    for steps in (chunks, chunks + fetch(1, base.FIRMWARE_DIGEST, False)):
        refused(SuitError, "a component is not fetched and matched", steps)


def test_what_is_matched_is_what_was_fetched():
    chunks = fetch(0, base.CHUNK_DIGEST, False)
    for values in ({"digest": LOW}, {"digest": HIGH}, {"size": 32}, {"size": 96}):
        steps = chunks + [base.parameters(**values), (3, 15)] + fetch(1, base.FIRMWARE_DIGEST)
        refused(SuitError, "something else than was fetched", steps)
        asks = [(12, 1), base.parameters(**values), (3, 15)]
        refused(SuitError, "something else than was fetched", None, sequences={7: asks})
    for index in (0, 2, 3):
        refused(
            SuitError,
            "what was not fetched",
            [(12, index), (3, 15)],
            apps.shared(),
            APP_COMPONENTS,
            running(apps.LIST_DIGEST, 32),
        )


def test_a_check_at_the_start_may_ask_for_what_is_installed_and_fetches_nothing():
    asks = [(12, 0), (3, 15), (12, 1), (3, 15)]
    assert ask(None, sequences={7: asks})[0] == [CHUNKS, FIRMWARE]
    refused(
        UnsupportedError,
        "suit-directive-fetch in suit-validate",
        None,
        sequences={7: fetch(0, base.CHUNK_DIGEST, False)},
    )
    refused(
        SuitError, "what was not fetched", [(12, 1), (3, 2)] + apps.of_app(), apps.shared(), APP_COMPONENTS,
        running(), sequences={7: [(12, 0), (3, 15)]},
    )  # fmt: skip


def test_the_running_firmware_is_recognised_by_digest_and_size():
    install = apps.either() + apps.of_app()
    found, _ = ask(install, apps.shared(), APP_COMPONENTS, running())
    assert found[:2] == [None, FIRMWARE] and found[3].digest == apps.APP_DIGEST
    for around in (running(LOW), running(base.FIRMWARE_DIGEST, 4999), profile.UNKNOWN):
        found, _ = ask(install, apps.shared(), APP_COMPONENTS, around)
        assert found[:2] == [CHUNKS, FIRMWARE]
    refused(SuitError, "nothing to fetch", [(12, 1), (3, 15)], around=running())
    common = base.shared()
    common[5] = base.parameters(vendor=base.VENDOR, klass=base.CLASS, digest=base.FIRMWARE_DIGEST)
    refused(ConditionError, "image-match", [(12, 1), (3, 15)], common, around=running())


def test_lists_and_payloads_agree_in_size_up_to_the_largest_list():
    for size, list_size, is_good in (
        (1, 32, True),
        (CHUNK_BYTES, 32, True),
        (CHUNK_BYTES + 1, 64, True),
        (CHUNK_LIST_BYTES // 32 * CHUNK_BYTES, CHUNK_LIST_BYTES, True),
        (0, 0, False),
        (0, 32, False),
        (CHUNK_BYTES, 64, False),
        (CHUNK_BYTES + 1, 32, False),
        (CHUNK_BYTES - 1, 0, False),
    ):
        common = base.shared(list_size=list_size, size=size)
        if is_good:
            assert [target.size for target in ask(common=common)[0]] == [list_size, size]
        else:
            refused(SuitError, "do not agree", common=common)
    too_long = base.shared(list_size=CHUNK_LIST_BYTES + 32, size=CHUNK_LIST_BYTES // 32 * CHUNK_BYTES + 1)
    found = refused(LimitError, "chunk list", common=too_long)
    assert found.fields["limit"] == CHUNK_LIST_BYTES


def test_every_object_has_the_address_of_its_digest():
    for steps in (
        fetch(0, base.FIRMWARE_DIGEST) + fetch(1, base.FIRMWARE_DIGEST),
        fetch(0, base.CHUNK_DIGEST) + fetch(1, base.CHUNK_DIGEST),
    ):
        refused(UnsupportedError, "URI that is not o/ and the SHA-256", steps)


def test_components_and_members_that_the_unit_does_not_know_are_refused():
    refused(SuitError, "no components", components=())
    for last in (((b"x",), (b"y",)), ((b"a",), (b"b",)), (DELTA_COMPONENTS[0], (b"y",))):
        refused(UnsupportedError, "components", components=COMPONENTS + last)
    refused(UnsupportedError, "components", components=COMPONENTS[:1])
    refused(UnsupportedError, "suit-load", sequences={8: [(12, 0), (1, 15)]})
    refused(UnsupportedError, "severed suit-payload-fetch", severed={16: LOW})
    refused(UnsupportedError, "severed suit-install", severed={20: LOW}, sequences={})
    bare = manifest.encode(sequence_number=7, components=(), shared=b"", sequences={}, severed={})
    members = cbor.decode(bare)
    members[3] = cbor.encode({4: commands.encode([(1, 15)])})
    for data, fields in (
        (base.content(sequences={7: [(12, 0), (1, 15)]}), {"reason": "missing", "member": "suit-install"}),
        (cbor.encode(members), {"reason": "no components"}),
    ):
        try:
            profile.check_members(manifest.decode(data))
            raise AssertionError("accepted")
        except SuitError as error:
            assert error.fields == fields


def delta(
    way, common=None, around=profile.UNKNOWN, more=(), components=COMPONENTS + DELTA_COMPONENTS, rest=()
):
    """Ask with a delta: `way` or the full payload; `more` are ways before both, `rest` follows them."""
    ways = list(more) + [way, deltas.in_full()]
    install = [(12, 1), (15, [commands.encode(one) for one in ways])] + list(rest)
    return ask(install, common or deltas.shared(), components, around)


def delta_refused(kind, text, *arguments, **keywords):
    try:
        delta(*arguments, **keywords)
    except FirstbootError as error:
        assert type(error) is kind and text in error.describe(), error.describe()
        return
    raise AssertionError("accepted: " + text)


LIST, PATCH = deltas.LIST_DIGEST, deltas.PATCH_DIGEST


def test_a_delta_gives_its_source_and_both_objects_beside_the_full_payload():
    targets, found = delta(deltas.by_delta())
    assert targets == [CHUNKS, FIRMWARE]
    assert found.source_digest == deltas.SOURCE_DIGEST and found.source_size == 4000
    assert (found.chunks.digest, found.patch.digest) == (LIST, PATCH)


def test_a_patch_is_fetched_after_its_list_was_matched_and_each_once():
    listed, patch = deltas.fetched(2, LIST), deltas.fetched(3, PATCH)
    for steps in (
        listed[:-1] + patch,
        listed[:-1] + listed + patch,
        listed + listed + patch,
        patch + listed,
        listed + patch + patch,
    ):
        delta_refused(SuitError, "order of fetches", deltas.condition() + steps + deltas.applied())
    for digest in (None, LIST):  # without its size, or without its digest
        common = deltas.shared()
        values = {"size": 32} if digest is None else {"digest": LIST}
        common[9] = base.parameters(vendor=base.VENDOR, klass=base.CLASS, **values)
        delta_refused(SuitError, "image-digest or -size", deltas.by_delta(), common)


def test_a_unit_on_the_full_way_fetches_no_patch():
    delta_refused(SuitError, "delta without its condition", deltas.in_full() + deltas.fetched(2, LIST))


def test_a_patch_and_its_list_are_matched_as_they_were_fetched():
    for index in (2, 3):
        for values in ({"digest": LOW}, {"digest": HIGH}, {"size": 1}, {"size": 1 << 20}):
            steps = deltas.condition()
            for at, name in ((2, LIST), (3, PATCH)):
                more = [deltas.parameters(**values), (3, 15)] if at == index else [(3, 15)]
                steps = steps + deltas.fetched(at, name)[:-1] + more
            delta_refused(SuitError, "something else than was fetched", steps + deltas.applied())
        delta_refused(SuitError, "something else", deltas.condition() + [(12, index), (3, 15)])


def test_a_patch_makes_the_firmware_once_after_it_was_matched_and_nothing_else():
    whole = deltas.condition() + deltas.fetched(2, LIST) + deltas.fetched(3, PATCH)
    for index in (0, 2, 3):
        copy = [(12, index), deltas.parameters(source=3), (22, 2)]
        delta_refused(UnsupportedError, "suit-directive-copy", whole + copy + deltas.applied())
    for source in (0, 1, 2):
        delta_refused(UnsupportedError, "suit-directive-copy", whole + deltas.applied(source=source))
    matched = [(12, 1), deltas.parameters(digest=base.FIRMWARE_DIGEST, size=5000), (3, 15)]
    into_the_list = [(12, 0), deltas.parameters(source=3), (22, 2)]
    delta_refused(UnsupportedError, "suit-directive-copy", whole + into_the_list + matched)
    delta_refused(UnsupportedError, "suit-directive-copy", whole + deltas.applied() + deltas.applied())
    delta_refused(UnsupportedError, "suit-directive-copy", whole[:-1] + deltas.applied())


def test_a_delta_has_one_source_with_a_size_after_vendor_and_class():
    way = deltas.by_delta()
    delta_refused(SuitError, "condition on the source", deltas.condition() + way)
    common = [pair for pair in deltas.shared() if pair[0] not in (1, 2)]
    delta_refused(SuitError, "vendor and class", way, common)
    full = [(1, 15), (2, 15)] + deltas.in_full()  # only the way of the full payload asks
    for asked in ([], [(1, 15)], [(2, 15)]):
        install = [(12, 1), (15, [commands.encode(asked + way), commands.encode(full)])]
        components = COMPONENTS + DELTA_COMPONENTS
        refused(SuitError, "image match before the vendor", install, common, components)


def test_the_result_of_a_patch_is_the_firmware_of_the_full_payload():
    whole = deltas.condition() + deltas.fetched(2, LIST) + deltas.fetched(3, PATCH)
    for digest in (LOW, HIGH):
        delta_refused(SuitError, "something else than was fetched", whole + deltas.applied(digest))


def test_a_unit_that_runs_the_firmware_of_a_delta_fetches_neither():
    more = [deltas.condition(base.FIRMWARE_DIGEST, 5000)]
    delta_refused(SuitError, "nothing to fetch", deltas.by_delta(), around=running(), more=more)
    # The release that the patch was made from is not the firmware, although it runs.
    source = running(deltas.SOURCE_DIGEST, 4000)
    assert delta(deltas.by_delta(), around=source, more=more)[0] == [CHUNKS, FIRMWARE]


def test_the_way_of_a_delta_brings_the_same_application_set():
    components = APP_COMPONENTS + DELTA_COMPONENTS
    common = apps.shared()
    for index, digest, size in ((4, LIST, 32), (5, PATCH, 700)):
        common += [
            (12, index),
            base.parameters(vendor=base.VENDOR, klass=base.CLASS, digest=digest, size=size),
        ]
    common += [(12, 3), base.parameters(uri=profile.object_uri(apps.APP_DIGEST))]
    rest = apps.fetched(2, apps.LIST_DIGEST) + [(12, 3), (21, 2), (3, 15)]
    way = deltas.condition() + deltas.fetched(4, LIST) + deltas.fetched(5, PATCH) + deltas.applied(source=5)
    targets, found = delta(way, common, components=components, rest=rest)
    assert targets[3].digest == apps.APP_DIGEST and found.patch.digest == PATCH
    for other in (LOW, HIGH):
        turned = way + [(12, 3), base.parameters(digest=other, uri=profile.object_uri(other)), (12, 1)]
        text = "delta that does not make the firmware"
        delta_refused(SuitError, text, turned, common, components=components, rest=rest)
