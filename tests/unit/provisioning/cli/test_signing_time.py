"""A command says which time it signs, and warns of a clock that no time service keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.cli import signing_time as module
from provisioning.cli.errors import InputError
from provisioning.cli.keys_sign_set import _require_valid_tracker
from provisioning.cli.signing_time import signing_time, text_of
from provisioning.keys.keyset import ensure_plan

EFFECT = "Units believe it."


@pytest.mark.parametrize(
    ("is_kept", "given", "is_warned"), [(False, None, True), (True, None, False), (False, 5, False)]
)
def test_the_clock_is_named_if_nobody_keeps_it_and_the_person_gave_no_time(
    monkeypatch: pytest.MonkeyPatch, is_kept: bool, given: int | None, is_warned: bool
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "warn", told.append)
    monkeypatch.setattr(module, "is_synchronised", lambda: is_kept)
    monkeypatch.setattr("time.time", lambda: 1_900_000_000.5)
    assert signing_time(given, EFFECT) == (1_900_000_000 if given is None else given)
    assert bool(told) == is_warned
    if is_warned:
        assert "17 March 2030, 17:46 UTC" in told[0] and EFFECT in told[0]


def test_a_system_that_says_nothing_about_its_clock_gives_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise AttributeError("adjtimex")

    told: list[str] = []
    monkeypatch.setattr(module, "warn", told.append)
    monkeypatch.setattr(module, "is_synchronised", fail)
    signing_time(None, EFFECT)
    assert told == []


def test_a_key_set_with_a_time_after_the_trackers_key_is_refused_until_the_key_is_renewed(
    tmp_path: Path,
) -> None:
    plan = ensure_plan(tmp_path, 1_900_000_000)
    _require_valid_tracker(plan, plan.tracker_last_s)
    late_s = plan.tracker_last_s + 1
    with pytest.raises(InputError, match="--renew-tracker"):
        _require_valid_tracker(plan, late_s)
    _require_valid_tracker(plan.with_tracker_from(late_s), late_s)


def test_a_time_that_no_calendar_has_is_a_number() -> None:
    assert text_of(10**18) == f"{10**18} s after 1970"
