"""A manifest with an application set: firmware that is running or is fetched, and refusals."""

import test_trust as base

from device.errors import ConditionError, LimitError, SuitError, UnsupportedError
from device.suit import commands
from device.trust import profile, verify

LIST_DIGEST, APP_DIGEST = b"\x1a" * 32, b"\xa2" * 32
FIRMWARE_SIZE, APP_SIZE = 5000, 700


def shared(list_size=32, app_size=APP_SIZE):
    own = []
    for index, digest, size in ((2, LIST_DIGEST, list_size), (3, APP_DIGEST, app_size)):
        own += [
            (12, index),
            base.parameters(vendor=base.VENDOR, klass=base.CLASS, digest=digest, size=size),
            (1, 15),
            (2, 15),
        ]
    return base.shared() + own


def fetched(index, digest):
    return [(12, index), base.parameters(uri=verify.object_uri(digest)), (21, 2), (3, 15)]


def of_app():
    return fetched(2, LIST_DIGEST) + fetched(3, APP_DIGEST)


def runs_already():
    return [(12, 1), (3, 2)]


def either():
    return [(12, 1), (15, [commands.encode(runs_already()), commands.encode(base.install())])]


def envelope(install, common=None, components=profile.APP_COMPONENTS):
    return base.signed(
        base.content(components=components, common=common or shared(), sequences={20: install})
    )


def around(is_running, asked=None):
    def runs(digest, size):
        if asked is not None:
            asked.append((digest, size))
        return is_running

    return verify.Circumstances(None, None, None, runs)


def refused(install, error=SuitError, text="", common=None, is_running=True):
    try:
        verify.verify_envelope(envelope(install, common), base.ANCHORS, circumstances=around(is_running))
    except error as found:
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("accepted")


def test_both_are_fetched_where_another_firmware_runs():
    asked = []
    found = verify.verify_envelope(
        envelope(either() + of_app()), base.ANCHORS, circumstances=around(False, asked)
    )
    assert asked == [(base.FIRMWARE_DIGEST, FIRMWARE_SIZE)]
    assert found.chunks.digest == base.CHUNK_DIGEST and found.firmware.digest == base.FIRMWARE_DIGEST
    assert found.app_chunks == verify.Target(LIST_DIGEST, 32, verify.object_uri(LIST_DIGEST))
    assert found.app == verify.Target(APP_DIGEST, APP_SIZE, verify.object_uri(APP_DIGEST))


def test_only_the_set_is_fetched_where_the_firmware_runs():
    found = verify.verify_envelope(envelope(either() + of_app()), base.ANCHORS, circumstances=around(True))
    assert found.chunks is None and found.app.digest == APP_DIGEST
    assert found.firmware.digest == base.FIRMWARE_DIGEST and found.firmware.size == FIRMWARE_SIZE


def test_who_does_not_know_what_runs_fetches_both():
    found = verify.verify_envelope(envelope(either() + of_app()), base.ANCHORS)
    assert found.chunks is not None


def test_a_set_alone_for_another_firmware_is_refused_by_its_condition():
    refused(runs_already() + of_app(), ConditionError, "image-match", is_running=False)
    install = runs_already() + of_app()
    assert verify.verify_envelope(envelope(install), base.ANCHORS, circumstances=around(True)).chunks is None


def test_firmware_without_its_set_is_refused():
    refused(either(), text="not fetched and matched")
    refused(base.install(), text="not fetched and matched", is_running=False)
    refused(either() + fetched(2, LIST_DIGEST), text="not fetched and matched")


def test_a_set_comes_after_its_firmware_and_its_list_before_it():
    refused(of_app() + either(), text="order")
    refused(either() + fetched(3, APP_DIGEST) + fetched(2, LIST_DIGEST), text="order")


def test_a_release_that_brings_nothing_is_refused():
    install = [(12, 1), (3, 2)]
    data = envelope(install, base.shared(), profile.COMPONENTS)
    try:
        verify.verify_envelope(data, base.ANCHORS, circumstances=around(True))
    except SuitError as error:
        assert "nothing to fetch" in error.describe()
        return
    raise AssertionError("accepted")


def test_what_runs_is_not_asked_before_vendor_and_class_hold():
    common = [pair for pair in shared() if pair[0] not in (1, 2)]
    refused(either() + of_app(), text="vendor and class", common=common)


def test_sizes_of_set_and_list_agree():
    refused(either() + of_app(), text="sizes", common=shared(list_size=64))
    refused(either() + of_app(), text="sizes", common=shared(app_size=5000))
    refused(either() + of_app(), LimitError, "chunk list", common=shared(list_size=32800))


def test_a_set_under_another_address_than_its_digest_is_refused():
    other = [(12, 3), base.parameters(uri="o/elsewhere"), (21, 2), (3, 15)]
    refused(either() + fetched(2, LIST_DIGEST) + other, UnsupportedError, "URI")


def test_other_components_are_refused():
    turned = profile.APP_COMPONENTS[2:] + profile.APP_COMPONENTS[:2]
    for components in (profile.APP_COMPONENTS[2:], profile.APP_COMPONENTS[:3], turned):
        data = envelope(either() + of_app(), None, components)
        try:
            verify.verify_envelope(data, base.ANCHORS)
        except UnsupportedError as error:
            assert "components" in error.describe()
            continue
        raise AssertionError("accepted")
