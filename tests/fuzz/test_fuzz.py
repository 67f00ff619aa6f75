"""Coverage-guided fuzzing: 5 000 inputs for each parser, the same each time; two minutes of new ones with --nightly."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from device.codec import cbor
from tests.fuzz import targets

RUNS, NIGHTLY_S = 5000, 120
FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.mark.parametrize("name", list(targets.TARGETS))
def test_nothing_but_a_typed_refusal_comes_out_of(name: str, tmp_path: Path, is_nightly: bool) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: no coverage-guided fuzzing")
    bound = str(NIGHTLY_S) if is_nightly else f"runs={RUNS}"
    done = subprocess.run(
        [sys.executable, str(FUZZ), name, bound],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    runs = re.search(r"Done (\d+) (?:runs|in)", done.stderr)
    assert runs is not None, done.stderr[-500:]
    assert int(runs.group(1)) > 100 if is_nightly else int(runs.group(1)) >= RUNS


@pytest.mark.parametrize("name", list(targets.TARGETS))
def test_every_seed_passes_its_target(name: str) -> None:
    target, seeds = targets.TARGETS[name]
    for seed in seeds:
        target(seed)
        for length in range(len(seed)):
            target(seed[:length])


def test_a_target_notices_an_error_that_is_not_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_data: bytes) -> None:
        raise IndexError

    monkeypatch.setattr(cbor, "decode", broken)
    with pytest.raises(IndexError):
        targets.fuzz_cbor(b"\x00")
