"""PR-02: a station that is killed at any step leaves its set-up code in no file but the label's."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.registry.registry import Registry
from provisioning.station import steps_identity
from tests.powercut.test_factory_kills import Fate, run_under
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit


def files_with(code: str, folder: Path) -> list[Path]:
    """Return the files below `folder` that contain the code, or half of it, in any of its written forms."""
    halves = (code[:10], code[10:20])
    wanted = [half.encode(form) for half in halves for form in ("utf-8", "utf-16-le")]
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and any(part in path.read_bytes() for part in wanted):
            found.append(path)
    return found


def test_no_file_but_the_label_holds_a_code_after_a_kill_at_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, drawn = Bench(tmp_path), []
    real = steps_identity.generate_code
    monkeypatch.setattr(
        steps_identity, "generate_code", lambda source: drawn.append(real(source)) or drawn[-1]
    )
    labels = tmp_path / "labels"
    kills, is_on_label = 0, False
    for at in range(1, 200):
        unit = MemoryUnit()
        is_through = run_under(Fate(at, is_before=False), bench, unit, monkeypatch)
        outside = [path for code in drawn for path in files_with(code, tmp_path) if path.parent != labels]
        assert not outside, f"killed behind boundary {at}: {outside}"
        is_on_label |= any(files_with(code, labels) for code in drawn)  # the search finds a planted code
        drawn.clear()
        if is_through:
            break
        kills += 1
    assert kills >= 30 and is_on_label
    assert files_with_label_only(labels)
    Registry(tmp_path / "registry.db").close()


def files_with_label_only(labels: Path) -> bool:
    """Check that the labels' folder has finished labels and no draft of one."""
    return all(path.suffix == ".png" and not path.name.startswith(".") for path in labels.iterdir())
