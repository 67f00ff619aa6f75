"""JSON that is nested deeper than Python recurses: every reader of a file from outside refuses it by its own type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.keys.keyset import PLAN_NAME, KeySetError, KeySetPlan
from provisioning.onboarding.client import Reply
from provisioning.registry.chains import ChainError, open_checkpoint
from provisioning.registry.errors import RegistryError
from provisioning.registry.export import import_sealed, verify_chains_json
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.release.log import ReleaseLog, ReleaseLogError
from provisioning.servers.oscore_store import OscoreStore, OscoreStoreError
from provisioning.station.web.login import Login, LoginError

DEEP = '{"a":' * 100_000


def _written(path: Path) -> Path:
    path.write_text(DEEP)
    path.chmod(0o600)
    return path


def _plan(folder: Path) -> object:
    _written(folder / PLAN_NAME)
    return KeySetPlan.load(folder)


def _secrets(folder: Path) -> object:
    return import_sealed(DEEP, ServerPrivateKey.generate(), OscoreStore(folder))


def _unit(folder: Path) -> object:
    store = OscoreStore(folder)
    sender_id = bytes(7)
    _written(store._path(sender_id, "unit"))
    return store.find(sender_id)


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (_plan, KeySetError),
        (_secrets, RegistryError),
        (_unit, OscoreStoreError),
        (lambda _: open_checkpoint(DEEP), ChainError),
        (lambda _: verify_chains_json(DEEP), ChainError),
        (lambda folder: ReleaseLog(_written(folder / "log")).entries(), ReleaseLogError),
        (lambda folder: Login.load(_written(folder / "login.json")), LoginError),
        (lambda _: Reply(200, {}, DEEP.encode()).json(), ValueError),
    ],
)
def test_deep_nesting_is_refused_by_type(
    read: Callable[[Path], object], error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error):
        read(tmp_path)
