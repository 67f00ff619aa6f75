"""A link to a volume that is not mounted is a fault. It is never taken for a file that was never written."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.cli.support_extend import _read_register
from provisioning.compliance.ledger import Ledger
from provisioning.file_system import read_if_there
from provisioning.keys.keyset import PLAN_NAME, KeySetError, KeySetPlan
from provisioning.keys.lms_state import LmsState, StateDamagedError
from provisioning.servers.oscore_store import OWNER, OscoreStore
from provisioning.servers.signing_clock import ClockError, SigningClock

DEVICE = bytes(range(16))


def away(path: Path) -> Path:
    """Move a file to a volume, put a link in its place, and take the volume away."""
    volume = path.parent / "volume"
    volume.mkdir()
    path.rename(volume / path.name)
    path.symlink_to(volume / path.name)
    volume.rename(path.parent / "unmounted")
    return path


def mounted(path: Path) -> None:
    (path.parent / "unmounted").rename(path.parent / "volume")


def test_a_missing_file_is_none_and_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert read_if_there(path) is None
    path.write_bytes(b"7")
    away(path)
    with pytest.raises(FileNotFoundError, match="state"):
        read_if_there(path)
    mounted(path)
    assert read_if_there(path) == b"7"


@pytest.mark.parametrize("kind", ["unit", "sequence", OWNER])
def test_the_servers_numbers_units_and_owner_are_not_forgotten(tmp_path: Path, kind: str) -> None:
    store = OscoreStore(tmp_path, clock=lambda: 0.0)
    unit = store.add(DEVICE, bytes(16), bytes(8))
    store.reserve(unit.sender_id, 5120)
    store.claim("ab" * 16)
    path = away(tmp_path / (OWNER if kind == OWNER else f"{unit.sender_id.hex()}.{kind}"))
    asked = {
        "unit": lambda: store.find(unit.sender_id),
        "sequence": lambda: store.first_sequence(unit.sender_id),
        OWNER: lambda: store.claim("cd" * 16),
    }[kind]
    with pytest.raises(FileNotFoundError):
        asked()
    mounted(path)
    assert store.first_sequence(unit.sender_id) == 5120 and store.find(unit.sender_id) == unit
    with pytest.raises(ValueError, match="belongs to the server database"):
        store.claim("cd" * 16)


@pytest.mark.parametrize("name", ["tracker.clock", "tracker.clock.base"])
def test_the_time_that_was_signed_last_is_not_forgotten(tmp_path: Path, name: str) -> None:
    state = tmp_path / "tracker.clock"

    def clock(now_s: int) -> SigningClock:
        return SigningClock(
            state, now=lambda: now_s, steady=lambda: 1.0, is_synchronised=lambda: True, boot_id=lambda: "boot"
        )

    clock(1_900_000_000)()
    path = away(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        clock(1_900_000_000 - 90 * 86400)
    mounted(path)
    with pytest.raises(ClockError):
        clock(1_900_000_000 - 90 * 86400)()


def test_the_published_end_date_is_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "register.jsonl"
    path.write_bytes(b"")
    away(path)
    with pytest.raises(FileNotFoundError):
        _read_register(path, "FB-1")
    with pytest.raises(FileNotFoundError):
        Ledger(path).lines()


def test_the_plan_of_the_key_set_is_not_begun_again(tmp_path: Path) -> None:
    (tmp_path / PLAN_NAME).write_text("{}")
    away(tmp_path / PLAN_NAME)
    with pytest.raises(KeySetError):
        KeySetPlan.find(tmp_path)


def test_the_state_of_a_tree_of_one_time_keys_is_not_made_again(tmp_path: Path) -> None:
    folder, witness = tmp_path / "tree", tmp_path / "witness"
    folder.mkdir()
    state = LmsState(folder, b"k" * 8, 32, witness)
    state.create()
    away(folder / "state.json" if (folder / "state.json").exists() else next(folder.glob("*.json")))
    away(next(witness.glob("*.json")))
    with pytest.raises(StateDamagedError, match="already has a state"):
        state.create()
