"""The rollout that the tracker signs, from the release store."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.codec import cbor, cose
from device.limits import ROLLOUT_SHARES
from device.records import freshness
from device.records.freshness import Rollout as Record
from provisioning.release.folder_store import FolderStore
from provisioning.servers import published_rollout
from provisioning.servers.rollout import RolloutError
from provisioning.servers.tracker import Tracker
from tests.unit.provisioning.servers.test_serve_parts import CLASS_ID, SIGNER, reader, release

RECORD = Record(7, b"k" * 16, 100)
GOOD = published_rollout.encode(RECORD)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    made = FolderStore(tmp_path / "published", CLASS_ID)
    made.put_release(release(7))
    return made


@given(st.integers(1, (1 << 53) - 1), st.binary(min_size=16, max_size=16), st.integers(0, ROLLOUT_SHARES))
def test_what_was_written_is_read(number: int, key: bytes, share: int) -> None:
    record = Record(number, key, share)
    assert published_rollout.decode(published_rollout.encode(record)) == record


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        GOOD.replace(b"7", b"0"),
        GOOD.replace(b": 7", b": 9007199254740992"),
        GOOD.replace(b": 7", b": true"),
        GOOD.replace(b"100}", b"10001}"),
        GOOD.replace(b"100}", b"1.5}"),
        GOOD.replace(b"6b", b"6b6b", 1),
        GOOD.replace(b"6b", b"zz", 1),
        GOOD.replace(b'"share"', b'"part"'),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(RolloutError):
        published_rollout.decode(data)


@given(st.binary(max_size=200))
def test_bytes_of_anyone_are_read_or_refused(data: bytes) -> None:
    try:
        record = published_rollout.decode(data)
    except RolloutError:
        return
    assert published_rollout.decode(published_rollout.encode(record)) == record


def test_a_running_tracker_signs_each_change_of_the_store(store: FolderStore) -> None:
    tracker = Tracker(SIGNER, {CLASS_ID: reader(store)}, now=lambda: 1)
    request = freshness.encode_request(freshness.challenge(b"n" * 16, CLASS_ID, 0))

    def signed() -> object:
        return cbor.decode(cose.decode(tracker.answer(request)).payload).get(7)

    assert signed() is None
    store.put_rollout(GOOD)
    assert signed() == [7, b"k" * 16, 100]
    store.put_rollout(published_rollout.encode(RECORD._replace(share=0)))
    assert signed() == [7, b"k" * 16, 0]
    store.put_rollout(None)
    assert signed() is None


def test_a_damaged_rollout_keeps_the_one_before_and_is_named(store: FolderStore) -> None:
    store.put_rollout(GOOD)
    numbers = reader(store)
    numbers.current()
    store.put_rollout(b"damaged")
    numbers.current()
    assert numbers.rolled_out() == RECORD
    assert "rollout" in (numbers.problem or "")
    store.put_rollout(GOOD)
    numbers.current()
    assert numbers.problem is None


def test_with_a_damaged_rollout_at_the_start_no_unit_begins(store: FolderStore) -> None:
    store.put_rollout(b"damaged")
    numbers = reader(store)
    numbers.current()
    assert numbers.rolled_out() == Record(7, bytes(16), 0)


def test_devices_cannot_fetch_the_rollout(store: FolderStore) -> None:
    store.put_rollout(GOOD)
    assert store.size("rollout.json") is None
