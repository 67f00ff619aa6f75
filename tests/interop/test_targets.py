"""Publishing to a store and a broker: each target has its own result."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.publishing.targets import Parcel, broker_target, publish_to
from provisioning.release.folder_store import FolderStore
from tests.folder_target import folder_target
from tests.interop.support.maker import CLASS_ID, Maker

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("is_broker_first", [True, False])
def test_a_broker_that_is_away_does_not_hide_that_the_store_has_the_release(
    maker: Maker, tmp_path: Path, is_broker_first: bool
) -> None:
    release = maker.release(5000)
    targets = [
        broker_target(maker.access(1, "publisher")),
        folder_target(tmp_path),
    ]
    targets = targets if is_broker_first else targets[::-1]
    results = publish_to(targets, Parcel(CLASS_ID, release, []))
    failed, done = results if is_broker_first else results[::-1]
    assert failed.error is not None and failed.items == 0 and failed.to == "broker 127.0.0.1:1"
    assert (done.error, done.items, done.to) == (None, 3, f"store {tmp_path}")
    assert FolderStore(tmp_path, CLASS_ID).read("manifest") == release.envelope


def test_a_store_that_cannot_be_written_is_the_error_of_that_target_only(
    maker: Maker, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    targets = [
        folder_target(tmp_path / "file"),
        folder_target(tmp_path / "good"),
    ]
    bad, good = publish_to(targets, Parcel(CLASS_ID, maker.release(5000), []), is_clean=True)
    assert bad.error is not None
    assert (good.error, good.items, good.removed) == (None, 3, 0)
